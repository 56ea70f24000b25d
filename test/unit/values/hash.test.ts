import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { ENC_HASHTABLE, ENC_LISTPACK, type Encoding } from '../../../src/values/entry.ts';
import {
  HashCursor,
  HashLimits,
  HashValue,
  hashEntryField,
  hashEntryValue,
  hashFreeSome,
  hashNew,
} from '../../../src/values/hash.ts';
import { LooseSlot } from '../../../src/values/value.ts';
import { STEPS } from '../../support/long.ts';

function newHash(encoding: Encoding, limits = new HashLimits()): { m: Memory; slot: LooseSlot; hash: HashValue } {
  const m = createMemory();
  const slot = new LooseSlot(m, hashNew(m, encoding), encoding);
  return { m, slot, hash: new HashValue(m, limits).bind(slot) };
}

const shown = new Slice();
const get = (hash: HashValue, field: string): string | undefined =>
  hash.get(sliceOf(field), shown) ? shown.latin1() : undefined;

function pairs(cursor: HashCursor): Map<string, string> {
  const all = new Map<string, string>();
  while (cursor.next()) all.set(cursor.field.latin1(), cursor.value.latin1());
  return all;
}

const ENCODINGS = [
  ['listpack', ENC_LISTPACK],
  ['hashtable', ENC_HASHTABLE],
] as const;

/** Lengths on both sides of what lies in an entry and what hangs off it. */
const LENGTHS = [0, 1, 5, 20, 60, 200, 254, 255, 256, 300, 5000];

describe.each(ENCODINGS)('%s', (_, encoding) => {
  test.each([1, 2])(`${STEPS} random steps against a model, seed %i`, (seed) => {
    const random = new SeededRandom(seed);
    const limits = new HashLimits();
    limits.listpackEntries = 10_000;
    limits.listpackValue = 10_000;
    const { m, slot, hash } = newHash(encoding, limits);
    const model = new Map<string, string>();
    for (let step = 0; step < STEPS; step++) {
      const field = random.below(3) === 0 ? String(random.below(30)) : `field:${random.below(40)}`;
      if (random.below(10) < (Math.floor(step / 1500) % 2 ? 6 : 3)) {
        expect(hash.remove(sliceOf(field))).toBe(model.delete(field));
      } else {
        const length = LENGTHS[random.below(encoding === ENC_LISTPACK ? 5 : LENGTHS.length)];
        const value = random.below(2) === 0 ? String(step) : String.fromCharCode(97 + (step % 26)).repeat(length);
        expect(hash.put(sliceOf(field), sliceOf(value))).toBe(!model.has(field));
        model.set(field, value);
      }
      expect(hash.length).toBe(model.size);
      expect(get(hash, field)).toBe(model.get(field));
      expect(hash.has(sliceOf(field))).toBe(model.has(field));
      if (step % 10 === 0) hash.verify();
    }
    expect(hash.encoding).toBe(encoding);
    expect(pairs(hash.cursor())).toEqual(model);
    expect(pairs(new HashCursor(m).reset(m, slot.encoding, slot.root))).toEqual(model);
    hashFreeSome(m, slot.encoding, slot.root, Number.POSITIVE_INFINITY);
    expect(m.used).toBe(0);
  });

  test('picks fields with their values', () => {
    const { hash } = newHash(encoding);
    for (let i = 0; i < 40; i++) hash.put(sliceOf(`f${i}`), sliceOf(`v${i}`));
    const random = new SeededRandom(3);
    for (const count of [1, 5, 39]) {
      const seen = new Set<string>();
      for (let round = 0; round < 400; round++) {
        const out: number[] = [];
        hash.pick(count, random, out);
        expect(new Set(out).size).toBe(count);
        for (const handle of out) {
          hash.show(handle);
          expect(hash.value.latin1()).toBe(hash.field.latin1().replace('f', 'v'));
          seen.add(hash.field.latin1());
        }
      }
      expect(seen.size).toBe(40);
    }
    const out: number[] = [];
    hash.pickAny(1000, random, out);
    expect(out.length).toBe(1000);
    expect(new Set(out).size).toBe(40);
    hash.random(random);
    expect(hash.value.latin1()).toBe(hash.field.latin1().replace('f', 'v'));
  });
});

