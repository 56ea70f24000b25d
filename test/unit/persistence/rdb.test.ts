/**
 * Snapshots of older versions of Redis, made here from the format: every encoding that was ever written, loaded by ours and,
 * as the oracle, by redis-server 7.0.15. And what is damaged: refused, never a crash.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Crc64 } from '../../../src/base/crc.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { RdbError } from '../../../src/persistence/rdb/format.ts';
import { RdbInput } from '../../../src/persistence/rdb/input.ts';
import { RdbOutput } from '../../../src/persistence/rdb/output.ts';
import { ValueReader } from '../../../src/persistence/rdb/read-value.ts';
import type { LocalSession } from '../../../src/server/local.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';
import { HashLimits } from '../../../src/values/hash.ts';
import { ListLimits } from '../../../src/values/list.ts';
import { SetLimits } from '../../../src/values/set.ts';
import { StreamLimits } from '../../../src/values/stream.ts';
import { ZsetLimits } from '../../../src/values/zset.ts';
import { Pipeline } from '../../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

// The format, the simple way.

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const size = (n: number): Buffer =>
  n < 64
    ? Buffer.of(n)
    : n < 16384
      ? Buffer.of(0x40 | (n >> 8), n & 255)
      : Buffer.of(0x80, n >>> 24, n >>> 16, n >>> 8, n);
const str = (text: string | Buffer): Buffer => {
  const bytes = typeof text === 'string' ? latin(text) : text;
  return Buffer.concat([size(bytes.length), bytes]);
};
const u16 = (n: number): Buffer => Buffer.of(n & 255, (n >> 8) & 255);
const u32 = (n: number): Buffer => Buffer.of(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);

/** An element of a ziplist: its encoding and content. */
function element(value: string): Buffer {
  const n = Number(value);
  if (/^-?\d+$/.test(value) && Number.isSafeInteger(n) && String(n) === value) {
    if (n >= 0 && n <= 12) return Buffer.of(0xf1 + n);
    if (n >= -128 && n <= 127) return Buffer.of(0xfe, n & 255);
    if (n >= -32768 && n <= 32767) return Buffer.concat([Buffer.of(0xc0), u16(n)]);
    if (n >= -(2 ** 23) && n < 2 ** 23) return Buffer.of(0xf0, n & 255, (n >> 8) & 255, (n >> 16) & 255);
    if (n === (n | 0)) return Buffer.concat([Buffer.of(0xd0), u32(n)]);
    const wide = Buffer.alloc(9, 0xe0);
    wide.writeBigInt64LE(BigInt(value), 1);
    return wide;
  }
  const bytes = latin(value);
  if (bytes.length < 64) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  if (bytes.length < 16384) return Buffer.concat([Buffer.of(0x40 | (bytes.length >> 8), bytes.length & 255), bytes]);
  const head = Buffer.of(0x80, 0, 0, 0, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function ziplist(values: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  let before = 0;
  let at = 10;
  let tail = 10;
  for (const value of values) {
    const prev = before < 254 ? Buffer.of(before) : Buffer.concat([Buffer.of(254), u32(before)]);
    const entry = Buffer.concat([prev, element(value)]);
    parts.push(entry);
    tail = at;
    at += entry.length;
    before = entry.length;
  }
  return Buffer.concat([u32(at + 1), u32(tail), u16(values.length), ...parts, Buffer.of(255)]);
}

function zipmap(pairs: readonly string[], free = 0): Buffer {
  const length = (n: number): Buffer => (n < 254 ? Buffer.of(n) : Buffer.concat([Buffer.of(254), u32(n)]));
  const parts: Buffer[] = [Buffer.of(pairs.length / 2)];
  pairs.forEach((text, i) => {
    parts.push(length(text.length));
    if (i % 2 === 1) parts.push(Buffer.of(free));
    parts.push(latin(text));
    if (i % 2 === 1) parts.push(Buffer.alloc(free, 0x78));
  });
  return Buffer.concat([...parts, Buffer.of(255)]);
}

function intset(values: readonly bigint[], width: 2 | 4 | 8): Buffer {
  const body = Buffer.alloc(values.length * width);
  values.forEach((value, i) => {
    for (let b = 0; b < width; b++) body[i * width + b] = Number((BigInt.asUintN(64, value) >> BigInt(8 * b)) & 255n);
  });
  return Buffer.concat([u32(width), u32(values.length), body]);
}

const key = (type: number, name: string, ...value: Buffer[]): Buffer =>
  Buffer.concat([Buffer.of(type), str(name), ...value]);

function file(version: number, ...records: Buffer[]): Buffer {
  const body = Buffer.concat([
    latin(`REDIS${String(version).padStart(4, '0')}`),
    Buffer.of(254, 0),
    ...records,
    Buffer.of(255),
  ]);
  if (version < 5) return body;
  const sum = Buffer.alloc(8);
  new Crc64().update(body).write(sum, 0);
  return Buffer.concat([body, sum]);
}

const text = (n: number): string => 'abcdefghij'.repeat(Math.ceil(n / 10)).slice(0, n);
const double = (n: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(n);
  return bytes;
};

/** What versions wrote, by the first that wrote it. */
const CORPUS: readonly (readonly [name: string, version: number, records: readonly Buffer[]])[] = [
  [
    'strings',
    1,
    [
      key(0, 'plain', str('value')),
      key(0, 'int8', Buffer.of(0xc0, 0xff)),
      key(0, 'int16', Buffer.of(0xc1, 0x00, 0x80)),
      key(0, 'int32', Buffer.of(0xc2, 0xff, 0xff, 0xff, 0x7f)),
      // "a" then 58 more of it: one literal, one copy of 58 from 1 back.
      key(0, 'lzf', Buffer.of(0xc3, 5, 59, 0, 97, 0xe0, 49, 0)),
      key(0, 'long', str(text(20000))),
    ],
  ],
  ['lists of strings', 1, [key(1, 'list', size(4), str('a'), str('12'), str(text(5000)), str(''))]],
  [
    'sets of strings',
    1,
    [key(2, 'words', size(3), str('a'), str('b'), str('1')), key(2, 'numbers', size(2), str('7'), str('-7'))],
  ],
  [
    'sorted sets with scores as text',
    1,
    [
      key(
        3,
        'zset',
        size(5),
        str('a'),
        str('1.5'),
        str('b'),
        Buffer.of(254),
        str('c'),
        Buffer.of(255),
        str('d'),
        str('-0.25'),
        str('e'),
        str('1e3'),
      ),
    ],
  ],
  ['hashes', 1, [key(4, 'hash', size(2), str('f'), str('v'), str('g'), str(text(100)))]],
  ['expiry in seconds', 1, [Buffer.concat([Buffer.of(253), u32(2_000_000_000)]), key(0, 'ttl', str('v'))]],
  [
    'zipmaps',
    2,
    [
      key(9, 'zipmap', str(zipmap(['field', 'value', 'f2', text(300)], 3))),
      key(9, 'wide', str(zipmap(['f', text(80)]))),
    ],
  ],
  [
    'lists in ziplists',
    2,
    [
      key(
        10,
        'ziplist',
        str(
          ziplist([
            'a',
            '0',
            '12',
            '13',
            '-1',
            '300',
            '-70000',
            '9000000',
            '3000000000',
            '-9007199254740991',
            text(63),
            text(64),
            text(300),
            text(17000),
          ]),
        ),
      ),
    ],
  ],
  [
    'intsets',
    2,
    [
      key(11, 'two', str(intset([-5n, 1n, 300n], 2))),
      key(11, 'four', str(intset([-70000n, 5n], 4))),
      key(11, 'eight', str(intset([-(2n ** 63n), 0n, 2n ** 63n - 1n], 8))),
    ],
  ],
  ['sorted sets in ziplists', 2, [key(12, 'zset', str(ziplist(['c', '-3', 'a', '1', 'b', '2.5', 'd', '1e+100'])))]],
  [
    'expiry in milliseconds',
    3,
    [Buffer.concat([Buffer.of(252), Buffer.from('0090d9e3b2050000', 'hex')]), key(0, 'ttl', str('v'))],
  ],
  [
    'hashes in ziplists',
    4,
    [
      key(13, 'hash', str(ziplist(['f', 'v', 'n', '12345', text(70), '']))),
      key(13, 'many', str(ziplist(Array.from({ length: 1200 }, (_, i) => `x${i}`)))),
    ],
  ],
  [
    'quicklists of ziplists, AUX, RESIZEDB',
    7,
    [
      Buffer.concat([
        Buffer.of(250),
        str('redis-ver'),
        str('3.2.0'),
        Buffer.of(250),
        str('nobody-knows'),
        str('1'),
        Buffer.of(251, 1, 0),
      ]),
      key(14, 'list', size(3), str(ziplist(['a', '1'])), str(ziplist(['b', text(500)])), str(ziplist(['-1']))),
    ],
  ],
  [
    'sorted sets with binary scores',
    8,
    [
      key(
        5,
        'zset',
        size(3),
        str('a'),
        double(1.5),
        str('b'),
        double(Number.NEGATIVE_INFINITY),
        str('c'),
        double(-0.1),
      ),
    ],
  ],
  [
    'use of keys',
    9,
    [Buffer.concat([Buffer.of(248), size(100)]), key(0, 'idle', str('v')), Buffer.of(249, 7), key(0, 'freq', str('v'))],
  ],
];

const folder = mkdtempSync(join(tmpdir(), 'cinnabar-old-rdb-'));

describe('files of older versions', () => {
  let server: CinnabarServer;
  let session: LocalSession;
  let redis: ServerProcess;
  let oracle: Pipeline;

  beforeAll(async () => {
    server = createServer({
      settings: { dir: folder, save: '', dbfilename: 'old.rdb', 'enable-debug-command': 'yes', port: 0 },
    });
    session = server.session();
    redis = await startRedis('--dir', folder, '--dbfilename', 'old.rdb', '--enable-debug-command', 'yes');
    oracle = new Pipeline(redis.port);
  });

  afterAll(async () => {
    oracle.close();
    await server.close();
    // Its own folder is not the one that was given, and nothing is to be saved into ours.
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const load = async (bytes: Buffer): Promise<void> => {
    writeFileSync(join(folder, 'old.rdb'), bytes);
    expect(await session.call('DEBUG', 'RELOAD', 'NOSAVE')).toBe('OK');
  };

  for (const [name, version, records] of CORPUS) {
    test(`version ${version}: ${name}`, async () => {
      await load(file(version, ...records));
      const [reloaded, digest, keys] = await oracle.send([
        ['DEBUG', 'RELOAD', 'NOSAVE'],
        ['DEBUG', 'DIGEST'],
        ['KEYS', '*'],
      ]);
      expect(reloaded).toBe('OK');
      expect(await session.call('DEBUG', 'DIGEST')).toBe(digest);
      for (const each of keys as string[]) {
        const [encoding, expiry] = await oracle.send([
          ['OBJECT', 'ENCODING', each],
          ['PEXPIRETIME', each],
        ]);
        expect(await session.call('OBJECT', 'ENCODING', each), each).toBe(encoding);
        expect(await session.call('PEXPIRETIME', each), each).toBe(expiry);
      }
    });
  }

  test('versions 11 and 12: sets in listpacks', async () => {
    const listpack = Buffer.from('0c00000002008161020a01ff', 'hex');
    await load(file(11, key(20, 'set', str(listpack))));
    expect(((await session.call('SMEMBERS', 'set')) as string[]).sort()).toEqual(['10', 'a']);
    await load(file(12, Buffer.of(244, 1, 2, 3), key(0, 'a', str('b'))));
    expect(await session.call('GET', 'a')).toBe('b');
  });

  test('what modules wrote beside the keys is passed over, values of modules are refused', async () => {
    const module = Buffer.concat([Buffer.of(0x81), Buffer.alloc(8, 0x42)]);
    const aux = Buffer.concat([
      Buffer.of(247),
      module,
      Buffer.of(2, 1, 5),
      str('text'),
      Buffer.of(2, 7, 4),
      double(1),
      Buffer.of(0),
    ]);
    await load(file(9, aux, key(0, 'a', str('b'))));
    expect(await session.call('GET', 'a')).toBe('b');
    writeFileSync(join(folder, 'old.rdb'), file(9, key(7, 'm', module)));
    await expect(session.call('DEBUG', 'RELOAD', 'NOSAVE')).rejects.toThrow('Error trying to load the RDB dump');
  });

  test('a wrong sum, a cut-off end, another signature and a later version are refused', async () => {
    const good = file(9, key(0, 'a', str('b')));
    const wrong = Buffer.from(good);
    wrong[wrong.length - 1] ^= 1;
    for (const bytes of [wrong, good.subarray(0, good.length - 12), latin('RUDIS0009'), file(13)]) {
      writeFileSync(join(folder, 'old.rdb'), bytes);
      await expect(session.call('DEBUG', 'RELOAD', 'NOSAVE')).rejects.toThrow('Error trying to load the RDB dump');
    }
    const unsummed = Buffer.concat([good.subarray(0, good.length - 8), Buffer.alloc(8)]);
    await load(unsummed);
  });

  test('damaged values are refused without harm', () => {
    const memory = createMemory();
    const limits = {
      list: new ListLimits(),
      set: new SetLimits(),
      hash: new HashLimits(),
      zset: new ZsetLimits(),
      stream: new StreamLimits(),
    };
    const reader = new ValueReader(memory, limits);
    const random = new SeededRandom(20);
    const before = memory.used;
    const values = CORPUS.flatMap(([, , records]) => records.filter((record) => record[0] < 20));
    for (let round = 0; round < 6000; round++) {
      const record = Buffer.from(values[round % values.length]);
      const nameLength = record[1];
      for (let flips = 1 + random.below(3); flips > 0; flips--) {
        const at = 2 + nameLength + random.below(Math.min(200, record.length - 2 - nameLength));
        record[at] = random.below(256);
      }
      const input = RdbInput.over(new Uint8Array(record.subarray(2 + nameLength)));
      try {
        reader.read(input, record[0], round % 2 === 0);
        reader.drop();
      } catch (error) {
        if (!(error instanceof RdbError)) throw error;
      }
    }
    expect(memory.used).toBe(before);
  });
});

describe('numbers and strings', () => {
  test('lengths and strings come back as they were written, however the input is cut', () => {
    const chunks: Uint8Array[] = [];
    const out = new RdbOutput({ compress: true, checksum: true, sink: (bytes) => chunks.push(bytes.slice()) });
    const lengths = [0, 63, 64, 16383, 16384, 2 ** 32 - 1, 2 ** 32, 2 ** 45];
    const strings = [
      '',
      '0',
      '-1',
      '127',
      '128',
      '-32768',
      '32768',
      '2147483647',
      '2147483648',
      '01',
      text(20),
      text(21),
      text(70000),
    ];
    for (const n of lengths) out.size(n);
    for (const each of strings) out.string(new Slice(latin(each)));
    out.i64(-5);
    out.i64(2 ** 52);
    out.finish();
    const all = Buffer.concat(chunks);
    expect(out.length).toBe(all.length);
    for (const step of [1, 7, 1 << 20]) {
      let at = 0;
      const input = RdbInput.from((into, to, room) => {
        const part = all.subarray(at, at + Math.min(step, room));
        into.set(part, to);
        at += part.length;
        return part.length;
      }, true);
      for (const n of lengths) expect(input.size()).toBe(n);
      for (const each of strings) expect(input.string(new Slice()).latin1()).toBe(each);
      expect([input.i64(), input.i64()]).toEqual([-5, 2 ** 52]);
      const sum = Buffer.from(input.checksum()!);
      expect(Buffer.from(input.bytes(8, new Slice()).copy())).toEqual(sum);
      expect(() => input.u8()).toThrow(RdbError);
    }
  });
});
