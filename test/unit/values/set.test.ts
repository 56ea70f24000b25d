import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { ENC_HASHTABLE, ENC_INTSET, type Encoding } from '../../../src/values/entry.ts';
import {
  SetCursor,
  SetLimits,
  SetValue,
  setEntryMember,
  setFree,
  setFreeSome,
  setHas,
  setNew,
} from '../../../src/values/set.ts';
import { LooseSlot } from '../../../src/values/value.ts';
import { STEPS } from '../../support/long.ts';

function newSet(encoding: Encoding, limits = new SetLimits()): { m: Memory; slot: LooseSlot; set: SetValue } {
  const m = createMemory();
  const slot = new LooseSlot(m, setNew(m, encoding), encoding);
  return { m, slot, set: new SetValue(m, limits).bind(slot) };
}

function members(set: SetValue): string[] {
  const cursor = set.cursor();
  const all: string[] = [];
  while (cursor.next()) all.push(cursor.member.latin1());
  return all;
}

const ENCODINGS = [
  ['intset', ENC_INTSET],
  ['hashtable', ENC_HASHTABLE],
] as const;

describe.each(ENCODINGS)('%s', (_, encoding) => {
  test.each([1, 2])(`${STEPS} random steps against a model, seed %i`, (seed) => {
    const random = new SeededRandom(seed);
    const limits = new SetLimits();
    limits.intsetEntries = 10_000;
    const { m, slot, set } = newSet(encoding, limits);
    const model = new Set<string>();
    for (let step = 0; step < STEPS; step++) {
      const text = String(random.below(300) - 150);
      const member = sliceOf(text);
      if (random.below(10) < (Math.floor(step / 1500) % 2 ? 7 : 3)) expect(set.remove(member)).toBe(model.delete(text));
      else {
        expect(set.add(member)).toBe(!model.has(text));
        model.add(text);
      }
      expect(set.length).toBe(model.size);
      expect(set.has(sliceOf(String(step % 300)))).toBe(model.has(String(step % 300)));
      if (step % 10 === 0) set.verify();
    }
    expect(set.encoding).toBe(encoding);
    expect(members(set).sort()).toEqual([...model].sort());
    const fresh = new SetCursor(m).reset(m, slot.encoding, slot.root);
    expect(fresh.next()).toBe(model.size > 0);
    setFree(m, slot.encoding, slot.root);
    expect(m.used).toBe(0);
  });

  test('picks distinct members, all of them in time', () => {
    const { m, set } = newSet(encoding);
    for (let i = 0; i < 40; i++) set.add(sliceOf(String(i)));
    const random = new SeededRandom(3);
    for (const count of [1, 5, 20, 39]) {
      const seen = new Set<string>();
      for (let round = 0; round < 400; round++) {
        const out: number[] = [];
        set.pick(count, random, out);
        const picked = new Set(out.map((handle) => set.show(handle).latin1()));
        expect(picked.size).toBe(count);
        for (const member of picked) seen.add(member);
      }
      expect(seen.size).toBe(40);
    }
    const singles = new Set<string>();
    for (let i = 0; i < 2000; i++) singles.add(set.random(random).latin1());
    expect(singles.size).toBe(40);
    expect(m.used).toBeGreaterThan(0);
  });
});

describe('conversion', () => {
  test('a member that is no integer', () => {
    const { m, set } = newSet(ENC_INTSET);
    for (const text of ['1', '-2', '9223372036854775807', '9007199254740993', 'x'])
      expect(set.add(sliceOf(text))).toBe(true);
    expect(set.encoding).toBe(ENC_HASHTABLE);
    expect(members(set).sort()).toEqual(['-2', '1', '9007199254740993', '9223372036854775807', 'x']);
    expect(set.has(sliceOf('9007199254740993'))).toBe(true);
    expect(set.has(sliceOf('9007199254740992'))).toBe(false);
    expect(setHas(m, m.seed, set.encoding, set.root, sliceOf('x'))).toBe(true);
    set.verify();
  });

  test('one integer more than the limit', () => {
    const { set } = newSet(ENC_INTSET);
    for (let i = 0; i < 512; i++) set.add(sliceOf(String(i)));
    expect(set.encoding).toBe(ENC_INTSET);
    set.add(sliceOf('5'));
    expect(set.encoding).toBe(ENC_INTSET);
    set.add(sliceOf('512'));
    expect(set.encoding).toBe(ENC_HASHTABLE);
    expect(set.length).toBe(513);
    set.verify();
  });
});

