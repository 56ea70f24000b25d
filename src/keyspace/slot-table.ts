/**
 * The table of all keys of a node of a cluster: a dict a slot, so that the keys of a slot are counted at once, found one by
 * one and given away together.
 *
 *   root block ── directory (64 KiB): u32 x 16384 ── [slot] ──> head of its dict (dict-table.ts), which is always there,
 *                                                              with a table of at least 4 buckets
 *
 * A key pays what it does in one dict: a dict of its slot's keys is as full, on average, as one of all. Heads and smallest
 * tables are there from the start (832 KiB), so that few keys don't pay for them.
 *
 * Which slots have keys, and how many, is in `sizes` as well; which dicts are being resized in `resizing`; of the others
 * `tables` has table and mask, so that a look-up finds its bucket at one step. Dicts that could not be shrunk at once, as
 * one that is being resized or that a view is open over, are in `wide`: nobody goes over all slots to find them. SCAN's
 * cursor is that of the slot's dict, times SLOTS, plus the slot: slots follow one another, and no key changes its own.
 *
 * Invariants (verify): a dict holds keys of its slot only; `sizes` has the size of each; a dict that is being resized is in
 * `resizing`, and has no table in `tables`; one that is too large and at rest is in `wide`; the directory names the heads
 * that `heads` does.
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  DictCursor,
  dictBuckets,
  dictBytes,
  dictExpand,
  dictFairRandom,
  dictFind,
  dictFindIn,
  dictFree,
  dictHolds,
  dictInsert,
  dictIsResizing,
  dictIsTooLarge,
  dictMask,
  dictMoved,
  dictMoveTables,
  dictNew,
  dictRandom,
  dictRehash,
  dictRehashFor,
  dictRelink,
  dictRelocate,
  dictRemoveEntry,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
  dictSome,
  dictsStats,
  dictTable,
  dictVerify,
  entryKey,
} from '../structures/dict.ts';
import { type Detached, DetachedDict, type EntryCursor, type Table } from './key-table.ts';
import { SLOTS, slotOf } from './slot.ts';
import { SlotSizes } from './slot-sizes.ts';

const MIN_BUCKETS = 4;
/** Dicts that `shrinkMore` looks at in one call. */
const SHRUNK_AT_ONCE = 128;
/** Keys that are fetched together. */
const WARMED = 32;
/** Buckets that are moved in one step: some tens of microseconds, for which their keys are found at one step until the next. */
const GROWN_AT_ONCE = 256;
/** Dicts that are moved along between two looks at the clock. */
const REHASHED_AT_ONCE = 16;

/** Goes over the dicts that a directory names, slot by slot. */
export class SlotCursor implements EntryCursor {
  private readonly reader: Reader;
  private readonly directory: Addr;
  private readonly dict: DictCursor;
  private slot = -1;

  constructor(reader: Reader, directory: Addr) {
    this.reader = reader;
    this.directory = directory;
    this.dict = new DictCursor(reader);
  }

  next(): Addr {
    let e = this.slot < 0 ? NULL : this.dict.next();
    while (e === NULL && ++this.slot < SLOTS) {
      const head = this.reader.addr(this.directory, this.slot << 2);
      if (dictSize(this.reader, head) > 0) e = this.dict.reset(this.reader, head).next();
    }
    return e;
  }
}

/** Entries of the dicts that a directory names. */
export function directorySize(r: Reader, directory: Addr): number {
  let sum = 0;
  for (let slot = 0; slot < SLOTS; slot++) sum += dictSize(r, r.addr(directory, slot << 2));
  return sum;
}

/** Dicts that have been given away together. */
class DetachedDicts implements Detached {
  readonly size: number;
  private readonly dicts: DetachedDict[];

  constructor(dicts: DetachedDict[]) {
    this.dicts = dicts;
    this.size = dicts.reduce((sum, { size }) => sum + size, 0);
  }

