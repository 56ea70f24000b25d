import { describe, expect, test } from 'vitest';
import { compareBytes, sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { hashBytes } from '../../../src/structures/hash.ts';
import { ENC_LISTPACK, ENC_SKIPLIST, type Encoding } from '../../../src/values/entry.ts';
import { LooseSlot } from '../../../src/values/value.ts';
import {
  ADD_IF_ABSENT,
  ADD_IF_GREATER,
  ADD_IF_LESS,
  ADD_IF_PRESENT,
  ADD_INCREMENT,
  ZSET_ADDED,
  ZSET_HELD_BACK,
  ZSET_NAN,
  ZSET_SAME,
  ZSET_UPDATED,
  ZsetLimits,
  ZsetValue,
  zsetFreeSome,
  zsetNew,
} from '../../../src/values/zset.ts';
import { ZsetBuilder } from '../../../src/values/zset-builder.ts';
import { LexRange, parseLexBound, ScoreRange } from '../../../src/values/zset-range.ts';

function fresh(encoding: Encoding, limits = new ZsetLimits()) {
  const memory = createMemory();
  const before = memory.used;
  const slot = new LooseSlot(memory, zsetNew(memory, encoding), encoding);
  const zset = new ZsetValue(memory, limits).bind(slot);
  return { memory, before, slot, zset, limits };
}

function rows(zset: ZsetValue, rank = 0, reverse = false): [string, number][] {
  const found: [string, number][] = [];
  for (const cursor = zset.cursor(rank, reverse); cursor.next(); ) found.push([cursor.member.latin1(), cursor.score]);
  return found;
}

function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ODD = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0.1, 1e300, 2 ** 60, -(2 ** 62), 5e18, 1e17, 3.5e-9];

/** Random steps on an accessor and on a map, compared after each. */
function wander(seed: number, limits: ZsetLimits): void {
  const roll = dice(seed);
  const { memory, before, slot, zset } = fresh(ENC_LISTPACK, limits);
  const model = new Map<string, number>();
  const sorted = () => [...model].sort((a, b) => a[1] - b[1] || compareBytes(sliceOf(a[0]), sliceOf(b[0])));
  for (let step = 0; step < 10_000; step++) {
    const member = roll(3) ? `${roll(300)}` : `${'x'.repeat(roll(70))}${roll(4)}`;
    const kind = roll(100);
    if (kind < 50) {
      const score = roll(12) ? roll(40) - 20 : ODD[roll(ODD.length)];
      expect(zset.add(sliceOf(member), score)).toBe(
        model.has(member) ? (model.get(member) === score ? ZSET_SAME : ZSET_UPDATED) : ZSET_ADDED,
      );
      model.set(member, score);
    } else if (kind < 92) {
      expect(zset.remove(sliceOf(member))).toBe(model.delete(member));
    } else if (kind < 94) {
      const from = roll(model.size + 1);
      const to = Math.min(model.size, from + roll(8));
      for (const [gone] of sorted().slice(from, to)) model.delete(gone);
      zset.removeRanks(from, to);
    } else if (kind < 95) zset.settle(Math.max(0, ...[...model.keys()].map((m) => m.length)));
    else look(zset, sorted(), member, roll);
    if (step % 16 === 0) zset.verify();
    if (step % 64 === 0) expect(rows(zset)).toEqual(sorted());
  }
  while (!zsetFreeSome(memory, slot.encoding, slot.root, 9));
  expect(memory.used).toBe(before);
}

function look(zset: ZsetValue, model: [string, number][], member: string, roll: (below: number) => number): void {
  const at = model.findIndex((row) => row[0] === member);
  expect(zset.rank(sliceOf(member), false)).toBe(at);
  expect(zset.rank(sliceOf(member), true)).toBe(at < 0 ? -1 : model.length - 1 - at);
  expect(zset.score(sliceOf(member))).toBe(at < 0 ? Number.NaN : model[at][1]);
  const range = Object.assign(new ScoreRange(), {
    min: roll(40) - 20,
    max: roll(40) - 20,
    minExclusive: roll(2) === 0,
    maxExclusive: roll(2) === 0,
  });
  zset.findScores(range);
  const inside = model.filter(
    ([, s]) =>
      (range.minExclusive ? s > range.min : s >= range.min) && (range.maxExclusive ? s < range.max : s <= range.max),
  );
  expect(zset.to - zset.from).toBe(inside.length);
  if (inside.length > 0) expect(rows(zset, zset.from).slice(0, inside.length)).toEqual(inside);
  const rank = roll(model.length + 1);
  expect(rows(zset, rank, true)).toEqual(model.slice(0, model.length - rank).reverse());
}

describe('a sorted set against a map', () => {
  test('within small limits', () => {
    wander(1, Object.assign(new ZsetLimits(), { listpackEntries: 40, listpackValue: 60 }));
  });
  test('within large limits', () => {
    wander(2, Object.assign(new ZsetLimits(), { listpackEntries: 1000, listpackValue: 1000 }));
  });
  test('never a listpack', () => {
    wander(3, Object.assign(new ZsetLimits(), { listpackEntries: 0 }));
  });
});

/** Rows with scores and members that come up more than once, in runs that ascend. */
function runs(roll: (below: number) => number): [string, number][] {
  const run = () => {
    const scores = Array.from({ length: 1 + roll(60) }, () => (roll(9) ? roll(40) - 20 : ODD[roll(ODD.length)]));
    return scores.sort((a, b) => a - b).map((score): [string, number] => [`m${roll(200)}`, score]);
  };
  return Array.from({ length: roll(7) }, run).flat();
}

