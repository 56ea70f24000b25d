import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { OutOfMemory } from '../../../src/memory/errors.ts';
import { FrozenMemory } from '../../../src/memory/frozen.ts';
import { Memory, type Reader } from '../../../src/memory/memory.ts';
import { VerifiedMemory } from '../../../src/memory/verified.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { idtSize } from '../../../src/structures/idtree.ts';
import { StreamId } from '../../../src/structures/stream-id.ts';
import { ENC_STREAM, TYPE_STREAM } from '../../../src/values/entry.ts';
import { freeEffort } from '../../../src/values/free.ts';
import {
  StreamLimits,
  StreamValue,
  streamBytes,
  streamCopy,
  streamFree,
  streamFreeSome,
  streamNew,
} from '../../../src/values/stream.ts';
import { StreamCursor } from '../../../src/values/stream-cursor.ts';
import {
  consumerCreate,
  consumerDelete,
  consumerFind,
  consumerPending,
  groupCreate,
  groupDestroy,
  groupFind,
  groupPending,
  groupVerify,
  Pending,
} from '../../../src/values/stream-group.ts';
import { nodeIsValid } from '../../../src/values/stream-node.ts';
import { LooseSlot } from '../../../src/values/value.ts';
import { STEPS } from '../../support/long.ts';

interface Row {
  readonly id: StreamId;
  readonly words: string[];
}

function shown(r: Reader, root: number, reverse = false, start?: StreamId, end?: StreamId): string[] {
  const seen: string[] = [];
  const cursor = new StreamCursor(r);
  for (cursor.reset(r, root as never, start ?? null, end ?? null, reverse); cursor.next(); ) {
    let text = cursor.id.text;
    for (let i = 0; i < cursor.fields; i++) {
      cursor.nextField();
      text += ` ${cursor.field.latin1()}=${cursor.value.latin1()}`;
    }
    seen.push(text);
  }
  return seen;
}

function rowText({ id, words }: Row): string {
  let text = id.text;
  for (let i = 0; i < words.length; i += 2) text += ` ${words[i]}=${words[i + 1]}`;
  return text;
}

class Pair {
  readonly m = createMemory();
  readonly start = this.m.used;
  readonly limits = new StreamLimits();
  readonly slot = new LooseSlot(this.m, streamNew(this.m), ENC_STREAM);
  readonly stream = new StreamValue(this.m, this.limits).bind(this.slot);
  readonly random: SeededRandom;
  rows: Row[] = [];
  private readonly id = new StreamId();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.limits.nodeEntries = [100, 5, 0, 300][seed % 4];
    this.limits.nodeBytes = [4096, 0, 500, 100_000][seed % 4];
  }

  word(): string {
    const { random } = this;
    const kind = random.below(20);
    if (kind < 6) return String(random.below(300) - 100);
    if (kind < 8) return String(BigInt(random.below(2 ** 53)) * BigInt(random.below(1000)));
    return 'w'.repeat(kind === 19 ? random.below(300) : random.below(12)) + kind;
  }

  add(): void {
    const { random, id } = this;
    if (random.below(200) === 0)
      id.set(id.msHigh + random.below(1 << 20), random.bits32(), random.bits32(), random.bits32());
    else if (random.below(3) === 0) id.set(id.msHigh, id.msLow, id.seqHigh, id.seqLow).increment();
    else id.set(id.msHigh + (id.msLow > 4e9 ? 1 : 0), (id.msLow + random.below(1000) + 1) >>> 0, 0, random.below(3));
    if (id.compare(this.stream.lastId(new StreamId())) <= 0) return;
    const words: string[] = [];
    const pairs = random.below(4) === 0 ? 1 + random.below(5) : 2;
    for (let i = 0; i < pairs; i++) words.push(random.below(10) === 0 ? this.word() : `f${i}`, this.word());
    this.stream.append(id, [new Slice(), ...words.map(sliceOf)], 1, pairs);
    this.rows.push({ id: new StreamId().like(id), words });
  }

  remove(): void {
    const { random, rows } = this;
    const at = random.below(rows.length + 1);
    const id = at < rows.length ? rows[at].id : new StreamId().from(5, 5);
    expect(this.stream.delete(id)).toBe(at < rows.length);
    if (at < rows.length) rows.splice(at, 1);
    this.stream.refreshFirst();
  }

  trim(): void {
    const { random, rows } = this;
    const byLength = random.below(2) === 0;
    const length = Math.max(0, rows.length - random.below(30));
    const from = rows.length > 0 ? rows[random.below(Math.min(rows.length, 40))].id : new StreamId();
    const removed = this.stream.trim({ byLength, length, from, roughly: random.below(3) === 0, limit: 0 });
    const most = byLength ? rows.length - length : rows.findIndex((row) => row.id.compare(from) >= 0);
    expect(removed).toBeLessThanOrEqual(Math.max(most, 0));
    this.rows = rows.slice(removed);
  }

  look(): void {
    const { random, rows, m, slot } = this;
    const pick = (): StreamId =>
      rows.length > 0 && random.below(5) > 0
        ? rows[random.below(rows.length)].id
        : new StreamId().from(random.below(1e6), 1);
    const [a, b] = [pick(), pick()];
    const within = rows.filter((row) => row.id.compare(a) >= 0 && row.id.compare(b) <= 0).map(rowText);
    expect(shown(m, slot.root, false, a, b)).toEqual(within);
    expect(shown(m, slot.root, true, a, b)).toEqual(within.reverse());
    expect(this.stream.has(a)).toBe(rows.some((row) => row.id.equals(a)));
  }

  check(): void {
    this.stream.verify();
    expect(this.stream.length).toBe(this.rows.length);
    expect(shown(this.m, this.slot.root)).toEqual(this.rows.map(rowText));
  }
}

