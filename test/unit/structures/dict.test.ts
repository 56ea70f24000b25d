import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import {
  DictCursor,
  dictBuckets,
  dictBytes,
  dictClear,
  dictDrain,
  dictExpand,
  dictFairRandom,
  dictFind,
  dictFree,
  dictInsert,
  dictIsRehashing,
  dictLookup,
  dictMoved,
  dictNew,
  dictPauseRehash,
  dictRandom,
  dictRandoms,
  dictRehash,
  dictRelink,
  dictRemove,
  dictRemoveEntry,
  dictResumeRehash,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
  dictSome,
  dictStats,
  dictVerify,
  entryKey,
  entryKeyEnd,
  keyFieldSize,
  writeKeyField,
} from '../../../src/structures/dict.ts';
import { hashBytes } from '../../../src/structures/hash.ts';
import { LONG, STEPS } from '../../support/long.ts';

const SEED = Uint32Array.from([1, 2, 3, 4]);
const scratch = new Slice();

/** Entries of these tests: [next u32][keyAt u8][-][link of a second dict u32 at 8][key field at 12]. */
function newEntry(m: Memory, key: Slice): Addr {
  const e = m.allocate(12 + keyFieldSize(key.length));
  m.setU32(e, 0, 0);
  m.setU32(e, 8, 0);
  writeKeyField(m, e, 12, key);
  return e;
}

const keyOf = (m: Memory, e: Addr): string => entryKey(m, e, scratch).latin1();

function filled(count: number, m = createMemory({ seed: SEED })): { m: Memory; d: Addr } {
  const d = dictNew(m);
  for (let i = 0; i < count; i++) add(m, d, `key:${i}`);
  return { m, d };
}

function add(m: Memory, d: Addr, text: string): Addr {
  const key = sliceOf(text);
  const e = newEntry(m, key);
  dictInsert(m, d, e, hashBytes(m.seed, key));
  return e;
}

function remove(m: Memory, d: Addr, text: string): boolean {
  const key = sliceOf(text);
  const e = dictRemove(m, d, key, hashBytes(m.seed, key));
  if (e !== NULL) m.release(e);
  return e !== NULL;
}

function all(m: Memory, d: Addr): string[] {
  const cursor = new DictCursor(m).reset(m, d);
  const keys: string[] = [];
  for (let e = cursor.next(); e !== NULL; e = cursor.next()) keys.push(keyOf(m, e));
  return keys;
}

describe('hash', () => {
  test('depends on every byte, on the length and on the seed', () => {
    const seen = new Set<number>();
    for (const text of ['', '\0', '\0\0', 'a', 'b', 'ab', 'ba', 'abc', 'abcd', 'abcde', 'abcdf', 'xbcdf', 'abcdefgh'])
      seen.add(hashBytes(SEED, sliceOf(text)));
    expect(seen.size).toBe(13);
    const other = Uint32Array.from([1, 2, 3, 5]);
    expect(hashBytes(other, sliceOf('abc'))).not.toBe(hashBytes(SEED, sliceOf('abc')));
    expect(hashBytes(SEED, new Slice(sliceOf('xxabcx').buffer, 2, 3))).toBe(hashBytes(SEED, sliceOf('abc')));
  });

  test('is a non-negative small integer, evenly spread over the low bits', () => {
    const buckets = new Uint32Array(64);
    for (let i = 0; i < 64_000; i++) {
      const hash = hashBytes(SEED, sliceOf(`key:${i}`));
      expect(hash >= 0 && hash < 2 ** 31 && Number.isInteger(hash)).toBe(true);
      buckets[hash & 63]++;
    }
    const chi = buckets.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(chi).toBeLessThan(120);
  });
});

