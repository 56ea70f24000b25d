import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { type Slice, sliceOf } from '../../../src/base/slice.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import type { Database } from '../../../src/keyspace/database.ts';
import { type EvictionHost, Evictor, evictionMicros } from '../../../src/keyspace/eviction.ts';
import { EvictionPool } from '../../../src/keyspace/eviction-pool.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { setString } from '../../../src/keyspace/strings.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';

const SEED = 20261128;
const LARGE = 64 * 1024;

/** Every look at the monotonic clock takes 100 microseconds. */
class WorkingClock extends VirtualClock {
  private looks = 0;

  override monotonic(): number {
    return super.monotonic() + this.looks++ * 100;
  }
}

class Host implements EvictionHost {
  exempt = false;
  timed = false;
  slices = 0;
  /** Bytes that clients are owed for a key that goes, and for all so far. */
  told = 0;
  owed = 0;
  readonly handOver = (): void => {
    this.owed = 0;
  };
  readonly gone: string[] = [];
  readonly events: string[] = [];
  private readonly keyspaces: Keyspaces;

  constructor(keyspaces: Keyspaces) {
    this.keyspaces = keyspaces;
  }

  get counted(): number {
    return this.keyspaces.memory.used + this.owed;
  }

  evicted(_db: Database, key: Slice): void {
    this.owed += this.told;
    this.gone.push(key.latin1());
  }

  took(event: string): void {
    this.events.push(event);
  }

  sliceDone(): void {
    this.slices++;
  }
}

function setUp(policy: string, changes = {}) {
  const clock = new WorkingClock();
  const random = new SeededRandom(SEED);
  const usage = { lfu: policy.endsWith('lfu'), logFactor: 10, decayMinutes: 1 };
  const keyspaces = new Keyspaces(createMemory({ seed: Uint32Array.of(SEED, 2, 3, 4) }), clock, 16, usage, random);
  const settings = {
    maxmemory: 0,
    maxmemoryPolicy: policy,
    maxmemorySamples: 5,
    maxmemoryEvictionTenacity: 10,
    lazyfreeLazyEviction: false,
    ...changes,
  };
  const stats = { evicted: 0, evictionExceededMicros: 0, evictionExceededSince: 0 };
  const host = new Host(keyspaces);
  const evictor = new Evictor({ keyspaces, clock, random }, settings, stats, host);
  return { clock, keyspaces, settings, stats, host, evictor };
}

function put(db: Database, name: string, bytes: number, expiry = -1): void {
  const key = sliceOf(name);
  setString(db, key, db.hash(key), db.peek(key, db.hash(key)), sliceOf('v'.repeat(bytes)), expiry);
}

function has(db: Database, name: string): boolean {
  const key = sliceOf(name);
  return db.peek(key, db.hash(key)) !== 0;
}

/** Touches keys as commands do. */
function use(db: Database, name: string): void {
  const key = sliceOf(name);
  db.touch(db.find(key, db.hash(key)));
}

/** A limit by which `share` of what is used now has to go. */
function squeeze({ settings, keyspaces }: ReturnType<typeof setUp>, share: number): void {
  settings.maxmemory = Math.floor(keyspaces.memory.used * (1 - share));
}

