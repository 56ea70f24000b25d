/** RESTORE of what was not dumped here: payloads in other forms, damaged ones, and such as claim more than they hold. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { silentLog } from '../../src/server/log.ts';
import { createServer } from '../../src/server/server.ts';
import { corpus, type Payload } from '../durability/payloads.ts';
import { Beside } from '../support/beside.ts';
import { latin, size, str, u16, u32, ziplist } from '../support/rdb-format.ts';
import { drawSeed } from '../support/seed.ts';
import { startRedisWithin } from '../support/server-process.ts';

const HASH = 4;
const HASH_LISTPACK = 16;
const ZSET_LISTPACK = 17;
const LIST_QUICKLIST_2 = 18;
const LIST_ZIPLIST = 10;
const HASH_ZIPLIST = 13;
const FUNCTION = 245;
const FUNCTION_PRE = 246;
const FOOT = Buffer.from('0a000000000000000000', 'hex');

const folder = mkdtempSync(join(tmpdir(), 'cinnabar-restore-'));
let both: Beside;

beforeAll(async () => {
  const settings = { 'enable-debug-command': 'yes', 'enable-protected-configs': 'yes' };
  both = await Beside.start(settings, undefined, (...options) => startRedisWithin(1_048_576, ...options));
  await both.same('DEBUG SET-SKIP-CHECKSUM-VALIDATION 1');
});

afterAll(async () => {
  await both?.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(() =>
  both.same(`
    FLUSHALL
    FUNCTION FLUSH
    CONFIG SET sanitize-dump-payload yes`),
);

const payload = (...parts: Buffer[]): string => Buffer.concat([...parts, FOOT]).toString('latin1');

describe('listpacks in which equal values have other bytes than here', () => {
  const entry = (...bytes: number[]): Buffer => Buffer.of(...bytes, bytes.length);
  const forms: Readonly<Record<string, (n: number) => Buffer>> = {
    'a string': (n) => entry(0x80 | String(n).length, ...latin(String(n))),
    'a string of 12 bits': (n) => entry(0xe0, String(n).length, ...latin(String(n))),
    'a string of 32 bits': (n) => entry(0xf0, String(n).length, 0, 0, 0, ...latin(String(n))),
    '13 bits': (n) => entry(0xc0, n),
    '16 bits': (n) => entry(0xf1, n, 0),
    '24 bits': (n) => entry(0xf2, n, 0, 0),
    '32 bits': (n) => entry(0xf3, n, 0, 0, 0),
    '64 bits': (n) => entry(0xf4, n, 0, 0, 0, 0, 0, 0, 0),
  };
  const listpack = (...entries: Buffer[]): Buffer => {
    const body = Buffer.concat(entries);
    return str(Buffer.concat([u32(body.length + 7), u16(entries.length), body, Buffer.of(255)]));
  };

  test.each(Object.entries(forms))('numbers as %s are found and replaced', async (_name, form) => {
    const a = entry(0x81, 97);
    const bytes = listpack(form(5), form(6), a, form(7));
    const list = payload(Buffer.of(LIST_QUICKLIST_2, 1, 2), bytes);
    await both.same([
      ['RESTORE', 'hash', '0', payload(Buffer.of(HASH_LISTPACK), bytes)],
      ['HGET', 'hash', '5'],
      ['HSET', 'hash', '5', '9'],
      ['HGETALL', 'hash'],
      ['RESTORE', 'zset', '0', payload(Buffer.of(ZSET_LISTPACK), bytes)],
      ['ZSCORE', 'zset', '5'],
      ['ZADD', 'zset', '9', '5'],
      ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'],
      ['RESTORE', 'list', '0', list],
      ['LPOS', 'list', '5'],
      ['LREM', 'list', '0', '5'],
      ['LRANGE', 'list', '0', '-1'],
      ['RESTORE', 'twice', '0', payload(Buffer.of(HASH_LISTPACK), listpack(form(5), a, Buffer.of(5, 1), a))],
    ]);
  });
});

describe('hashes that are read field by field', () => {
  /** So many that their pairs do not go into the listpack at one go. */
  const names = Array.from({ length: 500 }, (_, i) => (i % 5 === 0 ? String(i * 1000) : `field:${i}`));
  const hash = (fields: readonly string[], value: (i: number) => string): string =>
    payload(Buffer.of(HASH), size(fields.length), ...fields.flatMap((field, i) => [str(field), str(value(i))]));
  const long = (i: number): string => `${i}`.repeat(20);

  test.each([
    ['short enough for a listpack', names, long],
    ['of which one is too long', names, (i: number) => (i === 400 ? 'x'.repeat(65) : long(i))],
    ['of which the last is too long', names, (i: number) => (i === 499 ? 'x'.repeat(65) : long(i))],
    ['of which one comes again soon', [...names.slice(0, 9), names[8]], long],
    ['of which one comes again late', [...names.slice(0, 499), names[1]], long],
    ['of which one comes again behind one that is too long', [...names.slice(0, 99), names[9]], () => 'x'.repeat(65)],
  ])('%s', (_name, fields, value) =>
    both.same([
      ['RESTORE', 'hash', '0', hash(fields, value)],
      ['OBJECT', 'ENCODING', 'hash'],
      ['HLEN', 'hash'],
      ['HMGET', 'hash', ...names],
      ['HSET', 'hash', 'another', 'value'],
      ['HGET', 'hash', 'another'],
    ]),
  );

  test('in the order of the payload', () =>
    both.same([
      ['RESTORE', 'hash', '0', hash(names, long)],
      ['HGETALL', 'hash'],
    ]));
});

