/**
 * The table of a database's entries under their keys: of all of them, or of those that expire.
 *
 * What a table is made of is known here and in slot-table.ts alone: one dict, or for all the keys of a node of a cluster a
 * dict a slot. A reader outside goes through a table by a cursor, by SCAN's cursor, by random picks and by samples, none of
 * which says how many dicts there are.
 */
import type { Random } from '../base/random.ts';
import type { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
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
  dictHolds,
  dictInsert,
  dictMoved,
  dictMoveTables,
  dictNew,
  dictRandoms,
  dictRehashFor,
  dictRelink,
  dictRelocate,
  dictRemoveEntry,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
  dictSome,
  dictStats,
  dictSweep,
  dictVerify,
  dictWarm,
} from '../structures/dict.ts';

/** Goes over all entries of a table, once. Whoever writes between two steps may remove the entry just returned, no other. */
export interface EntryCursor {
  /** The next entry, NULL after the last. */
  next(): Addr;
}

/** What a table shows to others than its database: ways to go through it, and figures. */
export interface KeyWalk {
  readonly size: number;
  readonly buckets: number;
  /** Bytes of headers and buckets, without the entries. */
  readonly bytes: number;
  cursor(): EntryCursor;
  /**
   * Visits the entries of one bucket and returns the cursor to go on with, 0 when all is done: an entry that is there
   * from the first call to the last is visited. The visitor changes nothing; the caller may, between calls.
   */
  scan(cursor: number, visit: (entry: Addr) => void): number;
  /** A random entry, each as likely as the others; NULL when there is none. */
  random(random: Random): Addr;
  /**
   * Writes `count` random entries, of which some may be the same, into `out` from its start and returns how many: none where
   * there is none. At the price of a look-up each or less: those that share a bucket are less likely than others.
   */
  several(count: number, random: Random, out: Addr[]): number;
  /**
   * Writes up to `count` different entries into `out` from its start and returns how many: neighbours from a random place
   * on, so cheaper and less fair than as many calls of `random`. May be fewer than asked for and than there are.
   */
  sample(count: number, random: Random, out: Addr[]): number;
  /** The text of DEBUG HTSTATS. */
  statistics(): string;
}

/** What the table of entries that expire shows besides. */
export interface SweptWalk extends KeyWalk {
  /**
   * Visits the entries of the next buckets from `bucket` on and returns the bucket to go on with, 0 after the last: every
   * entry has its turn, be it in the next round where the table is resized meanwhile. The visitor changes nothing.
   */
  sweep(bucket: number, visit: (entry: Addr) => void): number;
}

/** Entries that have been given away, with the tables that they hang in. */
export interface Detached {
  readonly size: number;
  /**
   * Hands entries to `release` until about `budget` steps (an entry or a bucket each) are spent; says whether all is gone,
   * the tables too.
   */
  drain(budget: number, release: (entry: Addr) => void): boolean;
}

/** What a table is to its database. */
export interface Table extends KeyWalk {
  /** What the root block names the table by. */
  readonly head: Addr;
  find(key: Slice, hash: number): Addr;
  /** Whether an entry of a key with this hash, in the dict `place` where there are several, lies at `e`, which may be anything. */
  holds(e: Addr, hash: number, place: number): boolean;
  /** Keys of these hashes, and in these places where they are known, are about to be looked up, one after another. */
  warm(hashes: Int32Array, count: number, places: Int32Array | null): void;
  /**
   * Links `entry`, whose key `key` is and is absent, in; throws OutOfMemory, with nothing changed, when a first table can't
   * be had.
   */
  insert(key: Slice, entry: Addr, hash: number): void;
  /** Unlinks an entry that is in the table. */
  remove(entry: Addr, hash: number): void;
  /** Begins to shrink what has become too large by the last removal. */
  shrinkIfNeeded(): void;
  /** The same for what could not be shrunk then; called again and again. */
  shrinkMore(): void;
  /** Puts `fresh` in the place of `old`, which has the same key. */
  relink(key: Slice, old: Addr, fresh: Addr, hash: number): void;
  /** The block of an entry has moved from `old`, which is gone, to `fresh`, which carries its links. */
  moved(old: Addr, fresh: Addr, hash: number): void;
  /** `scan` for moving blocks, the table's own with them: `moved` returns where the entry that it is shown is from then on. */
  relocate(cursor: number, moved: (entry: Addr) => Addr): number;
  /** Room for `size` entries without a rehash on the way. */
  expand(size: number): void;
  /** Moves a resize along until `late` says that time is up; says whether there is more to move. */
  rehashFor(late: () => boolean): boolean;
  /** Releases what the table itself takes, not the entries; it is no table any more. */
  free(): void;
  /** Gives all entries away and begins anew. */
  detach(): Detached;
  /** Throws where an invariant does not hold. */
  verify(): void;
}

