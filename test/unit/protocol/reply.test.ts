import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { bytesOf, Slice, sliceOf } from '../../../src/base/slice.ts';
import { CHUNK_BYTES, ChunkPool } from '../../../src/protocol/chunk.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { RespReader, type RespValue } from '../../support/resp.ts';

function written(resp: number, write: (reply: Reply) => void): string {
  const reply = new Reply();
  reply.resp = resp;
  write(reply);
  return Buffer.from(reply.take()).toString('latin1');
}

const FORMS: readonly (readonly [string, (reply: Reply) => void, string, string])[] = [
  ['ok', (r) => r.ok(), '+OK\r\n', '+OK\r\n'],
  ['status', (r) => r.status('PONG'), '+PONG\r\n', '+PONG\r\n'],
  ['int', (r) => r.int(-1234567), ':-1234567\r\n', ':-1234567\r\n'],
  ['zero', (r) => r.int(-0), ':0\r\n', ':0\r\n'],
  ['large int', (r) => r.int(9007199254740991), ':9007199254740991\r\n', ':9007199254740991\r\n'],
  ['bigint', (r) => r.bigint(-(2n ** 63n)), ':-9223372036854775808\r\n', ':-9223372036854775808\r\n'],
  ['bulk', (r) => r.bulk(sliceOf('a\r\nb')), '$4\r\na\r\nb\r\n', '$4\r\na\r\nb\r\n'],
  ['empty bulk', (r) => r.bulk(sliceOf('')), '$0\r\n\r\n', '$0\r\n\r\n'],
  ['bulk text', (r) => r.bulkText('x\xff'), '$2\r\nx\xff\r\n', '$2\r\nx\xff\r\n'],
  ['bulk int', (r) => r.bulkInt(-10), '$3\r\n-10\r\n', '$3\r\n-10\r\n'],
  ['error', (r) => r.error('ERR a\r\nb\n'), '-ERR a  b\r\n', '-ERR a  b\r\n'],
  ['null', (r) => r.null(), '$-1\r\n', '_\r\n'],
  ['null array', (r) => r.nullArray(), '*-1\r\n', '_\r\n'],
  ['true', (r) => r.bool(true), ':1\r\n', '#t\r\n'],
  ['false', (r) => r.bool(false), ':0\r\n', '#f\r\n'],
  ['double', (r) => r.double(3.25), '$4\r\n3.25\r\n', ',3.25\r\n'],
  ['infinity', (r) => r.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
  ['big number', (r) => r.bigNumber('123'), '$3\r\n123\r\n', '(123\r\n'],
  ['verbatim', (r) => r.verbatim('ab'), '$2\r\nab\r\n', '=6\r\ntxt:ab\r\n'],
  ['array', (r) => r.array(12), '*12\r\n', '*12\r\n'],
  ['map', (r) => r.map(2), '*4\r\n', '%2\r\n'],
  ['set', (r) => r.set(2), '*2\r\n', '~2\r\n'],
  ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
  ['attribute', (r) => r.attribute(1), '|1\r\n', '|1\r\n'],
];

describe('replies', () => {
  test.each(FORMS)('%s', (_, write, two, three) => {
    expect(written(2, write)).toBe(two);
    expect(written(3, write)).toBe(three);
  });

  test('integers of every length', () => {
    for (let digits = 1; digits <= 15; digits++) {
      for (const n of [10 ** digits - 1, 10 ** digits, 10 ** (digits - 1) + 1, -(10 ** digits)]) {
        expect(written(2, (r) => r.int(n))).toBe(`:${n}\r\n`);
        expect(written(2, (r) => r.bulkInt(n))).toBe(`$${String(n).length}\r\n${n}\r\n`);
      }
    }
    expect(written(2, (r) => r.int(2147483648))).toBe(':2147483648\r\n');
  });

  test('what is taken back was never replied, wherever it began', () => {
    const reply = new Reply();
    for (const before of [0, 1]) {
      if (before > 0) reply.ok();
      const [at, chunk, position] = [reply.markAt, reply.markChunk, reply.position];
      reply.bulkText('x'.repeat(50_000));
      reply.rewind(chunk, at);
      expect(reply.position).toBe(position);
      reply.error('ERR no');
      expect(reply.position).toBe(position + '-ERR no\r\n'.length);
      expect(reply.take().length).toBe(before * '+OK\r\n'.length + '-ERR no\r\n'.length);
      reply.verify();
    }
  });

  test('bulks of every size up to and over a chunk', () => {
    for (const length of [9, 10, 95, 96, 97, 99, 100, 101, 20470, 20480, 20481, 131072, 131073, 400_000]) {
      const value = bytesOf(`.${'v'.repeat(length)}.`);
      expect(written(2, (r) => r.bulk(new Slice(value, 1, length)))).toBe(`$${length}\r\n${'v'.repeat(length)}\r\n`);
    }
  });

  test('deferred lengths, nested, across chunks', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SeededRandom(seed);
      const reply = new Reply();
      reply.resp = 3;
      const expected: RespValue[] = [];
      for (let i = 0; i < 5; i++) expected.push(randomValue(random, reply, 0));
      const size = reply.pending;
      const bytes = reply.take();
      expect(bytes.length).toBe(size);
      expect(new RespReader(bytes).all(), `seed ${seed}`).toEqual(expected);
      expect(reply.pending).toBe(0);
      expect(reply.pool.held).toBe(0);
    }
  });

  test('suppressed replies go nowhere and leave what is owed', () => {
    const reply = new Reply();
    reply.ok();
    reply.suppressed = true;
    for (let i = 0; i < 5000; i++) reply.bulkText('never seen');
    reply.raw(new Uint8Array(300_000), 0, 300_000);
    reply.settleArray(reply.deferArray(), 0);
    reply.suppressed = false;
    reply.int(7);
    expect(Buffer.from(reply.take()).toString()).toBe('+OK\r\n:7\r\n');
    reply.end();
    reply.suppressed = false;
    reply.ok();
    expect(reply.pending).toBe(0);
  });

  test('consumed in pieces of any size while replies go on', () => {
    const random = new SeededRandom(5);
    const pool = new ChunkPool();
    const reply = new Reply(pool);
    let expected = '';
    let got = '';
    for (let step = 0; step < 3000; step++) {
      if (random.below(100) < 60) {
        const text = `${step}`.repeat(random.below(300));
        reply.rawText(text);
        expected += text;
      } else {
        const views: Uint8Array[] = [];
        const total = reply.views(views, 1 + random.below(60_000));
        const all = Buffer.concat(views);
        expect(all.length).toBe(total);
        const some = random.below(all.length + 1);
        got += all.toString('latin1', 0, some);
        reply.consumed(some);
      }
      expect(reply.pending).toBe(expected.length - got.length);
    }
    got += Buffer.from(reply.take()).toString('latin1');
    expect(got).toBe(expected);
    expect(pool.held).toBe(0);
  });

  test('figures: the first chunk, the further ones, and who is told', () => {
    const reply = new Reply();
    let pending = 0;
    let grew = 0;
    reply.owner = { replyPending: () => pending++, replyGrew: () => grew++ };
    reply.ok();
    expect([reply.firstBytes, reply.moreChunks, reply.moreBytes, pending, grew]).toEqual([5, 0, 0, 1, 0]);
    reply.raw(new Uint8Array(40_000), 0, 40_000);
    expect([reply.firstBytes, reply.moreChunks, pending, grew]).toEqual([CHUNK_BYTES, 1, 1, 1]);
    expect(reply.moreBytes).toBe(CHUNK_BYTES + 40);
    reply.clear();
    expect([reply.firstBytes, reply.moreChunks, reply.moreBytes]).toEqual([0, 0, 0]);
  });
});

