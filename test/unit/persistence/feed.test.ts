/** Snapshots that come in chunks, split anywhere, into keyspaces of their own: as a replica loads them from its master. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { ChunkFeed } from '../../../src/persistence/rdb/feed.ts';
import { RdbError } from '../../../src/persistence/rdb/format.ts';
import { RdbLoader } from '../../../src/persistence/rdb/load.ts';
import { ValueReader } from '../../../src/persistence/rdb/read-value.ts';
import { replicationAux } from '../../../src/persistence/save/dataset.ts';
import { savedBytes } from '../../../src/persistence/save/format.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';
import { LONG } from '../../support/long.ts';

const MARK = Buffer.from('0123456789012345678901234567890123456789');
const USAGE = { lfu: false, logFactor: 10, decayMinutes: 1 };
const CONTEXT = { db: 3, id: 'f'.repeat(40), offset: 123456789 };

let server: CinnabarServer;
const call = (...args: string[]) => server.session().call(args[0], ...args.slice(1));

beforeAll(async () => {
  server = createServer({ settings: { save: '', 'enable-debug-command': 'yes' } });
  const session = server.session();
  const all = async (text: string): Promise<void> => {
    for (const line of text.trim().split('\n')) {
      const [name, ...args] = line.trim().split(' ');
      await session.call(name, ...args);
    }
  };
  await all(`SET int 12345\nSET text value\nSET expiring x EX 100000\nSET packed ${'ab'.repeat(100)}
    RPUSH list a b ${'c'.repeat(100)}\nSADD ints 1 2 3\nSADD names a b c 1\nZADD scores 1.5 a 2 b -inf c
    HSET hash a 1 b 2 c ${'d'.repeat(100)}\nXADD stream 1-1 a 1\nXADD stream 1-2 b 2 c 3\nXADD stream 2-0 d 4
    XGROUP CREATE stream group 0\nXREADGROUP GROUP group alice COUNT 2 STREAMS stream >\nXGROUP CREATE stream other $
    XREADGROUP GROUP group bob COUNT 1 STREAMS stream >\nXDEL stream 1-2\nSELECT 5\nSET elsewhere y`);
});

afterAll(() => server?.close());

/** More than one window of every type, and strings long enough to be read in pieces. */
async function addLarge(): Promise<void> {
  const random = new SeededRandom(4);
  const many = (n: number, one: (i: number) => string[]): string[] =>
    Array.from({ length: n }, (_, i) => one(i)).flat();
  const noise = Array.from({ length: 1 << 20 }, () => String.fromCharCode(33 + random.below(90))).join('');
  await call('SET', 'long noise', noise + noise.slice(7, 900_000));
  await call('SET', 'long packed', 'abcdefghij'.repeat(300_000));
  await call('RPUSH', 'large list', ...many(5000, (i) => [`element:${i}`]));
  await call('SADD', 'large set', ...many(5000, (i) => [`member:${i}`]));
  await call('ZADD', 'large zset', ...many(5000, (i) => [String(i / 3), `member:${i}`]));
  await call('HSET', 'large hash', ...many(5000, (i) => [`field:${i}`, `value:${i}`]));
  for (let i = 1; i < 1000; i++) await call('XADD', 'large stream', `${i}-0`, 'field', `value:${i}`);
  await call('XGROUP', 'CREATE', 'large stream', 'g', '0');
  for (let i = 0; i < 20; i++)
    await call('XREADGROUP', 'GROUP', 'g', `consumer:${i}`, 'COUNT', '100', 'STREAMS', 'large stream', '>');
}

function snapshot(): Buffer {
  const { keyspaces, memory } = server.engine;
  const aux = [['redis-ver', '7.0.15'], ...replicationAux(CONTEXT)] as const;
  const dataset = { roots: keyspaces.roots(), aux, functions: [], use: 'none', usage: USAGE, now: 0 } as const;
  return savedBytes(memory, dataset, { kind: 'rdb', compress: true, checksum: true });
}

