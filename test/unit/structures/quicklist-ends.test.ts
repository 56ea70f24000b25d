import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import type { Memory, Reader } from '../../../src/memory/memory.ts';
import { VerifiedMemory } from '../../../src/memory/verified.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import {
  QL_PLAIN_FROM,
  qlCopy,
  qlDebugText,
  qlDropHead,
  qlDropTail,
  qlFootprint,
  qlFree,
  qlHead,
  qlInsert,
  qlNew,
  qlPeek,
  qlPushHead,
  qlPushTail,
  qlRelocate,
  qlTail,
  qlVerify,
} from '../../../src/structures/quicklist.ts';
import { QuicklistCursor } from '../../../src/structures/quicklist-cursor.ts';
import { nodeBytes, nodeData, nodeGap, nodeNext } from '../../../src/structures/quicklist-node.ts';
import { STEPS } from '../../support/long.ts';

const cursor = new QuicklistCursor();
const out = new Slice();

function contents(r: Reader, ql: Addr): string[] {
  const all: string[] = [];
  for (cursor.reset(r, ql, 0); cursor.more; cursor.next()) all.push(cursor.bytes(out).latin1());
  return all;
}

/** Bytes of the nodes, from the head. */
function nodes(m: Memory, ql: Addr): number[] {
  const all: number[] = [];
  for (let n = qlHead(m, ql); n !== NULL; n = nodeNext(m, n)) all.push(nodeBytes(m, n));
  return all;
}

function push(m: Memory, ql: Addr, text: string, atHead: boolean): void {
  if (atHead) qlPushHead(m, ql, sliceOf(text), QL_PLAIN_FROM);
  else qlPushTail(m, ql, sliceOf(text), QL_PLAIN_FROM);
}

/** A list that is worked on at its ends, and an array of the same. */
class Ends {
  readonly m: Memory;
  readonly ql: Addr;
  readonly model: string[] = [];
  private readonly random: SeededRandom;
  /** Blocks of nobody between the list's. */
  private readonly others: Addr[] = [];

  constructor(random: SeededRandom, fill: number, depth: number) {
    this.random = random;
    this.m = createMemory();
    this.ql = qlNew(this.m, fill, depth);
  }

  private text(): string {
    const { random } = this;
    const kind = random.below(12);
    if (kind === 0) return String(random.below(1e9));
    return 'x'.repeat(kind === 1 ? random.below(700) : random.below(20));
  }

  push(atHead: boolean): void {
    const { m, ql, model, random } = this;
    let value = sliceOf(this.text());
    // What lies in the list itself may be about to move.
    if (model.length > 0 && random.below(3) === 0) value = qlPeek(m, ql, random.below(2) === 0, out);
    const text = value.latin1();
    if (atHead) qlPushHead(m, ql, value, QL_PLAIN_FROM);
    else qlPushTail(m, ql, value, QL_PLAIN_FROM);
    if (atHead) model.unshift(text);
    else model.push(text);
    expect(qlPeek(m, ql, atHead, out).latin1()).toBe(text);
  }

  drop(atHead: boolean): void {
    if (this.model.length === 0) return;
    if (atHead) qlDropHead(this.m, this.ql);
    else qlDropTail(this.m, this.ql);
    if (atHead) this.model.shift();
    else this.model.pop();
  }

  /** In the middle, where the listpack has to begin with its block. */
  insert(): void {
    if (this.model.length === 0) return;
    const at = this.random.below(this.model.length);
    const text = this.text();
    cursor.reset(this.m, this.ql, at);
    qlInsert(this.m, this.ql, cursor.node, cursor.position, false, sliceOf(text), QL_PLAIN_FROM);
    this.model.splice(at, 0, text);
  }

  /** Some steps of one kind: a queue either way, a stack at either end, pushes at both, pops at both. */
  phase(): void {
    const { random } = this;
    const [pushAt, dropAt, pushes] = [random.below(3), random.below(3), random.below(5)];
    const side = (which: number): boolean => (which === 2 ? random.below(2) === 0 : which === 0);
    for (let steps = random.below(200); steps > 0; steps--)
      if (random.below(4) < pushes) this.push(side(pushAt));
      else this.drop(side(dropAt));
    if (random.below(4) === 0) this.insert();
  }

  /** What the list takes from now on lies apart from what it has. */
  scatter(): void {
    const { m, ql } = this;
    for (let n = qlHead(m, ql); n !== NULL; n = nodeNext(m, n))
      for (let i = 0; i < 100; i++) this.others.push(m.allocate(m.sizeOf(n)), m.allocate(m.sizeOf(nodeData(m, n))));
  }

  /** Takes the list's blocks out of sparse slabs, as active defragmentation does. */
  relocate(): void {
    const { m, ql } = this;
    for (const a of this.others.splice(0)) m.release(a);
    for (const _ of m.allocator.beginLeaving());
    let at = 0;
    do at = qlRelocate(m, ql, at, 2);
    while (at !== 0);
    for (const _ of m.allocator.endLeaving());
  }

