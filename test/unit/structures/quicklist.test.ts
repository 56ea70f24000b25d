import { describe, expect, test } from 'vitest';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import type { Memory } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { lpAppend, lpBytes, lpNew } from '../../../src/structures/listpack.ts';
import {
  QL_PLAIN_FROM,
  qlAppendListpack,
  qlCopy,
  qlDebugText,
  qlDeleteAt,
  qlDeleteRange,
  qlDropHead,
  qlDropTail,
  qlFootprint,
  qlFree,
  qlFreeSome,
  qlInsert,
  qlLength,
  qlNew,
  qlNodes,
  qlPeek,
  qlPushHead,
  qlPushTail,
  qlRemove,
  qlReplace,
  qlVerify,
} from '../../../src/structures/quicklist.ts';
import { QuicklistCursor } from '../../../src/structures/quicklist-cursor.ts';
import { STEPS } from '../../support/long.ts';

const out = new Slice();
const cursor = new QuicklistCursor();

function dice(seed: number): (n: number) => number {
  let state = seed >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
}

function contents(m: Memory, ql: Addr, backwards = false): string[] {
  const all: string[] = [];
  for (cursor.reset(m, ql, backwards ? -1 : 0, backwards); cursor.more; cursor.next())
    all.push(cursor.bytes(out).latin1());
  return backwards ? all.reverse() : all;
}

function build(m: Memory, values: string[], fill = -2, depth = 0, plainFrom = QL_PLAIN_FROM): Addr {
  const ql = qlNew(m, fill, depth);
  for (const value of values) qlPushTail(m, ql, sliceOf(value), plainFrom);
  return ql;
}

const numbered = (n: number): string[] => Array.from({ length: n }, (_, i) => `element ${i}`);

describe('shape', () => {
  test('fill by bytes', () => {
    const m = createMemory();
    for (const [fill, bytes] of [
      [-1, 4096],
      [-2, 8192],
      [-5, 65536],
      [-9, 65536],
    ]) {
      const ql = build(m, numbered(8000), fill);
      qlVerify(m, ql);
      const total = Number(/uncompressed_size:(\d+)/.exec(qlDebugText(m, ql))![1]);
      const fewest = Math.ceil(total / bytes);
      expect(qlNodes(m, ql)).toBeGreaterThanOrEqual(fewest);
      expect(qlNodes(m, ql)).toBeLessThanOrEqual(fewest + 1);
      qlFree(m, ql);
    }
  });

  test('fill by count', () => {
    const m = createMemory();
    for (const [fill, nodes] of [
      [1, 100],
      [0, 100],
      [3, 34],
      [128, 1],
    ]) {
      const ql = build(m, numbered(100), fill);
      qlVerify(m, ql);
      expect(qlNodes(m, ql)).toBe(nodes);
      qlFree(m, ql);
    }
  });

  test('DEBUG OBJECT figures', () => {
    const m = createMemory();
    const ql = build(m, ['a', 'b', 'c'], 2, 1);
    expect(qlDebugText(m, ql)).toBe(
      ' ql_nodes:2 ql_avg_node:1.50 ql_listpack_max:2 ql_compressed:1 ql_uncompressed_size:23',
    );
  });

  test('pushing at the head leaves nodes as full as pushing at the tail, near enough', () => {
    const m = createMemory();
    const ql = qlNew(m, -2, 0);
    for (let i = 0; i < 20_000; i++) qlPushHead(m, ql, sliceOf('xxx'), QL_PLAIN_FROM);
    qlVerify(m, ql);
    expect(qlNodes(m, ql)).toBeLessThan(16);
    for (let i = 0; i < 20_000; i++) qlDropHead(m, ql);
    qlVerify(m, ql);
    expect(qlNodes(m, ql)).toBe(0);
  });

  test('everything is given back', () => {
    const m = createMemory();
    const before = m.used;
    const ql = build(m, numbered(3000), -1, 2);
    expect(qlFootprint(m, ql)).toBe(m.used - before);
    expect(Math.abs(qlFootprint(m, ql, 3) / qlFootprint(m, ql) - 1)).toBeLessThan(3);
    const copy = qlCopy(m, ql);
    qlVerify(m, copy);
    expect(contents(m, copy)).toEqual(numbered(3000));
    qlFree(m, ql);
    let rest = copy;
    for (let i = 0; rest !== NULL; i++) {
      expect(i).toBeLessThan(100);
      rest = qlFreeSome(m, rest, 3);
    }
    expect(m.used).toBe(before);
  });

  test('listpacks out of a file become nodes', () => {
    const m = createMemory();
    const ql = qlNew(m, -2, 1);
    let lp = lpNew(m);
    qlAppendListpack(m, ql, new Slice(m.borrow(out, lp, 0, lpBytes(m, lp)).copy()));
    expect(qlNodes(m, ql)).toBe(0);
    lp = lpAppend(m, lp, sliceOf('x'.repeat(100)));
    const bytes = m.borrow(out, lp, 0, lpBytes(m, lp)).copy();
    for (let i = 0; i < 5; i++) qlAppendListpack(m, ql, new Slice(bytes));
    qlVerify(m, ql);
    expect(contents(m, ql)).toEqual(Array(5).fill('x'.repeat(100)));
  });
});

