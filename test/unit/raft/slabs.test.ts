import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { decodeRecord, encodeEntry, roomForPayload } from '../../../src/raft/disk/records.ts';
import { command } from '../../../src/raft/entry.ts';
import { Slabs } from '../../../src/raft/slabs.ts';

const SIZE = 1024;

test('no room is used again before the entries up to its own are released, and then it is', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new SeededRandom(seed);
  const slabs = new Slabs(SIZE);
  const kept: { index: number; room: Uint8Array; value: number }[] = [];
  let last = 0;
  let most = 0;
  for (let step = 0; step < 20_000; step++) {
    const count = random.below(4);
    for (let i = 0; i < count; i++) {
      const room = slabs.room(1 + random.below(400));
      const value = random.below(256);
      room.fill(value);
      kept.push({ index: last + 1 + i, room, value });
    }
    last += count;
    slabs.holds(last);
    if (random.below(10) > 0) continue;
    const gone = Math.max(slabs.released, last - random.below(60));
    kept.splice(0, kept.findLastIndex(({ index }) => index <= gone) + 1);
    slabs.release(gone);
    for (const { room, value } of kept)
      expect(
        room.every((byte) => byte === value),
        `seed ${seed}`,
      ).toBe(true);
    most = Math.max(most, slabs.counts.filled + slabs.counts.spare);
  }
  expect(most, `seed ${seed}`).toBeLessThan(150);
});

test('what is not yet said to be of an entry is not released, and what is large has memory of its own', () => {
  const slabs = new Slabs(SIZE);
  for (let i = 0; i < 16; i++) slabs.room(SIZE / 4);
  slabs.release(100);
  expect(slabs.counts).toEqual({ filled: 4, spare: 0 });
  slabs.holds(7);
  slabs.release(6);
  expect(slabs.counts).toEqual({ filled: 4, spare: 0 });
  slabs.release(7);
  expect(slabs.counts).toEqual({ filled: 1, spare: 3 });
  const large = slabs.room(SIZE);
  expect(large.buffer.byteLength).toBe(SIZE);
  expect(slabs.counts).toEqual({ filled: 1, spare: 3 });
});

test('a record is made in its room once, and never of memory that is used again', () => {
  const slabs = new Slabs(SIZE);
  const payload = roomForPayload(200, slabs);
  payload.fill(7);
  slabs.holds(3);
  const entry = command(3, 2, payload);
  const record = encodeEntry(entry);
  expect(record.buffer).toBe(payload.buffer);
  expect(encodeEntry(entry).byteOffset).toBe(record.byteOffset);
  expect(decodeRecord(record, 0)).toEqual({ kind: 'entry', entry });
  for (let i = 0; i < 6; i++) slabs.room(200);
  slabs.holds(8);
  slabs.release(8);
  for (let i = 0; i < 6; i++) encodeEntry(command(9 + i, 2, roomForPayload(200, slabs)));
  expect(() => encodeEntry(entry)).toThrow('an entry has a payload of its own');
});
