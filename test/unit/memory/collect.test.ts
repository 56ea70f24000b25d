import { expect, test } from 'vitest';
import { mapped } from '../../../src/base/copy.ts';
import { collectGarbage, DeadBuffers, Leftovers } from '../../../src/memory/collect.ts';
import { IDLE_COLLECTOR } from '../../support/collector.ts';

function counting() {
  const calls = { now: 0, thoroughly: 0, soon: 0 };
  const collector = {
    ...IDLE_COLLECTOR,
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

test('what was let go of after V8 began to look is asked for as soon as what was there before has gone', async () => {
  const { calls, leftovers } = counting();
  // By a function of its own: what this one has made stays in its frame for as long as it awaits something.
  const letGo = (): void => leftovers.add(new SharedArrayBuffer(16), 16);
  letGo();
  leftovers.step();
  const held = [new SharedArrayBuffer(16)];
  leftovers.add(held[0], 32);
  while (leftovers.bytes > 32) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(calls.soon).toBe(1);
  leftovers.step();
  expect(calls).toEqual({ now: 0, thoroughly: 0, soon: 2 });
  expect(held.length).toBe(1);
});

test('a collection that leads nowhere, since somebody holds the buffers, is put off for longer and longer', () => {
  const { calls, leftovers } = counting();
  leftovers.add(new SharedArrayBuffer(16), 16);
  const stepsTo = (count: number): number => {
    let steps = 0;
    for (; calls.now < count; steps++) leftovers.step();
    return steps;
  };
  const first = stepsTo(1);
  expect(stepsTo(2)).toBeGreaterThan(1.5 * first);
  expect(stepsTo(3)).toBeGreaterThan(3 * first);
  leftovers.rest();
  expect(stepsTo(4), 'whoever held them has let go').toBe(first);
});

test('large pieces are mapped by themselves and look like other bytes', () => {
  const bytes = mapped(300_000);
  expect(bytes.length).toBe(300_000);
  expect((bytes.buffer as ArrayBuffer).resizable, 'so the system has the pages back').toBe(true);
  expect(Buffer.from(bytes.subarray(299_990)).equals(Buffer.alloc(10))).toBe(true);
});

test('ordinary buffers are collected when many of them have died since the last time, few where nobody asks', () => {
  const MB = 1024 * 1024;
  const process = { bytes: 0, heap: 10 * MB };
  let collected = 0;
  const dead = new DeadBuffers({ ...IDLE_COLLECTOR, now: () => void collected++, ordinary: () => process });
  process.bytes = 600 * MB;
  dead.look(600 * MB, false);
  expect(collected, 'all are in use').toBe(0);
  dead.look(100 * MB, false);
  expect(collected, '500 MB are not any more').toBe(1);
  for (let i = 0; i < 3; i++) dead.look(100 * MB, true);
  expect(collected, 'V8 counts them for a while yet').toBe(1);
  process.bytes = 100 * MB;
  dead.look(100 * MB, true);
  process.bytes = 140 * MB;
  dead.look(100 * MB, false);
  expect(collected, 'too few while it is busy').toBe(1);
  dead.look(100 * MB, true);
  expect(collected).toBe(2);
  process.bytes = 100 * MB;
  dead.look(100 * MB, true);
  process.heap = 400 * MB;
  dead.look(100 * MB, false);
  expect(collected, 'while a large heap grows, V8 sees to it').toBe(2);
  dead.look(100 * MB, true);
  expect(collected, 'not once nobody asks for anything').toBe(3);
});