/** A naive list beside a quicklist, with the same random steps done to both. */
class Pair {
  readonly m = createMemory();
  readonly before = this.m.used;
  readonly model: string[] = [];
  readonly roll: (n: number) => number;
  readonly plainFrom: number;
  readonly most: number;
  ql: Addr;

  constructor(seed: number, fill: number, depth: number, plainFrom: number, most: number) {
    this.roll = dice(seed * 7919 + 13);
    this.plainFrom = plainFrom;
    this.most = most;
    this.ql = qlNew(this.m, fill, depth);
  }

  value(): string {
    const { roll } = this;
    switch (roll(6)) {
      case 0:
        return String(roll(100000) - 50000);
      case 1:
        return 'ab'.repeat(roll(150));
      case 2:
        return roll(40) === 0 ? String.fromCharCode(97 + roll(26)).repeat(roll(9000)) : `w${roll(50)}`;
      default:
        return `v${roll(8)}`;
    }
  }

  step(): void {
    const { m, ql, model, roll } = this;
    const kind = model.length === 0 ? roll(2) : model.length > this.most ? 2 + roll(7) : roll(20);
    const at = roll(Math.max(1, model.length));
    switch (kind) {
      case 2:
        qlDropHead(m, ql);
        model.shift();
        break;
      case 3:
        qlDropTail(m, ql);
        model.pop();
        break;
      case 4:
        this.range(roll(20) === 0 ? roll(model.length) : roll(5), at);
        break;
      case 5:
        this.remove();
        break;
      case 6:
        this.deleteAt(at);
        break;
      case 7:
        this.walk(at);
        break;
      case 8:
      case 9:
        this.replace(at);
        break;
      case 10:
      case 11:
      case 12:
      case 13:
        this.insert(at);
        break;
      default:
        this.push(kind % 2 === 0);
        break;
    }
  }

  private push(head: boolean): void {
    const text = this.value();
    if (head) {
      qlPushHead(this.m, this.ql, sliceOf(text), this.plainFrom);
      this.model.unshift(text);
      expect(qlPeek(this.m, this.ql, true, out).latin1()).toBe(text);
    } else {
      qlPushTail(this.m, this.ql, sliceOf(text), this.plainFrom);
      this.model.push(text);
      expect(qlPeek(this.m, this.ql, false, out).latin1()).toBe(text);
    }
  }

  private insert(at: number): void {
    const text = this.value();
    const after = this.roll(2) === 0;
    cursor.reset(this.m, this.ql, this.roll(2) ? at : at - this.model.length);
    qlInsert(this.m, this.ql, cursor.node, cursor.position, after, sliceOf(text), this.plainFrom);
    this.model.splice(after ? at + 1 : at, 0, text);
  }

  private replace(at: number): void {
    const text = this.value();
    cursor.reset(this.m, this.ql, at);
    expect(cursor.bytes(out).latin1()).toBe(this.model[at]);
    qlReplace(this.m, this.ql, cursor.node, cursor.position, sliceOf(text), this.plainFrom);
    this.model[at] = text;
  }

  private deleteAt(at: number): void {
    cursor.reset(this.m, this.ql, at);
    qlDeleteAt(this.m, this.ql, cursor.node, cursor.position);
    this.model.splice(at, 1);
  }

