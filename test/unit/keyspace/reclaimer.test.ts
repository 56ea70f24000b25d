import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { setString } from '../../../src/keyspace/strings.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { Memory } from '../../../src/memory/memory.ts';
import { ENC_HASHTABLE, TYPE_SET } from '../../../src/values/entry.ts';
import { SetLimits, SetValue, setNew } from '../../../src/values/set.ts';
import { LooseSlot } from '../../../src/values/value.ts';

const VALUE = sliceOf('value');

/** Counts the loads: what a slice costs, whatever the machine does besides. */
class CountingMemory extends Memory {
  loads = 0;

  override addr(a: never, off: number): never {
    this.loads++;
    return super.addr(a, off) as never;
  }
}

/** Every look at the monotonic clock takes 100 microseconds. */
class WorkingClock extends VirtualClock {
  private looks = 0;

  override monotonic(): number {
    return super.monotonic() + this.looks++ * 100;
  }
}

function setUp(memory: Memory = createMemory()) {
  const policy = { lfu: false, logFactor: 10, decayMinutes: 1 };
  const keyspaces = new Keyspaces(memory, new WorkingClock(), 1, policy, new SeededRandom(3));
  const empty = memory.used;
  return { memory, keyspaces, db: keyspaces.databases[0], reclaimer: keyspaces.reclaimer, empty };
}

function fill({ db }: ReturnType<typeof setUp>, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const key = sliceOf(`key:${i}`);
    setString(db, key, db.hash(key), 0 as never, VALUE, -1);
  }
}

describe('a database that is dropped lazily', () => {
  test('goes by steps that are about as long as asked for, however many of its places are empty', () => {
    const memory = new CountingMemory();
    const it = setUp(memory);
    fill(it, 0, 40_000);
    // A table in the middle of its growth begins with places that are empty already; one that lost its keys has few others.
    for (let i = 100; i < 40_000; i++) it.db.remove(sliceOf(`key:${i}`), it.db.hash(sliceOf(`key:${i}`)));
    fill(it, 100_000, 130_000);
    const { size } = it.db;
    expect(it.db.clear(true)).toBe(size);
    expect(it.reclaimer.pending).toBe(size);
    for (let more = true; more; ) {
      const before = memory.loads;
      more = it.reclaimer.run(256);
      expect(memory.loads - before).toBeLessThan(256 * 16);
    }
    expect(it.reclaimer.pending).toBe(0);
    expect(it.reclaimer.freed).toBe(size);
    expect(memory.used).toBe(it.empty);
  });

  test('waits for whoever runs the reclaimer that it shares, where all databases are given up', () => {
    const it = setUp();
    const { memory, reclaimer } = it;
    const policy = { lfu: false, logFactor: 10, decayMinutes: 1 };
    const aside = new Keyspaces(memory, new VirtualClock(), 16, policy, new SeededRandom(3), false, reclaimer);
    fill({ ...it, db: aside.databases[3] }, 0, 40_000);
    const full = memory.used;
    aside.dispose();
    expect(reclaimer.pending).toBe(40_000);
    expect(memory.used).toBeGreaterThan(full - 16 * 200);
    while (reclaimer.run(256));
    expect(reclaimer.freed).toBe(40_000);
    expect(memory.used).toBe(it.empty);
  });

  test('goes though no key is left in its table', () => {
    const it = setUp();
    fill(it, 0, 1000);
    for (let i = 0; i < 1000; i++) it.db.remove(sliceOf(`key:${i}`), it.db.hash(sliceOf(`key:${i}`)));
    it.db.clear(true);
    while (it.reclaimer.run(64));
    expect(it.memory.used).toBe(it.empty);
  });

  for (const lazily of [true, false])
    test(`takes large values along, ${lazily ? 'one after the other' : 'at once'}`, () => {
      const it = setUp();
      const { memory, db } = it;
      const key = sliceOf('set');
      const slot = new LooseSlot(memory, setNew(memory, ENC_HASHTABLE), ENC_HASHTABLE);
      const set = new SetValue(memory, new SetLimits()).bind(slot);
      for (let i = 0; i < 500; i++) set.add(sliceOf(`member ${i}`));
      db.store(key, db.hash(key), 0 as never, TYPE_SET, ENC_HASHTABLE, slot.root, -1);
      fill(it, 0, 500);
      db.clear(lazily);
      expect(memory.used === it.empty).toBe(!lazily);
      while (it.reclaimer.run(64));
      expect(memory.used).toBe(it.empty);
      expect(it.reclaimer.freed).toBe(lazily ? 501 : 0);
    });

  test('many databases together hold the loop no longer than one of them', () => {
    const memory = new CountingMemory();
    const policy = { lfu: false, logFactor: 10, decayMinutes: 1 };
    const keyspaces = new Keyspaces(memory, new WorkingClock(), 16, policy, new SeededRandom(3));
    const { databases, reclaimer } = keyspaces;
    const flushed = (): number => {
      for (const db of databases) fill({ db } as ReturnType<typeof setUp>, 0, 10_000);
      const before = memory.loads;
      for (const db of databases) db.clear(false);
      return memory.loads - before;
    };
    expect(flushed()).toBeLessThan(6 * 40_960);
    while (reclaimer.run(1024));
    reclaimer.renew();
    databases[0].clear(false);
    fill({ db: databases[0] } as ReturnType<typeof setUp>, 0, 5000);
    databases[0].clear(false);
    expect(reclaimer.idle, 'one of 5000 keys goes at once').toBe(true);
  });

  test('and one that is to go at once goes by slices too when it is large, and counts as neither', () => {
    const it = setUp();
    let work = 0;
    it.reclaimer.onWork = () => work++;
    fill(it, 0, 40_000);
    it.db.clear(false);
    expect(work).toBe(1);
    expect(it.reclaimer.idle).toBe(false);
    expect(it.memory.used).toBeGreaterThan(it.empty);
    while (it.reclaimer.run(64)) expect(it.reclaimer.pending).toBe(0);
    expect(it.reclaimer.freed).toBe(0);
    expect(it.memory.used).toBe(it.empty);
  });
});
