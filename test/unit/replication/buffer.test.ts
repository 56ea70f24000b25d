/** The replication buffer against a model: all bytes ever appended, and who still needs which. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { type BufferReader, ReplicationBuffer } from '../../../src/replication/buffer.ts';

const KIB = 1024;

function joined(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

function numbered(from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (from + i) & 0xff);
}

describe('the replication buffer', () => {
  test('holds at least its size, and gives up whole blocks', () => {
    const buffer = new ReplicationBuffer(64 * KIB, 1000);
    for (let at = 0; at < 1024 * KIB; at += 5000) buffer.append(numbered(at, 5000));
    buffer.verify();
    expect(buffer.length).toBeGreaterThanOrEqual(64 * KIB);
    expect(buffer.length).toBeLessThan(64 * KIB + 2 * 16 * KIB);
    expect(buffer.reader(buffer.start - 1)).toBeNull();
    expect(buffer.reader(buffer.end + 1)).toBeNull();
    expect(buffer.reader(buffer.start)?.waiting).toBe(buffer.length);
  });

  test('one command larger than the backlog leaves the backlog full, not empty', () => {
    const buffer = new ReplicationBuffer(64 * KIB, 0);
    buffer.append(new Uint8Array(1024 * KIB));
    expect(buffer.length).toBeGreaterThanOrEqual(64 * KIB);
    expect(buffer.bytes).toBeLessThanOrEqual(64 * KIB + 2 * 16 * KIB);
  });

  test('a reader keeps what it has not finished with; ten readers take no more than one', () => {
    const buffer = new ReplicationBuffer(16 * KIB, 0);
    const readers = Array.from({ length: 10 }, () => buffer.reader(0)!);
    buffer.append(new Uint8Array(1024 * KIB));
    expect(buffer.start).toBe(0);
    expect(buffer.bytes).toBe(1024 * KIB);
    const taken: Uint8Array[] = [];
    readers[0].take(Number.POSITIVE_INFINITY, taken);
    readers[0].finish();
    expect(buffer.start).toBe(0);
    for (const reader of readers.slice(1)) reader.close();
    expect(buffer.length).toBeLessThanOrEqual(48 * KIB);
    expect(joined(taken).length).toBe(1024 * KIB);
  });

  test('blocks are used again, but for those that may still be under way to one who has gone', () => {
    const buffer = new ReplicationBuffer(16 * KIB, 0);
    const write = (): void => buffer.append(new Uint8Array(16 * KIB));
    const arrays = new Set<ArrayBufferLike>();
    const shown: Uint8Array[] = [];
    const stays = buffer.reader(0)!;
    for (let i = 0; i < 100; i++) {
      write();
      stays.take(Number.POSITIVE_INFINITY, shown);
      arrays.add(shown[shown.length - 1].buffer);
      stays.finish();
    }
    expect(arrays.size).toBeLessThan(5);
    const goes = buffer.reader(buffer.end)!;
    write();
    const lent: Uint8Array[] = [];
    goes.take(Number.POSITIVE_INFINITY, lent);
    goes.close();
    for (let i = 0; i < 100; i++) {
      buffer.append(new Uint8Array(16 * KIB).fill(1));
      stays.take(Number.POSITIVE_INFINITY, shown);
      stays.finish();
    }
    for (const part of lent) expect(part.every((byte) => byte === 0)).toBe(true);
    buffer.verify();
  });

  test('a smaller size takes effect at once, a larger one from then on', () => {
    const buffer = new ReplicationBuffer(512 * KIB, 0);
    buffer.append(new Uint8Array(512 * KIB));
    buffer.size = 64 * KIB;
    expect(buffer.length).toBeLessThan(128 * KIB);
    buffer.size = 1024 * KIB;
    buffer.append(new Uint8Array(512 * KIB));
    expect(buffer.length).toBeGreaterThan(512 * KIB);
    buffer.verify();
  });

  test('every reader gets every byte once and in order', () => {
    const seed = 20261128;
    const random = new SeededRandom(seed);
    const pick = (limit: number): number => random.bits32() % limit;
    const buffer = new ReplicationBuffer(32 * KIB, 7);
    const all: Buffer[] = [];
    const readers: { reader: BufferReader; from: number; got: Uint8Array[] }[] = [];
    const history = (): Buffer => Buffer.concat([Buffer.alloc(7), ...all]);
    for (let step = 0; step < 3000; step++) {
      const roll = pick(10);
      if (roll < 4) {
        const bytes = numbered(pick(256), pick(roll === 0 ? 60_000 : 2000));
        all.push(Buffer.from(bytes));
        buffer.append(bytes);
      } else if (roll === 4 && readers.length < 8) {
        const at = buffer.start + pick(buffer.length + 1);
        readers.push({ reader: buffer.reader(at)!, from: at, got: [] });
      } else if (readers.length > 0) {
        const one = readers[pick(readers.length)];
        one.reader.take(1 + pick(40_000), one.got);
        // What it was shown is good until it says that it has finished with it.
        one.got.splice(0, one.got.length, joined(one.got));
        if (roll > 6) one.reader.finish();
        if (roll === 9) {
          const bytes = joined(one.got);
          const expected = history().subarray(one.from, one.reader.at);
          expect(bytes.equals(expected), `seed ${seed}, step ${step}`).toBe(true);
          one.reader.close();
          readers.splice(readers.indexOf(one), 1);
        }
      }
      buffer.verify();
    }
    expect(buffer.end).toBe(history().length);
  });
});