  drain(budget: number, release: (entry: Addr) => void): boolean {
    const { dicts } = this;
    let left = budget;
    while (left > 0 && dicts.length > 0) {
      const dict = dicts[dicts.length - 1];
      if (!dict.drain(left, release)) return false;
      // A few of them may cost more than was left.
      left -= dict.size + MIN_BUCKETS;
      dicts.pop();
    }
    return dicts.length === 0;
  }
}

export class SlotTable implements Table {
  readonly head: Addr;
  private readonly memory: Memory;
  private readonly heads = new Int32Array(SLOTS);
  /** Of each slot: the table of its dict, NULL while that is being resized, and its mask. */
  private readonly tables = new Int32Array(2 * SLOTS);
  private readonly sizes = new SlotSizes();
  private readonly resizing = new Set<number>();
  private readonly scratch = new Slice();
  private readonly part: Addr[] = [];
  private readonly warmed = new Int32Array(WARMED);
  /** The slot in which a key is looked for first: what is found there need not have its slot worked out. */
  expected = 0;
  /** Where something was last removed. */
  private removedFrom = 0;
  private readonly wide = new Set<number>();

  constructor(memory: Memory) {
    this.memory = memory;
    this.head = memory.allocateZeroed(SLOTS * 4);
    for (let slot = 0; slot < SLOTS; slot++) this.begin(slot);
  }

  /** Gives a slot a dict, with its smallest table; nothing has changed where that can't be had. */
  private begin(slot: number): void {
    const { memory } = this;
    const dict = dictNew(memory);
    try {
      dictExpand(memory, dict, MIN_BUCKETS);
    } catch (error) {
      dictFree(memory, dict);
      throw error;
    }
    this.heads[slot] = dict;
    memory.setU32(this.head, slot << 2, dict);
    this.follow(slot);
  }

  /** The dict of a slot may have begun or ended to be resized, or its table may have moved. */
  private follow(slot: number): void {
    const { memory, tables } = this;
    const dict = this.dictOf(slot);
    const resized = dictIsResizing(memory, dict);
    if (resized) this.resizing.add(slot);
    else if (tables[2 * slot] === NULL) this.resizing.delete(slot);
    tables[2 * slot] = resized ? NULL : dictTable(memory, dict, 0);
    tables[2 * slot + 1] = dictMask(memory, dict, 0);
  }

  private dictOf(slot: number): Addr {
    return this.heads[slot] as Addr;
  }

  private slotOfEntry(entry: Addr): number {
    return slotOf(entryKey(this.memory, entry, this.scratch));
  }

  get size(): number {
    return this.sizes.total;
  }

  get buckets(): number {
    let sum = 0;
    for (let slot = 0; slot < SLOTS; slot++) sum += dictBuckets(this.memory, this.dictOf(slot));
    return sum;
  }

  get bytes(): number {
    let sum = SLOTS * 4;
    for (let slot = 0; slot < SLOTS; slot++) sum += dictBytes(this.memory, this.dictOf(slot));
    return sum;
  }

  /** Keys of a slot. */
  count(slot: number): number {
    return dictSize(this.memory, this.dictOf(slot));
  }

  /** A cursor over the keys of a slot. */
  cursorOf(slot: number): EntryCursor {
    return new DictCursor(this.memory).reset(this.memory, this.dictOf(slot));
  }

  find(key: Slice, hash: number): Addr {
    const { expected } = this;
    const e = this.findIn(expected, key, hash);
    if (e !== NULL) return e;
    const slot = slotOf(key);
    return slot === expected ? NULL : this.findIn(slot, key, hash);
  }

  private findIn(slot: number, key: Slice, hash: number): Addr {
    const { tables } = this;
    const table = tables[2 * slot] as Addr;
    if (table !== NULL) return dictFindIn(this.memory, table, tables[2 * slot + 1], key, hash);
    const e = dictFind(this.memory, this.dictOf(slot), key, hash);
    this.follow(slot);
    return e;
  }

