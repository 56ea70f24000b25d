/** Loading a snapshot: short strings are stored by the batch, large values read in portions; neither may be noticed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lzfCompress } from '../../../src/base/lzf.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice } from '../../../src/base/slice.ts';
import { BAD_LIST_ZIPLIST } from '../../../src/persistence/rdb/faults.ts';
import { RdbInput } from '../../../src/persistence/rdb/input.ts';
import { type LoadOptions, RdbLoader } from '../../../src/persistence/rdb/load.ts';
import { ValueReader } from '../../../src/persistence/rdb/read-value.ts';
import { eachOfZiplist } from '../../../src/persistence/rdb/ziplist.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';
import { file, key, size, str, ziplist } from '../../support/rdb-format.ts';
import { drawSeed } from '../../support/seed.ts';

const STRING = 0;
const SET = 2;
const IDLE = 248;
const FREQ = 249;
const AUX = 250;
const RESIZE = 251;
const EXPIRY_MS = 252;
const EXPIRY = 253;
const SELECT = 254;

/** More than an empty server uses, and less than what the tests load. */
const EMPTY_BYTES = 20_000;

let server: CinnabarServer;

beforeAll(() => {
  server = createServer({ settings: { save: '', 'enable-debug-command': 'yes' } });
});

afterAll(() => server?.close());

const call = (...args: string[]) => server.session().call(args[0], ...args.slice(1));

function loaderOf(bytes: Buffer, options: Partial<LoadOptions> = {}): RdbLoader {
  const { engine } = server;
  let at = 0;
  // A few bytes at a time, so that every record is split somewhere.
  const input = RdbInput.from((into, to, length) => {
    const part = Math.min(length, 997, bytes.length - at);
    into.set(bytes.subarray(at, at + part), to);
    at += part;
    return part;
  }, true);
  return new RdbLoader(input, {
    keyspaces: engine.keyspaces,
    values: new ValueReader(engine.memory, engine.accessors.limits),
    size: bytes.length,
    log: { debug: () => {}, notice: () => {}, warning: () => {} },
    deep: false,
    dropExpired: true,
    merge: false,
    checksum: true,
    ...options,
  });
}

/** Loads it with a pause after every `every`th key or portion; answers with how often it was asked. */
function load(bytes: Buffer, options: Partial<LoadOptions> = {}, every = 5): number {
  const loader = loaderOf(bytes, options);
  let asked = 0;
  while (!loader.run(() => ++asked % every === 0));
  return asked;
}

const i64 = (n: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(n));
  return bytes;
};

