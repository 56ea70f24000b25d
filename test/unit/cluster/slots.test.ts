/** Sets of slots: a bit each, as packets and nodes.conf have them. */
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { BITMAP, SlotSet, slotOf } from '../../../src/cluster/slots.ts';

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

test('ranges of any set are those of its slots, wherever the bits that it takes over lie', () => {
  const random = new SeededRandom(5);
  for (let round = 0; round < 50; round++) {
    const room = new Uint8Array(BITMAP + 3);
    const bits = room.subarray(round % 4, (round % 4) + BITMAP);
    for (let i = random.below(8); i > 0; i--) {
      const from = random.below(BITMAP);
      bits.fill(random.below(2) === 0 ? 255 : random.below(256), from, from + 1 + random.below(BITMAP - from));
    }
    const set = new SlotSet(bits);
    const slots = set
      .ranges()
      .flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, i) => start + i));
    expect(slots).toEqual([...set]);
    const ranges = set.ranges();
    for (let i = 1; i < ranges.length; i++) expect(ranges[i].start).toBeGreaterThan(ranges[i - 1].end + 1);
  }
});

test('keys with one tag share a slot', () => {
  expect(slotOf(sliceOf('{user1000}.following'))).toBe(slotOf(sliceOf('{user1000}.followers')));
  expect(slotOf(sliceOf('123456789'))).toBe(0x31c3);
});
