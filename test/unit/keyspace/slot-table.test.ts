import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import type { Database } from '../../../src/keyspace/database.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { SLOTS, slotOf } from '../../../src/keyspace/slot.ts';
import { SlotSizes } from '../../../src/keyspace/slot-sizes.ts';
import { setString } from '../../../src/keyspace/strings.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { entryKey } from '../../../src/values/entry.ts';

const NO_LFU = { lfu: false, logFactor: 10, decayMinutes: 1 };
const FAR = 4_000_000_000_000;

function setUp() {
  const memory = createMemory();
  const keyspaces = new Keyspaces(memory, new VirtualClock(), 1, NO_LFU, new SeededRandom(3), true);
  return { memory, keyspaces, db: keyspaces.databases[0] };
}

function put(db: Database, name: string, expires = false): void {
  const key = sliceOf(name);
  const hash = db.hash(key);
  setString(db, key, hash, db.peek(key, hash), sliceOf('value'), expires ? FAR : -1);
}

function nameOf(db: Database, e: Addr): string {
  return entryKey(db.memory, e, new Slice()).latin1();
}

function keysOf(db: Database, slot: number, most: number): string[] {
  const keys: string[] = [];
  db.eachKeyOfSlot(slot, most, (key) => keys.push(key.latin1()));
  return keys;
}

/** Few tags with many keys each, and keys all over the slots. */
function someName(random: SeededRandom): string {
  return random.below(2) === 0 ? `{tag${random.below(3)}}${random.below(300)}` : `key:${random.below(300)}`;
}

