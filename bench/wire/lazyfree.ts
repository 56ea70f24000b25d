/**
 * What clients feel while much is let go of, beside redis-server: `npm run bench:lazyfree [-- options]`
 *
 *   --only a,b        of set, hash, zset, list, keys
 *   --elements N      elements of the value, or keys (10,000,000)
 *   --repeat N        rounds, each on one server after the other (2); the least counts
 *   --shared          the system decides which core does what; else the servers' main threads have one to themselves
 *   --smoke           20,000 elements: does it work
 *
 * One value of so many elements goes by UNLINK, or so many keys by FLUSHALL ASYNC, and another time by DEL or FLUSHALL SYNC,
 * while one client sends a GET after another, before all others on a core where that is allowed. `longest` is what that client
 * waited at most from then on until all is released and what was free has been given back; `calm` is the same client beforehand.
 * What the machine does besides makes one round's longest; what the server does makes every round's.
 */
import { cpus } from 'node:os';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { Apart } from './apart.ts';
import { percentile } from './figures.ts';
import { Options, sleep } from './options.ts';
import { probeWhile } from './sets.ts';

const BATCH = 1000;
const BATCHES = 8;
const CALM = 2000;
/** What is free goes back within 5 s. */
const AFTERWARDS = 5000;
const MOST = 5;

type Make = (from: number, to: number) => string[];

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i));
const pairs = (from: number, to: number): string[] => numbers(from, to).flatMap((n) => [n, n]);

const KINDS: Readonly<Record<string, Make>> = {
  set: (from, to) => ['SADD', 'large', ...numbers(from, to)],
  hash: (from, to) => ['HSET', 'large', ...pairs(from, to)],
  zset: (from, to) => ['ZADD', 'large', ...pairs(from, to)],
  list: (from, to) => ['RPUSH', 'large', ...numbers(from, to)],
  keys: (from, to) => ['MSET', ...pairs(from, to)],
};

/** Milliseconds. */
interface Waits {
  readonly p999: number;
  readonly longest: number;
}

async function waits(server: ServerProcess, during: () => Promise<void>): Promise<Waits> {
  const task = { port: server.port, keys: 1, valueBytes: 3, most: 10_000_000, command: 'GET', first: true } as const;
  const taken = await apart.during(server, () => probeWhile(task, during));
  return { p999: percentile(taken, 0.999), longest: percentile(taken, 1) };
}

function least(rounds: readonly Waits[]): Waits {
  return {
    p999: Math.min(...rounds.map(({ p999 }) => p999)),
    longest: Math.min(...rounds.map(({ longest }) => longest)),
  };
}

async function fill(client: Pipeline, elements: number, make: Make): Promise<void> {
  for (let from = 0; from < elements; ) {
    const batch: string[][] = [];
    for (let i = 0; i < BATCHES && from < elements; i++, from += BATCH)
      batch.push(make(from, Math.min(elements, from + BATCH)));
    await client.send(batch);
  }
}

async function released(client: Pipeline): Promise<void> {
  const used = async (): Promise<number> =>
    Number(/used_memory_dataset:(\d+)/.exec(String(await client.call('INFO', 'memory')))?.[1]);
  let before: number;
  do {
    before = await used();
    await sleep(100);
  } while ((await used()) < before);
}

async function play(server: ServerProcess, kind: string, elements: number, command: readonly string[]): Promise<Waits> {
  const client = new Pipeline(server.port);
  try {
    await fill(client, elements, KINDS[kind]);
    await sleep(500);
    return await waits(server, async () => {
      await client.call(...command);
      await released(client);
      await sleep(AFTERWARDS);
    });
  } finally {
    client.close();
  }
}

const options = new Options('npm run bench:lazyfree --', ['only', 'elements', 'repeat'], ['shared']);
const elements = options.number('elements', 10_000_000, 20_000);
const repeat = options.number('repeat', 2, 1);
const apart = new Apart(!options.flag('shared'));
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${elements} elements, ${repeat} rounds; ${apart.told}`,
);
console.log('                        redis p99.9 longest    ours p99.9 longest ms');
const shown = ({ p999, longest }: Waits): string => `${p999.toFixed(2).padStart(13)} ${longest.toFixed(2).padStart(7)}`;
const servers = [await startRedis(), await startCinnabar()];
try {
  const row = async (
    name: string,
    measure: (server: ServerProcess) => Promise<Waits>,
    most?: number,
  ): Promise<void> => {
    const rounds: Waits[][] = [[], []];
    for (let i = 0; i < repeat; i++)
      for (const [which, server] of servers.entries()) rounds[which].push(await measure(server));
    const cells = rounds.map(least);
    const verdict = most === undefined ? '' : `  ${cells[1].longest <= most ? 'met' : 'MISSED'} (<= ${most})`;
    console.log(`${name.padEnd(22)}${cells.map(shown).join('')}${verdict}`);
  };
  await row('calm', (server) => waits(server, () => sleep(CALM)));
  for (const kind of options.list('only', Object.keys(KINDS))) {
    const whole = kind === 'keys';
    const lazily = whole ? ['FLUSHALL', 'ASYNC'] : ['UNLINK', 'large'];
    const atOnce = whole ? ['FLUSHALL', 'SYNC'] : ['DEL', 'large'];
    for (const command of [lazily, atOnce])
      await row(`${kind} ${command.join(' ')}`, (server) => play(server, kind, elements, command), MOST);
  }
} finally {
  for (const server of servers) await server.stop();
}