describe('payloads that claim more than they hold, or hold more than they seem to', () => {
  /** Under LZF: a head, `pattern` again and again up to `length` bytes, and a tail. */
  function packed(head: Buffer, pattern: Buffer, length: number, tail: Buffer): Buffer {
    const copies = Math.floor((length - pattern.length) / 264);
    const rest = Buffer.concat([...Array((length / pattern.length) % 264).fill(pattern), tail]);
    const literals = (bytes: Buffer): Buffer[] => {
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += 32) {
        const part = bytes.subarray(at, at + 32);
        parts.push(Buffer.of(part.length - 1), part);
      }
      return parts;
    };
    const bytes = Buffer.concat([
      ...literals(Buffer.concat([head, pattern])),
      ...Array(copies).fill(Buffer.of(0xe0, 255, pattern.length - 1)),
      ...literals(rest.subarray(rest.length - tail.length - (length - pattern.length - copies * 264))),
    ]);
    return Buffer.concat([Buffer.of(0xc3), size(bytes.length), size(head.length + length + tail.length), bytes]);
  }

  const NUMBERS = 200_000;
  /** A ziplist of so many zeroes. */
  const zeroes = (count: number): Buffer => {
    const head = Buffer.concat([
      u32(11 + count * 2),
      u32(9 + count * 2 - 1),
      u16(Math.min(count, 65535)),
      Buffer.of(0, 0xf1),
    ]);
    return packed(head, Buffer.of(2, 0xf1), (count - 1) * 2, Buffer.of(255));
  };

  test('a ziplist with very many elements in few bytes', async () => {
    const bytes = zeroes(NUMBERS);
    expect(bytes.length).toBeLessThan(6000);
    await both.same([
      ['RESTORE', 'list', '0', payload(Buffer.of(LIST_ZIPLIST), bytes)],
      ['LLEN', 'list'],
      ['LINDEX', 'list', '-1'],
      ['RESTORE', 'hash', '0', payload(Buffer.of(HASH_ZIPLIST), bytes)],
    ]);
  });

  test('a hash with more fields in a ziplist than any hash keeps in one', async () => {
    const names = Array.from({ length: 9000 }, (_, i) => [`field:${i}`, String(i)]);
    const twice = [...names, ['field:7', 'x']];
    await both.same([
      ['RESTORE', 'hash', '0', payload(Buffer.of(HASH_ZIPLIST), str(ziplist(names.flat())))],
      ['OBJECT', 'ENCODING', 'hash'],
      ['HLEN', 'hash'],
      ['HGET', 'hash', 'field:8999'],
      ['RESTORE', 'twice', '0', payload(Buffer.of(HASH_ZIPLIST), str(ziplist(twice.flat())))],
      ['EXISTS', 'twice'],
    ]);
  });

  test('a string that is said to be longer than what its packed bytes expand to', async () => {
    const honest = packed(Buffer.of(), Buffer.from('ab'), 100_000, Buffer.of());
    const lie = Buffer.concat([honest.subarray(0, 3), size(100_001), honest.subarray(8)]);
    expect(honest[3]).toBe(0x80);
    await both.same([
      ['RESTORE', 'honest', '0', payload(Buffer.of(0), honest)],
      ['STRLEN', 'honest'],
      ['RESTORE', 'lie', '0', payload(Buffer.of(0), lie)],
      ['RESTORE', 'none', '0', payload(Buffer.of(0, 0xc3, 2, 0x81, 255, 255, 255, 255, 255, 255, 255, 254, 0, 65))],
    ]);
  });

  test('sets and hashes of more elements than there are bytes', async () => {
    const many = [size(2 ** 32 - 1), Buffer.of(0x81, 0, 0, 1, 0, 0, 0, 0, 0)];
    const before = both.server.engine.memory.used;
    for (const type of [1, 2, 4])
      for (const count of many) {
        const [answer] = await both.ours.send([['RESTORE', 'k', '0', payload(Buffer.of(type), count, str('a'))]]);
        expect(String(answer)).toContain('Bad data format');
      }
    expect(both.server.engine.memory.used).toBeLessThan(before + 1000);
  });
});