describe('the pool', () => {
  test(`holds the best 16 of what it was shown, like a sorted list (seed ${SEED})`, () => {
    const { keyspaces } = setUp('allkeys-lru');
    const [db] = keyspaces.databases;
    const random = new SeededRandom(SEED);
    const pool = new EvictionPool();
    let model: number[] = [];
    for (let step = 0; step < 5000; step++) {
      if (random.below(4) > 0) {
        const score = random.below(200);
        const admitted = model.length < 16 || score > model[0];
        expect(pool.admits(score)).toBe(admitted);
        if (!admitted) continue;
        pool.add(score, db, score as Addr);
        for (let ahead = 0; ahead < pool.size; ahead++) {
          const candidate = pool.next(ahead);
          if (candidate?.known === false) candidate.know(candidate.entry + 1, 0);
        }
        model = [...model, score].sort((a, b) => a - b).slice(-16);
      } else {
        expect([0, 1, 15, 16].map((ahead) => pool.next(ahead)?.score)).toEqual(
          [-1, -2, -16, -17].map((at) => model.at(at)),
        );
        const best = pool.take();
        expect(best?.score).toBe(model.pop());
        expect(best === null || (best.entry === best.score && best.hash === best.score + 1)).toBe(true);
      }
      expect(pool.size).toBe(model.length);
    }
    pool.clear();
    expect(pool.take()).toBe(null);
  });
});

test('the time that a command may spend grows with the tenacity', () => {
  expect([0, 5, 10, 11, 20, 99].map(evictionMicros)).toEqual([0, 250, 500, 575, 2022, 126_205_358]);
  expect(evictionMicros(100)).toBe(Number.POSITIVE_INFINITY);
});

describe('what goes', () => {
  test('nothing within the limit, without one, or while keys are to stay', () => {
    const it = setUp('allkeys-lru');
    for (let i = 0; i < 100; i++) put(it.keyspaces.databases[0], `k${i}`, 100);
    expect(it.evictor.makeRoom()).toBe(true);
    squeeze(it, -1);
    expect(it.evictor.makeRoom()).toBe(true);
    squeeze(it, 0.5);
    it.host.exempt = true;
    expect(it.evictor.makeRoom()).toBe(true);
    expect(it.stats.evicted).toBe(0);
    it.host.exempt = false;
    expect(it.evictor.makeRoom()).toBe(true);
    expect(it.stats.evicted).toBeGreaterThan(0);
    expect(it.host.counted).toBeLessThanOrEqual(it.settings.maxmemory);
  });

  for (const policy of ['noeviction', 'volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'])
    test(`no key that does not expire (${policy})`, () => {
      const it = setUp(policy, { maxmemoryEvictionTenacity: 100 });
      const [db, other] = it.keyspaces.databases;
      for (let i = 0; i < 200; i++) put(db, `stays${i}`, 100);
      for (let i = 0; i < 50; i++) put(other, `goes${i}`, 100, it.clock.now() + 100_000 + i);
      squeeze(it, 0.1);
      const spared = policy === 'noeviction';
      expect(it.evictor.makeRoom()).toBe(!spared);
      expect(it.stats.evicted > 0).toBe(!spared);
      squeeze(it, 0.5);
      expect(it.evictor.makeRoom()).toBe(false);
      expect(db.size).toBe(200);
      expect(other.size).toBe(spared ? 50 : 0);
      for (const each of it.keyspaces.databases) each.verify();
    });

  for (const policy of ['allkeys-lru', 'allkeys-lfu'])
    test(`keys that are not used rather than those that are (${policy})`, () => {
      const it = setUp(policy, { maxmemoryEvictionTenacity: 100 });
      const [db] = it.keyspaces.databases;
      for (let i = 0; i < 1000; i++) put(db, `k${i}`, 100);
      for (let round = 0; round < 20; round++) {
        it.clock.advance(2000);
        it.keyspaces.refresh();
        for (let i = 0; i < 1000; i += 2) use(db, `k${i}`);
      }
      squeeze(it, 0.35);
      expect(it.evictor.makeRoom()).toBe(true);
      let used = 0;
      for (let i = 0; i < 1000; i += 2) if (has(db, `k${i}`)) used++;
      expect(used).toBeGreaterThan(470);
      expect(db.size).toBeLessThan(700);
    });

  test('keys that expire soon rather than late (volatile-ttl)', () => {
    const it = setUp('volatile-ttl', { maxmemoryEvictionTenacity: 100, maxmemorySamples: 10 });
    const [db] = it.keyspaces.databases;
    for (let i = 0; i < 1000; i++) put(db, `k${i}`, 100, it.clock.now() + 1_000_000 + i * 1000);
    squeeze(it, 0.3);
    it.evictor.makeRoom();
    let late = 0;
    for (let i = 500; i < 1000; i++) if (has(db, `k${i}`)) late++;
    expect(late).toBeGreaterThan(490);
  });

  test('keys of all databases in turn (allkeys-random)', () => {
    const it = setUp('allkeys-random', { maxmemoryEvictionTenacity: 100 });
    const [a, , c] = it.keyspaces.databases;
    for (let i = 0; i < 500; i++) for (const db of [a, c]) put(db, `k${i}`, 100);
    squeeze(it, 0.4);
    it.evictor.makeRoom();
    expect(Math.abs(a.size - c.size)).toBeLessThanOrEqual(1);
  });

  test('a candidate that was used since it was seen stays', () => {
    const it = setUp('allkeys-lru', { maxmemorySamples: 16 });
    const [db] = it.keyspaces.databases;
    for (let i = 0; i < 16; i++) put(db, `k${i}`, 100);
    it.clock.advance(10_000);
    it.keyspaces.refresh();
    squeeze(it, 0.01);
    // All are seen, one goes.
    it.evictor.makeRoom();
    expect(db.size).toBe(15);
    it.clock.advance(10_000);
    it.keyspaces.refresh();
    const rest = Array.from({ length: 16 }, (_, i) => `k${i}`).filter((name) => has(db, name));
    for (const name of rest.slice(1)) use(db, name);
    squeeze(it, 0.01);
    it.evictor.makeRoom();
    expect(it.host.gone[1]).toBe(rest[0]);
  });
});