  holds(e: Addr, hash: number, slot: number): boolean {
    return dictHolds(this.memory, this.dictOf(slot), e, hash);
  }

  /** Where a key lies, its hash alone does not say. */
  warm(hashes: Int32Array, count: number, places: Int32Array | null): void {
    if (places === null) return;
    const { memory, tables, warmed } = this;
    const most = Math.min(count, WARMED);
    let known = 0;
    for (let i = 0; i < most; i++) {
      const table = tables[2 * places[i]] as Addr;
      if (table !== NULL) warmed[known++] = memory.addr(table, (hashes[i] & tables[2 * places[i] + 1]) << 2);
    }
    memory.warm(warmed, known);
  }

  insert(key: Slice, entry: Addr, hash: number): void {
    const { memory, tables } = this;
    const slot = slotOf(key);
    const dict = this.dictOf(slot);
    dictInsert(memory, dict, entry, hash);
    this.sizes.add(slot, 1);
    if (tables[2 * slot] === NULL || dictIsResizing(memory, dict)) this.grow(slot, dict);
  }

  /** What is small moves to its larger table at once, unless a view would have to preserve all of it. */
  private grow(slot: number, dict: Addr): void {
    const { memory } = this;
    if (!memory.frozen && dictMask(memory, dict, 0) < GROWN_AT_ONCE) dictRehash(memory, dict, GROWN_AT_ONCE);
    this.follow(slot);
  }

  remove(entry: Addr, hash: number): void {
    const slot = this.slotOfEntry(entry);
    dictRemoveEntry(this.memory, this.dictOf(slot), entry, hash);
    this.sizes.add(slot, -1);
    this.follow(slot);
    this.removedFrom = slot;
  }

  relink(key: Slice, old: Addr, fresh: Addr, hash: number): void {
    dictRelink(this.memory, this.dictOf(slotOf(key)), old, fresh, hash);
  }

  moved(old: Addr, fresh: Addr, hash: number): void {
    dictMoved(this.memory, this.dictOf(this.slotOfEntry(fresh)), old, fresh, hash);
  }

  // Size.

  /** How its keys will lie in the slots nobody knows. */
  expand(): void {}

  shrinkIfNeeded(): void {
    this.shrink(this.removedFrom);
  }

  shrinkMore(): void {
    const { wide } = this;
    let left = Math.min(wide.size, SHRUNK_AT_ONCE);
    for (const slot of wide) {
      if (left-- === 0) break;
      // What must wait longer goes to the end.
      wide.delete(slot);
      this.shrink(slot);
    }
  }

  private shrink(slot: number): void {
    const { memory } = this;
    const dict = this.dictOf(slot);
    dictShrinkIfNeeded(memory, dict);
    this.follow(slot);
    if (dictIsResizing(memory, dict) || dictIsTooLarge(memory, dict)) this.wide.add(slot);
  }

  rehashFor(late: () => boolean): boolean {
    const { memory, resizing } = this;
    let done = 0;
    for (const slot of resizing) {
      if (dictRehashFor(memory, this.dictOf(slot), late)) return true;
      this.follow(slot);
      if (++done % REHASHED_AT_ONCE === 0 && late()) break;
    }
    return resizing.size > 0;
  }

  free(): void {
    for (let slot = 0; slot < SLOTS; slot++) dictFree(this.memory, this.dictOf(slot));
    this.memory.release(this.head);
  }

  detach(): Detached {
    const dicts: DetachedDict[] = [];
    for (let slot = this.sizes.filledFrom(0); slot < SLOTS; slot = this.sizes.filledFrom(slot + 1))
      dicts.push(this.detachSlot(slot));
    return new DetachedDicts(dicts);
  }

  /** Gives the keys of a slot away. */
  detachSlot(slot: number): DetachedDict {
    const detached = new DetachedDict(this.memory, this.dictOf(slot));
    this.begin(slot);
    this.sizes.add(slot, -detached.size);
    return detached;
  }

  // Ways through it.

