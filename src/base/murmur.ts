/**
 * MurmurHash64A (Austin Appleby, public domain) over bytes: the hash that HyperLogLogs are made with, so that it can't be
 * any other. In 32-bit halves, because those are what JavaScript multiplies without allocating.
 */
import type { Slice } from './slice.ts';

/** The multiplier, 0xc6a4a7935bd1e995. */
const M_HIGH = 0xc6a4a793 | 0;
const M_LOW = 0x5bd1e995;
const M_LOW_HIGH = 0x5bd1;
const M_LOW_LOW = 0xe995;
const SHIFT = 47;

/** The last hash, as two signed 32-bit halves; scratch, read at once. */
export const murmur = { high: 0, low: 0 };

/** The upper 32 bits of the 64-bit product of `low` and the multiplier's lower half. */
function carry(low: number): number {
  const a = low >>> 16;
  const b = low & 0xffff;
  const first = b * M_LOW_LOW;
  const second = a * M_LOW_LOW + (first >>> 16);
  const third = b * M_LOW_HIGH + (second & 0xffff);
  return (a * M_LOW_HIGH + (second >>> 16) + (third >>> 16)) | 0;
}

/** The upper half of the product modulo 2^64; the lower is Math.imul(low, M_LOW). */
function upperProduct(high: number, low: number): number {
  return (carry(low) + Math.imul(low, M_HIGH) + Math.imul(high, M_LOW)) | 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** The `count` (at most 4) bytes from `at` as the lower ones of a word. */
function partAt(bytes: Uint8Array, at: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= bytes[at + i] << (8 * i);
  return word;
}

/** Hashes what `s` shows with a seed of 32 bits; leaves the hash in `murmur`. */
export function murmurHash64(s: Slice, seed: number): void {
  const bytes = s.buffer;
  const end = s.start + s.length;
  let at = s.start;
  let high = upperProduct(0, s.length);
  let low = Math.imul(s.length, M_LOW) ^ seed;
  for (; end - at >= 8; at += 8) {
    let kLow = wordAt(bytes, at);
    let kHigh = upperProduct(wordAt(bytes, at + 4), kLow);
    kLow = Math.imul(kLow, M_LOW);
    kLow ^= kHigh >>> (SHIFT - 32);
    kHigh = upperProduct(kHigh, kLow);
    high ^= kHigh;
    low ^= Math.imul(kLow, M_LOW);
    high = upperProduct(high, low);
    low = Math.imul(low, M_LOW);
  }
  const rest = end - at;
  if (rest > 0) {
    low ^= partAt(bytes, at, rest < 4 ? rest : 4);
    if (rest > 4) high ^= partAt(bytes, at + 4, rest - 4);
    high = upperProduct(high, low);
    low = Math.imul(low, M_LOW);
  }
  low ^= high >>> (SHIFT - 32);
  high = upperProduct(high, low);
  low = Math.imul(low, M_LOW);
  low ^= high >>> (SHIFT - 32);
  murmur.high = high;
  murmur.low = low;
}
