/**
 * The log rewritten as commands (aof-use-rdb-preamble no): the same commands as redis-server's for the same data, and the
 * data that was there at the instant of the view, however much is written meanwhile.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { commandsOf, LogServer, until } from '../support/log-server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { drawSeed } from '../support/seed.ts';
import { startRedis } from '../support/server-process.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-aof-rewrite-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS = { 'aof-use-rdb-preamble': 'no', 'auto-aof-rewrite-percentage': '0' };
const LATER = '33177117420000';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Commands that make every type in every encoding, with lengths around those of a batch. */
function commands(random: SeededRandom): string[][] {
  const list: string[][] = [
    ['SET', 's', 'v'],
    ['SET', 'n', '-123'],
    ['SET', 'e', 'x'.repeat(100_000), 'PXAT', LATER],
    ['SET', 'binary', '\x00\r\n\xff'],
    ['SET', 'far', 'x', 'PXAT', '9007199254740991'],
    ['ZADD', 'scores', '-inf', 'a', 'inf', 'b', '0.1', 'c', '1e100', 'd', '17179869184', 'e', '-0', 'f', '3', 'g'],
    ['RPUSH', 'nodes', ...numbers(40).map((i) => String(i).repeat(1500))],
    ['FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)"],
    ['XADD', 'empty', '5-5', 'a', 'b'],
    ['XDEL', 'empty', '5-5'],
    ['XGROUP', 'CREATE', 'empty', 'g', '0'],
    ['XGROUP', 'CREATE', 'fresh', 'g', '$', 'MKSTREAM'],
    ['XADD', 'ids', '18446744073709551615-18446744073709551614', 'a', 'b'],
    ['XADD', 'set', '1-1', 'a', 'b'],
    ['XSETID', 'set', '9-9', 'ENTRIESADDED', '7', 'MAXDELETEDID', '8-8'],
    ['SELECT', '7'],
  ];
  for (const n of [1, 63, 64, 65, 128, 129, 600]) {
    list.push(['RPUSH', `l${n}`, ...numbers(n).map((i) => `e${i}`)]);
    list.push(['SADD', `s${n}`, ...numbers(n).map((i) => `m${i}`)]);
    list.push(['SADD', `i${n}`, ...numbers(n).map((i) => String(i * 7 - 20))]);
    list.push(['ZADD', `z${n}`, ...numbers(n).flatMap((i) => [String(random.double01() * 1e6), `m${i}`])]);
    list.push(['HSET', `h${n}`, ...numbers(n).flatMap((i) => [`f${i}`, String(i)])]);
    for (let i = 1; i <= n; i++) list.push(['XADD', `x${n}`, `${i}-${i % 3}`, `f${i % 2}`, 'v', 'g', String(i)]);
    list.push(['XGROUP', 'CREATE', `x${n}`, 'g', '0', 'ENTRIESREAD', '0']);
    list.push(['XGROUP', 'CREATECONSUMER', `x${n}`, 'g', 'idle']);
    list.push(['XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', String(n >> 1 || 1), 'STREAMS', `x${n}`, '>']);
    list.push(['XREADGROUP', 'GROUP', 'g', 'bob', 'STREAMS', `x${n}`, '>']);
    list.push(['XACK', `x${n}`, 'g', '1-1', '2-2']);
    list.push(['PEXPIREAT', `h${n}`, LATER]);
  }
  return list;
}

/** The one base in a log's folder, and what is in it. */
function base(where: string): string[] {
  const log = join(where, 'appendonlydir');
  const [name] = readdirSync(log).filter((each) => each.includes('.base.'));
  expect(name).toMatch(/\.base\.aof$/);
  return commandsOf(join(log, name));
}

/** The same whatever the order of keys and of hashed elements; deliveries happened at different times. */
function normal(list: readonly string[]): string[] {
  let db = '';
  const out: string[] = [];
  for (const text of list) {
    const [name, key, ...rest] = text.split(' ');
    if (name === 'SELECT') db = key;
    const width = name === 'SADD' ? 1 : name === 'HMSET' || name === 'ZADD' ? 2 : 0;
    if (width === 0) out.push(`${db} ${text.replace(/TIME \d+/, 'TIME T')}`);
    else {
      out.push(`${db} ${name} ${key}: ${rest.length / width}`);
      for (let i = 0; i < rest.length; i += width)
        out.push(`${db} ${name} ${key} ${rest.slice(i, i + width).join(' ')}`);
    }
  }
  return out.sort();
}

test('the same commands as redis-server', async () => {
  const seed = drawSeed();
  const list = commands(new SeededRandom(seed));
  const ours = await LogServer.start(folder, SETTINGS);
  const redis = await startRedis(
    '--appendonly',
    'yes',
    '--aof-use-rdb-preamble',
    'no',
    '--enable-debug-command',
    'yes',
  );
  const theirs = new Pipeline(redis.port);
  try {
    await ours.client.send(list);
    await theirs.send(list);
    expect(await ours.digest(), `seed ${seed}`).toBe(await theirs.call('DEBUG', 'DIGEST'));
    await ours.rewrite();
    await theirs.call('BGREWRITEAOF');
    await until(async () => String(await theirs.call('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'));
    await until(() => readdirSync(join(redis.folder, 'appendonlydir')).some((name) => name.includes('.2.base.')));
    const [mine, other] = [normal(base(folder)), normal(base(redis.folder))];
    const differing = (a: string[], b: string[]): string[] => {
      const there = new Set(b);
      return a.filter((each) => !there.has(each)).map((each) => each.slice(0, 100));
    };
    expect([differing(mine, other), differing(other, mine), mine.length - other.length]).toEqual([[], [], 0]);
    for (const client of [ours.client, theirs]) expect(await client.call('DEBUG', 'LOADAOF')).toBe('OK');
    expect(await ours.digest(), `seed ${seed}`).toBe(await theirs.call('DEBUG', 'DIGEST'));
  } finally {
    theirs.close();
    await redis.stop();
    await ours.stop();
  }
});

test.each(['yes', 'no'])(
  'the single file of before Redis 7, preamble %s: what is loaded is what redis-server loads',
  async (preamble) => {
    const seed = drawSeed();
    const redis = await startRedis(
      '--appendonly',
      'yes',
      '--aof-use-rdb-preamble',
      preamble,
      '--enable-debug-command',
      'yes',
    );
    const theirs = new Pipeline(redis.port);
    try {
      const list = commands(new SeededRandom(seed));
      await theirs.send(list);
      await theirs.call('BGREWRITEAOF');
      const log = join(redis.folder, 'appendonlydir');
      await until(() => readdirSync(log).some((name) => name.includes('.2.base.')));
      await until(async () => String(await theirs.call('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'));
      await theirs.send([
        ['SELECT', '0'],
        ['APPEND', 's', 'more'],
        ['MULTI'],
        ['RPUSH', 'nodes', 'a'],
        ['SPOP', 's64'],
        ['EXEC'],
        ['XADD', 'empty', 'MAXLEN', '~', '1', '*', 'a', 'b'],
      ]);
      // Of what is pending, a rewrite keeps only entries that are still there.
      expect(await theirs.call('DEBUG', 'LOADAOF')).toBe('OK');
      const names = readdirSync(log).filter((name) => name.endsWith('.base.rdb') || name.endsWith('.aof'));
      const parts = names.sort((a, b) => Number(b.includes('.base.')) - Number(a.includes('.base.')));
      writeFileSync(join(folder, 'appendonly.aof'), Buffer.concat(parts.map((name) => readFileSync(join(log, name)))));
      const ours = await LogServer.start(folder, { 'aof-load-truncated': 'no' });
      try {
        expect(await ours.digest(), `seed ${seed}`).toBe(await theirs.call('DEBUG', 'DIGEST'));
      } finally {
        await ours.stop();
      }
    } finally {
      theirs.close();
      await redis.stop();
    }
  },
);

test('no command has more than 64 elements; the time comes first where it is wanted', async () => {
  const server = await LogServer.start(folder, { ...SETTINGS, 'aof-timestamp-enabled': 'yes' });
  try {
    await server.client.send([
      ['RPUSH', 'l', ...numbers(130).map(String)],
      ['HSET', 'h', ...numbers(130).flatMap((i) => [`f${i}`, 'v'])],
    ]);
    await server.rewrite();
    const lengths = base(folder).map((text) => `${text.split(' ')[0]} ${text.split(' ').length - 2}`);
    expect(lengths.sort()).toEqual([
      'HMSET 128',
      'HMSET 128',
      'HMSET 4',
      'RPUSH 2',
      'RPUSH 64',
      'RPUSH 64',
      'SELECT 0',
    ]);
    const [name] = readdirSync(join(folder, 'appendonlydir')).filter((each) => each.includes('.base.'));
    expect(readFileSync(join(folder, 'appendonlydir', name), 'latin1')).toMatch(/^#TS:\d{10}\r\n\*2\r\n/);
  } finally {
    await server.stop();
  }
});

test('while it is written the data goes on changing: base and increment together are the data', async () => {
  const seed = drawSeed();
  const random = new SeededRandom(seed);
  const server = await LogServer.start(folder, { ...SETTINGS, 'rdb-key-save-delay': '200' });
  try {
    const list = commands(random);
    await server.client.send(list);
    const writes = (): string[][] =>
      numbers(200).map(() => {
        const i = String(random.below(700));
        const n = [64, 129, 600][random.below(3)];
        return [
          ['RPUSH', `l${n}`, i],
          ['SREM', `s${n}`, `m${i}`],
          ['ZADD', `z${n}`, i, `m${random.below(700)}`],
          ['HDEL', `h${n}`, `f${i}`],
          ['XADD', `x${n}`, '*', 'k', i],
          ['XDEL', `x${n}`, `${i}-${Number(i) % 3}`],
          ['DEL', `i${n}`],
          ['SET', `k${i}`, 'x'.repeat(random.below(100))],
        ][random.below(8)];
      });
    for (let round = 0; round < 3; round++) {
      await server.client.call('BGREWRITEAOF');
      while ((await server.info('aof_rewrite_in_progress')) === '1') await server.client.send(writes());
      await server.client.call('CONFIG', 'SET', 'rdb-key-save-delay', '20');
    }
    await server.settled();
    const before = await server.digest();
    expect(await server.client.call('DEBUG', 'LOADAOF')).toBe('OK');
    expect(await server.digest(), `seed ${seed}`).toBe(before);
    expect(server.manifest.filter((line) => line.endsWith('type b')).length).toBe(1);
  } finally {
    await server.stop();
  }
});