test('scan visits every member', () => {
  const { m, set } = newSet(ENC_HASHTABLE);
  for (let i = 0; i < 200; i++) set.add(sliceOf(`m${i}`));
  const seen = new Set<string>();
  let cursor = 0;
  do cursor = set.scan(cursor, (e) => seen.add(setEntryMember(m, e, set.member).latin1()));
  while (cursor !== 0);
  expect(seen.size).toBe(200);
  expect(set.dict).toBe(set.root);
});

test('a large set is released in slices', () => {
  const { m, slot, set } = newSet(ENC_HASHTABLE);
  for (let i = 0; i < 1000; i++) set.add(sliceOf(`member:${i}`));
  let slices = 1;
  while (!setFreeSome(m, slot.encoding, slot.root, 64)) slices++;
  expect(slices).toBeGreaterThan(10);
  expect(m.used).toBe(0);
});

test.each(ENCODINGS)('a frozen view shows a set that was an %s as it was', (_, encoding) => {
  const limits = new SetLimits();
  limits.intsetEntries = 400;
  const { m, slot, set } = newSet(encoding, limits);
  for (let i = 0; i < 300; i++) set.add(sliceOf(String(i * 1000)));
  const root = slot.root;
  const before = members(set).sort();
  const view = new FrozenView(m);
  const frozen = new FrozenMemory(view.image);
  for (let i = 0; i < 300; i += 3) set.remove(sliceOf(String(i * 1000)));
  for (let i = 0; i < 900; i++) set.add(sliceOf(`member ${i}`));
  const seen: string[] = [];
  const cursor = new SetCursor(frozen).reset(frozen, encoding, root);
  while (cursor.next()) seen.push(cursor.member.latin1());
  expect(seen.sort()).toEqual(before);
  for (let i = 0; i < 301; i++) expect(setHas(frozen, m.seed, encoding, root, sliceOf(String(i * 1000)))).toBe(i < 300);
  view.close();
  set.verify();
  expect(set.length).toBe(1100);
});

/** Short ones and long ones, integers, and some that begin or end alike. */
function someMember(random: SeededRandom, kinds: number): string {
  const n = random.below(700);
  const kind = random.below(kinds);
  if (kind === 0) return String(n - 300);
  if (kind === 1) return n < 20 ? 'x'.repeat(n) : `member:${n}`;
  if (kind === 2) return `${n}${'and so on '.repeat(12 + (n % 3))}`;
  return `${String.fromCharCode(n & 255)}${n % 5}`;
}

test.each([1, 2, 3, 4])('members of one set are looked up in others, and added to them, seed %i', (seed) => {
  const random = new SeededRandom(seed);
  const m = createMemory();
  for (let round = 0; round < 40; round++) {
    // Of integers alone, or of all kinds; left at any step of a rehash.
    const sets = [1, 2, 3].map(() => {
      const set = new SetValue(m, new SetLimits()).bind(new LooseSlot(m, setNew(m), ENC_INTSET));
      const kinds = random.below(3) === 0 ? 1 : 4;
      const model = new Set<string>();
      for (let count = random.below(2) === 0 ? random.below(9) : random.below(600); count > 0; count--)
        model.add(someMember(random, kinds));
      for (const member of model) set.add(sliceOf(member));
      return { set, model };
    });
    const [one, other, into] = sets;
    const common: string[] = [];
    const lookup = other.set.lookup();
    const cursor = one.set.cursor();
    while (cursor.step()) if (lookup.has(cursor)) common.push(cursor.show().latin1());
    expect(common.sort()).toEqual([...one.model].filter((member) => other.model.has(member)).sort());
    for (const { set, model } of [one, other]) {
      into.set.room = random.below(2000);
      const walk = set.cursor();
      while (walk.step()) {
        const text = walk.show().latin1();
        expect(into.set.addAt(walk)).toBe(!into.model.has(text));
        into.model.add(text);
      }
      expect(model.size).toBe(set.length);
    }
    into.set.fit();
    for (const { set, model } of sets) {
      set.verify();
      expect(members(set).sort()).toEqual([...model].sort());
      setFree(m, set.encoding, set.root);
    }
  }
  expect(m.used).toBe(0);
});

test('a dict that was made for many more members is made to fit', () => {
  const { m, set } = newSet(ENC_INTSET);
  set.room = 10_000;
  for (let i = 0; i < 100; i++) set.add(sliceOf(`member:${i}`));
  const before = m.used;
  set.fit();
  expect(before - m.used).toBeGreaterThan(60_000);
  set.verify();
  expect(set.length).toBe(100);
});
