import { describe, expect, test } from 'vitest';
import { copyBytes } from '../../../src/base/copy.ts';

const SIZE = 600_000;

function filled(shared: boolean, seed: number): Uint8Array {
  const bytes = shared ? new Uint8Array(new SharedArrayBuffer(SIZE)) : new Uint8Array(SIZE);
  for (let i = 0; i < SIZE; i++) bytes[i] = (i * 31 + (i >> 8) * 17 + seed) & 255;
  return bytes;
}

/** Around each length at which another way is taken, and across the portions of a move. */
const LENGTHS = [0, 1, 3, 4, 7, 71, 191, 192, 193, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 150_001];

describe.each([
  ['plain', 'plain', false, false],
  ['plain', 'shared', false, true],
  ['shared', 'plain', true, false],
  ['shared', 'shared', true, true],
])('from %s to %s memory', (_source, _target, fromShared, toShared) => {
  test.each(LENGTHS)('%i bytes, and no others', (length) => {
    for (const [to, from] of [
      [0, 0],
      [5, 3],
      [8, 16],
      [SIZE - length, 0],
      [0, SIZE - length],
    ]) {
      const source = filled(fromShared, 1);
      const target = filled(toShared, 2);
      const expected = Uint8Array.from(target);
      expected.set(Uint8Array.from(source).subarray(from, from + length), to);
      copyBytes(target, to, source, from, length);
      expect(Buffer.compare(Uint8Array.from(target), expected)).toBe(0);
    }
  });
});

describe.each([
  ['plain', false],
  ['shared', true],
])('within %s memory', (_kind, shared) => {
  test.each(LENGTHS)('%i bytes, however the ranges overlap', (length) => {
    for (const by of [0, 1, -1, 8, -8, 100, -100, length, -length, length >> 1, -(length >> 1)]) {
      const bytes = filled(shared, 3);
      const expected = Uint8Array.from(bytes);
      expected.copyWithin(200_000 + by, 200_000, 200_000 + length);
      copyBytes(bytes, 200_000 + by, bytes, 200_000, length);
      expect(Buffer.compare(Uint8Array.from(bytes), expected)).toBe(0);
    }
  });
});

test('what lies outside of an array is refused', () => {
  const small = new Uint8Array(100);
  expect(() => copyBytes(small, 0, new Uint8Array(1000), 0, 500)).toThrow();
});