  check(): void {
    const { m, ql, model } = this;
    qlVerify(m, ql);
    m.allocator.verify();
    expect(contents(m, ql)).toEqual(model);
  }
}

describe('random work at both ends, beside an array', () => {
  const shapes: [fill: number, depth: number][] = [
    [40, 0],
    [-1, 0],
    [20, 0],
    [-1, 1],
    [8, 2],
  ];
  test.each(shapes)('fill %i, depth %i', (fill, depth) => {
    const seed = 40 + fill * 10 + depth;
    const random = new SeededRandom(seed);
    let moves = 0;
    for (let lists = 0; lists < 5; lists++) {
      const ends = new Ends(random, fill, depth);
      const { m, ql } = ends;
      const before = m.used - qlFootprint(m, ql);
      for (let phase = 0; phase < STEPS / 100; phase++) {
        ends.phase();
        ends.check();
        if (random.below(2) === 0) ends.scatter();
        if (random.below(4) === 0) {
          ends.relocate();
          expect(qlFootprint(m, ql), `seed ${seed}`).toBe(m.used - before);
        }
      }
      ends.relocate();
      const copy = qlCopy(m, ql);
      expect(contents(m, copy)).toEqual(ends.model);
      qlFree(m, copy);
      ends.check();
      qlFree(m, ql);
      expect(m.used).toBe(before);
      moves += m.moves;
    }
    expect(moves).toBeGreaterThan(0);
  });
});

test('nodes are as full at the head as they are at the tail', () => {
  const m = createMemory();
  for (const fill of [-1, -2, 10]) {
    const [front, back] = [qlNew(m, fill, 0), qlNew(m, fill, 0)];
    for (let i = 0; i < 5000; i++) {
      push(m, front, `element ${i}`, true);
      push(m, back, `element ${i}`, false);
    }
    expect(contents(m, front)).toEqual(contents(m, back).reverse());
    expect(nodes(m, front)).toEqual(nodes(m, back).reverse());
    expect(qlDebugText(m, front)).toBe(qlDebugText(m, back));
    expect(qlFootprint(m, front)).toBeLessThan(qlFootprint(m, back) * 1.05);
    qlFree(m, front);
    qlFree(m, back);
  }
});

test('a queue of any length moves little, whichever way it goes', () => {
  const moved = { bytes: 0 };
  class Watched extends VerifiedMemory {
    override writeBytes(a: Addr, off: number, source: Uint8Array, start: number, length: number): void {
      moved.bytes += length;
      super.writeBytes(a, off, source, start, length);
    }
  }
  const value = 'x'.repeat(8);
  for (const toHead of [true, false])
    for (let length = 1; length < 800; length += 37) {
      const m = new Watched();
      const ql = qlNew(m, -2, 0);
      for (let i = 0; i < length; i++) push(m, ql, value, toHead);
      moved.bytes = 0;
      for (let i = 0; i < 1000; i++) {
        push(m, ql, value, toHead);
        if (toHead) qlDropTail(m, ql);
        else qlDropHead(m, ql);
      }
      // An entry takes 10 bytes; what is moved for it may be sixteen times as much, and a block may be exchanged beyond that.
      expect(moved.bytes / 1000, `${length} elements`).toBeLessThan(10 + 2 * 160);
      qlVerify(m, ql);
    }
});

test('a frozen view is read as it was while gaps open and close', () => {
  const seed = 77;
  const random = new SeededRandom(seed);
  for (let round = 0; round < 20; round++) {
    const ends = new Ends(random, -1, round & 1);
    const { m, ql } = ends;
    for (let i = 0; i < 5; i++) ends.phase();
    const then = [...ends.model];
    const view = new FrozenView(m);
    const frozen = new FrozenMemory(view.image);
    for (let i = 0; i < 3; i++) ends.phase();
    expect(contents(frozen, ql), `seed ${seed}`).toEqual(then);
    frozen.close();
    view.close();
    ends.check();
  }
});

test('without memory a push changes nothing, and a pop goes on', () => {
  const m = new VerifiedMemory();
  const ql = qlNew(m, -2, 0);
  const model: string[] = [];
  const fill = (): void => {
    for (let i = 0; i < 300; i++) {
      push(m, ql, `element ${i}`, true);
      model.unshift(`element ${i}`);
    }
  };
  fill();
  m.refuse = () => true;
  let refused = 0;
  for (let i = 0; i < 200; i++)
    for (const atHead of [true, false])
      try {
        push(m, ql, 'more', atHead);
        if (atHead) model.unshift('more');
        else model.push('more');
      } catch {
        refused++;
      }
  expect(refused).toBeGreaterThan(0);
  expect(contents(m, ql)).toEqual(model);
  for (let i = 0; i < 250; i++) {
    qlDropHead(m, ql);
    model.shift();
  }
  qlVerify(m, ql);
  expect(contents(m, ql)).toEqual(model);
  m.refuse = () => false;
  fill();
  expect(contents(m, ql)).toEqual(model);
  expect(nodeGap(m, qlTail(m, ql))).toBeGreaterThan(0);
  qlVerify(m, ql);
  m.verifyBlocks();
});
