import { describe, expect, test } from 'vitest';
import { compareBytes, Slice, sliceOf } from '../../../src/base/slice.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import {
  slBeginCut,
  slByRank,
  slCountToMember,
  slCountToScore,
  slCut,
  slFirst,
  slFreeSome,
  slInsert,
  slLast,
  slLength,
  slMember,
  slNew,
  slNext,
  slPrev,
  slRank,
  slRemove,
  slScore,
  slUpdate,
  slVerify,
} from '../../../src/structures/skiplist.ts';
import { STEPS } from '../../support/long.ts';

interface Row {
  member: string;
  score: number;
  node: Addr;
}

function order(a: Row, b: Row): number {
  return a.score - b.score || compareBytes(sliceOf(a.member), sliceOf(b.member));
}

/** mulberry32: small, seeded, good enough to choose steps. */
function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const SCORES = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 1e300, -1e-300, 0.5];

class Pair {
  readonly memory = createMemory();
  readonly start = this.memory.used;
  sl = slNew(this.memory);
  rows: Row[] = [];
  readonly roll: (below: number) => number;

  constructor(seed: number) {
    this.roll = dice(seed);
  }

  score(): number {
    return this.roll(10) === 0 ? SCORES[this.roll(SCORES.length)] : this.roll(50) - 25;
  }

  step(): void {
    const { memory, roll, rows } = this;
    const kind = roll(100);
    if (kind < 45) this.insert();
    else if (rows.length === 0) return;
    else if (kind < 65) {
      const [row] = rows.splice(roll(rows.length), 1);
      slRemove(memory, this.sl, row.node);
      memory.release(row.node);
    } else if (kind < 85) {
      const row = rows[roll(rows.length)];
      row.score = roll(2) === 0 ? row.score + (roll(3) - 1) / 8 : this.score();
      slUpdate(memory, this.sl, row.node, row.score);
    } else if (kind < 86) this.cut();
    else this.look();
    rows.sort(order);
  }

  insert(): void {
    const member = 'm'.repeat(this.roll(3)) + this.roll(2000);
    if (this.rows.some((row) => row.member === member)) return;
    const score = this.score();
    this.rows.push({ member, score, node: slInsert(this.memory, this.sl, score, sliceOf(member)) });
  }

  cut(): void {
    const from = this.roll(this.rows.length);
    const gone = this.rows.splice(from, this.roll(20));
    slBeginCut(this.memory, this.sl, from);
    for (const row of gone) {
      expect(slCut(this.memory, this.sl)).toBe(row.node);
      this.memory.release(row.node);
    }
  }

  look(): void {
    const { memory, sl, rows } = this;
    const at = this.roll(rows.length);
    const row = rows[at];
    expect(slRank(memory, sl, row.node)).toBe(at);
    expect(slByRank(memory, sl, at)).toBe(row.node);
    expect(slByRank(memory, sl, rows.length)).toBe(0);
    const score = this.score();
    expect(slCountToScore(memory, sl, score, false)).toBe(rows.filter((r) => r.score < score).length);
    expect(slCountToScore(memory, sl, score, true)).toBe(rows.filter((r) => r.score <= score).length);
  }

  check(): void {
    const { memory, sl, rows } = this;
    slVerify(memory, sl);
    expect(slLength(memory, sl)).toBe(rows.length);
    const slice = new Slice();
    let node = slFirst(memory, sl);
    for (const row of rows) {
      expect(node).toBe(row.node);
      if (slScore(memory, node) !== row.score) throw new Error(`score of ${row.member}`);
      if (slMember(memory, node, slice).latin1() !== row.member) throw new Error(`member ${row.member}`);
      node = slNext(memory, node);
    }
    expect(node).toBe(0);
    if (rows.length > 1) expect(slPrev(memory, slLast(memory, sl))).toBe(rows[rows.length - 2].node);
  }
}

describe('skiplist against a sorted array', () => {
  for (const seed of [1, 2, 3]) {
    test(`${STEPS} random steps of seed ${seed}`, () => {
      const pair = new Pair(seed);
      for (let i = 0; i < STEPS; i++) {
        pair.step();
        slVerifyEvery(pair, i);
      }
      pair.check();
      while (!slFreeSome(pair.memory, pair.sl, 7));
      expect(pair.memory.used).toBe(pair.start);
    });
  }
});

/** The invariants after each step while the list is short, and the whole comparison now and then. */
function slVerifyEvery(pair: Pair, step: number): void {
  if (step % 200 === 0) pair.check();
  else if (pair.rows.length < 60 || step % 10 === 0) slVerify(pair.memory, pair.sl);
}

test('counts by member where all scores are equal', () => {
  const memory = createMemory();
  const sl = slNew(memory);
  const members = ['', 'a', 'aa', 'b', '\xff', '\xff\x00', '\xff\xff'];
  for (const member of [...members].reverse()) slInsert(memory, sl, 0, sliceOf(member));
  slVerify(memory, sl);
  members.forEach((member, i) => {
    expect(slCountToMember(memory, sl, sliceOf(member), false)).toBe(i);
    expect(slCountToMember(memory, sl, sliceOf(member), true)).toBe(i + 1);
  });
  expect(slCountToMember(memory, sl, sliceOf('ab'), false)).toBe(3);
});

test('towers thin out by about four a level', () => {
  const memory = createMemory();
  const sl = slNew(memory);
  const node = slInsert(memory, sl, 0, sliceOf('first'));
  expect(slRank(memory, sl, node)).toBe(0);
  let cells = 0;
  for (let i = 1; i < 20_000; i++) {
    const fresh = slInsert(memory, sl, i, sliceOf(`member ${i}`));
    cells += memory.u8(fresh, 5);
  }
  expect(cells / 20_000).toBeGreaterThan(1.3);
  expect(cells / 20_000).toBeLessThan(1.37);
  slVerify(memory, sl);
});
