/** Memory that another thread gives back: not before it is told to, whole, and whatever becomes of the thread. */
import { afterEach, expect, test } from 'vitest';
import { RealClock, VirtualClock } from '../../../src/base/time.ts';
import { collectGarbage, Leftovers } from '../../../src/memory/collect.ts';
import { OwningThread } from '../../../src/memory/last-owner.ts';
import { IDLE_COLLECTOR } from '../../support/collector.ts';
import { StartedThreads } from '../../support/started-threads.ts';

const MIB = 1024 * 1024;
const BYTES = 256 * MIB;

const started = new StartedThreads();
const threads = started.all;

afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.terminate();
});

const resident = (): number => process.memoryUsage.rss();
const touched = (): SharedArrayBuffer => {
  const buffer = new SharedArrayBuffer(BYTES);
  new Uint8Array(buffer).fill(1);
  return buffer;
};
/** Buffers held by nobody here; by a function of its own, whose frame is gone when it has returned. */
const hold = (owner: OwningThread, ids: readonly number[]): void => {
  for (const id of ids) owner.hold(id, touched());
};
const released = (owner: OwningThread, id: number): Promise<void> => new Promise((done) => owner.release(id, done));

test('what is found dead here stays until it is released, and is gone by the word of the thread', async () => {
  const owner = new OwningThread(new RealClock(), started);
  const before = resident();
  hold(owner, [1, 2]);
  collectGarbage();
  await new Promise((resolve) => setImmediate(resolve));
  expect(resident() - before).toBeGreaterThan(1.5 * BYTES);
  await released(owner, 1);
  expect(resident() - before).toBeLessThan(1.5 * BYTES);
  await released(owner, 2);
  expect(resident() - before).toBeLessThan(0.5 * BYTES);
  expect(threads).toHaveLength(1);
});

test('a thread that dies has let go of all, and another one follows it', async () => {
  const owner = new OwningThread(new RealClock(), started);
  const before = resident();
  hold(owner, [1, 2]);
  const first = released(owner, 1);
  await threads[0].terminate();
  await first;
  await released(owner, 2);
  collectGarbage();
  await expect.poll(() => resident() - before).toBeLessThan(0.5 * BYTES);
  hold(owner, [3]);
  await released(owner, 3);
  expect(threads).toHaveLength(2);
});

test('a thread with nothing to hold ends after a while', async () => {
  const clock = new VirtualClock();
  const owner = new OwningThread(clock, started);
  owner.hold(1, new SharedArrayBuffer(16));
  owner.hold(2, new SharedArrayBuffer(16));
  await released(owner, 1);
  clock.advance(60_000);
  await released(owner, 2);
  expect(threads[0].threadId).not.toBe(-1);
  clock.advance(60_000);
  await expect.poll(() => threads[0].threadId).toBe(-1);
  owner.hold(3, new SharedArrayBuffer(16));
  await released(owner, 3);
  expect(threads).toHaveLength(2);
});

test('where no thread can be had, what is found dead is gone', async () => {
  const owner = new OwningThread(new RealClock(), {
    start() {
      throw new Error('no more threads');
    },
  });
  owner.hold(1, new SharedArrayBuffer(16));
  await released(owner, 1);
});

test('leftovers are there until their owner says that they have gone', async () => {
  const collector = { ...IDLE_COLLECTOR, now: collectGarbage, thoroughly: collectGarbage };
  const held = new Map<number, () => void>();
  const owner = { hold() {}, release: (id: number, gone: () => void) => void held.set(id, gone) };
  const leftovers = new Leftovers(collector, owner);
  const letGo = (): void => leftovers.add(new SharedArrayBuffer(16), 16);
  letGo();
  while (held.size === 0) {
    leftovers.now();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(leftovers.bytes).toBe(16);
  for (const gone of held.values()) gone();
  expect(leftovers.bytes).toBe(0);
});
