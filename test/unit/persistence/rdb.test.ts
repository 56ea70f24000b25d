/**
 * Snapshots of older versions of Redis, made here from the format: every encoding that was ever written, loaded by ours and,
 * as the oracle, by redis-server 7.0.15. And what is damaged: refused, never a crash.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
import { double, file, intset, key, latin, size, str, text, u32, ziplist, zipmap } from '../../support/rdb-format.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

// Of streams: a node with the entries 1-0 and 1-1, of one field each, and a group that has given out the first of them.

const ID = Buffer.from('00000000000000010000000000000000', 'hex');
const NODE = Buffer.concat([
  u32(40),
  Buffer.of(15, 0, 2, 1, 0, 1, 1, 1, 0x81, 102, 2, 0, 1),
  Buffer.of(2, 1, 0, 1, 0, 1, 0x81, 118, 2, 4, 1),
  Buffer.of(2, 1, 0, 1, 1, 1, 0x81, 119, 2, 4, 1, 255),
]);
const streamId = (ms: number, seq: number): Buffer => Buffer.concat([size(ms), size(seq)]);
const TIME = Buffer.from('0090d9e3b2050000', 'hex');
const groupOf = (name: string, last: number, ...read: Buffer[]): Buffer[] => [
  str(name),
  streamId(1, last),
  ...read,
  size(1),
  ID,
  TIME,
  size(3),
  size(2),
  str('alice'),
  TIME,
  size(1),
  ID,
  str('bob'),
  TIME,
  size(0),
];

function listpack(...values: string[]): Buffer {
  const body = Buffer.concat(
    values.map((value) => Buffer.concat([Buffer.of(0x80 | value.length), latin(value), Buffer.of(value.length + 1)])),
  );
  return Buffer.concat([
    u32(body.length + 7),
    Buffer.of(values.length & 255, values.length >> 8),
    body,
    Buffer.of(255),
  ]);
}

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
  [
    'streams with their groups',
    9,
    [
      key(15, 'empty', size(0), size(0), streamId(0, 0), size(0)),
      key(
        15,
        'stream',
        size(1),
        str(ID),
        str(NODE),
        size(2),
        streamId(1, 1),
        size(2),
        ...groupOf('late', 1),
        ...groupOf('early', 0),
      ),
    ],
  ],
  [
    'listpacks',
    10,
    [
      key(16, 'hash', str(listpack('f', 'v', 'g', '12'))),
      key(17, 'zset', str(listpack('b', '-1', 'a', '1.5'))),
      key(18, 'list', size(3), size(2), str(listpack('a', '1')), size(1), str(text(9000)), size(2), str(listpack('z'))),
      key(16, 'many', str(listpack(...Array.from({ length: 1200 }, (_, i) => `x${i}`)))),
    ],
  ],
  [
    'streams that count what was added',
    10,
    [
      key(
        19,
        'stream',
        size(1),
        str(ID),
        str(NODE),
        size(2),
        streamId(1, 1),
        streamId(1, 0),
        streamId(0, 5),
        size(7),
        size(1),
        ...groupOf('group', 1, size(2)),
      ),
    ],
  ],
  [
    'a library of functions, as it was before 7.0 was released',
    10,
    [
      Buffer.concat([
        Buffer.of(246),
        str('early'),
        str('LUA'),
        Buffer.of(1),
        str('description'),
        str("redis.register_function('f', function() return 1 end)"),
      ]),
    ],
  ],
  [
    'a library of functions',
    10,
    [Buffer.concat([Buffer.of(245), str("#!lua name=lib\nredis.register_function('f', function() return 1 end)")])],
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
        if (encoding !== 'stream') continue;
        const full = ['XINFO', 'STREAM', each, 'FULL'];
        expect(await session.call(...full), each).toEqual(await oracle.call(...full));
      }
      const list = ['FUNCTION', 'LIST', 'WITHCODE'];
      expect(await session.call(...list)).toEqual(await oracle.call(...list));
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
      const input = RdbInput.over(new Slice(record.subarray(2 + nameLength)));
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