  private range(count: number, at: number): void {
    qlDeleteRange(this.m, this.ql, at, count);
    this.model.splice(at, count);
  }

  private remove(): void {
    const { model, roll } = this;
    const text = this.value();
    const limit = roll(3) === 0 ? Number.POSITIVE_INFINITY : 1 + roll(4);
    const backwards = roll(2) === 0;
    const removed = qlRemove(this.m, this.ql, sliceOf(text), limit, backwards);
    let expected = 0;
    while (expected < limit) {
      const index = backwards ? model.lastIndexOf(text) : model.indexOf(text);
      if (index < 0) break;
      model.splice(index, 1);
      expected++;
    }
    expect(removed).toBe(expected);
  }

  private walk(at: number): void {
    const { model, roll } = this;
    const backwards = roll(2) === 0;
    const wanted = sliceOf(this.value());
    cursor.aim(wanted);
    cursor.reset(this.m, this.ql, at, backwards);
    for (let i = at, left = 10; left > 0 && i >= 0 && i < model.length; i += backwards ? -1 : 1, left--) {
      if (!cursor.more) throw new Error('the walk ended early');
      if (cursor.bytes(out).latin1() !== model[i]) throw new Error(`element ${i} differs`);
      if (cursor.hit(wanted) !== (model[i] === wanted.latin1())) throw new Error(`element ${i} compares wrongly`);
      cursor.next();
    }
  }

  check(whole: boolean): void {
    qlVerify(this.m, this.ql);
    if (qlLength(this.m, this.ql) !== this.model.length) throw new Error('the lengths differ');
    if (!whole) return;
    expect(contents(this.m, this.ql)).toEqual(this.model);
    expect(contents(this.m, this.ql, true)).toEqual(this.model);
  }
}

test('a frozen view is walked as it was', () => {
  for (const depth of [0, 1]) {
    const m = createMemory();
    const values = numbered(3000).map((text, i) => (i % 100 === 0 ? 'x'.repeat(300) : i % 3 ? text : String(i)));
    const ql = build(m, values, -1, depth, 200);
    const view = new FrozenView(m);
    const frozen = new FrozenMemory(view.image);
    for (let i = 0; i < 500; i++) {
      qlDropHead(m, ql);
      qlPushTail(m, ql, sliceOf(`new ${i}`), 200);
    }
    qlRemove(m, ql, sliceOf('element 700'), 1, false);
    qlDeleteRange(m, ql, 100, 1000);
    const seen: string[] = [];
    for (cursor.reset(frozen, ql, 0); cursor.more; cursor.next()) seen.push(cursor.bytes(out).latin1());
    expect(seen).toEqual(values);
    const back: string[] = [];
    for (cursor.reset(frozen, ql, -1, true); cursor.more; cursor.next()) back.unshift(cursor.bytes(out).latin1());
    expect(back).toEqual(values);
    frozen.close();
    view.close();
    qlVerify(m, ql);
    qlFree(m, ql);
  }
});

describe(`${STEPS} random steps against an array`, () => {
  const shapes: [name: string, fill: number, depth: number, plainFrom: number, most: number][] = [
    ['fill -2', -2, 0, QL_PLAIN_FROM, 600],
    ['fill -1, all ends busy', -1, 0, 5000, 300],
    ['fill 4', 4, 0, QL_PLAIN_FROM, 80],
    ['fill 1, depth 1', 1, 1, 200, 30],
    ['fill 5, depth 1', 5, 1, QL_PLAIN_FROM, 80],
    ['fill 8, depth 2, plain from 100', 8, 2, 100, 100],
    ['fill -1, depth 3', -1, 3, QL_PLAIN_FROM, 500],
    ['fill 0, depth 40', 0, 40, 150, 90],
  ];
  for (const [index, [name, fill, depth, plainFrom, most]] of shapes.entries())
    test(name, () => {
      const pair = new Pair(index + 1, fill, depth, plainFrom, most);
      for (let i = 0; i < STEPS; i++) {
        pair.step();
        pair.check(i % 64 === 0);
      }
      qlFree(pair.m, pair.ql);
      expect(pair.m.used).toBe(pair.before);
    });
});
