import { describe, expect, test } from 'vitest';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import {
  ListpackCursor,
  ListpackValue,
  LP_AFTER,
  LP_BEFORE,
  LP_FIRST,
  lpAppend,
  lpAt,
  lpBytes,
  lpCopyRange,
  lpDelete,
  lpDeleteRange,
  lpEntryBytes,
  lpFind,
  lpFirst,
  lpFree,
  lpFromBytes,
  lpGet,
  lpGetBytes,
  lpInsert,
  lpLast,
  lpLength,
  lpMerge,
  lpNew,
  lpNext,
  lpPrev,
  lpReplace,
  lpSeek,
  lpValidate,
  lpVerify,
} from '../../../src/structures/listpack.ts';
import { STEPS } from '../../support/long.ts';

const out = new Slice();

/** A small generator of repeatable numbers below `n`. */
function dice(seed: number): (n: number) => number {
  let state = seed >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
}

function randomValue(roll: (n: number) => number): string {
  switch (roll(8)) {
    case 0:
      return String(roll(128));
    case 1:
      return String(roll(9000) - 4500);
    case 2:
      return String(roll(70000) - 35000);
    case 3:
      return String((roll(2 ** 31) - 2 ** 30) * (roll(3) === 0 ? 65537 : 1));
    case 4:
      return (BigInt(roll(2 ** 31)) * BigInt(roll(2 ** 31)) * (roll(2) ? 2n : -2n)).toString();
    case 5:
      return '\x00\xff'.repeat(roll(40));
    case 6:
      return 'x'.repeat(roll(50) === 0 ? roll(6000) : roll(200));
    default:
      return `v${roll(10)}`;
  }
}

function contents(m: Memory, lp: Addr): string[] {
  const all: string[] = [];
  for (let p = lpFirst(m, lp); p !== 0; p = lpNext(m, lp, p)) all.push(lpGetBytes(m, lp, p, out).latin1());
  return all;
}

function bytes(m: Memory, lp: Addr): string {
  return Buffer.from(m.borrow(out, lp, 0, lpBytes(m, lp)).copy()).toString('hex');
}

function build(m: Memory, values: string[]): Addr {
  let lp = lpNew(m);
  for (const value of values) lp = lpAppend(m, lp, sliceOf(value));
  return lp;
}

describe('bytes', () => {
  const m = createMemory();
  const cases: [string, string][] = [
    ['0', '0001'],
    ['127', '7f01'],
    ['128', 'c08002'],
    ['-1', 'dfff02'],
    ['-10', 'dff602'],
    ['4095', 'cfff02'],
    ['-4096', 'd00002'],
    ['4096', 'f1001003'],
    ['-32768', 'f1008003'],
    ['32768', 'f200800004'],
    ['-8388608', 'f200008004'],
    ['8388608', 'f30000800005'],
    ['-2147483648', 'f30000008005'],
    ['2147483648', 'f4000000800000000009'],
    ['-2147483649', 'f4ffffff7fffffffff09'],
    ['9223372036854775807', 'f4ffffffffffffff7f09'],
    ['-9223372036854775808', 'f4000000000000008009'],
    ['1234567890123456789', 'f41581e97df410221109'],
    ['-1234567890123456789', 'f4eb7e16820befddee09'],
    ['999999999999999', 'f4ff7fc6a47e8d030009'],
    ['1000000000000000', 'f40080c6a47e8d030009'],
    ['', '8001'],
    ['hi', '82686903'],
    ['-0', '822d3003'],
    ['01', '82303103'],
    ['-', '812d02'],
    ['+1', '822b3103'],
    ['1 ', '82312003'],
  ];
  for (const [value, hex] of cases)
    test(`of ${JSON.stringify(value)}`, () => {
      const lp = build(m, [value]);
      expect(bytes(m, lp).slice(12, -2)).toBe(hex);
      expect(contents(m, lp)).toEqual([value]);
      lpVerify(m, lp);
      lpFree(m, lp);
    });

  test('of what lies past int64 is a string', () => {
    for (const value of [
      '9223372036854775808',
      '-9223372036854775809',
      '18446744073709551616',
      '99999999999999999999',
    ]) {
      const lp = build(m, [value]);
      expect(bytes(m, lp).slice(12, 14)).toBe((0x80 | value.length).toString(16));
      lpFree(m, lp);
    }
  });

  test('of strings at every step of the length', () => {
    for (const length of [63, 64, 4095, 4096, 124, 125, 126, 127, 16380, 16381, 16382, 2097140, 2097146, 2097147]) {
      const lp = build(m, ['a', 'b'.repeat(length), 'c']);
      lpVerify(m, lp);
      expect(lpGetBytes(m, lp, lpPrev(m, lp, lpLast(m, lp)), out).length).toBe(length);
      expect(contents(m, lp).length).toBe(3);
      lpFree(m, lp);
    }
  });

  test('of the header example', () => {
    const lp = build(m, ['2', 'hi', '-10']);
    expect(bytes(m, lp)).toBe('100000000300' + '0201' + '82686903' + 'dff602' + 'ff');
    lpFree(m, lp);
  });
});

