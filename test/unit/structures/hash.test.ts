/** The keyed hash: what it depends on, for texts of all lengths. */
import { expect, test } from 'vitest';
import { hashRange } from '../../../src/structures/hash.ts';

const seed = Uint32Array.of(1, 2, 3, 4);

test.each([1, 4, 31, 4096, 4097, 100_000])('each byte of %d counts, and the seed', (length) => {
  const bytes = new Uint8Array(length + 8).fill(7);
  const before = hashRange(seed, bytes, 3, length);
  expect(before).toBeGreaterThanOrEqual(0);
  expect(hashRange(Uint32Array.of(1, 2, 3, 5), bytes, 3, length)).not.toBe(before);
  expect(hashRange(seed, bytes, 3, length - 1)).not.toBe(before);
  for (const at of [0, length >> 1, length - 1]) {
    bytes[3 + at]++;
    expect(hashRange(seed, bytes, 3, length)).not.toBe(before);
    bytes[3 + at]--;
  }
});

test.each([100, 10_000])('%d bytes have one hash wherever they lie', (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => i);
  const shared = new Uint8Array(new SharedArrayBuffer(length + 10));
  shared.set(bytes, 5);
  expect(hashRange(seed, shared, 5, length)).toBe(hashRange(seed, bytes, 0, length));
});