describe('key field', () => {
  test.each([0, 1, 127, 128, 129, 16383, 16384, 300_000])('of %i bytes', (length) => {
    const m = createMemory({ seed: SEED });
    const key = new Slice(new Uint8Array(length).fill(7));
    const e = newEntry(m, key);
    expect(entryKey(m, e, scratch).length).toBe(length);
    expect(entryKeyEnd(m, e)).toBe(12 + keyFieldSize(length));
    const d = dictNew(m);
    const hash = hashBytes(m.seed, key);
    dictInsert(m, d, e, hash);
    expect(dictFind(m, d, key, hash)).toBe(e);
    if (length > 0) {
      key.buffer[length - 1] = 8;
      expect(dictFind(m, d, key, hash)).toBe(NULL);
    }
  });
});

describe('model', () => {
  for (const [seed, range] of [
    [11, 40],
    [12, 600],
    [13, 4000],
  ])
    test(`${STEPS} random steps, seed ${seed}, ${range} keys`, () => {
      const random = new SeededRandom(seed);
      const m = createMemory({ seed: SEED });
      const before = m.used;
      const d = dictNew(m);
      const model = new Map<string, Addr>();
      // The odds of removal swing, so that the dict grows and shrinks several times.
      for (let step = 0; step < STEPS; step++) {
        const removing = Math.floor(step / 2500) % 2 === 1 ? 8 : 2;
        randomStep(m, d, model, random, range, removing);
        expect(dictSize(m, d)).toBe(model.size);
        if (range <= 600 || step % 20 === 0) dictVerify(m, d, m.seed);
      }
      expect(all(m, d).sort()).toEqual([...model.keys()].sort());
      for (const e of model.values()) m.release(e);
      dictFree(m, d);
      expect(m.used).toBe(before);
    });
});

function randomStep(
  m: Memory,
  d: Addr,
  model: Map<string, Addr>,
  random: SeededRandom,
  range: number,
  removing: number,
): void {
  const text = `key:${random.below(range)}`;
  const key = sliceOf(text);
  const hash = hashBytes(m.seed, key);
  const known = model.get(text) ?? NULL;
  expect(dictLookup(m, d, key, hash)).toBe(known);
  const choice = random.below(12);
  if (choice < removing) {
    expect(dictRemove(m, d, key, hash)).toBe(known);
    if (known !== NULL) m.release(known);
    model.delete(text);
    dictShrinkIfNeeded(m, d);
  } else if (choice < 10) {
    expect(dictFind(m, d, key, hash)).toBe(known);
    if (known === NULL) model.set(text, add(m, d, text));
  } else if (choice === 10 && known !== NULL) {
    const fresh = newEntry(m, key);
    dictRelink(m, d, known, fresh, hash);
    m.release(known);
    model.set(text, fresh);
  } else {
    dictRehash(m, d, random.below(5));
  }
}

