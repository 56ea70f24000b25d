import { expect, test } from 'vitest';
import { murmur, murmurHash64 } from '../../../src/base/murmur.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice } from '../../../src/base/slice.ts';

const M = 0xc6a4a7935bd1e995n;
const cut = (value: bigint): bigint => BigInt.asUintN(64, value);

/** The definition, in bigints. */
function reference(bytes: Uint8Array, seed: bigint): bigint {
  let h = cut(seed ^ (BigInt(bytes.length) * M));
  const whole = bytes.length & ~7;
  const wordAt = (at: number, length: number): bigint => {
    let word = 0n;
    for (let i = length - 1; i >= 0; i--) word = (word << 8n) | BigInt(bytes[at + i]);
    return word;
  };
  for (let at = 0; at < whole; at += 8) {
    let k = cut(wordAt(at, 8) * M);
    k = cut((k ^ (k >> 47n)) * M);
    h = cut((h ^ k) * M);
  }
  if (whole < bytes.length) h = cut((h ^ wordAt(whole, bytes.length - whole)) * M);
  h = cut((h ^ (h >> 47n)) * M);
  return h ^ (h >> 47n);
}

test('the hash is that of 64-bit arithmetic, for every length of tail', () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from({ length: round % 41 }, () => random.below(256));
    murmurHash64(new Slice(bytes), 0xadc83b19 | 0);
    const hash = (BigInt(murmur.high >>> 0) << 32n) | BigInt(murmur.low >>> 0);
    expect(hash).toBe(reference(bytes, 0xadc83b19n));
  }
});