test.each(['allkeys-lru', 'volatile-lfu', 'allkeys-random', 'volatile-ttl'])(
  `what comes to the place of a candidate that went is a key like any other (%s, seed ${SEED})`,
  (policy) => {
    const it = setUp(policy);
    const [db, other] = it.keyspaces.databases;
    const random = new SeededRandom(SEED);
    for (let step = 0; step < 20_000; step++) {
      const at = random.below(4) === 0 ? other : db;
      const name = `k${random.below(300)}`;
      const key = sliceOf(name);
      const roll = random.below(1000);
      if (roll < 500)
        put(at, name, random.below(3) * 50, random.below(2) === 0 ? -1 : it.clock.now() + random.below(1000));
      else if (roll < 800) at.remove(key, at.hash(key));
      else if (roll < 802) db.swap(other);
      else if (roll < 803) at.clear(true);
      else {
        squeeze(it, 0.01 * random.below(5));
        it.evictor.makeRoom();
      }
      if (step % 500 === 0) for (const each of [db, other]) each.verify();
    }
    expect(it.stats.evicted).toBeGreaterThan(500);
    expect(it.stats.evicted).toBe(it.host.gone.length);
  },
);

describe('time', () => {
  test('what a command has no time for goes in the background, and is counted', () => {
    const it = setUp('allkeys-lru');
    const [db] = it.keyspaces.databases;
    for (let i = 0; i < 2000; i++) put(db, `k${i}`, 100);
    squeeze(it, 0.5);
    expect(it.evictor.makeRoom()).toBe(true);
    const first = it.stats.evicted;
    expect(first).toBeLessThan(200);
    expect(it.stats.evictionExceededSince).toBeGreaterThan(0);
    it.clock.advance(0);
    expect(it.stats.evicted).toBeGreaterThan(first);
    expect(it.host.slices).toBeGreaterThan(0);
    it.clock.advance(1000);
    expect(it.host.counted).toBeLessThanOrEqual(it.settings.maxmemory);
    expect(it.stats.evictionExceededSince).toBe(0);
    expect(it.stats.evictionExceededMicros).toBeGreaterThan(1000);
    const { slices } = it.host;
    it.clock.advance(1000);
    expect(it.host.slices).toBe(slices);
  });

  test('nothing goes on in the background once it is stopped', () => {
    const it = setUp('allkeys-lru');
    for (let i = 0; i < 2000; i++) put(it.keyspaces.databases[0], `k${i}`, 100);
    squeeze(it, 0.5);
    it.evictor.begin();
    it.evictor.stop();
    it.clock.advance(1000);
    expect(it.stats.evicted).toBe(0);
  });

  test('what clients are told of keys that went has no others go, neither in the background nor after it', () => {
    const it = setUp('allkeys-lru', { maxmemoryEvictionTenacity: 100 });
    for (let i = 0; i < 2000; i++) put(it.keyspaces.databases[0], `k${i}`, 100);
    it.host.told = 10_000;
    squeeze(it, 0.05);
    it.evictor.begin();
    it.evictor.makeRoom();
    const { evicted } = it.stats;
    expect(evicted).toBeLessThan(200);
    it.clock.advance(1);
    expect([it.stats.evicted, it.host.slices]).toEqual([evicted, 1]);
    squeeze(it, 0.05);
    it.evictor.begin();
    it.clock.advance(1);
    it.evictor.makeRoom();
    expect(it.stats.evicted).toBeLessThan(2 * evicted + 10);
  });

  test('it is told how long it took where that is asked for', () => {
    const it = setUp('allkeys-lru');
    for (let i = 0; i < 100; i++) put(it.keyspaces.databases[0], `k${i}`, 100);
    it.host.timed = true;
    squeeze(it, 0.05);
    it.evictor.makeRoom();
    expect(new Set(it.host.events)).toEqual(new Set(['eviction-del', 'eviction-cycle']));
  });

  test('with nothing left to evict, what waits for its release is released', () => {
    const it = setUp('allkeys-lru', { maxmemoryEvictionTenacity: 100 });
    const [db] = it.keyspaces.databases;
    const empty = it.host.counted;
    for (let i = 0; i < 200; i++) put(db, `k${i}`, LARGE);
    db.clear(true);
    it.settings.maxmemory = empty + LARGE;
    it.host.timed = true;
    expect(it.evictor.makeRoom()).toBe(true);
    expect(it.host.events).toContain('eviction-lazyfree');
    expect(it.stats.evicted).toBe(0);
  });

  test.each(['noeviction', 'allkeys-lru'])(
    'what has been deleted makes room before anything else goes (%s)',
    (policy) => {
      const it = setUp(policy, { maxmemoryEvictionTenacity: 100 });
      const [db, other] = it.keyspaces.databases;
      for (let i = 0; i < 10; i++) put(other, `k${i}`, LARGE);
      it.settings.maxmemory = it.host.counted;
      for (let i = 0; i < 200; i++) put(db, `k${i}`, LARGE);
      db.clear(true);
      expect(it.host.counted).toBeGreaterThan(it.settings.maxmemory);
      expect(it.evictor.makeRoom()).toBe(true);
      expect(it.host.counted).toBeLessThanOrEqual(it.settings.maxmemory + LARGE);
      expect(it.stats.evicted).toBe(0);
    },
  );
});

describe('tables', () => {
  test('do not grow where the larger one would not fit, up to a load of 1.6', () => {
    const { keyspaces } = setUp('allkeys-random');
    const { memory, databases } = keyspaces;
    const [db] = databases;
    for (let i = 0; i < 4096; i++) put(db, `k${i}`, 1);
    const limit = memory.used + 10 * 1024;
    memory.affords = (bytes) => memory.used + bytes <= limit;
    const before = memory.used;
    put(db, 'one more', 1);
    expect(memory.used - before).toBeLessThan(64);
    for (let i = 4096; i < 6700; i++) put(db, `k${i}`, 1);
    expect(memory.used - before).toBeGreaterThan(32 * 1024);
    db.verify();
  });
});
