import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { type Database, databaseCursor, databaseExpiring, databaseSize } from '../../../src/keyspace/database.ts';
import type { EntryCursor, KeyWalk } from '../../../src/keyspace/key-table.ts';
import { Keyspaces } from '../../../src/keyspace/keyspaces.ts';
import { setString } from '../../../src/keyspace/strings.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { entryKey } from '../../../src/values/entry.ts';

const NO_LFU = { lfu: false, logFactor: 10, decayMinutes: 1 };
const FAR = 4_000_000_000_000;

function setUp(databases = 1, bySlot = false) {
  const memory = createMemory();
  const keyspaces = new Keyspaces(memory, new VirtualClock(), databases, NO_LFU, new SeededRandom(3), bySlot);
  return { memory, keyspaces, db: keyspaces.databases[0] };
}

function put(db: Database, name: string, expires: boolean): void {
  const key = sliceOf(name);
  const hash = db.hash(key);
  setString(db, key, hash, db.peek(key, hash), sliceOf('value'), expires ? FAR : -1);
}

function nameOf(db: Database, e: Addr): string {
  return entryKey(db.memory, e, new Slice()).latin1();
}

function walked(db: Database, cursor: EntryCursor): string[] {
  const names: string[] = [];
  for (let e = cursor.next(); e !== NULL; e = cursor.next()) names.push(nameOf(db, e));
  return names.sort();
}

function scanned(db: Database, walk: KeyWalk): string[] {
  const names = new Set<string>();
  let cursor = 0;
  do cursor = walk.scan(cursor, (e) => names.add(nameOf(db, e)));
  while (cursor !== 0);
  return [...names].sort();
}

test('what is empty is cleared where it lies, what is not begins anew', () => {
  const { memory, keyspaces } = setUp(2);
  const heads = () => keyspaces.databases.map(({ root }) => [memory.addr(root, 0), memory.addr(root, 4)]);
  put(keyspaces.databases[0], 'k', true);
  const before = heads();
  expect(keyspaces.databases.map((db) => db.clear(false))).toEqual([1, 0]);
  const [first, second] = heads();
  expect(second).toEqual(before[1]);
  expect(first).not.toEqual(before[0]);
});

function swept(db: Database): string[] {
  const names: string[] = [];
  let bucket = 0;
  do bucket = db.expires.sweep(bucket, (e) => names.push(nameOf(db, e)));
  while (bucket !== 0);
  return names.sort();
}

describe('a database, without its dicts', () => {
  for (const [seed, bySlot] of [
    [21, false],
    [22, false],
    [23, true],
    [24, true],
  ] as const) {
    test(`every way through it shows the keys of a model, seed ${seed}${bySlot ? ', by slots' : ''}`, () => {
      const { memory, db } = setUp(1, bySlot);
      const random = new SeededRandom(seed);
      const model = new Map<string, boolean>();
      const check = (): void => {
        const all = [...model.keys()].sort();
        const expiring = all.filter((name) => model.get(name));
        expect([db.size, db.keys.size, db.expiring, db.expires.size]).toEqual([
          all.length,
          all.length,
          expiring.length,
          expiring.length,
        ]);
        expect(walked(db, db.keys.cursor())).toEqual(all);
        expect(walked(db, db.expires.cursor())).toEqual(expiring);
        expect(scanned(db, db.keys)).toEqual(all);
        expect(scanned(db, db.expires)).toEqual(expiring);
        expect(swept(db), 'each once').toEqual(expiring);
        expect(walked(db, databaseCursor(memory, db.root))).toEqual(all);
        expect([databaseSize(memory, db.root), databaseExpiring(memory, db.root)]).toEqual([
          all.length,
          expiring.length,
        ]);
        const out: Addr[] = [];
        const count = db.expires.sample(5, random, out);
        const sample = out.slice(0, count).map((e) => nameOf(db, e));
        expect(new Set(sample).size).toBe(count);
        for (const name of sample) expect(model.get(name)).toBe(true);
        const any = db.keys.random(random);
        expect(any === NULL ? all.length === 0 : model.has(nameOf(db, any))).toBe(true);
        expect(db.keys.statistics()).toMatch(all.length === 0 ? /No stats/ : /number of elements/);
        db.verify();
      };
      for (let step = 0; step < 3000; step++) {
        const name = `key:${random.below(400)}`;
        if (random.below(3) > 0) {
          const expires = random.below(2) === 0;
          put(db, name, expires);
          model.set(name, expires);
        } else {
          const key = sliceOf(name);
          expect(db.remove(key, db.hash(key))).toBe(model.delete(name));
        }
        if (random.below(50) === 0) db.shrinkMore();
        if (random.below(50) === 0) db.rehashFor(() => true);
        if (step % 250 === 249) check();
        if (step % 1500 === 1499) {
          expect(db.clear(random.below(2) === 0)).toBe(model.size);
          model.clear();
          check();
        }
      }
    });
  }

  test('its tables shrink and move along when asked, and say what they take', () => {
    const { db } = setUp();
    for (let i = 0; i < 5000; i++) put(db, `key:${i}`, i % 2 === 0);
    while (db.rehashFor(() => false));
    const { buckets, bytes } = db.keys;
    expect(buckets).toBe(8192);
    expect(bytes).toBeGreaterThan(8192 * 4);
    for (let i = 10; i < 5000; i++) {
      const key = sliceOf(`key:${i}`);
      db.remove(key, db.hash(key));
    }
    for (let tick = 0; tick < 20; tick++) {
      db.shrinkMore();
      while (db.rehashFor(() => false));
    }
    expect(db.keys.buckets).toBeLessThan(128);
    expect(db.expires.buckets).toBeLessThan(128);
    db.verify();
  });

  test('exchanged with another one, both find their keys from their roots', () => {
    const { memory, keyspaces } = setUp(2);
    const [one, other] = keyspaces.databases;
    put(one, 'a', true);
    put(other, 'b', false);
    put(other, 'c', false);
    one.swap(other);
    expect(walked(one, databaseCursor(memory, one.root))).toEqual(['b', 'c']);
    expect(walked(other, databaseCursor(memory, other.root))).toEqual(['a']);
    expect([one.expiring, other.expiring]).toEqual([0, 1]);
    one.verify();
    other.verify();
  });
});