describe.each([1, 2, 3])('a set that is made at once, seed %i', (seed) => {
  const roll = dice(seed);
  const byOrder = (a: [string, number], b: [string, number]) =>
    a[1] - b[1] || compareBytes(sliceOf(a[0]), sliceOf(b[0]));

  test.each([0, 50, 1000])('of members that are merged, up to %i in a listpack', (listpackEntries) => {
    for (let round = 0; round < 40; round++) {
      const { memory, before, slot, zset, limits } = fresh(ENC_SKIPLIST);
      limits.listpackEntries = listpackEntries;
      const builder = new ZsetBuilder(slot, limits);
      const model = new Map<string, number>();
      builder.expect(roll(2) * 100);
      for (const [member, score] of runs(roll)) {
        const sought = { member: sliceOf(member), hash: hashBytes(memory.seed, sliceOf(member)) };
        builder.merge(sought, score, (known, other) => Math.min(known, other));
        model.set(member, Math.min(model.get(member) ?? score, score));
      }
      expect(builder.length).toBe(model.size);
      builder.finish();
      expect(slot.encoding).toBe(model.size <= listpackEntries ? ENC_LISTPACK : ENC_SKIPLIST);
      zset.verify();
      expect(rows(zset)).toEqual([...model].sort(byOrder));
      while (!zsetFreeSome(memory, slot.encoding, slot.root, 9));
      expect(memory.used).toBe(before);
    }
  });

  test('of members that differ, to be shown or to stay', () => {
    for (let round = 0; round < 40; round++) {
      const { memory, before, slot, zset, limits } = fresh(ENC_SKIPLIST);
      limits.listpackEntries = 10;
      const builder = new ZsetBuilder(slot, limits);
      const added = [...new Map(runs(roll))];
      for (const [member, score] of added) builder.add(sliceOf(member), score);
      added.sort(byOrder);
      if (roll(2)) {
        builder.finish();
        zset.verify();
        expect(rows(zset)).toEqual(added);
        expect(rows(zset, 0, true)).toEqual(added.toReversed());
      } else {
        const shown: [string, number][] = [];
        for (const cursor = builder.sorted(); cursor.next(); ) shown.push([cursor.member.latin1(), cursor.score]);
        expect(shown).toEqual(added);
      }
      while (!zsetFreeSome(memory, slot.encoding, slot.root, 9));
      expect(memory.used).toBe(before);
    }
  });
});

test('a member that a damaged listpack held twice comes into a skip list once', () => {
  const { slot, zset, limits } = fresh(ENC_SKIPLIST);
  limits.listpackEntries = 1;
  const builder = new ZsetBuilder(slot, limits);
  for (const score of [1, 2, 2]) builder.add(sliceOf('twice'), score);
  builder.finish();
  zset.verify();
  expect(rows(zset)).toEqual([['twice', 1]]);
});

for (const encoding of [ENC_LISTPACK, ENC_SKIPLIST] as const) {
  const name = encoding === ENC_LISTPACK ? 'listpack' : 'skiplist';

  test(`conditions of add (${name})`, () => {
    const { zset } = fresh(encoding);
    const a = sliceOf('a');
    expect(zset.add(a, 1, ADD_IF_PRESENT)).toBe(ZSET_HELD_BACK);
    expect(zset.add(a, 1, ADD_IF_ABSENT)).toBe(ZSET_ADDED);
    expect(zset.add(a, 2, ADD_IF_ABSENT)).toBe(ZSET_HELD_BACK);
    expect(zset.add(a, 1, ADD_IF_GREATER)).toBe(ZSET_HELD_BACK);
    expect(zset.add(a, 3, ADD_IF_GREATER)).toBe(ZSET_UPDATED);
    expect(zset.add(a, 3, ADD_IF_LESS)).toBe(ZSET_HELD_BACK);
    expect(zset.add(a, -1, ADD_IF_LESS | ADD_INCREMENT)).toBe(ZSET_UPDATED);
    expect(zset.newScore).toBe(2);
    expect(zset.add(a, Number.POSITIVE_INFINITY)).toBe(ZSET_UPDATED);
    expect(zset.add(a, Number.NEGATIVE_INFINITY, ADD_INCREMENT)).toBe(ZSET_NAN);
    expect(zset.score(a)).toBe(Number.POSITIVE_INFINITY);
  });

  test(`ranges by member (${name})`, () => {
    const { zset } = fresh(encoding);
    for (const member of ['alpha', 'bar', 'cool', 'down', 'elephant', 'foo', 'great', 'hill', 'omega'])
      zset.add(sliceOf(member), 0);
    const range = new LexRange();
    const count = (min: string, max: string, reverse: boolean) => {
      range.minKind = parseLexBound(sliceOf(min), range.min);
      range.maxKind = parseLexBound(sliceOf(max), range.max);
      zset.findMembers(range, reverse);
      return `${zset.from}-${zset.to}`;
    };
    for (const reverse of [false, true]) {
      expect(count('-', '[cool', reverse)).toBe('0-3');
      expect(count('[bar', '[down', reverse)).toBe('1-4');
      expect(count('(bar', '(down', reverse)).toBe('2-3');
      expect(count('[g', '+', reverse)).toBe('6-9');
      expect(count('+', '-', reverse)).toBe('0-0');
      expect(count('(bar', '[bar', reverse)).toBe('0-0');
      expect(count('[z', '+', reverse)).toMatch(/^(0-0|9-9)$/);
    }
    expect(parseLexBound(sliceOf('foo'), range.min)).toBe(-1);
    expect(parseLexBound(sliceOf(''), range.min)).toBe(-1);
  });
}