describe('against a model', () => {
  test.each([1, 2, 3, 4])(`${STEPS} random steps, seed %i`, (seed) => {
    const pair = new Pair(seed);
    for (let i = 0; i < STEPS; i++) {
      const kind = pair.random.below(100);
      if (kind < 70) pair.add();
      else if (kind < 85) pair.remove();
      else if (kind < 90) pair.trim();
      else if (i % 10 === 0) pair.look();
      if (i % 500 === 0) pair.check();
    }
    pair.check();
    const copy = streamCopy(pair.m, pair.slot.root);
    expect(shown(pair.m, copy)).toEqual(pair.rows.map(rowText));
    expect(streamBytes(pair.m, copy)).toBeGreaterThan(0);
    streamFree(pair.m, copy);
    while (!streamFreeSome(pair.m, pair.slot.root, 10));
    expect(pair.m.used).toBe(pair.start);
  });
});

test('a frozen view shows the instant while the live stream goes on', () => {
  const pair = new Pair(1);
  for (let i = 0; i < 500; i++) pair.add();
  const before = pair.rows.map(rowText);
  const view = new FrozenView(pair.m);
  const frozen = new FrozenMemory(view.image);
  for (let i = 0; i < 2000; i++)
    if (i % 3 === 0) pair.remove();
    else pair.add();
  expect(shown(frozen, pair.slot.root)).toEqual(before);
  frozen.close();
  view.close();
  pair.check();
});

test('groups and what is pending against a model', () => {
  const pair = new Pair(0);
  const { m, slot, random } = pair;
  const { root } = slot;
  const model = new Map<string, Map<string, [string, number]>>();
  const pending = new Pending(m);
  const id = new StreamId();
  const name = (): string => 'n' + random.below(5);
  for (let i = 0; i < 10_000; i++) {
    const kind = random.below(100);
    const group = name();
    const g = groupFind(m, root, sliceOf(group));
    expect(g !== NULL).toBe(model.has(group));
    if (g === NULL) {
      groupCreate(m, root, sliceOf(group), id.from(1, 1), -1n);
      expect(groupCreate(m, root, sliceOf(group), id, -1n)).toBe(NULL);
      model.set(group, new Map());
      continue;
    }
    const entries = model.get(group) ?? new Map<string, [string, number]>();
    const consumer = name();
    let c = consumerFind(m, g, sliceOf(consumer));
    if (c === NULL) c = consumerCreate(m, g, sliceOf(consumer), i);
    id.from(random.below(300), 0);
    if (kind < 60) {
      pending.deliver(g, id, c, i);
      entries.set(id.text, [consumer, i]);
    } else if (kind < 90) {
      const there = pending.find(g, id);
      expect(there).toBe(entries.has(id.text));
      if (there) {
        expect(pending.time).toBe(entries.get(id.text)?.[1]);
        expect(pending.consumer).toBe(consumerFind(m, g, sliceOf(entries.get(id.text)?.[0] ?? '')));
        pending.drop(g, id);
      }
      entries.delete(id.text);
    } else if (kind === 90) {
      const own = [...entries].filter(([, [owner]]) => owner === consumer);
      expect(idtSize(m, consumerPending(m, c))).toBe(own.length);
      expect(consumerDelete(m, g, c)).toBe(own.length);
      for (const [key] of own) entries.delete(key);
    } else if (kind === 91 && random.below(10) === 0) {
      expect(groupDestroy(m, root, sliceOf(group))).toBe(true);
      model.delete(group);
      continue;
    }
    expect(idtSize(m, groupPending(m, g))).toBe(entries.size);
    if (i % 100 === 0) groupVerify(m, g);
  }
  const copy = streamCopy(m, root);
  for (const group of model.keys()) {
    const g = groupFind(m, copy, sliceOf(group));
    groupVerify(m, g);
    expect(idtSize(m, groupPending(m, g))).toBe(model.get(group)?.size);
  }
  streamFree(m, copy);
  while (!streamFreeSome(m, root, 1));
  expect(m.used).toBe(pair.start);
});