describe('values', () => {
  test('integers are exact', () => {
    const m = createMemory();
    const value = new ListpackValue();
    for (const n of [
      0n,
      -1n,
      4096n,
      -4097n,
      2n ** 31n,
      -(2n ** 31n) - 1n,
      2n ** 53n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      2n ** 62n + 1n,
    ]) {
      const lp = build(m, [n.toString()]);
      lpGet(m, lp, lpFirst(m, lp), value);
      expect(value.isInteger).toBe(true);
      expect(value.bigint()).toBe(n);
      expect(value.integer).toBe(Number(n));
      lpFree(m, lp);
    }
  });

  test('a value that lies in the listpack itself can be added to it', () => {
    const m = createMemory();
    const long = 'abcdefgh'.repeat(30);
    let lp = build(m, ['x', long, 'y']);
    for (let i = 0; i < 20; i++) {
      lp = lpInsert(m, lp, LP_FIRST, LP_BEFORE, lpGetBytes(m, lp, lpSeek(m, lp, -2), out));
      expect(lpGetBytes(m, lp, lpFirst(m, lp), out).latin1()).toBe(long);
    }
    lp = lpReplace(m, lp, lpSeek(m, lp, -1), lpGetBytes(m, lp, lpSeek(m, lp, 0), out));
    expect(contents(m, lp)[22]).toBe(long);
    lpVerify(m, lp);
  });
});

test('find skips, and knows integers from strings', () => {
  const m = createMemory();
  const lp = build(m, ['a', '1', '1', 'a', '100', '9223372036854775807', '01']);
  const first = lpFirst(m, lp);
  const at = (index: number) => lpSeek(m, lp, index);
  expect(lpFind(m, lp, first, sliceOf('a'), 0)).toBe(at(0));
  expect(lpFind(m, lp, at(1), sliceOf('a'), 1)).toBe(at(3));
  expect(lpFind(m, lp, at(0), sliceOf('1'), 1)).toBe(at(2));
  expect(lpFind(m, lp, first, sliceOf('9223372036854775807'), 0)).toBe(at(5));
  expect(lpFind(m, lp, first, sliceOf('01'), 0)).toBe(at(6));
  expect(lpFind(m, lp, first, sliceOf('2'), 0)).toBe(0);
});

test('more than 65535 entries are counted by walking', () => {
  const m = createMemory();
  let lp = lpNew(m);
  for (let i = 0; i < 66000; i++) lp = lpAppend(m, lp, sliceOf(String(i & 127)));
  expect(lpLength(m, lp)).toBe(66000);
  expect(lpSeek(m, lp, 65999)).toBe(lpLast(m, lp));
  expect(lpSeek(m, lp, 66000)).toBe(0);
  expect(lpSeek(m, lp, -66000)).toBe(lpFirst(m, lp));
  expect(lpSeek(m, lp, -66001)).toBe(0);
  lpVerify(m, lp);
});

test('merge, copy, bytes in and out', () => {
  const m = createMemory();
  const before = m.used;
  const second = build(m, ['c', '300']);
  let lp = lpMerge(m, build(m, ['a', '1']), second);
  expect(contents(m, lp)).toEqual(['a', '1', 'c', '300']);
  lpVerify(m, lp);
  const tail = lpCopyRange(m, lp, lpSeek(m, lp, 2), 0);
  lpVerify(m, tail);
  expect(contents(m, tail)).toEqual(['c', '300']);
  const inner = lpCopyRange(m, lp, lpSeek(m, lp, 1), lpSeek(m, lp, 3));
  lpVerify(m, inner);
  expect(contents(m, inner)).toEqual(['1', 'c']);
  lp = lpDeleteRange(m, lp, lpSeek(m, lp, 2), 100);
  expect(lpAt.position).toBe(0);
  expect(contents(m, lp)).toEqual(['a', '1']);
  const again = lpFromBytes(m, new Slice(m.borrow(out, lp, 0, lpBytes(m, lp)).copy()));
  expect(bytes(m, again)).toBe(bytes(m, lp));
  for (const each of [lp, tail, inner, again]) lpFree(m, each);
  expect(m.used).toBe(before);
});