describe('strings', () => {
  test('short and long ones, in every form, each with what is said of it and of no other', async () => {
    await call('FLUSHALL');
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const model = new Map<string, { value: string; expiry: number; db: number }>();
    const records: Buffer[] = [];
    const later = Date.now() + 1_000_000;
    let db = 0;
    for (let i = 0; i < 2000; i++) {
      if (random.below(50) === 0) {
        db = random.below(3);
        records.push(Buffer.of(SELECT), size(db));
      }
      const name = `${i}:${'k'.repeat(random.below(random.below(8) === 0 ? 400 : 40))}`;
      const expiry = random.below(4) === 0 ? later + i : random.below(20) === 0 ? 1000 + i : -1;
      if (expiry >= 0) records.push(Buffer.of(EXPIRY_MS), i64(expiry));
      if (random.below(9) === 0) records.push(Buffer.of(IDLE), size(random.below(1000)));
      if (random.below(9) === 0) records.push(Buffer.of(FREQ, random.below(256)));
      if (random.below(10) === 0) {
        records.push(key(SET, name, size(1), str('member')));
        if (expiry < 0 || expiry > later - 1) model.set(`${db} ${name}`, { value: 'member', expiry, db });
        continue;
      }
      const isNumber = random.below(3) === 0;
      const value = isNumber ? String(i % 128) : 'v'.repeat(random.below(random.below(9) === 0 ? 3000 : 100));
      records.push(key(STRING, name, isNumber ? Buffer.of(0xc0, i % 128) : str(value)));
      if (expiry < 0 || expiry > later - 1) model.set(`${db} ${name}`, { value, expiry, db });
    }
    load(file(10, ...records));
    const session = server.session();
    for (const [which, { value, expiry, db: index }] of model) {
      const name = which.slice(which.indexOf(' ') + 1);
      await session.call('SELECT', String(index));
      const isSet = (await session.call('TYPE', name)) === 'set';
      const got = isSet ? ((await session.call('SMEMBERS', name)) as string[])[0] : await session.call('GET', name);
      expect(String(got), `seed ${seed}, ${name}`).toBe(value);
      expect(await session.call('PEXPIRETIME', name)).toBe(expiry);
    }
    let total = 0;
    for (const index of ['0', '1', '2']) {
      await session.call('SELECT', index);
      total += Number(await session.call('DBSIZE'));
    }
    expect(total).toBe(model.size);
  });

  test('a key that is there twice is told before what is wrong behind it; merging, the later one stays', async () => {
    await call('FLUSHALL');
    const twice = [key(STRING, 'a', str('1')), key(STRING, 'b', str('2')), key(STRING, 'a', str('3'))];
    expect(() => load(file(10, ...twice, key(STRING, 'c', str('4'))))).toThrow("RDB has duplicated key 'a' in DB 0");
    await call('FLUSHALL');
    expect(() => load(file(10, ...twice, Buffer.of(99)))).toThrow("RDB has duplicated key 'a' in DB 0");
    await call('FLUSHALL');
    expect(() => load(file(10, ...twice.slice(0, 2), Buffer.of(99)))).toThrow('Unknown RDB encoding type 99');
    expect(await call('GET', 'b')).toBe('2');
    await call('FLUSHALL');
    load(file(10, ...twice), { merge: true });
    expect(await call('GET', 'a')).toBe('3');
    expect(await call('DBSIZE')).toBe(2);
  });
});

describe('large values', () => {
  const COUNT = 10_000;
  const BATCH = 1000;
  const elements = Array.from({ length: COUNT }, (_, i) => `element:${i}`);

  test.each([
    ['a list', (some: string[]) => [['RPUSH', 'k', ...some]]],
    ['a set', (some: string[]) => [['SADD', 'k', ...some]]],
    ['a sorted set', (some: string[]) => [['ZADD', 'k', ...some.flatMap((one) => [String(one.length), one])]]],
    ['a hash', (some: string[]) => [['HSET', 'k', ...some.flatMap((one) => [one, 'value'])]]],
    ['a stream', (some: string[]) => some.map((one) => ['XADD', 'k', '*', 'field', one])],
  ])('%s is read in portions, between which clients are looked at', async (_name, commands) => {
    await call('FLUSHALL');
    for (let i = 0; i < COUNT; i += BATCH)
      for (const command of commands(elements.slice(i, i + BATCH))) await call(...command);
    const digest = await call('DEBUG', 'DIGEST-VALUE', 'k');
    const payload = (await server.session().callBuffer('DUMP', 'k')) as Buffer;
    const record = key(payload[0], 'k', payload.subarray(1, -10));
    await call('FLUSHALL');
    const asked = load(file(10, record, key(STRING, 'last', str('x'))), {}, 3);
    expect(asked).toBeGreaterThan(3);
    expect(await call('DEBUG', 'DIGEST-VALUE', 'k')).toEqual(digest);
    expect(await call('GET', 'last')).toBe('x');
  });

  test('one that is damaged half way leaves nothing behind', async () => {
    await call('FLUSHALL');
    const { memory } = server.engine;
    // What is flushed is released by and by.
    while (memory.used > EMPTY_BYTES) await new Promise((done) => setTimeout(done, 5));
    const { used } = memory;
    const same = Buffer.concat([...elements.slice(0, 5000), 'element:7'].map(str));
    expect(() => load(file(10, key(SET, 'k', size(5001), same)))).toThrow();
    expect(await call('EXISTS', 'k')).toBe(0);
    expect(memory.used).toBe(used);
  });
});

