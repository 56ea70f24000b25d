/**
 * redis-benchmark's tests, side by side against redis-server and ours in one run: `npm run bench [-- options]`
 *
 *   --quick           a quarter of the requests, one repetition
 *   --smoke           a few thousand requests: does it work
 *   --tests a,b       of set get incr lpush rpop sadd hset zadd zpopmin lrange_100 mset
 *   --pipeline 1,16   --keys 1,1000000   --repeat N
 *   --value N         bytes of a value (3)
 *   --tls             by TLS, with certificates made for the run
 *   --memory          only used_memory per key
 *
 * Both servers run throughout; each test runs on one, then on the other, and so on (A B A B), from one client thread of
 * 50 connections; the better run of each counts. CPU is the server's utime + stime from /proc over its requests.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Certificates, makeCertificates } from '../test/support/certificates.ts';
import { freePort } from '../test/support/ports.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../test/support/server-process.ts';
import { bytesPerKey } from './memory.ts';
import { cpuOf } from './wire/figures.ts';
import { Options } from './wire/options.ts';
import { requestsPerSecond } from './wire/redis-benchmark.ts';

const TESTS = ['set', 'get', 'incr', 'lpush', 'rpop', 'sadd', 'hset', 'zadd', 'zpopmin', 'lrange_100', 'mset'];
/** redis-benchmark's own preparation of LRANGE would count as its cost, so the list is filled apart. */
const LRANGE = ['LRANGE', 'mylist', '0', '99'];
const LIST_ELEMENTS = 1000;

interface Plan {
  readonly tests: readonly string[];
  readonly pipelines: readonly number[];
  readonly keys: readonly number[];
  readonly repeat: number;
  readonly requests: number;
  readonly memoryKeys: number;
  readonly onlyMemory: boolean;
  readonly valueBytes: number;
  readonly tls: boolean;
}

/** A server, and how redis-benchmark comes to it. */
interface Subject {
  readonly server: ServerProcess;
  readonly reach: readonly string[];
}

interface Load {
  readonly keys: number;
  readonly pipeline: number;
  readonly requests: number;
  readonly valueBytes: number;
}

