import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import {
  Int64,
  intsetBytes,
  intsetFromBytes,
  intsetInsert,
  intsetLength,
  intsetNew,
  intsetRemove,
  intsetSearch,
  intsetText,
  intsetValidate,
  intsetVerify,
} from '../../../src/structures/intset.ts';
import { STEPS } from '../../support/long.ts';

const value = new Int64();
const text = new Slice();

function find(m: Memory, s: Addr, decimal: string): number {
  expect(value.parse(sliceOf(decimal))).toBe(true);
  return intsetSearch(m, s, value.hi, value.lo);
}

function add(m: Memory, s: Addr, decimal: string): Addr {
  const at = find(m, s, decimal);
  return at >= 0 ? s : intsetInsert(m, s, ~at, value.hi, value.lo);
}

function remove(m: Memory, s: Addr, decimal: string): Addr {
  const at = find(m, s, decimal);
  return at < 0 ? s : intsetRemove(m, s, at);
}

const all = (m: Memory, s: Addr): string[] =>
  Array.from({ length: intsetLength(m, s) }, (_, i) => intsetText(m, s, i, text).latin1());

function bytes(m: Memory, s: Addr): number[] {
  return [...m.borrow(new Slice(), s, 0, intsetBytes(m, s)).copy()];
}

describe('bytes', () => {
  test('are those drawn in the header', () => {
    const m = createMemory();
    let s = add(m, add(m, intsetNew(m), '300'), '-5');
    expect(bytes(m, s)).toEqual([2, 0, 0, 0, 2, 0, 0, 0, 0xfb, 0xff, 0x2c, 0x01]);
    s = add(m, intsetNew(m), '4294967296');
    expect(bytes(m, s)).toEqual([8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  test.each([
    ['32767', '-32768', 2],
    ['32768', '-32768', 4],
    ['1', '-32769', 4],
    ['2147483647', '-2147483648', 4],
    ['2147483648', '0', 8],
    ['-2147483649', '0', 8],
    ['9223372036854775807', '-9223372036854775808', 8],
  ])('%s and %s are %i bytes wide', (a, b, width) => {
    const m = createMemory();
    const s = add(m, add(m, intsetNew(m), a), b);
    expect(m.u32(s, 0)).toBe(width);
    expect(all(m, s)).toEqual([a, b].sort((x, y) => (BigInt(x) < BigInt(y) ? -1 : 1)));
  });

  test('upgrades keep what is there, on either end', () => {
    const m = createMemory();
    let s = intsetNew(m);
    for (const n of ['5', '-7', '70000', '-70000', '9007199254740993', '-9007199254740993', '9007199254740992']) {
      s = add(m, s, n);
      intsetVerify(m, s);
    }
    expect(all(m, s)).toEqual([
      '-9007199254740993',
      '-70000',
      '-7',
      '5',
      '70000',
      '9007199254740992',
      '9007199254740993',
    ]);
  });
});

describe('model', () => {
  const ranges: Record<string, (random: SeededRandom) => bigint> = {
    '16 bit': (random) => BigInt(random.below(1000) - 500),
    '32 bit': (random) => BigInt(random.below(400) - 200) * 9_000_000n,
    '64 bit': (random) => BigInt(random.below(400) - 200) * 40_000_000_000_000_123n,
    mixed: (random) => BigInt(random.below(40) - 20) * 10n ** BigInt(random.below(18)),
  };
  for (const [name, draw] of Object.entries(ranges))
    test(`${STEPS} random steps, ${name}`, () => {
      const random = new SeededRandom(7);
      const m = createMemory();
      const before = m.used;
      let s = intsetNew(m);
      const model = new Set<string>();
      for (let step = 0; step < STEPS; step++) {
        const n = draw(random).toString();
        expect(find(m, s, n) >= 0).toBe(model.has(n));
        if (random.below(10) < (Math.floor(step / 1000) % 2 ? 7 : 3)) {
          s = remove(m, s, n);
          model.delete(n);
        } else {
          s = add(m, s, n);
          model.add(n);
        }
        expect(intsetLength(m, s)).toBe(model.size);
        if (step % 8 === 0) intsetVerify(m, s);
      }
      expect(all(m, s)).toEqual([...model].sort((x, y) => (BigInt(x) < BigInt(y) ? -1 : 1)));
      const copy = intsetFromBytes(m, new Slice(Uint8Array.from(bytes(m, s))));
      expect(all(m, copy)).toEqual(all(m, s));
      m.release(copy);
      m.release(s);
      expect(m.used).toBe(before);
    });
});

describe('validation of foreign bytes', () => {
  const valid = [2, 0, 0, 0, 2, 0, 0, 0, 0xfb, 0xff, 0x2c, 0x01];
  const check = (data: number[], deep = true): boolean => intsetValidate(new Slice(Uint8Array.from(data)), deep);

  test('takes what is well formed', () => {
    expect(check(valid)).toBe(true);
    expect(check([8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])).toBe(true);
  });

  test('refuses the rest', () => {
    expect(check([])).toBe(false);
    expect(check(valid.slice(0, 11))).toBe(false);
    expect(check([3, ...valid.slice(1)])).toBe(false);
    expect(check([2, 0, 0, 0, 0, 0, 0, 0])).toBe(false);
    expect(check([...valid, 0])).toBe(false);
    const unsorted = [2, 0, 0, 0, 2, 0, 0, 0, 0x2c, 0x01, 0xfb, 0xff];
    expect(check(unsorted)).toBe(false);
    expect(check(unsorted, false)).toBe(true);
  });
});

test('only canonical integers are taken', () => {
  for (const bad of ['', ' 1', '01', '+1', '-0', '1.0', '9223372036854775808', 'x'])
    expect(value.parse(sliceOf(bad))).toBe(false);
});