test('what is pending is released by steps, whichever group and consumer it belongs to', () => {
  class CountingMemory extends Memory {
    released = 0;

    override release(a: never): void {
      this.released++;
      super.release(a);
    }
  }
  const m = new CountingMemory();
  const before = m.used;
  const root = streamNew(m);
  const pending = new Pending(m);
  const id = new StreamId();
  for (const [group, entries] of [10, 30_000, 0, 5000].entries()) {
    const g = groupCreate(m, root, sliceOf(`group ${group}`), id.from(0, 1), -1n);
    const consumers = Array.from({ length: 50 }, (_, i) => consumerCreate(m, g, sliceOf(`consumer ${i}`), i));
    for (let i = 0; i < entries; i++) pending.deliver(g, id.from(i + 1, 0), consumers[i % (i < 100 ? 50 : 2)], i);
  }
  expect(freeEffort(m, TYPE_STREAM, ENC_STREAM, root)).toBeGreaterThan(4096);
  let steps = 0;
  for (let done = false; !done; steps++) {
    const { released } = m;
    done = streamFreeSome(m, root, 256);
    expect(m.released - released).toBeLessThan(600);
  }
  expect(steps).toBeGreaterThan(100);
  expect(m.used).toBe(before);
});

test('an entry with one value of sixteen bytes takes no more than Redis takes', () => {
  const m = createMemory();
  const stream = new StreamValue(m, new StreamLimits());
  const slot = new LooseSlot(m, streamNew(m), ENC_STREAM);
  stream.bind(slot);
  const before = m.used;
  const id = new StreamId();
  const args = [sliceOf('field'), sliceOf('0123456789abcdef')];
  for (let i = 0; i < 100_000; i++) stream.append(id.from(1_700_000_000_000 + i * 3, 0), args, 0, 1);
  const each = (m.used - before) / 100_000;
  expect(each).toBeLessThan(31.4);
});

test('want of memory leaves the stream as it was', () => {
  const m = new VerifiedMemory();
  const random = new SeededRandom(5);
  const slot = new LooseSlot(m, streamNew(m), ENC_STREAM);
  const stream = new StreamValue(m, new StreamLimits()).bind(slot);
  const group = groupCreate(m, slot.root, sliceOf('g'), new StreamId(), 0n);
  const consumer = consumerCreate(m, group, sliceOf('c'), 1);
  const pending = new Pending(m);
  const id = new StreamId();
  const last = new StreamId();
  let refused = 0;
  let length = 0;
  m.refuse = () => random.below(4) === 0;
  for (let i = 1; i < 4000; i++) {
    try {
      stream.append(id.from(i, 0), [sliceOf('f'), sliceOf('v'.repeat(random.below(40)))], 0, 1);
      length++;
    } catch (error) {
      expect(error).toBeInstanceOf(OutOfMemory);
      refused++;
    }
    try {
      pending.deliver(group, id.from(random.below(2000), 0), consumer, i);
    } catch (error) {
      expect(error).toBeInstanceOf(OutOfMemory);
      refused++;
    }
    expect(stream.length).toBe(length);
    if (i % 500 === 0) stream.verify();
  }
  stream.verify();
  expect(refused).toBeGreaterThan(50);
  expect(stream.lastId(last).compare(id.from(4000, 0))).toBeLessThan(0);
});

test('bytes that are no node are refused', () => {
  const pair = new Pair(0);
  for (let i = 0; i < 20; i++) pair.add();
  const { m, stream } = pair;
  const lp = stream.cursor().lp;
  const bytes = m.borrow(new Slice(), lp, 0, m.u32(lp, 0)).copy();
  expect(nodeIsValid(new Slice(bytes), true)).toBe(true);
  let refused = 0;
  for (let i = 0; i < bytes.length; i++)
    for (const bit of [1, 2, 128]) {
      const bad = bytes.slice();
      bad[i] ^= bit;
      if (!nodeIsValid(new Slice(bad), true)) refused++;
    }
  expect(refused).toBeGreaterThan(bytes.length / 2);
  for (let length = 0; length < bytes.length; length++)
    expect(nodeIsValid(new Slice(bytes.slice(0, length)), true)).toBe(false);
});