function loading(size: number) {
  const { memory, accessors, clock } = server.engine;
  const aside = new Keyspaces(memory, clock, 16, USAGE, new SeededRandom(1));
  const feed = new ChunkFeed();
  const loader = new RdbLoader(feed.input(true), {
    keyspaces: aside,
    values: new ValueReader(memory, accessors.limits),
    size,
    log: { debug: () => {}, notice: () => {}, warning: () => {} },
    deep: false,
    dropExpired: false,
    merge: false,
    checksum: true,
  });
  return { aside, feed, loader };
}

function giveUp(aside: Keyspaces): void {
  aside.dispose();
  while (aside.reclaimer.run(1000));
}

/** Loads the snapshot in chunks of the sizes given, and takes it over; answers with what came behind its end. */
async function loadAndSwap(bytes: Buffer, chunk: () => number): Promise<Buffer> {
  const { keyspaces } = server.engine;
  const { aside, feed, loader } = loading(Number.POSITIVE_INFINITY);
  let at = 0;
  for (;;) {
    const done = loader.run(() => true);
    if (done) break;
    if (!loader.starved) continue;
    expect(feed.waiting).toBe(0);
    const next = Math.min(bytes.length, at + chunk());
    expect(next, 'the loader wants no more than there is').toBeGreaterThan(at);
    feed.push(bytes.subarray(at, next));
    at = next;
  }
  expect(loader.replication).toEqual(CONTEXT);
  aside.databases.forEach((db, i) => {
    db.verify();
    db.swap(keyspaces.databases[i]);
  });
  giveUp(aside);
  const behind = Buffer.from(loader.rest());
  const rest = Buffer.alloc(feed.waiting);
  feed.take(rest, 0, rest.length);
  return Buffer.concat([behind, rest, bytes.subarray(at)]);
}

test('a byte at a time', async () => {
  const digest = await call('DEBUG', 'DIGEST');
  const bytes = snapshot();
  const { used } = server.engine.memory;
  const behind = await loadAndSwap(Buffer.concat([bytes, MARK]), () => 1);
  expect(behind.toString()).toBe(MARK.toString());
  expect(await call('DEBUG', 'DIGEST')).toBe(digest);
  // What has been loaded aside and exchanged leaves nothing behind; nodes of streams are packed anew.
  expect(Math.abs(server.engine.memory.used - used)).toBeLessThan(2000);
  expect(await call('XPENDING', 'stream', 'group')).toEqual([
    3,
    '1-1',
    '2-0',
    [
      ['alice', '2'],
      ['bob', '1'],
    ],
  ]);
});

test('a snapshot that ends early is an error, and leaves nothing behind', async () => {
  const bytes = snapshot();
  const { memory } = server.engine;
  for (let cut = 1; cut < bytes.length; cut += 13) {
    const before = memory.used;
    const { aside, feed, loader } = loading(bytes.length);
    feed.push(bytes.subarray(0, cut));
    while (!loader.run(() => false) && !loader.starved);
    feed.end();
    expect(() => loader.run(() => false)).toThrow(RdbError);
    giveUp(aside);
    expect(memory.used, `cut at ${cut}`).toBe(before);
  }
});

test('a load that is given up half way leaves nothing behind', async () => {
  const bytes = snapshot();
  const { memory } = server.engine;
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const before = memory.used;
    const { aside, feed, loader } = loading(bytes.length);
    feed.push(bytes.subarray(0, cut));
    while (!loader.run(() => true) && !loader.starved);
    loader.abandon();
    giveUp(aside);
    expect(memory.used, `cut at ${cut}`).toBe(before);
  }
});

test('values longer than chunks and windows, seed 31', async () => {
  await addLarge();
  const random = new SeededRandom(31);
  for (const most of LONG ? [3000, 300_000] : [300_000]) {
    const digest = await call('DEBUG', 'DIGEST');
    const behind = await loadAndSwap(Buffer.concat([snapshot(), MARK]), () => 1 + random.below(most));
    expect(behind.toString()).toBe(MARK.toString());
    expect(await call('DEBUG', 'DIGEST')).toBe(digest);
    const [pending] = (await call('XPENDING', 'large stream', 'g')) as unknown[];
    expect(pending).toBe(999);
  }
});