describe('resizing', () => {
  test('grows by doubling at load factor 1 and shrinks under 10 %', () => {
    const { m, d } = filled(4);
    expect(dictBuckets(m, d)).toBe(4);
    add(m, d, 'more');
    expect(dictIsRehashing(m, d)).toBe(true);
    while (dictRehash(m, d, 1)) dictVerify(m, d, m.seed);
    expect(dictBuckets(m, d)).toBe(8);
    for (let i = 0; i < 1000; i++) add(m, d, `other:${i}`);
    while (dictRehash(m, d, 100));
    expect(dictBuckets(m, d)).toBe(1024);
    for (let i = 0; i < 900; i++) remove(m, d, `other:${i}`);
    dictShrinkIfNeeded(m, d);
    expect(dictIsRehashing(m, d)).toBe(false);
    for (let i = 900; i < 1000; i++) remove(m, d, `other:${i}`);
    dictShrinkIfNeeded(m, d);
    while (dictRehash(m, d, 1)) dictVerify(m, d, m.seed);
    expect(dictBuckets(m, d)).toBe(8);
  });

  test('a large table is zeroed in slices before rehashing begins', () => {
    const m = createMemory({ seed: SEED });
    // What the table will lie in is not zero.
    const dirty = m.allocate(1 << 20);
    m.fill(dirty, 0, 0xff, 1 << 20);
    m.release(dirty);
    const { d } = filled(32768, m);
    while (dictRehash(m, d, 1000));
    const before = m.used;
    add(m, d, 'more');
    expect(m.used).toBeGreaterThan(before + 65536 * 4 - 1);
    expect(dictIsRehashing(m, d)).toBe(false);
    dictVerify(m, d, m.seed);
    expect(dictExpand(m, d, 1_000_000)).toBe(false);
    expect(all(m, d).length).toBe(32769);
    for (let i = 0; !dictIsRehashing(m, d); i++) {
      expect(i).toBeLessThan(20);
      expect(remove(m, d, `key:${i}`)).toBe(true);
      add(m, d, `other:${i}`);
    }
    dictVerify(m, d, m.seed);
    while (dictRehash(m, d, 1000));
    dictVerify(m, d, m.seed);
    expect(dictSize(m, d)).toBe(32769);
  });

  test('a dict goes away while its larger table is in preparation', () => {
    const { m, d } = filled(0);
    const before = m.used - 32;
    for (let i = 0; i < 32768; i++) add(m, d, `key:${i}`);
    while (dictRehash(m, d, 1000));
    add(m, d, 'more');
    while (!dictDrain(m, d, 1000, (e) => m.release(e)));
    expect(m.used).toBe(before);
  });

  test('dictExpand makes room ahead of need', () => {
    const { m, d } = filled(0);
    expect(dictBytes(m, d)).toBe(32);
    expect(dictExpand(m, d, 1000)).toBe(true);
    expect(dictBuckets(m, d)).toBe(1024);
    expect(dictExpand(m, d, 1000)).toBe(false);
    for (let i = 0; i < 1000; i++) add(m, d, `${i}`);
    expect(dictIsRehashing(m, d)).toBe(false);
    expect(dictBytes(m, d)).toBe(32 + 4096);
    expect(dictExpand(m, d, 10)).toBe(false);
  });

  test('a paused rehash stands still', () => {
    const { m, d } = filled(5);
    dictPauseRehash(m, d);
    expect(dictRehash(m, d, 100)).toBe(true);
    expect(dictIsRehashing(m, d)).toBe(true);
    dictResumeRehash(m, d);
    while (dictRehash(m, d, 100));
    expect(dictIsRehashing(m, d)).toBe(false);
    expect(() => dictResumeRehash(m, d)).toThrow('a pause for each resume');
  });

  test('chains grow to 5 while a frozen view is open', () => {
    const { m, d } = filled(4);
    m.setBarrier({ preserve: () => undefined, forget: () => undefined });
    for (let i = 0; i < 17; i++) add(m, d, `more:${i}`);
    expect(dictIsRehashing(m, d)).toBe(false);
    add(m, d, 'one too many');
    expect(dictIsRehashing(m, d)).toBe(true);
    m.setBarrier(null);
    dictVerify(m, d, m.seed);
  });

  test('a table that can not be had lets chains grow', () => {
    const m = createMemory({ seed: SEED, limit: 64 * 1024 * 1024 });
    const { d } = filled(4, m);
    const hoard: Addr[] = [];
    try {
      for (;;) hoard.push(m.allocate(4096));
    } catch {
      for (let i = 0; i < 4; i++) m.release(hoard.pop() as Addr);
    }
    for (let i = 0; i < 5000; i++) {
      try {
        add(m, d, `x${i}`);
      } catch {
        break;
      }
    }
    dictVerify(m, d, m.seed);
    expect(dictSize(m, d)).toBeGreaterThan(4);
  });
});

