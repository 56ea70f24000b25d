/**
 * EVALSHA beside redis-server in one run: `npx tsx bench/wire/scripts.ts [--only NAME --repeat N --requests N]`
 *
 * Four scripts at pipeline 1 and 16 from redis-benchmark's 50 connections; A B A B, the better run of each counts.
 * Every lock to be released is held, and every call of the limiter walks all of its four commands.
 */
import { commandLine } from '../../test/support/command-line.ts';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { cpuOf } from './figures.ts';
import { requestsPerSecond } from './redis-benchmark.ts';

interface Case {
  readonly name: string;
  readonly source: string;
  /** What follows the hash of EVALSHA; `__rand_int__` is a random number. */
  readonly args: readonly string[];
  /** A share of the usual number of requests. */
  readonly share: number;
}

const LOCKS = 400_000;
const TOKEN = '0b2f6e2c-7d0d-4a6a-9d62-1f0e6d2b8f11';
const LIMITER = `
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - window)
if redis.call('ZCARD', KEYS[1]) >= limit then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('PEXPIRE', KEYS[1], window)
return 1`;
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";
const LOOP = 'local a = 0 for i = 1, 100000 do a = a + i end return a';

const CASES: readonly Case[] = [
  { name: 'empty', source: 'return 1', args: ['0'], share: 1 },
  { name: 'release', source: RELEASE, args: ['1', 'lock:__rand_int__', TOKEN], share: 1 },
  {
    name: 'limiter',
    source: LIMITER,
    args: ['1', 'limiter:__rand_int__', '1700000000000', '60000', '100', 'm:__rand_int__'],
    share: 1,
  },
  { name: 'loop', source: LOOP, args: ['0'], share: 0.02 },
];

interface Run {
  readonly perSecond: number;
  /** Processor time of the server a request, microseconds. */
  readonly cpu: number;
}

/** Puts every lock of the benchmark into its holder's hands. */
async function holdLocks(pipeline: Pipeline): Promise<void> {
  for (let from = 0; from < LOCKS; from += 10_000) {
    const names = Array.from({ length: 10_000 }, (_, i) => `lock:${String(from + i).padStart(12, '0')}`);
    await pipeline.send(names.map((name) => ['SET', name, TOKEN]));
  }
}

async function prepare(server: ServerProcess, { name, source }: Case): Promise<string> {
  const pipeline = new Pipeline(server.port);
  await pipeline.call('FLUSHALL');
  if (name === 'release') await holdLocks(pipeline);
  const sha = await pipeline.call('SCRIPT', 'LOAD', source);
  pipeline.close();
  return String(sha);
}

async function run(server: ServerProcess, one: Case, pipeline: number, requests: number): Promise<Run> {
  const sha = await prepare(server, one);
  const count = Math.max(1000, Math.round(requests * one.share));
  const before = cpuOf(server.pid);
  const load = ['-p', server.port, '-n', count, '-P', pipeline, '-r', LOCKS];
  const perSecond = await requestsPerSecond(...load, 'EVALSHA', sha, ...one.args);
  return { perSecond, cpu: ((cpuOf(server.pid) - before) / count) * 1e6 };
}

function better(a: Run | null, b: Run): Run {
  return {
    perSecond: Math.max(a?.perSecond ?? 0, b.perSecond),
    cpu: Math.min(a?.cpu ?? Number.POSITIVE_INFINITY, b.cpu),
  };
}

function shown({ perSecond, cpu }: Run): string {
  return `${perSecond.toFixed(0).padStart(8)}/s ${cpu.toFixed(2).padStart(7)} us`;
}

const line = commandLine({ program: 'npx tsx bench/wire/scripts.ts', options: ['only', 'repeat', 'requests'] });
const repeat = line.number('repeat', 3);
const requests = line.number('requests', 150_000);
const only = line.word('only') ?? '';
const [redis, ours] = [await startRedis(), await startCinnabar()];
const ratios: number[] = [];
for (const one of CASES) {
  if (only !== '' && only !== one.name) continue;
  for (const pipeline of [1, 16]) {
    let theirs: Run | null = null;
    let mine: Run | null = null;
    for (let i = 0; i < repeat; i++) {
      theirs = better(theirs, await run(redis, one, pipeline, requests));
      mine = better(mine, await run(ours, one, pipeline, requests));
    }
    const ratio = mine!.perSecond / theirs!.perSecond;
    ratios.push(ratio);
    const name = `${one.name} P${pipeline}`.padEnd(12);
    console.log(`${name} redis ${shown(theirs!)}   ours ${shown(mine!)}   ratio ${ratio.toFixed(2)}`);
  }
}
console.log(`geometric mean ${Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length).toFixed(3)}`);
await Promise.all([redis.stop(), ours.stop()]);