test('a reply that is bounded is the beginning of the whole one, and those behind it are whole', () => {
  let cuts = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const write = (bound: number): [Reply, number] => {
      const reply = new Reply();
      reply.resp = 3;
      reply.int(seed);
      reply.bound(bound);
      randomValue(new SeededRandom(seed), reply, 0);
      if (seed % 3 === 0) reply.bulkBytes(new Uint8Array(300_000), 0, 300_000);
      if (seed % 3 === 1) reply.rawShared(new Uint8Array(200_000));
      reply.verify();
      return [reply, reply.position];
    };
    const whole = Buffer.from(write(Number.POSITIVE_INFINITY)[0].take());
    const [reply, position] = write(20_000);
    expect(reply.cutShort).toBe(position < whole.length);
    if (reply.cutShort) cuts++;
    reply.resume();
    reply.bound(20_000);
    reply.bulkText('behind');
    reply.verify();
    const bytes = Buffer.from(reply.take());
    expect(bytes.subarray(0, position).equals(whole.subarray(0, position))).toBe(true);
    expect(bytes.toString('latin1', position)).toBe('$6\r\nbehind\r\n');
    if (position < whole.length) expect(position).toBeGreaterThan(20_000);
    expect(position).toBeLessThan(20_100 + 2 * CHUNK_BYTES);
  }
  expect(cuts).toBeGreaterThan(100);
});

test('what failed after its reply was cut is told', () => {
  const reply = new Reply();
  reply.ok();
  const { markChunk, markAt } = reply;
  reply.bound(100);
  reply.bulkBytes(new Uint8Array(300_000), 0, 300_000);
  reply.rewind(markChunk, markAt);
  expect(reply.cutShort).toBe(false);
  reply.error('ERR no');
  reply.verify();
  expect(Buffer.from(reply.take()).toString()).toBe('+OK\r\n-ERR no\r\n');
});

/** Writes a random value with deferred lengths wherever possible, and returns what a reader must see. */
function randomValue(random: SeededRandom, reply: Reply, depth: number): RespValue {
  const kind = random.below(depth > 3 ? 3 : 6);
  if (kind === 0) {
    const n = random.below(100000);
    reply.int(n);
    return n;
  }
  if (kind <= 2) {
    const text = 'abcdefghij'.repeat(random.below(random.below(100) < 10 ? 2000 : 5));
    reply.bulkText(text);
    return text;
  }
  const count = random.below(7);
  const handle = reply.deferArray();
  if (kind === 3) {
    const pairs: [RespValue, RespValue][] = [];
    for (let i = 0; i < count; i++) {
      pairs.push([randomValue(random, reply, depth + 1), randomValue(random, reply, depth + 1)]);
    }
    reply.settleMap(handle, count);
    return { kind: 'map', pairs };
  }
  const items: RespValue[] = [];
  for (let i = 0; i < count; i++) items.push(randomValue(random, reply, depth + 1));
  if (kind === 4) reply.settleSet(handle, count);
  else reply.settleArray(handle, count);
  return { kind: kind === 4 ? 'set' : 'array', items };
}
