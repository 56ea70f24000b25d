import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { layout } from '../../../src/memory/layout.ts';
import { Memory } from '../../../src/memory/memory.ts';

describe('loads and stores', () => {
  test('every width reads back what was written, at its offset only', () => {
    const m = new Memory();
    const a = m.allocateZeroed(64);
    m.setU8(a, 1, 0xab);
    m.setU16(a, 2, 0xcdef);
    m.setU32(a, 4, 0xfedcba98);
    m.setF64(a, 8, -1.5e300);
    m.setAddr(a, 16, a);
    expect([m.u8(a, 0), m.u8(a, 1), m.u16(a, 2), m.u32(a, 4), m.f64(a, 8), m.addr(a, 16), m.u32(a, 20)]).toEqual([
      0,
      0xab,
      0xcdef,
      0xfedcba98,
      -1.5e300,
      a,
      0,
    ]);
  });

  test('bytes go in and come out, short and long', () => {
    const m = new Memory();
    const into = new Slice();
    for (const length of [0, 1, 95, 96, 97, 5000]) {
      const source = sliceOf('x'.repeat(length + 3));
      const a = m.allocate(length + 8);
      source.set(source.buffer, 2, length);
      m.write(a, 5, source);
      expect(m.borrow(into, a, 5, length).latin1()).toBe('x'.repeat(length));
    }
  });

  test.each([20, 300])('an overlapping move of %i bytes is exact both ways', (length) => {
    const m = new Memory();
    const random = new SeededRandom(length);
    const a = m.allocate(1000);
    for (let round = 0; round < 200; round++) {
      const model = new Uint8Array(1000);
      for (let i = 0; i < 1000; i++) {
        model[i] = random.below(256);
        m.setU8(a, i, model[i]);
      }
      const from = random.below(1000 - length);
      const to = random.below(1000 - length);
      model.copyWithin(to, from, from + length);
      m.copy(a, to, a, from, length);
      expect(m.borrow(new Slice(), a, 0, 1000).copy()).toEqual(model);
    }
  });

  test('a slice of the image may be written into another block', () => {
    const m = new Memory();
    const a = m.allocate(200);
    m.write(a, 0, sliceOf('abc'.repeat(60)));
    const b = m.allocate(200);
    m.write(b, 0, m.borrow(new Slice(), a, 3, 150));
    expect(m.borrow(new Slice(), b, 0, 150).latin1()).toBe('abc'.repeat(50));
  });

  test('writable shows the bytes themselves', () => {
    const m = new Memory();
    const a = m.allocateZeroed(32);
    const s = m.writable(new Slice(), a, 4, 8);
    s.buffer[s.start + 1] = 77;
    expect(m.u8(a, 5)).toBe(77);
  });
});

describe('layout', () => {
  test('sums widths', () => {
    const l = layout({ next: 'u32', kind: 'u8', pad: 'u8', count: 'u16', score: 'f64' });
    expect({ ...l }).toEqual({ next: 0, kind: 4, pad: 5, count: 6, score: 8, size: 16 });
  });

  test('refuses implicit padding', () => {
    expect(() => layout({ kind: 'u8', next: 'u32' })).toThrow('next would need padding at 1');
  });
});
