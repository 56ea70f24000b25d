/** Sets of slots: a bit each, as packets and nodes.conf have them. */
import { expect, test } from 'vitest';
import { sliceOf } from '../../../src/base/slice.ts';
import { SlotSet, slotOf } from '../../../src/cluster/slots.ts';

test('a set counts its slots and tells them as bits and ranges', () => {
  const set = SlotSet.of([
    { start: 0, end: 0 },
    { start: 5, end: 8 },
    { start: 16383, end: 16383 },
  ]);
  set.add(5);
  expect([set.size, ...set]).toEqual([6, 0, 5, 6, 7, 8, 16383]);
  expect([...set.bitmap().subarray(0, 2), set.bitmap()[2047]]).toEqual([0xe1, 1, 0x80]);
  set.delete(7);
  set.delete(9);
  expect(set.ranges()).toEqual([
    { start: 0, end: 0 },
    { start: 5, end: 6 },
    { start: 8, end: 8 },
    { start: 16383, end: 16383 },
  ]);
  expect(new SlotSet(set.bitmap()).size).toBe(set.size);
  set.verify();
});

test('keys with one tag share a slot', () => {
  expect(slotOf(sliceOf('{user1000}.following'))).toBe(slotOf(sliceOf('{user1000}.followers')));
  expect(slotOf(sliceOf('123456789'))).toBe(0x31c3);
});
