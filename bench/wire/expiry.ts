/**
 * Mass expiry beside redis-server in one run: `npm run bench:expiry [-- options]`
 *
 *   --keys N      keys with a time to live (5,000,000)
 *   --within N    seconds in which they fall due, evenly (10)
 *   --shared      the system decides which core does what; else the server's main thread has one to itself
 *   --smoke       20,000 keys within 1 s: does it work
 *
 * One server after the other holds the keys while redis-benchmark asks for others, and a client by itself sends one GET after
 * another, before all others on a core where that is allowed. `gone after` is how long after the last key was due none was
 * left; the percentiles are that client's. `calm` is the same client before the first key is due.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { Apart } from './apart.ts';
import { cpuOf, percentile } from './figures.ts';
import { Options, sleep } from './options.ts';
import { probeWhile } from './sets.ts';

const BATCH = 1000;
const CALM = 2000;
/** Beyond it the rest is not waited for. */
const PATIENCE = 120_000;
const MOST_P99 = 2;
/** Seconds after the last key was due by which none may be left, where redis-server doesn't take longer. */
const GONE_AFTER = 0.5;

interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Outcome {
  readonly calm: Latencies;
  readonly due: Latencies;
  /** Seconds. */
  readonly goneAfter: number;
  readonly cpu: number;
}

/** What a client that sends one GET after another, with a pause in between, waits for while `during` runs. */
async function waits(server: ServerProcess, during: () => Promise<void>): Promise<Latencies> {
  const task = {
    port: server.port,
    keys: 1,
    valueBytes: 3,
    most: 1_000_000,
    command: 'GET',
    warming: 0,
    pause: 1,
    first: true,
  } as const;
  const sorted = await apart.during(server, () => probeWhile(task, during));
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) };
}

/** Sets keys that fall due evenly within `within` ms from `from` on, unix time in ms. */
async function fill(port: number, keys: number, from: number, within: number): Promise<void> {
  const client = new Pipeline(port);
  for (let at = 0; at < keys; at += BATCH) {
    const count = Math.min(BATCH, keys - at);
    const due = (i: number): string => String(from + Math.floor(((at + i) / keys) * within));
    const answers = await client.send(
      Array.from({ length: count }, (_, i) => ['SET', `key:${at + i}`, 'v'.repeat(32), 'PXAT', due(i)]),
    );
    if (answers.some((answer) => answer !== 'OK')) throw new Error(`no key was set: ${String(answers[0])}`);
  }
  client.close();
}

function load(port: number): ChildProcess {
  const args = ['-p', port, '-c', 20, '-n', 1_000_000_000, '-t', 'get', '-q'];
  return spawn('redis-benchmark', args.map(String), { stdio: 'ignore' });
}

/** Milliseconds that filling with so many keys takes at most, reckoned from a part of them. */
async function timeToFill(server: ServerProcess, keys: number): Promise<number> {
  const client = new Pipeline(server.port);
  const part = Math.min(keys, 250_000);
  const begin = performance.now();
  await fill(server.port, part, Date.now() + 3_600_000, 1);
  await client.call('FLUSHALL');
  client.close();
  return Math.ceil(3000 + 2 * (performance.now() - begin) * (keys / part));
}

async function play(start: typeof startRedis, keys: number, within: number): Promise<Outcome> {
  const server = await start();
  const client = new Pipeline(server.port);
  let others: ChildProcess | undefined;
  try {
    const from = Date.now() + (await timeToFill(server, keys));
    await fill(server.port, keys, from, within);
    if (Date.now() > from) throw new Error('the first keys were due before the last were set');
    others = load(server.port);
    await sleep(Math.max(0, from - Date.now() - CALM));
    const calm = await waits(server, () => sleep(from - Date.now()));
    const cpu = cpuOf(server.pid);
    let goneAfter = 0;
    const due = await waits(server, async () => {
      while (Number(await client.call('DBSIZE')) > 0 && Date.now() < from + within + PATIENCE) await sleep(20);
      goneAfter = (Date.now() - from - within) / 1000;
    });
    return { calm, due, goneAfter, cpu: cpuOf(server.pid) - cpu };
  } finally {
    others?.kill();
    client.close();
    await server.stop();
  }
}

const options = new Options('npm run bench:expiry --', ['keys', 'within'], ['shared']);
const keys = options.number('keys', 5_000_000, 20_000);
const within = options.number('within', 10, 1) * 1000;
const apart = new Apart(!options.flag('shared'));
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${keys} keys due in ${within} ms; ${apart.told}`,
);
console.log('         calm p50   p99   max    due p50   p99   max ms   gone after s   CPU s');
let redisGone = 0;
for (const [name, start] of [
  ['redis', startRedis],
  ['ours', startCinnabar],
] as const) {
  const { calm, due, goneAfter, cpu } = await play(start, keys, within);
  const cells = [calm, due].flatMap(({ p50, p99, max }) => [p50, p99, max]).map((ms) => ms.toFixed(2).padStart(7));
  const verdicts: string[] = [];
  if (name === 'redis') redisGone = goneAfter;
  else {
    const bound = Math.max(redisGone, GONE_AFTER);
    verdicts.push(`p99 ${verdict(due.p99, MOST_P99)} ms)`, `gone ${verdict(goneAfter, bound)} s)`);
  }
  const row = [name.padEnd(8), ...cells, goneAfter.toFixed(2).padStart(9), cpu.toFixed(1).padStart(9)];
  console.log(`${row.join(' ')}  ${verdicts.join(', ')}`.trimEnd());
}

function verdict(value: number, bound: number): string {
  return `${value <= bound ? 'met' : 'MISSED'} (<= ${bound}`;
}
