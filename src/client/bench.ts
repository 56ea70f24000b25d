/**
 * `cinnabar bench`: a small load generator, for machines without redis-benchmark, with its names of options. It is one thread of JavaScript: against a
 * server on the same machine it measures itself as much as the server.
 */
import { printer } from '../base/standard-output.ts';
import { encodeAll } from '../links/request.ts';
import { type Connection, openFully, type Target } from './connection.ts';
import { OptionError, programFor, targetOf, wholeNumber } from './options.ts';
import { accepted } from './reply.ts';

export interface Load {
  readonly clients: number;
  readonly requests: number;
  /** Requests that are sent at once. */
  readonly pipeline: number;
  /** Bytes of a value. */
  readonly size: number;
  /** How many keys there are; 1 for always the same. */
  readonly keys: number;
}

/** Twelve digits, as redis-benchmark names its keys. */
const DIGITS = 12;
const LIST_LENGTH = 600;

interface Test {
  /** One request; `key` is a number of twelve digits. */
  readonly words: (key: string, value: string) => readonly string[];
  /** What must be there before. */
  readonly first?: readonly string[];
}

const many = (of: (i: number) => string[]): string[] => Array.from({ length: LIST_LENGTH }, (_, i) => of(i)).flat();

const TESTS: Readonly<Record<string, Test>> = {
  ping: { words: () => ['PING'] },
  set: { words: (key, value) => ['SET', `key:${key}`, value] },
  get: { words: (key) => ['GET', `key:${key}`] },
  incr: { words: (key) => ['INCR', `counter:${key}`] },
  lpush: { words: (_, value) => ['LPUSH', 'mylist', value] },
  rpush: { words: (_, value) => ['RPUSH', 'mylist', value] },
  lpop: { words: () => ['LPOP', 'mylist'] },
  rpop: { words: () => ['RPOP', 'mylist'] },
  sadd: { words: (key) => ['SADD', 'myset', `element:${key}`] },
  hset: { words: (key, value) => ['HSET', 'myhash', `element:${key}`, value] },
  spop: { words: () => ['SPOP', 'myset'] },
  zadd: { words: (key) => ['ZADD', 'myzset', String(Number(key)), `element:${key}`] },
  zpopmin: { words: () => ['ZPOPMIN', 'myzset'] },
  lrange_100: { words: () => ['LRANGE', 'mylist', '0', '99'], first: ['RPUSH', 'mylist', ...many(() => ['xxx'])] },
  mset: { words: (key, value) => ['MSET', ...Array.from({ length: 10 }, (_, i) => [`key:${key}${i}`, value]).flat()] },
};

export interface Measured {
  readonly seconds: number;
  /** Milliseconds of each batch from its sending to its last reply, the shortest first. */
  readonly latencies: Float64Array;
}

export async function runBench(args: readonly string[]): Promise<number> {
  const does = 'Sends many requests and tells how many were answered in a second.';
  const program = programFor('cinnabar bench', does, '--dbnum')
    .option('-c <clients>', 'clients at once', '50')
    .option('-n <requests>', 'of each test', '100000')
    .option('-P <requests>', 'pipeline: requests sent at once', '1')
    .option('-d <bytes>', 'size of a value', '3')
    .option('-r <keys>', 'random keys, so many; 1 is always the same', '1')
    .option('-t <tests>', `some of ${Object.keys(TESTS).join(',')}`, Object.keys(TESTS).join(','))
    .addHelpText('after', '\nIt writes to mylist, myset, myhash, myzset, key:* and counter:* of the database.');
  program.parse(args, { from: 'user' });
  const given = program.opts<Record<'c' | 'n' | 'P' | 'd' | 'r' | 't', string>>();
  const load = {
    clients: wholeNumber('number of clients', given.c, 10_000, 1),
    requests: wholeNumber('number of requests', given.n, 1e9, 1),
    pipeline: wholeNumber('pipeline', given.P, 10_000, 1),
    size: wholeNumber('size', given.d, 512 * 1024 * 1024, 1),
    keys: wholeNumber('number of keys', given.r, 1e9, 1),
  };
  const names = given.t.toLowerCase().split(',');
  const unknown = names.find((name) => !Object.hasOwn(TESTS, name));
  if (unknown !== undefined) throw new OptionError(`There is no test '${unknown}'.`);
  const target = targetOf(program, process.env);
  const print = printer(1);
  print(`${'test'.padEnd(12)}${['requests/s', 'p50 ms', 'p95 ms', 'p99 ms', 'longest'].map(column).join('')}\n`);
  for (const name of names) print(`${name.padEnd(12)}${row(load, await measure(target, TESTS[name], load))}\n`);
  return 0;
}

function column(text: string): string {
  return text.padStart(12);
}

function row({ requests }: Load, { seconds, latencies }: Measured): string {
  const at = (part: number): string =>
    latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))].toFixed(3);
  return [Math.round(requests / seconds).toString(), at(0.5), at(0.95), at(0.99), at(1)].map(column).join('');
}

/** Rejects where the server refuses a request. */
async function measure(target: Target, test: Test, load: Load): Promise<Measured> {
  const connections = await openAll(target, load.clients);
  try {
    if (test.first) accepted(await connections[0].call(test.first));
    const latencies = new Float64Array(Math.ceil(load.requests / load.pipeline));
    const value = 'x'.repeat(load.size);
    const state = { left: load.requests, batches: 0 };
    const random = (): string => String(Math.floor(Math.random() * load.keys)).padStart(DIGITS, '0');
    const fixed = load.keys === 1 ? batch(test, load.pipeline, random, value) : null;
    const work = async (connection: Connection): Promise<void> => {
      while (state.left > 0) {
        const count = Math.min(load.pipeline, state.left);
        state.left -= count;
        const bytes = fixed !== null && count === load.pipeline ? fixed : batch(test, count, random, value);
        const began = performance.now();
        accepted(await connection.exchange(bytes, count));
        latencies[state.batches++] = performance.now() - began;
      }
    };
    const began = performance.now();
    await Promise.all(connections.map(work));
    const seconds = (performance.now() - began) / 1000;
    return { seconds, latencies: latencies.sort() };
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** All of them, or none. */
async function openAll(target: Target, count: number): Promise<Connection[]> {
  const opened = await Promise.allSettled(Array.from({ length: count }, () => openFully(target)));
  const failed = opened.find(({ status }) => status === 'rejected');
  const connections = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (failed === undefined) return connections;
  for (const connection of connections) connection.close();
  throw (failed as PromiseRejectedResult).reason;
}

function batch(test: Test, count: number, random: () => string, value: string): Uint8Array {
  return encodeAll(Array.from({ length: count }, () => test.words(random(), value)));
}
