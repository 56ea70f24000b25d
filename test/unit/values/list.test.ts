import { expect, test } from 'vitest';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { OutOfMemory } from '../../../src/memory/errors.ts';
import { ENC_QUICKLIST } from '../../../src/values/entry.ts';
import {
  ListLimits,
  ListValue,
  listCopy,
  listDebugText,
  listFootprint,
  listFreeSome,
  listLength,
  listNew,
  listNodes,
} from '../../../src/values/list.ts';
import { LooseSlot } from '../../../src/values/value.ts';

const out = new Slice();

function setUp(limits = new ListLimits()) {
  const m = createMemory();
  const before = m.used;
  const slot = new LooseSlot(m, listNew(m), ENC_QUICKLIST);
  const list = new ListValue(m, limits).bind(slot);
  const all = (): string[] => {
    const values: string[] = [];
    for (list.seek(0); list.cursor.more; list.cursor.next()) values.push(list.cursor.bytes(out).latin1());
    return values;
  };
  const free = (): void => {
    while (!listFreeSome(m, ENC_QUICKLIST, slot.root, 2));
    expect(m.used).toBe(before);
  };
  return { m, slot, list, all, free };
}

test('a list takes its shape at its first element and keeps it', () => {
  const limits = new ListLimits();
  const { m, slot, list, free } = setUp(limits);
  limits.fill = 2;
  limits.compressDepth = 1;
  for (let i = 0; i < 4; i++) list.push(sliceOf(`${i}`), false);
  limits.fill = -1;
  for (let i = 0; i < 4; i++) list.push(sliceOf(`${i}`), false);
  expect(listNodes(m, slot.root)).toBe(4);
  expect(listDebugText(m, slot.root)).toContain('ql_listpack_max:2 ql_compressed:1');
  free();
});

test('both ends, set, insert, remove', () => {
  const { m, slot, list, all, free } = setUp();
  for (const value of ['b', 'c', 'a', '5']) list.push(sliceOf(value), value === 'a');
  expect(all()).toEqual(['a', 'b', 'c', '5']);
  expect(list.peek(true, out).latin1()).toBe('a');
  expect(list.peek(false, out).latin1()).toBe('5');
  expect(list.set(-1, sliceOf('6'))).toBe(true);
  expect(list.set(4, sliceOf('x'))).toBe(false);
  expect(list.insert(sliceOf('b'), false, sliceOf('n'))).toBe(true);
  expect(list.insert(sliceOf('6'), true, sliceOf('n'))).toBe(true);
  expect(list.insert(sliceOf('?'), true, sliceOf('n'))).toBe(false);
  expect(all()).toEqual(['a', 'n', 'b', 'c', '6', 'n']);
  expect(list.remove(sliceOf('n'), 1, true)).toBe(1);
  list.drop(true);
  list.drop(false);
  expect(all()).toEqual(['n', 'b', 'c']);
  list.removeRange(1, 1);
  expect(all()).toEqual(['n', 'c']);
  const copy = listCopy(m, slot.root);
  expect(listLength(m, copy)).toBe(2);
  expect(listFootprint(m, copy)).toBe(listFootprint(m, slot.root, 5));
  listFreeSome(m, ENC_QUICKLIST, copy, 10);
  list.verify();
  free();
});

test('an element of the list can be pushed to its other end', () => {
  for (const fill of [-2, 1, 3]) {
    const limits = new ListLimits();
    limits.fill = fill;
    limits.plainFrom = 500;
    const { list, all, free } = setUp(limits);
    const values = ['1', 'two', '3'.repeat(300), '4'.repeat(600), '5', 'six'.repeat(100)];
    for (const value of values) list.push(sliceOf(value), false);
    for (let i = 0; i < 20; i++) {
      const fromHead = i % 3 === 0;
      list.push(list.peek(fromHead, out), !fromHead);
      list.drop(fromHead);
      if (fromHead) values.push(values.shift()!);
      else values.unshift(values.pop()!);
      expect(all()).toEqual(values);
      list.verify();
    }
    free();
  }
});

test('want of memory leaves the list as it was', () => {
  const m = createMemory({ limit: 64 * 1024 * 1024 });
  const slot = new LooseSlot(m, listNew(m), ENC_QUICKLIST);
  const list = new ListValue(m, new ListLimits()).bind(slot);
  const value = sliceOf('x'.repeat(100_000));
  const fill = (): number => {
    for (let pushed = 0; ; pushed++) {
      try {
        list.push(value, pushed % 2 === 0);
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemory);
        return pushed;
      }
    }
  };
  const pushed = fill();
  expect(pushed).toBeGreaterThan(400);
  expect(list.length).toBe(pushed);
  list.verify();
  expect(() => list.insert(sliceOf('x'.repeat(100_000)), true, value)).toThrow(OutOfMemory);
  expect(() => list.set(5, sliceOf('y'.repeat(200_000)))).toThrow(OutOfMemory);
  list.verify();
  expect(list.length).toBe(pushed);
  list.drop(true);
  list.drop(false);
  expect(fill()).toBe(2);
  while (list.length > 0) list.drop(true);
  expect(fill()).toBe(pushed);
});
