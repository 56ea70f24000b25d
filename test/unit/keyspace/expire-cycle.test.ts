import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import type { Database } from '../../../src/keyspace/database.ts';
import { ExpireCycle } from '../../../src/keyspace/expire-cycle.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { setString } from '../../../src/keyspace/strings.ts';
import { createMemory } from '../../../src/memory/create.ts';

/** Every look at the monotonic clock takes 10 microseconds. */
class WorkingClock extends VirtualClock {
  private looks = 0;

  override monotonic(): number {
    return super.monotonic() + this.looks++ * 10;
  }
}

function setUp(effort = 1) {
  const clock = new WorkingClock();
  const policy = { lfu: false, logFactor: 10, decayMinutes: 1 };
  const keyspaces = new Keyspaces(createMemory(), clock, 16, policy, new SeededRandom(7));
  const stats = { expiredStalePercent: 0, expiredTimeCapReached: 0, expireCycleMilliseconds: 0 };
  const cycle = new ExpireCycle(keyspaces, clock, { activeExpireEffort: effort }, stats);
  return { clock, keyspaces, stats, cycle };
}

function fill(db: Database, count: number, expiry: (i: number) => number): void {
  for (let i = 0; i < count; i++) {
    const key = sliceOf(`key:${i}`);
    setString(db, key, db.hash(key), db.peek(key, db.hash(key)), sliceOf('value'), expiry(i));
  }
}

/** Slices until the pass is over. */
function pass(cycle: ExpireCycle): number {
  let slices = 1;
  cycle.begin();
  while (cycle.run()) slices++;
  return slices;
}

describe('active expiry', () => {
  test('removes what is due in slices, and leaves the rest', () => {
    const { clock, keyspaces, cycle, stats } = setUp();
    const [db, , third] = keyspaces.databases;
    fill(db, 20_000, (i) => (i % 4 === 0 ? -1 : clock.now() + (i % 4 === 1 ? 1_000_000 : 500)));
    fill(third, 100, () => clock.now() + 500);
    expect(pass(cycle)).toBeLessThan(3);
    expect(db.size).toBe(20_000);
    clock.advance(501);
    expect(pass(cycle)).toBeGreaterThan(3);
    expect(db.expiring).toBeLessThan(6000);
    expect(db.size - db.expiring).toBe(5000);
    expect(third.size).toBe(0);
    expect(stats.expiredStalePercent).toBeGreaterThan(0);
    expect(stats.expireCycleMilliseconds).toBeGreaterThan(0);
    expect(db.averageTtl).toBeGreaterThan(900_000);
    for (let i = 0; i < 3000; i++) pass(cycle);
    expect(db.size).toBe(10_000);
    for (const each of keyspaces.databases) each.verify();
  });

  test('does nothing where keys past their time stay', () => {
    const { clock, keyspaces, cycle } = setUp(10);
    fill(keyspaces.databases[0], 100, () => clock.now() + 1);
    clock.advance(2);
    keyspaces.keepExpired('test', true);
    pass(cycle);
    expect(keyspaces.databases[0].size).toBe(100);
    keyspaces.keepExpired('test', false);
    keyspaces.activeExpire = false;
    pass(cycle);
    expect(keyspaces.databases[0].size).toBe(100);
    keyspaces.activeExpire = true;
    pass(cycle);
    expect(keyspaces.databases[0].size).toBe(0);
  });

  test('a pass that is not over in its period counts', () => {
    const { clock, keyspaces, cycle, stats } = setUp();
    fill(keyspaces.databases[0], 20_000, () => clock.now() + 1);
    clock.advance(2);
    cycle.begin();
    expect(cycle.run()).toBe(true);
    expect(cycle.behind).toBe(false);
    cycle.begin();
    expect(stats.expiredTimeCapReached).toBe(1);
  });

  test('while passes are behind, clients are given two fifths of the time instead of three quarters', () => {
    const { clock, keyspaces, cycle, stats } = setUp();
    fill(keyspaces.databases[0], 20_000, () => clock.now() + 1);
    clock.advance(2);
    cycle.begin();
    cycle.run();
    expect(cycle.pauseMicros).toBeGreaterThan(3000);
    expect(cycle.pauseMicros).toBeLessThan(3500);
    cycle.begin();
    expect(cycle.behind).toBe(true);
    cycle.serving = true;
    clock.advance(cycle.pauseMicros / 1000);
    cycle.run();
    expect(cycle.pauseMicros).toBeGreaterThan(120);
    expect(cycle.pauseMicros).toBeLessThan(250);
    while (cycle.run());
    // All is gone, but the mean of what was past its time falls slowly.
    cycle.begin();
    expect(cycle.behind).toBe(true);
    stats.expiredStalePercent = 5;
    expect(cycle.behind).toBe(false);
  });

  test('a pause that was too long makes the next slice longer, within bounds and the share', () => {
    const { clock, keyspaces, cycle, stats } = setUp();
    fill(keyspaces.databases[0], 100_000, () => clock.now() + 1);
    clock.advance(2);
    const slice = (serving: boolean, late: number): number => {
      clock.advance(cycle.pauseMicros / 1000 + late);
      cycle.serving = serving;
      const before = stats.expireCycleMilliseconds;
      cycle.run();
      return stats.expireCycleMilliseconds - before;
    };
    cycle.begin();
    expect(slice(false, 0)).toBeLessThan(1.5);
    expect(slice(false, 8)).toBeGreaterThan(2.5);
    expect(slice(false, 8)).toBeLessThan(3.8);
    expect(slice(false, 1000)).toBeLessThan(5.5);
    expect(slice(false, 0), 'the account is empty').toBeLessThan(1.5);
    expect(slice(true, 1000), 'clients wait').toBeLessThan(1.4);
  });

  test('while clients are served, slices are a quarter as long, and as many more', () => {
    const slices = (serving: boolean) => {
      const { clock, keyspaces, cycle, stats } = setUp();
      fill(keyspaces.databases[0], 20_000, () => clock.now() + 1);
      clock.advance(2);
      cycle.serving = serving;
      let count = 0;
      let longest = 0;
      cycle.begin();
      for (let more = true; more; count++) {
        clock.advance(cycle.pauseMicros / 1000);
        const before = stats.expireCycleMilliseconds;
        more = cycle.run();
        longest = Math.max(longest, stats.expireCycleMilliseconds - before);
      }
      expect(keyspaces.databases[0].size).toBeLessThan(1000);
      return { count, longest };
    };
    const calm = slices(false);
    const busy = slices(true);
    expect(calm.longest).toBeLessThan(1.2);
    expect(busy.longest).toBeLessThan(0.4);
    expect(busy.count).toBeGreaterThan(2.5 * calm.count);
  });

  test('who asks for it hears how long each removal took', () => {
    const { clock, keyspaces, cycle } = setUp();
    const heard: string[] = [];
    const observe = (event: string, milliseconds: number): void => void heard.push(`${event} ${milliseconds}`);
    const latency = { threshold: 0, observe };
    const gone: string[] = [];
    keyspaces.listener = { latency, keyCreated() {}, keyExpired: (_, key) => void gone.push(key.latin1()) };
    const [db] = keyspaces.databases;
    const once = (): void => {
      fill(db, 3, () => clock.now() + 1);
      clock.advance(2);
      pass(cycle);
    };
    once();
    expect(heard).toEqual([]);
    latency.threshold = 1;
    once();
    expect(heard).toEqual(['expire-del 0.01', 'expire-del 0.01', 'expire-del 0.01']);
    expect(gone.slice(3).sort()).toEqual(['key:0', 'key:1', 'key:2']);
  });
});