test('validation refuses every damaged byte that reading would stumble over', () => {
  const m = createMemory();
  const lp = build(m, ['2', 'hi', '-10', 'x'.repeat(200), '70000', '2147483648', 'y'.repeat(5000)]);
  const good = m.borrow(out, lp, 0, lpBytes(m, lp)).copy();
  expect(lpValidate(new Slice(good), true)).toBe(true);
  expect(lpValidate(new Slice(good.slice(0, -1)), false)).toBe(false);
  const roll = dice(7);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const bad = good.slice();
    bad[roll(300)] = roll(256);
    const slice = new Slice(bad);
    if (!lpValidate(slice, true)) {
      refused++;
      continue;
    }
    const copy = lpFromBytes(m, slice);
    contents(m, copy);
    lpFree(m, copy);
  }
  expect(refused).toBeGreaterThan(100);
});

/** One random step on both; returns where the listpack is now. */
function step(m: Memory, lp: Addr, model: string[], roll: (n: number) => number): Addr {
  const at = model.length === 0 ? 0 : roll(model.length);
  const value = randomValue(roll);
  const kind = model.length > 60 ? 5 + roll(4) : model.length === 0 ? roll(2) : roll(9);
  const p = model.length === 0 ? 0 : lpSeek(m, lp, roll(2) ? at : at - model.length);
  switch (kind) {
    case 0:
      model.push(value);
      return lpAppend(m, lp, sliceOf(value));
    case 1:
      model.unshift(value);
      return lpInsert(m, lp, LP_FIRST, LP_BEFORE, sliceOf(value));
    case 2:
      model.splice(at, 0, value);
      return lpInsert(m, lp, p, LP_BEFORE, sliceOf(value));
    case 3: {
      model.splice(at + 1, 0, value);
      const after = lpInsert(m, lp, p, LP_AFTER, sliceOf(value));
      expect(lpGetBytes(m, after, lpAt.position, out).latin1()).toBe(value);
      return after;
    }
    case 4:
      model[at] = value;
      return lpReplace(m, lp, p, sliceOf(value));
    case 5:
    case 6: {
      model.splice(at, 1);
      const after = lpDelete(m, lp, p);
      expect(lpAt.position).toBe(at < model.length ? lpSeek(m, after, at) : 0);
      return after;
    }
    case 7: {
      const count = roll(6);
      model.splice(at, count);
      return lpDeleteRange(m, lp, p, count);
    }
    default: {
      const found = lpFind(m, lp, lpFirst(m, lp), sliceOf(value), 0);
      const index = model.indexOf(value);
      expect(found).toBe(index < 0 ? 0 : lpSeek(m, lp, index));
      return lp;
    }
  }
}

for (const seed of [1, 2, 3])
  test(`${STEPS} random steps against an array, seed ${seed}`, () => {
    const m = createMemory();
    const before = m.used;
    const roll = dice(seed * 7919);
    const model: string[] = [];
    const cursor = new ListpackCursor();
    let lp = lpNew(m);
    for (let i = 0; i < STEPS; i++) {
      lp = step(m, lp, model, roll);
      lpVerify(m, lp);
      if (lpLength(m, lp) !== model.length) throw new Error(`step ${i}: length`);
      if (i % 16 !== 0) continue;
      expect(contents(m, lp)).toEqual(model);
      const back: string[] = [];
      for (cursor.reset(m, lp, lpLast(m, lp)); cursor.more; cursor.prev()) back.unshift(cursor.bytes(out).latin1());
      expect(back).toEqual(model);
      const forth: string[] = [];
      for (cursor.reset(m, lp, lpFirst(m, lp)); cursor.more; cursor.next()) forth.push(cursor.bytes(out).latin1());
      expect(forth).toEqual(model);
    }
    const growth = lpEntryBytes(sliceOf('abc'));
    const old = lpBytes(m, lp);
    lp = lpAppend(m, lp, sliceOf('abc'));
    expect(lpBytes(m, lp)).toBe(old + growth);
    lpFree(m, lp);
    expect(m.used).toBe(before);
  });