describe('long strings', () => {
  const MIB = 1 << 20;
  const random = new SeededRandom(7);
  const noise = Buffer.from(Array.from({ length: 3 * MIB }, () => random.below(256)));
  /** Runs, repetitions from near and far, and what can't be packed. */
  const mixed = Buffer.concat(
    Array.from({ length: 400 }, (_, i) =>
      i % 3 === 0
        ? noise.subarray(i * 50, i * 50 + random.below(9000))
        : Buffer.alloc(random.below(9000) + 1, i % 3 === 1 ? 'a' : 'some words again '),
    ),
  );

  function packed(value: Buffer, claim = value.length): Buffer {
    const into = new Uint8Array(value.length);
    const length = lzfCompress(new Slice(value), into);
    return Buffer.concat([Buffer.of(0xc3), size(length), size(claim), into.subarray(0, length)]);
  }

  test.each([
    ['as it is', noise, str(noise)],
    ['packed', mixed, packed(mixed)],
  ])('one %s is read in portions, between which clients are looked at', async (_name, value, bytes) => {
    await call('FLUSHALL');
    expect(value.length).toBeGreaterThan(MIB);
    const later = Date.now() + 1_000_000;
    const records = [
      key(STRING, 'before', str('x')),
      Buffer.concat([Buffer.of(EXPIRY_MS), i64(later), key(STRING, 'k', bytes)]),
      Buffer.concat([Buffer.of(EXPIRY_MS), i64(1000), key(STRING, 'expired', bytes)]),
      key(STRING, 'n'.repeat(300), bytes),
      key(STRING, 'after', str('y')),
    ];
    expect(load(file(10, ...records), {}, 3)).toBeGreaterThan((3 * value.length) / 100_000);
    for (const name of ['k', 'n'.repeat(300)]) {
      const got = (await server.session().callBuffer('GET', name)) as Buffer;
      expect(got.equals(value), name).toBe(true);
    }
    expect(await call('MGET', 'before', 'after', 'expired')).toEqual(['x', 'y', null]);
    expect(await call('PEXPIRETIME', 'k')).toBe(later);
    expect(await call('PTTL', 'after')).toBe(-1);
    expect(await call('OBJECT', 'ENCODING', 'k')).toBe('raw');
  });

  test('one that is damaged, or that is not all there, leaves nothing behind', async () => {
    await call('FLUSHALL');
    const { memory } = server.engine;
    while (memory.used > EMPTY_BYTES) await new Promise((done) => setTimeout(done, 5));
    const { used } = memory;
    const wrong = (bytes: Buffer, at: number, byte: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = byte;
      return copy;
    };
    const whole = packed(mixed);
    const bad: [Buffer, string][] = [
      [Buffer.concat([size(2 ** 31), noise]), 'Unexpected EOF'],
      [str(noise).subarray(0, 2 * MIB), 'Unexpected EOF'],
      [whole.subarray(0, whole.length / 2), 'Unexpected EOF'],
      [packed(mixed, mixed.length + 1), 'Invalid LZF compressed string'],
      [packed(mixed, mixed.length - 1), 'Invalid LZF compressed string'],
      [Buffer.concat([Buffer.of(0xc3), size(5), size(2 ** 31), Buffer.alloc(5)]), 'Invalid LZF compressed string'],
      [wrong(whole, 11, 0xff), 'Invalid LZF compressed string'],
    ];
    for (const [bytes, message] of bad) {
      expect(() => load(file(10, key(STRING, 'k', bytes)).subarray(0, -9))).toThrow(message);
      expect(memory.used).toBe(used);
    }
  });
});