describe('conversion', () => {
  test.each([
    ['a long field', 'f'.repeat(65), 'v'],
    ['a long value', 'f', 'v'.repeat(65)],
  ])('%s', (_, field, value) => {
    const { hash } = newHash(ENC_LISTPACK);
    hash.put(sliceOf('f'.repeat(64)), sliceOf('v'.repeat(64)));
    hash.put(sliceOf('int'), sliceOf('-12'));
    expect(hash.encoding).toBe(ENC_LISTPACK);
    hash.put(sliceOf(field), sliceOf(value));
    expect(hash.encoding).toBe(ENC_HASHTABLE);
    expect(get(hash, 'int')).toBe('-12');
    expect(get(hash, field)).toBe(value);
    expect(hash.length).toBe(3);
    hash.verify();
  });

  test('one field more than the limit', () => {
    const { hash } = newHash(ENC_LISTPACK);
    for (let i = 0; i < 512; i++) hash.put(sliceOf(`f${i}`), sliceOf(`${i}`));
    hash.put(sliceOf('f5'), sliceOf('x'));
    expect(hash.encoding).toBe(ENC_LISTPACK);
    hash.put(sliceOf('more'), sliceOf('x'));
    expect(hash.encoding).toBe(ENC_HASHTABLE);
    expect(hash.length).toBe(513);
    hash.verify();
  });
});

test('values cross from in place to hanging and back', () => {
  const { m, slot, hash } = newHash(ENC_HASHTABLE);
  for (const length of [3, 300, 3, 255, 256, 255, 70_000, 69_000, 10, 0]) {
    hash.put(sliceOf('field'), sliceOf('z'.repeat(length)));
    expect(get(hash, 'field')).toBe('z'.repeat(length));
    hash.verify();
  }
  hashFreeSome(m, slot.encoding, slot.root, Number.POSITIVE_INFINITY);
  expect(m.used).toBe(0);
});

test('scan visits every field', () => {
  const { m, hash } = newHash(ENC_HASHTABLE);
  for (let i = 0; i < 200; i++) hash.put(sliceOf(`f${i}`), sliceOf(`v${i}`));
  const seen = new Map<string, string>();
  let cursor = 0;
  do
    cursor = hash.scan(cursor, (e) => {
      seen.set(hashEntryField(m, e, shown).latin1(), hashEntryValue(m, e, new Slice()).latin1());
    });
  while (cursor !== 0);
  expect(seen.size).toBe(200);
  expect(seen.get('f7')).toBe('v7');
});

test('a large hash is released in slices', () => {
  const { m, slot, hash } = newHash(ENC_HASHTABLE);
  for (let i = 0; i < 1000; i++) hash.put(sliceOf(`field:${i}`), sliceOf('v'.repeat(i)));
  let slices = 1;
  while (!hashFreeSome(m, slot.encoding, slot.root, 64)) slices++;
  expect(slices).toBeGreaterThan(10);
  expect(m.used).toBe(0);
});

test.each(ENCODINGS)('a frozen view shows a hash that was a %s as it was', (_, encoding) => {
  const { m, slot, hash } = newHash(encoding);
  for (let i = 0; i < 300; i++)
    hash.put(sliceOf(`field:${i}`), sliceOf(encoding === ENC_LISTPACK || i % 2 ? String(i) : 'v'.repeat(i + 100)));
  const root = slot.root;
  const before = pairs(hash.cursor());
  const view = new FrozenView(m);
  const frozen = new FrozenMemory(view.image);
  for (let i = 0; i < 300; i += 3) hash.remove(sliceOf(`field:${i}`));
  for (let i = 0; i < 600; i++) hash.put(sliceOf(`field:${i}`), sliceOf('new'.repeat(i)));
  expect(pairs(new HashCursor(frozen).reset(frozen, encoding, root))).toEqual(before);
  view.close();
  hash.verify();
  expect(hash.length).toBe(600);
});
