import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { createMemory } from '../../../src/memory/create.ts';
import {
  IdCursor,
  idtBytes,
  idtFind,
  idtFreeSome,
  idtInsert,
  idtNew,
  idtRemove,
  idtSize,
  idtSpot,
  idtVerify,
} from '../../../src/structures/idtree.ts';
import { idtRadixNodes } from '../../../src/structures/idtree-radix.ts';
import { StreamId } from '../../../src/structures/stream-id.ts';
import { STEPS } from '../../support/long.ts';

const MASK = (1n << 64n) - 1n;

function idOf(value: bigint): StreamId {
  const ms = value >> 64n;
  const seq = value & MASK;
  const word = (n: bigint): number => Number(n & 0xffffffffn);
  return new StreamId().set(word(ms >> 32n), word(ms), word(seq >> 32n), word(seq));
}

function numberOf(id: StreamId): bigint {
  const words = [id.msHigh, id.msLow, id.seqHigh, id.seqLow].map(BigInt);
  return words.reduce((sum, word) => (sum << 32n) | word, 0n);
}

class Pair {
  readonly memory = createMemory();
  readonly start = this.memory.used;
  readonly tree = idtNew(this.memory, 2);
  readonly model = new Map<bigint, number>();
  readonly random: SeededRandom;
  private readonly crowd: number;
  private top = 1_000_000n << 64n;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.crowd = [30, 500, 100_000][seed % 3];
  }

  some(): bigint {
    const { random } = this;
    const kind = random.below(10);
    if (kind === 0) return BigInt(random.below(3)) * (((1n << 128n) - 1n) >> 1n);
    if (kind < 5) return (BigInt(random.below(this.crowd)) << 64n) | BigInt(random.below(3));
    return ((1_700_000_000_000n + BigInt(random.below(this.crowd))) << 64n) | BigInt(random.below(2));
  }

  step(mood: number): void {
    const { memory, tree, model, random } = this;
    const kind = random.below(100);
    if (kind < mood) {
      const value = random.below(2) === 0 ? this.some() : (this.top += BigInt(1 + random.below(99)) << 60n);
      expect(idtInsert(memory, tree, idOf(value))).toBe(!model.has(value));
      const mark = random.bits32();
      memory.setU32(idtSpot.node, idtSpot.at + 16, mark);
      memory.setU32(idtSpot.node, idtSpot.at + 20, mark ^ 0x55);
      model.set(value, mark);
    } else if (kind < 85) {
      const keys = [...model.keys()];
      const value = keys.length > 0 && random.below(8) > 0 ? keys[random.below(keys.length)] : this.some();
      expect(idtRemove(memory, tree, idOf(value))).toBe(model.delete(value));
    } else this.look(this.some());
  }

  look(value: bigint): void {
    const { memory, tree, model } = this;
    const id = idOf(value);
    expect(idtFind(memory, tree, id)).toBe(model.has(value));
    const keys = [...model.keys()].sort((a, b) => (a < b ? -1 : 1));
    const cursor = new IdCursor(memory).seekFrom(memory, tree, id);
    const from = keys.find((key) => key >= value);
    expect(cursor.more ? numberOf(cursor.id(new StreamId())) : undefined).toBe(from);
    const upTo = keys.findLast((key) => key <= value);
    cursor.seekUpTo(memory, tree, id);
    expect(cursor.more ? numberOf(cursor.id(new StreamId())) : undefined).toBe(upTo);
  }

  check(): void {
    const { memory, tree, model } = this;
    idtVerify(memory, tree);
    expect(idtSize(memory, tree)).toBe(model.size);
    const keys = [...model.keys()].sort((a, b) => (a < b ? -1 : 1));
    const cursor = new IdCursor(memory);
    const id = new StreamId();
    const forwards: bigint[] = [];
    for (cursor.first(memory, tree); cursor.more; cursor.next()) {
      forwards.push(numberOf(cursor.id(id)));
      expect(cursor.word(0)).toBe(model.get(numberOf(id)));
      expect(cursor.word(1)).toBe(((model.get(numberOf(id)) ?? 0) ^ 0x55) >>> 0);
    }
    expect(forwards).toEqual(keys);
    const backwards: bigint[] = [];
    for (cursor.last(memory, tree); cursor.more; cursor.prev()) backwards.push(numberOf(cursor.id(id)));
    expect(backwards.reverse()).toEqual(keys);
  }
}

describe('against a model', () => {
  test.each([1, 2, 3, 4, 5, 6])(`${STEPS} random steps, seed %i`, (seed) => {
    const pair = new Pair(seed);
    for (let i = 0; i < STEPS; i++) {
      pair.step(Math.floor(i / 1000) % 3 === 2 ? 15 : 60);
      if (i % 100 === 0) idtVerify(pair.memory, pair.tree);
      if (i % 1000 === 0) pair.check();
    }
    pair.check();
    for (const value of pair.model.keys()) expect(idtRemove(pair.memory, pair.tree, idOf(value))).toBe(true);
    idtVerify(pair.memory, pair.tree);
    expect(idtSize(pair.memory, pair.tree)).toBe(0);
    expect(idtFreeSome(pair.memory, pair.tree, 1)).toBe(true);
    expect(pair.memory.used).toBe(pair.start);
  });
});

test('a hundred thousand in order take little more than their records', () => {
  const m = createMemory();
  const tree = idtNew(m, 1);
  const before = m.used;
  const id = new StreamId();
  for (let i = 0; i < 100_000; i++) {
    idtInsert(m, tree, id.from(1_700_000_000_000 + i, 0));
    m.setU32(idtSpot.node, idtSpot.at + 16, i);
  }
  idtVerify(m, tree);
  expect(idtBytes(m, tree)).toBeLessThan(100_000 * 21.5);
  expect(m.used - before).toBeLessThan(100_000 * 24);
  const seen: number[] = [];
  let rounds = 0;
  while (!idtFreeSome(m, tree, 1000, (node, at) => seen.push(m.u32(node, at + 16)))) rounds++;
  expect(rounds).toBeGreaterThan(90);
  expect(seen).toEqual(Array.from({ length: 100_000 }, (_, i) => i));
});

test('IDs step over the edges of their words', () => {
  for (const value of [0n, 0xffffffffn, MASK, MASK << 32n, (1n << 96n) - 1n, (1n << 128n) - 1n]) {
    const id = idOf(value);
    expect(id.increment()).toBe(value < (1n << 128n) - 1n);
    if (value < (1n << 128n) - 1n) {
      expect(numberOf(id)).toBe(value + 1n);
      expect(id.decrement()).toBe(true);
    }
    expect(numberOf(id)).toBe(value);
    expect(id.text).toBe(`${value >> 64n}-${value & MASK}`);
    const text = new Uint8Array(64);
    expect(Buffer.from(text.subarray(0, id.writeText(text, 0))).toString()).toBe(id.text);
  }
  expect(new StreamId().decrement()).toBe(false);
});

test('nodes of a radix tree are reckoned', () => {
  const m = createMemory();
  const tree = idtNew(m, 1);
  const nodes = (...ids: [number, number][]): number => {
    for (const [ms, seq] of ids) idtInsert(m, tree, new StreamId().from(ms, seq));
    return idtRadixNodes(m, tree);
  };
  expect(nodes()).toBe(1);
  expect(nodes([1, 0])).toBe(2);
  expect(nodes([1, 1])).toBe(4);
  expect(nodes([2, 0])).toBe(8);
});