  cursor(): EntryCursor {
    return new SlotCursor(this.memory, this.head);
  }

  scan(cursor: number, visit: (entry: Addr) => void): number {
    return this.go(cursor, (slot, inner) => dictScan(this.memory, this.dictOf(slot), inner, visit));
  }

  relocate(cursor: number, moved: (entry: Addr) => Addr): number {
    return this.go(cursor, (slot, inner) => {
      const dict = this.dictOf(slot);
      if (inner === 0) dictMoveTables(this.memory, dict);
      this.follow(slot);
      return dictRelocate(this.memory, dict, inner, moved);
    });
  }

  /** Lets `step` go on in the slot at which the cursor stands, by the cursor of its dict. */
  private go(cursor: number, step: (slot: number, inner: number) => number): number {
    const slot = this.sizes.filledFrom(cursor % SLOTS);
    if (slot === SLOTS) return 0;
    // Where the slot has lost all its keys, the next one is begun with.
    const inner = slot === cursor % SLOTS ? Math.floor(cursor / SLOTS) : 0;
    const next = step(slot, inner);
    if (next !== 0) return next * SLOTS + slot;
    const following = this.sizes.filledFrom(slot + 1);
    return following === SLOTS ? 0 : following;
  }

  /** A slot, the more likely the more keys it has. */
  private draw(random: Random): Addr {
    return this.dictOf(this.sizes.at(random.below(this.sizes.total)));
  }

  random(random: Random): Addr {
    return this.size === 0 ? NULL : dictFairRandom(this.memory, this.draw(random), random);
  }

  several(count: number, random: Random, out: Addr[]): number {
    if (this.size === 0) return 0;
    for (let i = 0; i < count; i++) out[i] = dictRandom(this.memory, this.draw(random), random);
    return count;
  }

  sample(count: number, random: Random, out: Addr[]): number {
    const { sizes, part } = this;
    const wanted = Math.min(count, sizes.total);
    let seen = 0;
    if (wanted === 0) return 0;
    const first = sizes.at(random.below(sizes.total));
    let slot = first;
    do {
      const found = dictSome(this.memory, this.dictOf(slot), wanted - seen, random, part);
      for (let i = 0; i < found; i++) out[seen++] = part[i];
      slot = sizes.filledFrom(slot + 1);
      if (slot === SLOTS) slot = sizes.filledFrom(0);
    } while (seen < wanted && slot !== first);
    return seen;
  }

  statistics(): string {
    return dictsStats(this.memory, Array.from(this.heads) as Addr[]);
  }

  verify(): void {
    const { memory, sizes, resizing, tables, wide } = this;
    const key = new Slice();
    for (let slot = 0; slot < SLOTS; slot++) {
      const dict = this.dictOf(slot);
      assert(memory.addr(this.head, slot << 2) === dict, 'the directory names the heads');
      assert(sizes.before(slot + 1) - sizes.before(slot) === dictSize(memory, dict), 'sizes has the size of each dict');
      const resized = dictIsResizing(memory, dict);
      assert(resizing.has(slot) === (tables[2 * slot] === NULL), 'dicts that are resized have no table here');
      assert(resizing.has(slot) || !resized, 'dicts that are resized are known');
      const known =
        tables[2 * slot] === dictTable(memory, dict, 0) && tables[2 * slot + 1] === dictMask(memory, dict, 0);
      assert(resizing.has(slot) || known, 'tables has the table of a dict that is not resized');
      assert(resized || wide.has(slot) || !dictIsTooLarge(memory, dict), 'dicts that are too large are known');
      if (dictSize(memory, dict) === 0) continue;
      dictVerify(memory, dict, memory.seed);
      const cursor = this.cursorOf(slot);
      for (let e = cursor.next(); e !== NULL; e = cursor.next())
        assert(slotOf(entryKey(memory, e, key)) === slot, 'a dict holds keys of its slot');
    }
    assert(sizes.before(SLOTS) === sizes.total, 'sizes has their sum');
  }
}