describe('libraries', () => {
  const library = (source: string): Buffer => Buffer.concat([Buffer.of(FUNCTION), str(source)]);
  const good = library('#!lua name=l\nredis.register_function("f", function() return 1 end)');
  const bad = library('#!lua name=m\nredis.register_function(');

  test('the first error is told, and nothing stays', () =>
    both.same([
      ['FUNCTION', 'RESTORE', payload(bad, Buffer.of(99))],
      ['FUNCTION', 'RESTORE', payload(good, Buffer.of(99))],
      ['FUNCTION', 'RESTORE', payload(good, good)],
      ['FUNCTION', 'RESTORE', payload(good, bad.subarray(0, 9))],
      ['FUNCTION', 'RESTORE', payload(good, Buffer.of(FUNCTION, 0xc9))],
      ['FUNCTION', 'RESTORE', payload(Buffer.of(FUNCTION_PRE), str('a'), Buffer.of(0x40, 200))],
      ['FUNCTION', 'RESTORE', payload(Buffer.of(FUNCTION_PRE), str('a'), str('LUA'), Buffer.of(0), Buffer.of(60))],
      ['FUNCTION', 'LIST'],
      ['FUNCTION', 'RESTORE', payload(good)],
      ['FUNCTION', 'LIST'],
    ]));
});

describe('times to live', () => {
  test('one that runs over is past, and the last moment there is stays over a reload', async () => {
    const value = payload(Buffer.of(0), str('v'));
    await both.ours.send([['CONFIG', 'SET', 'dir', folder]]);
    await both.same([
      ['RESTORE', 'over', '9223372036854775807', value],
      ['RESTORE', 'last', '9223372036854775807', value, 'ABSTTL'],
      ['EXISTS', 'over', 'last'],
      ['DEBUG', 'RELOAD'],
      ['PEXPIRETIME', 'last'],
    ]);
  });
});

describe('who is tested', () => {
  /** A field twice, which only a deep test finds. */
  const twice = payload(
    Buffer.of(HASH_LISTPACK),
    str(
      Buffer.concat([
        u32(19),
        u16(4),
        Buffer.from([0x81, 97, 2, 0x81, 98, 2, 0x81, 97, 2, 0x81, 99, 2]),
        Buffer.of(255),
      ]),
    ),
  );

  test.each(['no', 'yes', 'clients'])('sanitize-dump-payload %s, and what a user is spared', async (setting) => {
    await both.same([
      ['CONFIG', 'SET', 'sanitize-dump-payload', setting],
      ['CONFIG', 'RESETSTAT'],
      ['ACL', 'SETUSER', 'spared', 'on', 'nopass', '+@all', '~*', 'skip-sanitize-payload'],
      ['ACL', 'SETUSER', 'tested', 'on', 'nopass', '+@all', '~*'],
      ['RESTORE', 'a', '0', twice],
      ['AUTH', 'spared', ''],
      ['RESTORE', 'b', '0', twice],
      ['EVAL', "return redis.pcall('RESTORE', 'c', 0, ARGV[1])", '0', twice],
      ['AUTH', 'tested', ''],
      ['RESTORE', 'd', '0', twice],
      ['AUTH', 'default', ''],
      ['EXISTS', 'a', 'b', 'c', 'd'],
    ]);
  });
});

describe('damage', () => {
  const ROUNDS = 4000;
  const BYTES = [0, 1, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x0c, 0x40, 0xc0, 0xc2, 0xc3, 0xf0, 0xe0, 0xf1];
  /**
   * What Redis doesn't look at, though it would be led astray by it: a score that is no number, the count of a stream
   * node's elements, the order of the nodes, a number of a stream that can't be read.
   */
  const UNSEEN = /-> (Zset (listpack|ziplist) integrity|Stream listpack integrity|Listpack re-added|Unknown length)/;

  function damage(bytes: Buffer, random: SeededRandom): Buffer {
    const copy = Buffer.from(bytes.subarray(0, -FOOT.length));
    const at = random.below(copy.length);
    switch (random.below(4)) {
      case 0:
        return copy.subarray(0, at + 1);
      case 1:
        return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random.below(4))]);
      case 2:
        return Buffer.concat([copy.subarray(0, at), Buffer.of(BYTES[random.below(BYTES.length)]), copy.subarray(at)]);
      default:
        for (let n = random.below(3); n >= 0; n--) copy[random.below(copy.length)] = BYTES[random.below(BYTES.length)];
        return copy;
    }
  }

  test('what Redis refuses is refused, and what it takes is taken unless it could not see the damage', async () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    let refusal = '';
    const log = { ...silentLog(), verbose: (message: string) => (refusal = message) };
    const server = createServer({ settings: { 'enable-debug-command': 'yes', 'sanitize-dump-payload': 'yes' }, log });
    const session = server.session();
    const payloads: Payload[] = (await corpus(session)).filter(({ bytes }) => bytes[0] < 20);
    await session.call('DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', '1');
    for (let round = 0; round < ROUNDS; round++) {
      const { name, bytes } = payloads[random.below(payloads.length)];
      const damaged = damage(bytes, random);
      const command = ['RESTORE', 'k', '0', payload(damaged), 'REPLACE'];
      const mine = await session.call(...command.map(latin)).catch((error: Error) => error.message);
      const [real] = await both.theirs.send([command]);
      if (String(mine) === (real instanceof Error ? real.message : real)) continue;
      const which = `seed ${seed}, round ${round}, ${name}: ${damaged.toString('hex')}`;
      expect(String(real), which).toBe('OK');
      expect(refusal, which).toMatch(UNSEEN);
    }
    await server.close();
  });
});
