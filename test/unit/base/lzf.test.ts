import { expect, test } from 'vitest';
import { lzfCompress, lzfDecompress } from '../../../src/base/lzf.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';

function roundTrip(bytes: Uint8Array): number {
  const target = new Uint8Array(bytes.length + Math.ceil(bytes.length / 32) + 8);
  const packed = lzfCompress(new Slice(bytes), target);
  if (bytes.length === 0) return packed;
  expect(packed).toBeGreaterThan(0);
  const back = new Uint8Array(bytes.length + 7);
  expect(lzfDecompress(new Slice(target, 0, packed), back, 7, bytes.length)).toBe(true);
  expect(Buffer.compare(back.subarray(7), bytes)).toBe(0);
  return packed;
}

test('the bytes drawn in the header', () => {
  const target = new Uint8Array(64);
  const packed = lzfCompress(sliceOf('abcabcabc'), target);
  expect([...target.subarray(0, packed)]).toEqual([2, 0x61, 0x62, 0x63, 0x80, 2]);
});

test('what libLZF made is read', () => {
  // "aaaaaaaaaa": one literal, then nine bytes from one back.
  const back = new Uint8Array(10);
  expect(lzfDecompress(new Slice(Uint8Array.of(0, 97, 0xe0, 0, 0)), back, 0, 10)).toBe(true);
  expect(Buffer.from(back).toString()).toBe('aaaaaaaaaa');
});

test('round trips', () => {
  for (let n = 0; n < 300; n++) roundTrip(new Uint8Array(n).fill(97));
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
  for (let i = 0; i < 400; i++) {
    const alphabet = [1, 2, 4, 16, 256][i % 5];
    const bytes = new Uint8Array(next() % (i % 50 === 0 ? 40000 : 2000));
    for (let j = 0; j < bytes.length; j++) bytes[j] = next() % alphabet;
    roundTrip(bytes);
  }
  expect(roundTrip(new Uint8Array(100000))).toBeLessThan(1300);
});

test('no room, no result', () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => (i * 97) & 255);
  expect(lzfCompress(new Slice(bytes), new Uint8Array(196))).toBe(0);
});

test('damage is found, not followed', () => {
  const good = Uint8Array.of(2, 0x61, 0x62, 0x63, 0x80, 2);
  const back = new Uint8Array(64);
  for (let i = 0; i < good.length; i++)
    for (let byte = 0; byte < 256; byte++) {
      const bad = good.slice();
      bad[i] = byte;
      lzfDecompress(new Slice(bad), back, 10, 9);
      expect(back.subarray(0, 10).every((b) => b === 0)).toBe(true);
      expect(back.subarray(19).every((b) => b === 0)).toBe(true);
    }
  expect(lzfDecompress(new Slice(good, 0, 5), back, 10, 9)).toBe(false);
  expect(lzfDecompress(new Slice(good), back, 10, 10)).toBe(false);
});