describe('iteration', () => {
  test('the cursor stands the removal of what it returned', () => {
    for (const count of [1, 5, 100, 1500]) {
      const { m, d } = filled(count);
      dictPauseRehash(m, d);
      const cursor = new DictCursor(m).reset(m, d);
      const seen = new Set<string>();
      for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
        const text = keyOf(m, e);
        expect(seen.has(text)).toBe(false);
        seen.add(text);
        if (seen.size % 3 !== 0) {
          const key = sliceOf(text);
          if (seen.size % 2 === 0) dictRemove(m, d, key, hashBytes(m.seed, key));
          else dictRemoveEntry(m, d, e, hashBytes(m.seed, key));
          m.release(e);
        }
      }
      dictResumeRehash(m, d);
      expect(seen.size).toBe(count);
      expect(dictSize(m, d)).toBe(Math.floor(count / 3));
      dictVerify(m, d, m.seed);
    }
  });

  test('a second dict runs over the same entries by another link', () => {
    const { m, d } = filled(100);
    const second = dictNew(m, 8);
    const cursor = new DictCursor(m).reset(m, d);
    let i = 0;
    for (let e = cursor.next(); e !== NULL; e = cursor.next())
      if (i++ % 2 === 0) dictInsert(m, second, e, hashBytes(m.seed, entryKey(m, e, scratch)));
    dictVerify(m, d, m.seed);
    dictVerify(m, second, m.seed);
    expect(dictSize(m, second)).toBe(50);
    dictClear(m, second);
    expect(dictSize(m, second)).toBe(0);
    dictInsert(m, second, dictFind(m, d, sliceOf('key:1'), hashBytes(m.seed, sliceOf('key:1'))), 1);
    expect(dictSize(m, second)).toBe(1);
  });

  test('draining takes a dict apart in slices', () => {
    for (const [count, budget] of [
      [0, 1],
      [5, 1],
      [1000, 7],
      [1025, 100_000],
    ]) {
      const { m, d } = filled(0);
      const before = m.used - 32;
      for (let i = 0; i < count; i++) add(m, d, `key:${i}`);
      let released = 0;
      let slices = 1;
      const release = (e: Addr): void => {
        m.release(e);
        released++;
      };
      while (!dictDrain(m, d, budget, release)) slices++;
      expect(released).toBe(count);
      expect(m.used).toBe(before);
      if (budget < count) expect(slices).toBeGreaterThan(count / budget / 2);
    }
  });

  test('a moved block takes the place of the old one', () => {
    const { m, d } = filled(10);
    const key = sliceOf('key:3');
    const hash = hashBytes(m.seed, key);
    const old = dictFind(m, d, key, hash);
    const fresh = m.resize(old, 500);
    dictMoved(m, d, old, fresh, hash);
    expect(dictFind(m, d, key, hash)).toBe(fresh);
    dictVerify(m, d, m.seed);
  });
});

describe('scan', () => {
  test('visits everything exactly once when nothing changes', () => {
    for (const count of [0, 1, 4, 5, 9, 100, 1000]) {
      const { m, d } = filled(count);
      while (dictRehash(m, d, 100));
      const seen: string[] = [];
      let cursor = 0;
      do cursor = dictScan(m, d, cursor, (e) => seen.push(keyOf(m, e)));
      while (cursor !== 0);
      expect(seen.length).toBe(count);
      expect(new Set(seen).size).toBe(count);
    }
  });

  test('misses nothing that stays, under growth, shrinking and rehashing', () => {
    for (let seed = 1; seed <= (LONG ? 16 : 4); seed++) {
      const random = new SeededRandom(seed);
      const stays = random.below(300);
      const { m, d } = filled(stays);
      let extra = 0;
      const grow = (): void => {
        for (let n = random.below(400); n > 0; n--) add(m, d, `extra:${extra++}`);
      };
      if (seed % 2 === 0) for (let i = 0; i < 5; i++) grow();
      const seen = new Set<string>();
      let cursor = 0;
      do {
        cursor = dictScan(m, d, cursor, (e) => seen.add(keyOf(m, e)));
        const choice = random.below(8);
        if (choice === 0) grow();
        else if (choice === 1) while (extra > 0 && random.below(200) !== 0) remove(m, d, `extra:${--extra}`);
        else if (choice === 2) dictShrinkIfNeeded(m, d);
        else if (choice <= 4) dictRehash(m, d, random.below(40));
      } while (cursor !== 0);
      for (let i = 0; i < stays; i++) expect(seen.has(`key:${i}`)).toBe(true);
    }
  });

  test('the visitor may remove what it is shown', () => {
    const { m, d } = filled(500);
    dictPauseRehash(m, d);
    let cursor = 0;
    do cursor = dictScan(m, d, cursor, (e) => remove(m, d, keyOf(m, e)));
    while (cursor !== 0);
    dictResumeRehash(m, d);
    expect(dictSize(m, d)).toBe(0);
  });
});

