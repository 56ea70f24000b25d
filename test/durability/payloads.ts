/**
 * DUMP payloads of every type and encoding, small ones, since a mutated byte shall have a fair chance to matter. Today's
 * forms are dumped from a server of ours; those that no server of today writes are made from them or from the format.
 */
import { Slice } from '../../src/base/slice.ts';
import { RdbInput } from '../../src/persistence/rdb/input.ts';
import type { LocalSession } from '../../src/server/local.ts';
import { double, intset, size, str, text, ziplist, zipmap } from '../support/rdb-format.ts';

export type Kind = 'string' | 'hyperloglog' | 'list' | 'set' | 'zset' | 'hash' | 'stream';

export interface Payload {
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: Buffer;
}

/** Version and a sum that is never tested. */
const FOOT = Buffer.from([10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const FOOT_BYTES = FOOT.length;

type Recipe = readonly [name: string, kind: Kind, commands: readonly string[]];

const words = (n: number, make: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => make(i)).join(' ');

/** The key is always `k`. */
const RECIPES: readonly Recipe[] = [
  ['string', 'string', ['SET k hello']],
  ['integer', 'string', ['SET k 12345']],
  ['wide integer', 'string', ['SET k 9223372036854775807']],
  ['packed string', 'string', [`SET k ${'abcab'.repeat(40)}`]],
  ['sparse hyperloglog', 'hyperloglog', [`PFADD k ${words(40, (i) => `e${i}`)}`]],
  ['dense hyperloglog', 'hyperloglog', ['CONFIG SET hll-sparse-max-bytes 0', `PFADD k ${words(90, (i) => `e${i}`)}`]],
  ['list', 'list', ['RPUSH k a 1 -300 70000 5000000000 a-longer-element']],
  [
    'list of nodes',
    'list',
    ['CONFIG SET list-max-listpack-size 3', `RPUSH k ${words(14, (i) => `el${i} ${i * 999}`)}`],
  ],
  ['list with a plain node', 'list', ['DEBUG QUICKLIST-PACKED-THRESHOLD 20', `RPUSH k a ${text(40)} b`]],
  [
    'packed list',
    'list',
    [
      'CONFIG SET list-max-listpack-size 8 list-compress-depth 1',
      `RPUSH k ${words(40, (i) => `repeated-repeated-${i}`)}`,
    ],
  ],
  ['intset of 16', 'set', ['SADD k 1 2 3 -5 300']],
  ['intset of 32', 'set', ['SADD k 1 70000 -70000']],
  ['intset of 64', 'set', ['SADD k 1 5000000000 -5000000000']],
  ['set', 'set', ['SADD k a b c 1 2 300 -1']],
  ['hash in a listpack', 'hash', ['HSET k f v g 1 h -70000 i a-longer-value']],
  ['hash', 'hash', ['CONFIG SET hash-max-listpack-entries 1', 'HSET k f v g 1 h -70000 i a-longer-value']],
  ['zset in a listpack', 'zset', ['ZADD k 1 a 2.5 b -inf c 3000000 d']],
  ['zset', 'zset', ['CONFIG SET zset-max-listpack-entries 1', 'ZADD k 1 a 2.5 b -inf c 3000000 d']],
  ['stream', 'stream', ['XADD k 1-1 f v', 'XADD k 2-0 f w', 'XADD k 9-9 other 12345 more x', 'XDEL k 2-0']],
  [
    'stream of nodes',
    'stream',
    ['CONFIG SET stream-node-max-entries 2', ...Array.from({ length: 7 }, (_, i) => `XADD k ${i + 1}-1 f ${i}`)],
  ],
  [
    'stream with groups',
    'stream',
    [
      ...Array.from({ length: 4 }, (_, i) => `XADD k ${i + 1}-1 f ${i}`),
      'XGROUP CREATE k g 0',
      'XGROUP CREATE k h 2-1 ENTRIESREAD 2',
      'XREADGROUP GROUP g alice COUNT 2 STREAMS k >',
      'XREADGROUP GROUP g bob COUNT 1 STREAMS k >',
      'XACK k g 2-1',
    ],
  ],
];

const USUAL = [
  'FLUSHALL',
  'DEBUG QUICKLIST-PACKED-THRESHOLD 1GB',
  'CONFIG SET list-max-listpack-size -2 list-compress-depth 0 hash-max-listpack-entries 128 zset-max-listpack-entries 128',
  'CONFIG SET stream-node-max-entries 100 hll-sparse-max-bytes 3000',
];

async function run(session: LocalSession, commands: readonly string[]): Promise<void> {
  for (const command of commands) await session.call(...command.split(' '));
}

/** What other versions have written. */
function olderForms(): Payload[] {
  const pack = ziplist(['f', 'v', 'g', '12345', 'h', text(70)]);
  const scores = ziplist(['c', '-3', 'a', '1', 'b', '2.5']);
  const make = (name: string, kind: Kind, type: number, ...parts: Buffer[]): Payload => ({
    name,
    kind,
    bytes: Buffer.concat([Buffer.of(type), ...parts, FOOT]),
  });
  return [
    make('list of strings', 'list', 1, size(4), str('a'), str('12'), str(text(90)), str('')),
    make(
      'zset with scores as text',
      'zset',
      3,
      size(3),
      str('a'),
      str('1.5'),
      str('b'),
      Buffer.of(254),
      str('c'),
      str('1e3'),
    ),
    make('zset with binary scores', 'zset', 5, size(2), str('a'), double(1.5), str('b'), double(-0.1)),
    make('zipmap', 'hash', 9, str(zipmap(['field', 'value', 'f2', text(30)], 3))),
    make(
      'list in a ziplist',
      'list',
      10,
      str(ziplist(['a', '0', '13', '-1', '300', '-70000', '9000000', '3000000000'])),
    ),
    make('old intset', 'set', 11, str(intset([-5n, 1n, 300n], 2))),
    make('zset in a ziplist', 'zset', 12, str(scores)),
    make('hash in a ziplist', 'hash', 13, str(pack)),
    make('quicklist of ziplists', 'list', 14, size(3), str(ziplist(['a', '1'])), str(pack), str(ziplist(['-1']))),
  ];
}

/** A set in a listpack (7.2), from any listpack. */
function setInListpack(hash: Payload): Payload {
  const bytes = Buffer.from(hash.bytes);
  bytes[0] = 20;
  return { name: 'set in a listpack', kind: 'set', bytes };
}

/** A stream without groups as Redis 5 wrote it, from one of today. */
function oldStream(stream: Payload): Payload {
  const input = RdbInput.over(new Slice(stream.bytes));
  const scratch = new Slice();
  input.u8();
  for (let nodes = input.size(); nodes > 0; nodes--) {
    input.string(scratch);
    input.string(scratch);
  }
  for (let numbers = 3; numbers > 0; numbers--) input.size64();
  const bytes = Buffer.concat([stream.bytes.subarray(0, input.offset), Buffer.of(0), FOOT]);
  bytes[0] = 15;
  return { name: 'stream of Redis 5', kind: 'stream', bytes };
}

/** A stream whose one group and consumer are of Redis 7.2. */
function newStream(stream: Payload): Payload {
  const bytes = Buffer.concat([
    stream.bytes.subarray(0, stream.bytes.length - FOOT_BYTES - 1),
    Buffer.of(1),
    str('g'),
    Buffer.of(1, 1, 1),
    Buffer.of(0, 1),
    str('alice'),
    Buffer.alloc(16),
    Buffer.of(0),
    FOOT,
  ]);
  bytes[0] = 21;
  return { name: 'stream of Redis 7.2', kind: 'stream', bytes };
}

/** All of them, each once as it is and, where that can differ, once with nothing compressed. */
export async function corpus(session: LocalSession): Promise<Payload[]> {
  const payloads: Payload[] = [];
  for (const compression of ['no', 'yes']) {
    await session.call('CONFIG', 'SET', 'rdbcompression', compression);
    for (const [name, kind, commands] of RECIPES) {
      await run(session, USUAL);
      await run(session, commands);
      const bytes = (await session.callBuffer('DUMP', 'k')) as Buffer;
      if (!payloads.some((other) => other.bytes.equals(bytes)))
        payloads.push({ name: `${name}, rdbcompression ${compression}`, kind, bytes });
    }
  }
  await run(session, USUAL);
  const named = (name: string): Payload => payloads.find((payload) => payload.name.startsWith(`${name},`))!;
  const stream = named('stream');
  return [
    ...payloads,
    ...olderForms(),
    setInListpack(named('hash in a listpack')),
    oldStream(stream),
    newStream(stream),
  ];
}