describe('what a file only says', () => {
  const BEYOND = Buffer.of(0x81, 0, 0, 1, 0, 0, 0, 0, 0);

  test('makes no room for keys that it can not hold', async () => {
    await call('FLUSHALL');
    const { memory } = server.engine;
    const { used } = memory;
    const databases = Array.from({ length: 16 }, (_, db) => [Buffer.of(SELECT, db, RESIZE), BEYOND, BEYOND]).flat();
    load(file(10, ...databases, key(STRING, 'a', str('1'))));
    expect(memory.used).toBeLessThan(used + EMPTY_BYTES);
    expect(await server.session().call('DBSIZE')).toBe(0);
    const session = server.session();
    await session.call('SELECT', '15');
    expect(await session.call('GET', 'a')).toBe('1');
  });

  test('is told in the log as redis-server 7.0.15 tells it', () => {
    const told: string[] = [];
    const tell =
      (mark: string) =>
      (message: string): void => {
        told.push(`${mark} ${message}`);
      };
    const aux = (name: string, value: string): Buffer => Buffer.concat([Buffer.of(AUX), str(name), str(value)]);
    const bytes = file(
      10,
      aux('Redis-Ver', '9.9.9'),
      aux('ctime', '99999999999'),
      aux('used-mem', '123456789'),
      aux('aof-preamble', '1'),
      aux('aof-base', '1'),
      aux('aof-base', '0'),
      aux('repl-id', 'x'),
      aux('%odd', 'yes'),
      aux('nobody', 'knows'),
      key(SET, 'none', size(0)),
    );
    bytes.fill(0, bytes.length - 8);
    load(bytes, { log: { debug: tell('.'), notice: tell('*'), warning: tell('#') } });
    expect(told).toEqual([
      '* Loading RDB produced by version 9.9.9',
      '* RDB age 0 seconds',
      '* RDB memory usage when created 117.74 Mb',
      '* RDB has an AOF tail',
      '* RDB is base AOF',
      "* RDB '%odd': yes",
      ". Unrecognized RDB AUX field: 'nobody' 'knows'",
      '# rdbLoadObject skipping empty key: none',
      '# RDB file was saved with checksum disabled: no check performed.',
    ]);
  });

  test('of times before 1970, -1 ms alone is none', async () => {
    await call('FLUSHALL');
    const seconds = (n: number): Buffer => {
      const bytes = Buffer.alloc(5, EXPIRY);
      bytes.writeInt32LE(n, 1);
      return bytes;
    };
    const records = ['none', 'past', 'epoch', 'seconds'].map((name) => key(STRING, name, str('v')));
    const times = [-1, -2, 0].map((n) => Buffer.concat([Buffer.of(EXPIRY_MS), i64(n)]));
    const bytes = file(10, ...[...times, seconds(-1)].flatMap((time, i) => [time, records[i]]));
    const loader = loaderOf(bytes);
    loader.run(() => false);
    expect([loader.loaded, loader.expired]).toEqual([1, 3]);
    expect(await call('PTTL', 'none')).toBe(-1);
    await call('FLUSHALL');
    load(bytes, { dropExpired: false });
    expect(await call('DBSIZE')).toBe(4);
    expect(await call('EXISTS', 'none', 'past', 'epoch', 'seconds')).toBe(1);
  });
});

test('the elements of a ziplist are handed over in one slice: a packed one of few bytes can have very many', () => {
  const values = ['a', '12', '-1', '300', '-70000', '9000000', '3000000000', '-9223372036854775808', 'x'.repeat(300)];
  const slices = new Set<Slice>();
  const seen: string[] = [];
  eachOfZiplist(new Slice(ziplist(values)), BAD_LIST_ZIPLIST, (element) => {
    slices.add(element);
    seen.push(element.latin1());
  });
  expect(seen).toEqual(values);
  expect(slices.size).toBe(1);
  const cut = ziplist(values);
  cut.fill(0x7e, cut.length - 20);
  expect(() =>
    eachOfZiplist(new Slice(cut), BAD_LIST_ZIPLIST, () => {
      throw new Error('handed over before all was tested');
    }),
  ).toThrow('List ziplist integrity check failed.');
});