describe('keys by slots', () => {
  for (const seed of [31, 32]) {
    test(`are counted, listed and dropped as a model has them, seed ${seed}`, () => {
      const { db } = setUp();
      const random = new SeededRandom(seed);
      const model = new Map<string, boolean>();
      const inSlot = (slot: number): string[] => [...model.keys()].filter((name) => slotOf(sliceOf(name)) === slot);
      for (let step = 0; step < 6000; step++) {
        const name = someName(random);
        const slot = slotOf(sliceOf(name));
        const what = random.below(1000);
        // Rightly or wrongly.
        if (random.below(2) === 0) db.expectSlot(random.below(2) === 0 ? slot : random.below(SLOTS));
        if (what < 600) {
          put(db, name, what < 200);
          model.set(name, what < 200);
        } else if (what < 980) {
          const key = sliceOf(name);
          expect(db.remove(key, db.hash(key))).toBe(model.delete(name));
        } else if (what < 985) {
          const gone = inSlot(slot);
          const told: string[] = [];
          expect(db.clearSlot(slot, (key) => told.push(key.latin1()))).toBe(gone.length);
          expect(told.sort()).toEqual(gone.sort());
          for (const each of gone) model.delete(each);
          while (db.rules.reclaimer.run(1000));
        } else {
          const names = inSlot(slot);
          expect(db.countSlot(slot)).toBe(names.length);
          const listed = keysOf(db, slot, 1000);
          expect(listed.sort()).toEqual(names.sort());
          const most = random.below(names.length + 2);
          expect(keysOf(db, slot, most).length).toBe(Math.min(most, names.length));
        }
        if (step % 100 === 0) db.rehashFor(() => random.below(2) === 0);
        if (step % 1000 === 999) {
          expect([db.size, db.expiring]).toEqual([model.size, [...model.values()].filter(Boolean).length]);
          db.verify();
        }
      }
    });
  }

  test('whatever else a slice has shown, the slot of what it shows is the right one', () => {
    const { db } = setUp();
    const one = sliceOf('one');
    put(db, 'one');
    expect(db.find(one, db.hash(one))).not.toBe(NULL);
    const { buffer } = sliceOf('two');
    put(db, 'two');
    one.set(buffer, 0, 3);
    expect(nameOf(db, db.find(one, db.hash(one)))).toBe('two');
  });

  test('a scan shows what is there throughout, however tables are resized and slots emptied on the way', () => {
    const { db } = setUp();
    const emptied = new Set(Array.from({ length: 9 }, (_, n) => slotOf(sliceOf(`{${n}}`))));
    const stay = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? `{stays}${i}` : `stays:${i}`));
    const staying = stay.filter((name) => !emptied.has(slotOf(sliceOf(name))));
    for (const name of staying) put(db, name);
    const seen = new Set<string>();
    const random = new SeededRandom(5);
    let cursor = 0;
    let calls = 0;
    do {
      cursor = db.keys.scan(cursor, (e) => seen.add(nameOf(db, e)));
      const added = `{${random.below(2) === 0 ? 'stays' : random.below(9)}}new${calls++}`;
      put(db, added);
      if (calls % 7 === 0) db.clearSlot(slotOf(sliceOf(`{${random.below(9)}}`)), () => {});
      if (calls % 50 === 0) db.rehashFor(() => true);
    } while (cursor !== 0);
    expect(staying.filter((name) => !seen.has(name))).toEqual([]);
  });

  test('few keys move to a larger table at once, many on the way, and none while a view is open', () => {
    const { db, memory } = setUp();
    for (let i = 0; i < 500; i++) {
      put(db, `{few}${i}`);
      expect(db.rehashFor(() => true)).toBe(false);
    }
    for (let i = 0; i < 513; i++) put(db, `{many}${i}`);
    expect(db.rehashFor(() => true)).toBe(true);
    db.verify();
    const view = new FrozenView(memory);
    for (let i = 0; i < 30; i++) put(db, `{viewed}${i}`);
    expect(db.rehashFor(() => true)).toBe(true);
    db.verify();
    view.close();
    put(db, '{viewed}more');
    while (db.rehashFor(() => true));
    expect(db.size).toBe(500 + 513 + 31);
    db.verify();
  });

  test('random keys are drawn from slots by what these hold', () => {
    const { db } = setUp();
    for (let i = 0; i < 900; i++) put(db, `{many}${i}`);
    for (let i = 0; i < 100; i++) put(db, `{few}${i}`);
    const random = new SeededRandom(6);
    let few = 0;
    for (let i = 0; i < 5000; i++) if (nameOf(db, db.keys.random(random)).startsWith('{few}')) few++;
    expect(few).toBeGreaterThan(400);
    expect(few).toBeLessThan(600);
    const out: Addr[] = [];
    const count = db.keys.sample(1000, random, out);
    expect(new Set(out.slice(0, count)).size).toBe(count);
    expect(count).toBeGreaterThan(500);
  });

  test('without keys they take less than 1 MiB, which comes back', () => {
    const { memory, keyspaces, db } = setUp();
    const empty = memory.used;
    expect(empty).toBeLessThan(1024 * 1024 * (process.env['CINNABAR_VERIFY'] ? 4 : 1));
    for (let i = 0; i < 20_000; i++) put(db, `key:${i}`, i % 3 === 0);
    for (const lazily of [true, false]) {
      db.clear(lazily);
      while (keyspaces.reclaimer.run(1000));
      expect(memory.used).toBe(empty);
      put(db, 'a');
    }
  });
});

test('the sizes of slots draw as a list of them would', () => {
  const sizes = new SlotSizes();
  const model = new Map<number, number>();
  const random = new SeededRandom(8);
  for (let step = 0; step < 2000; step++) {
    const slot = step % 5 === 0 ? [0, SLOTS - 1][random.below(2)] : random.below(SLOTS);
    const by = (model.get(slot) ?? 0) > 0 && random.below(3) === 0 ? -1 : 1;
    sizes.add(slot, by);
    model.set(slot, (model.get(slot) ?? 0) + by);
    if (step % 100 !== 99) continue;
    const all = [...model].sort((a, b) => a[0] - b[0]).flatMap(([s, n]) => Array<number>(n).fill(s));
    expect(sizes.total).toBe(all.length);
    for (let place = 0; place < all.length; place += 7) expect(sizes.at(place)).toBe(all[place]);
    expect(sizes.filledFrom(0)).toBe(all[0] ?? SLOTS);
    const from = random.below(SLOTS);
    expect(sizes.filledFrom(from)).toBe(all.find((each) => each >= from) ?? SLOTS);
    expect(sizes.before(from)).toBe(all.filter((each) => each < from).length);
  }
});
