/**
 * The keyed hash of keys, members and fields.
 *
 * HalfSipHash with one round a word and three at the end (as SipHash-1-3 to SipHash-2-4), over 32-bit words because
 * those are what JavaScript adds and rotates without allocating. All four state words take a secret word of the
 * image's seed. What comes back is 31 bits, so that it stays a small integer in V8 wherever it is kept.
 *
 *   words of four bytes, little-endian; the last one is [0..3 remaining bytes][length & 0xff in the top byte]
 *
 * What is longer than LONG is hashed by its SHA-256, which the processor computes six times as fast as this loop runs: of
 * a key of 512 MB every byte counts, and others wait for a third of a second instead of two. Nobody finds two texts with
 * one such digest, so nothing is lost by its having no key.
 */
import { hash } from 'node:crypto';
import type { Slice } from '../base/slice.ts';

/** From here on the digest is faster, the call into Node included. */
const LONG = 4096;

/** The hash of the bytes that `s` shows, 0 to 2^31 - 1, under the 128-bit `seed`. */
export function hashBytes(seed: Uint32Array, s: Slice): number {
  return hashRange(seed, s.buffer, s.start, s.length);
}

/** The same over `length` bytes of `b` from `start`. */
export function hashRange(seed: Uint32Array, b: Uint8Array, start: number, length: number): number {
  if (length > LONG) {
    const digest = hash('sha256', b.subarray(start, start + length), 'buffer');
    return hashRange(seed, digest, 0, digest.length);
  }
  let v0 = seed[0] | 0;
  let v1 = seed[1] | 0;
  let v2 = 0x6c796765 ^ seed[2];
  let v3 = 0x74656462 ^ seed[3];
  let at = start;
  for (const end = start + (length & ~3); at < end; at += 4) {
    const word = b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  let word = length << 24;
  const rest = length & 3;
  if (rest !== 0) {
    word |= b[at];
    if (rest > 1) word |= b[at + 1] << 8;
    if (rest > 2) word |= b[at + 2] << 16;
  }
  v3 ^= word;
  for (let round = 0; round < 4; round++) {
    if (round === 1) {
      v0 ^= word;
      v2 ^= 0xff;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return (v1 ^ v3) >>> 1;
}