describe('random entries', () => {
  test('every entry comes up, also while rehashing', () => {
    for (const count of [1, 3, 5, 70]) {
      const { m, d } = filled(count);
      const random = new SeededRandom(count);
      dictPauseRehash(m, d);
      for (const pick of [dictRandom, dictFairRandom]) {
        const seen = new Set<string>();
        for (let i = 0; i < count * 100; i++) seen.add(keyOf(m, pick(m, d, random)));
        expect(seen.size).toBe(count);
      }
    }
    const { m, d } = filled(0);
    expect(dictRandom(m, d, new SeededRandom(1))).toBe(NULL);
    expect(dictFairRandom(m, d, new SeededRandom(1))).toBe(NULL);
  });

  test('a fair pick is nearly uniform', () => {
    const { m, d } = filled(64);
    const random = new SeededRandom(5);
    const counts = new Map<string, number>();
    for (let i = 0; i < 64_000; i++) {
      const text = keyOf(m, dictFairRandom(m, d, random));
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    expect(Math.min(...counts.values())).toBeGreaterThan(500);
    expect(Math.max(...counts.values())).toBeLessThan(2000);
  });

  test('several picks are as likely as one, and none of an empty dict', () => {
    const { m, d } = filled(64);
    const random = new SeededRandom(6);
    const counts = new Map<string, number>();
    const out: Addr[] = [];
    for (let i = 0; i < 8000; i++) {
      expect(dictRandoms(m, d, 8, random, out)).toBe(8);
      for (const e of out) counts.set(keyOf(m, e), (counts.get(keyOf(m, e)) ?? 0) + 1);
    }
    expect(counts.size).toBe(64);
    expect(Math.min(...counts.values())).toBeGreaterThan(100);
    const empty = filled(0);
    expect(dictRandoms(empty.m, empty.d, 8, random, out)).toBe(0);
  });

  test.each([64, 100, 1000])('a sample shows each of %i entries about as often as the others', (count) => {
    const { m, d } = filled(count);
    const random = new SeededRandom(7);
    const counts = new Map<Addr, number>();
    const out: Addr[] = [];
    for (let i = 0; i < 200 * count; i++)
      for (let got = dictSome(m, d, 5, random, out); got > 0; got--)
        counts.set(out[got - 1], (counts.get(out[got - 1]) ?? 0) + 1);
    expect(counts.size).toBe(count);
    expect(Math.min(...counts.values())).toBeGreaterThan(300);
    expect(Math.max(...counts.values())).toBeLessThan(3000);
  });

  test('some are all different and no more than asked for', () => {
    for (const count of [2, 9, 100, 1000, 1001]) {
      const { m, d } = filled(count);
      // With few left in a large table, the walk jumps.
      const kept = count === 1000 ? 8 : 64;
      for (let i = 0; i < count; i++) if (count >= 1000 && i % kept !== 0) remove(m, d, `key:${i}`);
      const random = new SeededRandom(count);
      const out: Addr[] = [];
      for (const wanted of [1, 5, 15, 15, 15, 40, 40, 40, 2000]) {
        const got = dictSome(m, d, wanted, random, out);
        expect(got).toBeLessThanOrEqual(Math.min(wanted, dictSize(m, d)));
        expect(new Set(out.slice(0, got)).size).toBe(got);
      }
    }
  });
});

test('the statistics are those of DEBUG HTSTATS', () => {
  const { m, d } = filled(0);
  expect(dictStats(m, d)).toBe('Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n');
  for (let i = 0; i < 3; i++) add(m, d, `key:${i}`);
  expect(dictStats(m, d)).toMatch(/^Hash table 0 stats \(main hash table\):\n table size: 4\n number of elements: 3\n/);
  for (let i = 3; i < 5; i++) add(m, d, `key:${i}`);
  expect(dictStats(m, d)).toContain('Hash table 1 stats (rehashing target):\n');
});
