import { expect, test } from 'vitest';
import { mapped } from '../../../src/base/copy.ts';
import { Leftovers } from '../../../src/memory/collect.ts';

function counting() {
  const calls = { now: 0, briefly: 0, thoroughly: 0, soon: 0 };
  const collector = {
    now: () => void calls.now++,
    briefly: () => void calls.briefly++,
    thoroughly: () => void calls.thoroughly++,
    soon: () => ++calls.soon > 0,
  };
  return { calls, leftovers: new Leftovers(collector) };
}

test('once buffers that were let go of are gone, a quiet moment cuts the heap down, once', () => {
  const { calls, leftovers } = counting();
  leftovers.quiet(1, 400_000);
  expect(calls.briefly).toBe(0);
  leftovers.add(new SharedArrayBuffer(16), 16);
  leftovers.step();
  leftovers.quiet(1, 500_000);
  expect(calls.briefly, 'not while they are there').toBe(0);
  leftovers.rest();
  for (let i = 6; i < 20; i++) leftovers.quiet(1, i * 100_000);
  expect(calls).toEqual({ now: 0, briefly: 1, thoroughly: 1, soon: 1 });
});

test('what was allocated before a quiet moment is collected before it counts, each time', () => {
  const { calls, leftovers } = counting();
  leftovers.add(new SharedArrayBuffer(16), 16);
  leftovers.quiet(1, 400_000);
  leftovers.quiet(1, 500_000);
  expect(calls).toEqual({ now: 0, briefly: 1, thoroughly: 0, soon: 0 });
  // Somebody has asked meanwhile.
  leftovers.quiet(600_000, 1_000_000);
  expect(calls).toEqual({ now: 0, briefly: 2, thoroughly: 0, soon: 0 });
  leftovers.quiet(600_000, 1_300_000);
  expect(calls).toEqual({ now: 0, briefly: 2, thoroughly: 1, soon: 0 });
});

test('large pieces are mapped by themselves and look like other bytes', () => {
  const bytes = mapped(300_000);
  expect(bytes.length).toBe(300_000);
  expect((bytes.buffer as ArrayBuffer).resizable, 'so the system has the pages back').toBe(true);
  expect(Buffer.from(bytes.subarray(299_990)).equals(Buffer.alloc(10))).toBe(true);
});
