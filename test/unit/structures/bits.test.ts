import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice } from '../../../src/base/slice.ts';
import {
  BITS_AND,
  BITS_NOT,
  BITS_OR,
  BITS_XOR,
  combineBits,
  countBits,
  findBit,
  readField,
  writeField,
} from '../../../src/structures/bits.ts';

/** Bytes of which most are alike, beginning at any alignment of a shared buffer. */
function someBytes(random: SeededRandom, most: number): Slice {
  const length = random.below(most);
  const start = random.below(8);
  const filler = [0, 255, 0x5a][random.below(3)];
  const buffer = new Uint8Array(new SharedArrayBuffer(length + 16));
  for (let i = 0; i < buffer.length; i++) buffer[i] = random.below(50) === 0 ? random.below(256) : filler;
  return new Slice(buffer, start, length);
}

function bitsOf(bytes: Slice): number[] {
  return Array.from({ length: bytes.length * 8 }, (_, i) => (bytes.at(i >>> 3) >>> (7 - (i & 7))) & 1);
}

describe('against a bit at a time', () => {
  test('counting and finding', () => {
    const random = new SeededRandom(1);
    for (let round = 0; round < 300; round++) {
      const bytes = someBytes(random, 700);
      const bits = bitsOf(bytes);
      const { buffer, start, length } = bytes;
      expect(countBits(buffer, start, start + length)).toBe(bits.filter((bit) => bit === 1).length);
      if (length === 0) continue;
      const to = random.below(bits.length);
      const from = random.below(to + 1);
      for (const bit of [0, 1]) {
        const found = bits.slice(from, to + 1).indexOf(bit);
        expect(findBit(buffer, start, bit, from, to)).toBe(found < 0 ? -1 : from + found);
      }
    }
  });

  test('combining', () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < 200; round++) {
      const sources = Array.from({ length: 1 + random.below(4) }, () => someBytes(random, round < 5 ? 70_000 : 500));
      const length = Math.max(...sources.map((source) => source.length));
      const operation = ([BITS_AND, BITS_OR, BITS_XOR, BITS_NOT] as const)[random.below(4)];
      if (operation === BITS_NOT) sources.length = 1;
      const whole = operation === BITS_NOT ? sources[0].length : length;
      const target = new Slice(new Uint8Array(whole + 32).fill(0x77), random.below(8), whole);
      combineBits(operation, target, sources);
      const wanted = new Uint8Array(whole);
      for (let i = 0; i < whole; i++) {
        const bytes = sources.map((source) => (i < source.length ? source.at(i) : 0));
        if (operation === BITS_AND) wanted[i] = bytes.reduce((a, b) => a & b);
        else if (operation === BITS_OR) wanted[i] = bytes.reduce((a, b) => a | b);
        else wanted[i] = operation === BITS_XOR ? bytes.reduce((a, b) => a ^ b) : ~bytes[0];
      }
      expect(Buffer.compare(target.copy(), wanted)).toBe(0);
      expect(target.buffer[target.start + whole]).toBe(0x77);
    }
  });

  test('fields of any width at any bit', () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 2000; round++) {
      const bytes = new Slice(Uint8Array.from({ length: 16 }, () => random.below(256)));
      const width = 1 + random.below(53);
      const offset = random.below(128 - width);
      const before = bitsOf(bytes);
      expect(readField(bytes, offset, width)).toBe(Number.parseInt(before.slice(offset, offset + width).join(''), 2));
      const fresh = Array.from({ length: width }, () => random.below(2));
      writeField(bytes, offset, width, Number.parseInt(fresh.join(''), 2));
      expect(bitsOf(bytes)).toEqual([...before.slice(0, offset), ...fresh, ...before.slice(offset + width)]);
    }
  });

  test('what lies behind the end reads as zero', () => {
    expect(readField(new Slice(Uint8Array.of(0xff)), 4, 8)).toBe(0xf0);
    expect(readField(new Slice(new Uint8Array(0)), 4_000_000_000, 48)).toBe(0);
  });
});
