/**
 * How long a SET takes at half of the rate at which redis-server is saturated: `npm run bench:latency [-- options]`
 *
 *   --keys N     (1,000,000)     --repeat N   rounds, each on one server after the other (5); the median counts
 *   --seconds N  of a round (10)
 *   --smoke      20,000 keys, a second: does it work
 *
 * 50 connections; what is due is sent, whether the server is behind or not, and waits are counted from when it was due. Both
 * servers get the same rate: half of what redis-benchmark drives redis-server to in the same run.
 */
import { cpus } from 'node:os';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { startWorker } from '../../test/support/worker.ts';
import { type Line, percentile, Results } from './figures.ts';
import { Options } from './options.ts';
import type { PacedTask } from './paced.ts';
import { requestsPerSecond } from './redis-benchmark.ts';
import { fill } from './sets.ts';

const CONNECTIONS = 50;
const VALUE_BYTES = 3;
/** Milliseconds by which ours may be above. */
const ABOVE = 0.2;
/** Requests of redis-benchmark by which the rate is found. */
const SATURATING = 200_000;

const LINES: readonly Line[] = [
  { figure: 'p50', unit: 'ms', pick: 'middle' },
  { figure: 'p99', unit: 'ms', pick: 'middle', above: ABOVE },
  { figure: 'p99.9', unit: 'ms', pick: 'middle', above: ABOVE },
  { figure: 'longest', unit: 'ms', pick: 'middle' },
];

/** Requests a second of redis-benchmark. */
function saturated({ port }: ServerProcess, keys: number, requests: number): Promise<number> {
  return requestsPerSecond('-p', port, '-c', CONNECTIONS, '-n', requests, '-r', keys, '-t', 'set');
}

/** Milliseconds, in rising order. */
async function paced(task: PacedTask): Promise<Float64Array> {
  const worker = startWorker(new URL('./paced.ts', import.meta.url));
  worker.postMessage(task);
  const taken = await new Promise<Float64Array>((resolve) => worker.once('message', resolve));
  await worker.terminate();
  return taken;
}

const options = new Options('npm run bench:latency --', ['keys', 'repeat', 'seconds']);
const keys = options.number('keys', 1_000_000, 20_000);
const repeat = options.number('repeat', 5, 1);
const seconds = options.number('seconds', 10, 1);
const servers = { redis: await startRedis(), ours: await startCinnabar() };
try {
  for (const { port } of Object.values(servers)) await fill(port, keys, VALUE_BYTES);
  const requests = options.smoke ? 3000 : SATURATING;
  // What is compiled while it is saturated is no longer compiled while it is measured.
  await saturated(servers.ours, keys, requests);
  const rate = Math.round((await saturated(servers.redis, keys, requests)) / 2);
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${rate} SETs a second, ${keys} keys, ${repeat} rounds`,
  );
  const results = new Results();
  for (let round = 0; round < repeat; round++)
    for (const [which, { port }] of Object.entries(servers)) {
      const load = { rate, requests: rate * (seconds + 1), warming: rate };
      const taken = await paced({ port, connections: CONNECTIONS, keys, valueBytes: VALUE_BYTES, ...load });
      const server = which === 'ours' ? 'ours' : 'redis';
      results.add('p50', server, percentile(taken, 0.5));
      results.add('p99', server, percentile(taken, 0.99));
      results.add('p99.9', server, percentile(taken, 0.999));
      results.add('longest', server, percentile(taken, 1));
    }
  results.print(LINES);
} finally {
  for (const server of Object.values(servers)) await server.stop();
}
