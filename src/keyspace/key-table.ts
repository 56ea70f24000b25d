/**
 * The table of a database's entries under their keys: of all of them, or of those that expire.
 *
 * What a table is made of is known here alone: one dict today, whose header is what the database's root block names. A
 * reader outside goes through a table by a cursor, by SCAN's cursor, by random picks and by samples, none of which says
 * how many dicts there are; a database of 16,384 dicts, one a slot, changes this file.
 */
import type { Random } from '../base/random.ts';
import type { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  DictCursor,
  dictBuckets,
  dictBytes,
  dictClear,
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

/** A cursor over the table that a root block names by `head`, for readers of a frozen view. */
export function tableCursor(r: Reader, head: Addr): EntryCursor {
  return new DictCursor(r).reset(r, head);
}

/** Entries of the table that a root block names by `head`. */
export function tableSize(r: Reader, head: Addr): number {
  return dictSize(r, head);
}

export class KeyTable implements KeyWalk {
  /** What the root block names the table by. */
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

  /** Whether an entry of a key with this hash lies at `e`, which may be anything. */
  holds(e: Addr, hash: number): boolean {
    return dictHolds(this.memory, this.head, e, hash);
  }

  /** Keys of these hashes are about to be looked up, one after another. */
  warm(hashes: Int32Array, count: number): void {
    dictWarm(this.memory, this.head, hashes, count);
  }

  /** Links `entry`, whose key is absent, in; throws OutOfMemory, with nothing changed, when a first table can't be had. */
  insert(entry: Addr, hash: number): void {
    dictInsert(this.memory, this.head, entry, hash);
  }

  /** Unlinks an entry that is in the table. */
  remove(entry: Addr, hash: number): void {
    dictRemoveEntry(this.memory, this.head, entry, hash);
  }

  /** Puts `fresh` (same key) in the place of `old`. */
  relink(old: Addr, fresh: Addr, hash: number): void {
    dictRelink(this.memory, this.head, old, fresh, hash);
  }

  /** The block of an entry has moved from `old`, which is gone, to `fresh`, which carries its links. */
  moved(old: Addr, fresh: Addr, hash: number): void {
    dictMoved(this.memory, this.head, old, fresh, hash);
  }

  /** Moves the buckets where memory wants that (Memory.moved). */
  moveTables(): void {
    dictMoveTables(this.memory, this.head);
  }

  /** `scan` for moving entries: `moved` returns where the block that it is shown is from then on. */
  relocate(cursor: number, moved: (entry: Addr) => Addr): number {
    return dictRelocate(this.memory, this.head, cursor, moved);
  }

  /** Room for `size` entries without a rehash on the way. */
  expand(size: number): void {
    dictExpand(this.memory, this.head, size);
  }

  shrinkIfNeeded(): void {
    dictShrinkIfNeeded(this.memory, this.head);
  }

  /** Moves a resize along until `late` says that time is up; says whether there is more to move. */
  rehashFor(late: () => boolean): boolean {
    return dictRehashFor(this.memory, this.head, late);
  }

  /** Forgets all entries, which stay allocated. */
  clear(): void {
    dictClear(this.memory, this.head);
  }

  /** Releases what the table itself takes, not the entries; it is no table any more. */
  free(): void {
    dictFree(this.memory, this.head);
  }

  /** Gives the dict with all its entries away and begins anew. */
  detach(): Addr {
    const fresh = dictNew(this.memory, this.linkAt);
    const full = this.head;
    this.head = fresh;
    return full;
  }

  cursor(): EntryCursor {
    return tableCursor(this.memory, this.head);
  }

  scan(cursor: number, visit: (entry: Addr) => void): number {
    return dictScan(this.memory, this.head, cursor, visit);
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

  /** Throws where an invariant of the dict does not hold. */
  verify(): void {
    dictVerify(this.memory, this.head, this.memory.seed);
  }
}