/** A dict that has been given away. */
export class DetachedDict implements Detached {
  readonly size: number;
  private readonly memory: Memory;
  private readonly dict: Addr;

  constructor(memory: Memory, dict: Addr) {
    this.memory = memory;
    this.dict = dict;
    this.size = dictSize(memory, dict);
  }

  drain(budget: number, release: (entry: Addr) => void): boolean {
    return dictDrain(this.memory, this.dict, budget, release);
  }
}

export class KeyTable implements Table, SweptWalk {
  head: Addr;
  private readonly memory: Memory;
  private readonly linkAt: number;

  /** Entries have their links at `linkAt`. */
  constructor(memory: Memory, linkAt: number) {
    this.memory = memory;
    this.linkAt = linkAt;
    this.head = dictNew(memory, linkAt);
  }

  get size(): number {
    return dictSize(this.memory, this.head);
  }

  get buckets(): number {
    return dictBuckets(this.memory, this.head);
  }

  get bytes(): number {
    return dictBytes(this.memory, this.head);
  }

  find(key: Slice, hash: number): Addr {
    return dictFind(this.memory, this.head, key, hash);
  }

  holds(e: Addr, hash: number): boolean {
    return dictHolds(this.memory, this.head, e, hash);
  }

  warm(hashes: Int32Array, count: number): void {
    dictWarm(this.memory, this.head, hashes, count);
  }

  insert(_key: Slice, entry: Addr, hash: number): void {
    dictInsert(this.memory, this.head, entry, hash);
  }

  remove(entry: Addr, hash: number): void {
    dictRemoveEntry(this.memory, this.head, entry, hash);
  }

  relink(_key: Slice, old: Addr, fresh: Addr, hash: number): void {
    dictRelink(this.memory, this.head, old, fresh, hash);
  }

  moved(old: Addr, fresh: Addr, hash: number): void {
    dictMoved(this.memory, this.head, old, fresh, hash);
  }

  relocate(cursor: number, moved: (entry: Addr) => Addr): number {
    if (cursor === 0) this.moveTables();
    return dictRelocate(this.memory, this.head, cursor, moved);
  }

  expand(size: number): void {
    dictExpand(this.memory, this.head, size);
  }

  shrinkIfNeeded(): void {
    dictShrinkIfNeeded(this.memory, this.head);
  }

  shrinkMore(): void {
    dictShrinkIfNeeded(this.memory, this.head);
  }

  rehashFor(late: () => boolean): boolean {
    return dictRehashFor(this.memory, this.head, late);
  }

  /** Moves the buckets where memory wants that (Memory.moved). */
  moveTables(): void {
    dictMoveTables(this.memory, this.head);
  }

  /** Forgets all entries, which stay allocated. */
  clear(): void {
    dictClear(this.memory, this.head);
  }

  free(): void {
    dictFree(this.memory, this.head);
  }

  detach(): Detached {
    const fresh = dictNew(this.memory, this.linkAt);
    const full = this.head;
    this.head = fresh;
    return new DetachedDict(this.memory, full);
  }

  cursor(): EntryCursor {
    return new DictCursor(this.memory).reset(this.memory, this.head);
  }

  scan(cursor: number, visit: (entry: Addr) => void): number {
    return dictScan(this.memory, this.head, cursor, visit);
  }

  sweep(bucket: number, visit: (entry: Addr) => void): number {
    return dictSweep(this.memory, this.head, bucket, visit);
  }

  random(random: Random): Addr {
    return dictFairRandom(this.memory, this.head, random);
  }

  several(count: number, random: Random, out: Addr[]): number {
    return dictRandoms(this.memory, this.head, count, random, out);
  }

  sample(count: number, random: Random, out: Addr[]): number {
    return dictSome(this.memory, this.head, count, random, out);
  }

  statistics(): string {
    return dictStats(this.memory, this.head);
  }

  verify(): void {
    dictVerify(this.memory, this.head, this.memory.seed);
  }
}
