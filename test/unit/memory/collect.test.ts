import { expect, test } from 'vitest';
import { mapped } from '../../../src/base/copy.ts';
import { Leftovers } from '../../../src/memory/collect.ts';

function counting() {
  const calls = { now: 0, thoroughly: 0, soon: 0 };
  const collector = {
    now: () => void calls.now++,
    thoroughly: () => void calls.thoroughly++,
    soon: () => ++calls.soon > 0,
  };
  return { calls, leftovers: new Leftovers(collector) };
}

test('once buffers that were let go of are gone, a quiet moment cuts the heap down, once', () => {
  const { calls, leftovers } = counting();
  leftovers.quiet();
  expect(calls.thoroughly).toBe(0);
  leftovers.add(new SharedArrayBuffer(16), 16);
  leftovers.step();
  leftovers.quiet();
  expect(calls.thoroughly, 'not while they are there').toBe(0);
  leftovers.rest();
  for (let i = 0; i < 3; i++) leftovers.quiet();
  expect(calls).toEqual({ now: 0, thoroughly: 1, soon: 1 });
});

test('large pieces are mapped by themselves and look like other bytes', () => {
  const bytes = mapped(300_000);
  expect(bytes.length).toBe(300_000);
  expect((bytes.buffer as ArrayBuffer).resizable, 'so the system has the pages back').toBe(true);
  expect(Buffer.from(bytes.subarray(299_990)).equals(Buffer.alloc(10))).toBe(true);
});