interface Run {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

interface Row {
  readonly test: string;
  readonly keys: number;
  readonly pipeline: number;
  readonly redis: Run;
  readonly ours: Run;
}

function plan(): Plan {
  const names = ['tests', 'pipeline', 'keys', 'repeat', 'value'];
  const options = new Options('npm run bench --', names, ['quick', 'memory', 'tls']);
  const { smoke } = options;
  const quick = options.flag('quick');
  return {
    tests: options.list('tests', smoke ? ['set', 'get', 'lrange_100'] : TESTS),
    pipelines: options.list('pipeline', ['1', '16']).map(Number),
    keys: options.list('keys', ['1', '1000000']).map(Number),
    repeat: options.number('repeat', quick ? 1 : 2, 1),
    requests: smoke ? 3000 : quick ? 50_000 : 200_000,
    memoryKeys: smoke ? 20_000 : 1_000_000,
    onlyMemory: options.flag('memory'),
    valueBytes: options.number('value', 3, 3),
    tls: options.flag('tls'),
  };
}

async function measure(subject: Subject, test: string, { keys, pipeline, requests, valueBytes }: Load): Promise<Run> {
  const { reach, server } = subject;
  const random = keys > 1 ? ['-r', keys] : [];
  const size = ['-d', valueBytes];
  const what = test === 'lrange_100' ? LRANGE : ['-t', test];
  if (test === 'lrange_100') {
    await requestsPerSecond(...reach, '-n', 1, 'DEL', 'mylist');
    await requestsPerSecond(...reach, '-n', LIST_ELEMENTS, ...size, '-t', 'lpush');
  }
  const before = cpuOf(server.pid);
  const load = ['-n', requests, '-P', pipeline];
  const perSecond = await requestsPerSecond(...reach, ...load, ...size, ...random, ...what);
  return { perSecond, cpuMicroseconds: ((cpuOf(server.pid) - before) / requests) * 1e6 };
}

function better(a: Run | undefined, b: Run): Run {
  if (a === undefined) return b;
  return {
    perSecond: Math.max(a.perSecond, b.perSecond),
    cpuMicroseconds: Math.min(a.cpuMicroseconds, b.cpuMicroseconds),
  };
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

const speedRatio = (row: Row): number => row.ours.perSecond / row.redis.perSecond;
const cpuRatio = (row: Row): number => row.ours.cpuMicroseconds / row.redis.cpuMicroseconds;

function print(row: Row): void {
  const cells = [
    row.test.padEnd(11),
    String(row.keys).padStart(8),
    String(row.pipeline).padStart(3),
    row.redis.perSecond.toFixed(0).padStart(10),
    row.ours.perSecond.toFixed(0).padStart(10),
    speedRatio(row).toFixed(2).padStart(7),
    row.redis.cpuMicroseconds.toFixed(2).padStart(9),
    row.ours.cpuMicroseconds.toFixed(2).padStart(9),
    cpuRatio(row).toFixed(2).padStart(7),
  ];
  console.log(cells.join(' '));
}

function printMeans(rows: readonly Row[]): void {
  const groups = [...new Set(rows.map((row) => row.pipeline))].map((pipeline) => ({
    name: `pipeline ${pipeline}`,
    rows: rows.filter((row) => row.pipeline === pipeline),
  }));
  for (const group of [...groups, { name: 'all', rows }]) {
    // A run too short for the clock's ticks has no CPU figure.
    const timed = group.rows.map(cpuRatio).filter((ratio) => Number.isFinite(ratio) && ratio > 0);
    const cpu = timed.length > 0 ? geometricMean(timed).toFixed(2) : '-';
    const speed = geometricMean(group.rows.map(speedRatio)).toFixed(2);
    console.log(`geometric mean, ${group.name}: requests/s ${speed} x Redis, CPU per request ${cpu} x Redis`);
  }
}

async function speed(given: Plan, redis: Subject, ours: Subject): Promise<Row[]> {
  const rows: Row[] = [];
  const { valueBytes } = given;
  console.log('test            keys   P    redis/s     ours/s   ratio  redis us   ours us   ratio');
  for (const keys of given.keys) {
    for (const { reach } of [redis, ours]) await requestsPerSecond(...reach, '-n', 1, 'FLUSHALL');
    for (const pipeline of given.pipelines)
      for (const test of given.tests) {
        const requests = given.requests * (pipeline > 1 ? 5 : 1) * (test === 'mset' || test === 'lrange_100' ? 0.5 : 1);
        const load = { keys, pipeline, requests, valueBytes };
        let row: { redis?: Run; ours?: Run } = {};
        for (let i = 0; i < given.repeat; i++)
          row = {
            redis: better(row.redis, await measure(redis, test, load)),
            ours: better(row.ours, await measure(ours, test, load)),
          };
        if (row.redis === undefined || row.ours === undefined) continue;
        rows.push({ test, keys, pipeline, redis: row.redis, ours: row.ours });
        print(rows[rows.length - 1]);
      }
  }
  return rows;
}

/** Started with what lets redis-benchmark come to it. */
async function subject(
  start: (...options: string[]) => Promise<ServerProcess>,
  certificates: Certificates | null,
): Promise<Subject> {
  if (certificates === null) {
    const server = await start();
    return { server, reach: ['-p', String(server.port)] };
  }
  const port = String(await freePort());
  const files = ['ca-cert-file', 'ca.crt', 'cert-file', 'server.crt', 'key-file', 'server.key'];
  const options = files.map((word, i) => (i % 2 === 0 ? `--tls-${word}` : certificates.path(word)));
  const server = await start('--tls-port', port, '--tls-auth-clients', 'no', ...options);
  return { server, reach: ['-p', port, '--tls', '--cacert', certificates.path('ca.crt')] };
}

async function main(given: Plan): Promise<void> {
  const certificates = given.tls ? makeCertificates() : null;
  const started: Subject[] = [];
  try {
    for (const start of [startRedis, startCinnabar]) started.push(await subject(start, certificates));
    const [redis, ours] = started;
    console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`);
    const perKey = {
      redis: await bytesPerKey(redis.server.port, given.memoryKeys),
      ours: await bytesPerKey(ours.server.port, given.memoryKeys),
    };
    console.log(
      `used_memory per key, ${given.memoryKeys} of 16 bytes with values of 3: ` +
        `redis ${perKey.redis.toFixed(1)}, ours ${perKey.ours.toFixed(1)}`,
    );
    if (given.onlyMemory) return;
    const rows = await speed(given, redis, ours);
    printMeans(rows);
    const folder = join(import.meta.dirname, '.results');
    mkdirSync(folder, { recursive: true });
    const { valueBytes, tls } = given;
    const results = { node: process.version, valueBytes, tls, perKey, rows };
    writeFileSync(join(folder, `${Date.now()}.json`), JSON.stringify(results, null, 1));
  } finally {
    for (const { server } of started) await server.stop();
    certificates?.remove();
  }
}

await main(plan());
