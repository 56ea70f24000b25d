/**
 * One database: a table of entries, and a second one of those that expire, threaded through the same blocks.
 *
 * Its root is a block of the image, so that a frozen view finds everything from one address:
 *
 *   0  u32  keys      head of the table of all entries
 *   4  u32  expires   head of the table of entries with an expiry (linked at EXPIRY_LINK)
 *   8  u32  bySlot    1 where the table of all entries is one by hash slots (slot-table.ts), for a node of a cluster
 *
 * Invariants (verify): an entry is in `expires` if and only if it has an expiry; both tables hold the same block under a
 * key; the root names the tables' heads.
 *
 * A method that stores may give the entry a new block: it returns the address that is right from then on, and every
 * address of that entry from before is stale. Keys handed in may lie in the image only where a method says so.
 */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { DictCursor, dictSize } from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  type Encoding,
  EXPIRY_LINK,
  entryEncoding,
  entryExpiry,
  entryHasExpiry,
  entryKey,
  entryLru,
  entryType,
  entryValue,
  inlineString,
  isInline,
  newEntry,
  newInlineEntry,
  overwriteExpiry,
  overwriteInline,
  setEntryLru,
  setEntryValue,
  type ValueType,
} from '../values/entry.ts';
import { KeptKey } from './kept-key.ts';
import { type EntryCursor, KeyTable, type KeyWalk, type SweptWalk, type Table } from './key-table.ts';
import type { Reclaimer } from './reclaimer.ts';
import { slotOf } from './slot.ts';
import { directorySize, SlotCursor, SlotTable } from './slot-table.ts';

const Root = layout({ keys: 'u32', expires: 'u32', bySlot: 'u32' });

/** A cursor over all entries of the database whose root block is `root`, for readers of a frozen view. */
export function databaseCursor(r: Reader, root: Addr): EntryCursor {
  const head = r.addr(root, Root.keys);
  return r.u32(root, Root.bySlot) === 1 ? new SlotCursor(r, head) : new DictCursor(r).reset(r, head);
}

/** Keys of the database whose root block is `root`. */
export function databaseSize(r: Reader, root: Addr): number {
  const head = r.addr(root, Root.keys);
  return r.u32(root, Root.bySlot) === 1 ? directorySize(r, head) : dictSize(r, head);
}

/** How many of them expire. */
export function databaseExpiring(r: Reader, root: Addr): number {
  return dictSize(r, r.addr(root, Root.expires));
}

/** What a database asks of the keyspace that it belongs to. */
export interface DatabaseRules {
  /** Unix time in milliseconds by which expiry is judged; stands still during a command. */
  now: number;
  /** 24 bits that a new or touched entry is stamped with. */
  stamp: number;
  /** The stamp that follows `lru` when an entry is touched (LRU's clock, or LFU's decayed and grown counter). */
  touched(lru: number): number;
  /** The stamp of a value that takes the place of one stamped `lru`: how often a key is used outlives its value. */
  overwritten(lru: number): number;
  /** Whether a key past its time is removed on sight (a master), or only treated as absent (a replica, a pause). */
  removesExpired: boolean;
  /** Whether a key past its time is seen at all: while loading, keys are what they are. */
  seesExpired: boolean;
  /** A key has come into being: nothing was under it before. */
  created(db: Database, key: Slice): void;
  /** Microseconds by which the removal of a key that is about to begin is timed; 0 when nobody wants to know. */
  removalBegins(): number;
  /** A key has been removed because its time was up. `key` is a copy, good until this returns. */
  expired(db: Database, key: Slice, began: number): void;
  /** On a replica that clients write to: what they have given a time; null elsewhere. */
  localExpiry: { note(db: Database, key: Slice, hash: number): void } | null;
  /** Whether large values go lazily that a command drops on its way (lazyfree-lazy-server-del). */
  lazyServerDel: boolean;
  readonly reclaimer: Reclaimer;
}

export class Database {
  readonly index: number;
  readonly memory: Memory;
  readonly rules: DatabaseRules;
  readonly root: Addr;
  /** Sum and count of remaining times seen by the last pass of active expiry, for INFO's avg_ttl, in milliseconds. */
  averageTtl = 0;
  private all: Table;
  /** The same where it is one by slots. */
  private slots: SlotTable | null;
  private volatile: KeyTable;
  private readonly scratch = new Slice();
  private readonly leaving = new KeptKey();

  /** `bySlot`: its keys are known by their hash slots. */
  constructor(index: number, memory: Memory, rules: DatabaseRules, bySlot = false) {
    this.index = index;
    this.memory = memory;
    this.rules = rules;
    this.root = memory.allocate(Root.size);
    this.slots = bySlot ? new SlotTable(memory) : null;
    this.all = this.slots ?? new KeyTable(memory, 0);
    this.volatile = new KeyTable(memory, EXPIRY_LINK);
    this.publishRoots();
  }

  /** All entries. */
  get keys(): KeyWalk {
    return this.all;
  }

  /** The entries that expire. */
  get expires(): SweptWalk {
    return this.volatile;
  }

  get size(): number {
    return this.all.size;
  }

  get expiring(): number {
    return this.volatile.size;
  }

  /** Whether it knows its keys by their hash slots. */
  get bySlot(): boolean {
    return this.slots !== null;
  }

  hash(key: Slice): number {
    return hashBytes(this.memory.seed, key);
  }

  /** Keys of these hashes, and of these places (`placeOf`) where they are known, are about to be looked up. */
  warm(hashes: Int32Array, count: number, places: Int32Array | null = null): void {
    this.all.warm(hashes, count, places);
  }

  /** Whether the entry of a key with this hash, and of this place (`placeOf`), lies at `e`, which may be anything. */
  holds(e: Addr, hash: number, place = 0): boolean {
    return this.all.holds(e, hash, place) && this.hash(entryKey(this.memory, e, this.scratch)) === hash;
  }

  /** What `holds` has to know of a key beside its hash. */
  placeOf(key: Slice): number {
    return this.slots === null ? 0 : slotOf(key);
  }

  /** The keys that are looked up next are most likely of this slot. */
  expectSlot(slot: number): void {
    if (this.slots !== null) this.slots.expected = slot;
  }

  /** The entry of `key` as it lies, whatever its time; NULL when there is none. */
  peek(key: Slice, hash: number): Addr {
    return this.all.find(key, hash);
  }

  /** The entry of `key`; one past its time is removed first, or treated as absent where it may not be. */
  find(key: Slice, hash: number): Addr {
    const e = this.all.find(key, hash);
    if (e === NULL || !entryHasExpiry(this.memory, e) || !this.isExpired(e)) return e;
    if (this.rules.removesExpired) this.expire(e, hash);
    return NULL;
  }

  isExpired(e: Addr): boolean {
    const expiry = entryExpiry(this.memory, e);
    return expiry >= 0 && !this.rules.seesExpired && this.rules.now > expiry;
  }

  /** Removes the entry of a key whose time is up, and tells. */
  expire(e: Addr, hash: number): void {
    const key = this.leaving.set(entryKey(this.memory, e, this.scratch));
    const start = this.rules.removalBegins();
    this.removeEntry(e, hash, true);
    this.rules.expired(this, key, start);
  }

  /** Stamps an entry as just used. Not while a view is open: a read would cost a preserved page. */
  touch(e: Addr): void {
    if (this.memory.frozen) return;
    const lru = entryLru(this.memory, e);
    const next = this.rules.touched(lru);
    if (next !== lru) setEntryLru(this.memory, e, next);
  }

  /**
   * Stores a string in place of its entry (at most INLINE_MAX bytes) under `key`; `old` is the entry that the key has now,
   * or NULL. `expiry` is -1 for none.
   */
  storeInline(key: Slice, hash: number, old: Addr, encoding: Encoding, value: Slice, expiry: number): Addr {
    const m = this.memory;
    if (old !== NULL && isInline(entryEncoding(m, old)) && entryHasExpiry(m, old) === expiry >= 0) {
      if (overwriteInline(m, old, encoding, value)) {
        if (expiry >= 0) {
          overwriteExpiry(m, old, expiry);
          this.noteExpiry(key, hash);
        }
        setEntryLru(m, old, this.rules.overwritten(entryLru(m, old)));
        return old;
      }
    }
    const fresh = newInlineEntry(m, key, encoding, value, expiry);
    return this.put(key, hash, old, fresh, true);
  }

  /** Stores a value that hangs off `root` under `key`, in place of what `old` held (released), or anew. */
  store(key: Slice, hash: number, old: Addr, type: ValueType, encoding: Encoding, root: Addr, expiry: number): Addr {
    const fresh = newEntry(this.memory, key, type, encoding, root, expiry);
    return this.put(key, hash, old, fresh, true);
  }

  /**
   * Turns a string in place into one that hangs off `root`, or hangs another root (of whatever encoding) where one hung
   * before, without releasing that one: the value itself moved. Expiry and LRU stay.
   */
  rehang(key: Slice, hash: number, e: Addr, encoding: Encoding, root: Addr): Addr {
    const m = this.memory;
    if (!isInline(entryEncoding(m, e))) {
      setEntryValue(m, e, encoding, root);
      return e;
    }
    const fresh = newEntry(m, key, entryType(m, e), encoding, root, entryExpiry(m, e));
    return this.put(key, hash, e, fresh, false);
  }

  /** Sets when `e` expires, unix time in milliseconds. `key` may lie in `e`. */
  setExpiry(key: Slice, hash: number, e: Addr, expiry: number): Addr {
    const m = this.memory;
    if (entryHasExpiry(m, e)) {
      overwriteExpiry(m, e, expiry);
      this.noteExpiry(key, hash);
      return e;
    }
    return this.rebuild(key, hash, e, expiry);
  }

  /** Lets `e` live for ever. `key` may lie in `e`. */
  clearExpiry(key: Slice, hash: number, e: Addr): Addr {
    return entryHasExpiry(this.memory, e) ? this.rebuild(key, hash, e, -1) : e;
  }

  /** Removes `key` and releases its value, at once or, `lazily`, by the reclaimer when it is large. */
  remove(key: Slice, hash: number, lazily = this.rules.lazyServerDel): boolean {
    const e = this.all.find(key, hash);
    if (e === NULL) return false;
    this.removeEntry(e, hash, lazily);
    return true;
  }

  /** The same for an entry that is known to be there. */
  removeEntry(e: Addr, hash: number, lazily: boolean): void {
    const m = this.memory;
    this.unlinkEntry(e, hash);
    const encoding = entryEncoding(m, e);
    if (!isInline(encoding)) this.rules.reclaimer.release(entryType(m, e), encoding, entryValue(m, e), lazily);
    m.release(e);
  }

  /** Takes the entry of `key` out of both dicts; its block and value are the caller's from then on. */
  unlink(key: Slice, hash: number): Addr {
    const e = this.all.find(key, hash);
    if (e !== NULL) this.unlinkEntry(e, hash);
    return e;
  }

  private unlinkEntry(e: Addr, hash: number): void {
    this.all.remove(e, hash);
    if (entryHasExpiry(this.memory, e)) {
      this.volatile.remove(e, hash);
      this.volatile.shrinkIfNeeded();
    }
    this.all.shrinkIfNeeded();
  }

  /** Room for `keys` entries without a rehash on the way, as when a file is loaded. */
  expand(keys: number, expires: number): void {
    if (keys > 0) this.all.expand(keys);
    if (expires > 0) this.volatile.expand(expires);
  }

  /** Begins to shrink tables that have become too large; called again and again. */
  shrinkMore(): void {
    this.all.shrinkMore();
    this.volatile.shrinkMore();
  }

  /** Moves tables that are being resized along until `late` says that time is up; says whether there is more to move. */
  rehashFor(late: () => boolean): boolean {
    return this.all.rehashFor(late) || this.volatile.rehashFor(late);
  }

  /** Removes every key; the reclaimer takes the old table apart in slices. Returns how many there were. */
  clear(lazily: boolean): number {
    const count = this.size;
    // Its roots stay where they are: new ones for sixteen databases would lie here and there among what goes, and keep it mapped.
    if (count === 0 && this.all.buckets + this.volatile.buckets === 0) return 0;
    const full = this.all.detach();
    this.volatile.clear();
    this.publishRoots();
    this.rules.reclaimer.releaseTable(full, lazily);
    return count;
  }

  /**
   * Moves the blocks of the entries in the buckets at `cursor` where memory wants that (Memory.moved) and shows each entry
   * to `visit`; the cursor to go on with, 0 when all is done.
   */
  relocate(cursor: number, visit: (e: Addr) => void): number {
    if (cursor === 0) this.volatile.moveTables();
    return this.all.relocate(cursor, (old) => {
      const e = this.memory.moved(old);
      if (e !== old && entryHasExpiry(this.memory, e))
        this.volatile.moved(old, e, this.hash(entryKey(this.memory, e, this.scratch)));
      visit(e);
      return e;
    });
  }

  /** Keys of a hash slot; none where it does not know them by slots. */
  countSlot(slot: number): number {
    return this.slots === null ? 0 : this.slots.count(slot);
  }

  /** Shows `take` up to `most` keys of a hash slot, each in bytes of the image. */
  eachKeyOfSlot(slot: number, most: number, take: (key: Slice) => void): void {
    if (this.slots === null || most === 0) return;
    const cursor = this.slots.cursorOf(slot);
    let left = most;
    for (let e = cursor.next(); e !== NULL; e = --left > 0 ? cursor.next() : NULL)
      take(entryKey(this.memory, e, this.scratch));
  }

  /**
   * Removes all keys of a hash slot, the memory of many of them in slices; `leaving` is shown each before, in bytes of the
   * image. Returns how many there were.
   */
  clearSlot(slot: number, leaving: (key: Slice) => void): number {
    if (this.slots === null) return 0;
    const cursor = this.slots.cursorOf(slot);
    const key = new Slice();
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      leaving(entryKey(this.memory, e, key));
      if (entryHasExpiry(this.memory, e)) this.volatile.remove(e, this.hash(key));
    }
    this.volatile.shrinkIfNeeded();
    const full = this.slots.detachSlot(slot);
    this.rules.reclaimer.releaseTable(full, true);
    return full.size;
  }

  /** Exchanges the content of two databases (SWAPDB). */
  swap(other: Database): void {
    const { all, slots, volatile, averageTtl } = this;
    this.all = other.all;
    this.slots = other.slots;
    this.volatile = other.volatile;
    this.averageTtl = other.averageTtl;
    other.all = all;
    other.slots = slots;
    other.volatile = volatile;
    other.averageTtl = averageTtl;
    this.publishRoots();
    other.publishRoots();
  }

  /** Gives up the database with all that is in it, which the reclaimer takes apart in slices; it is none any more. */
  dispose(): void {
    this.clear(true);
    this.all.free();
    this.volatile.free();
    this.memory.release(this.root);
  }

  private publishRoots(): void {
    this.memory.setU32(this.root, Root.keys, this.all.head);
    this.memory.setU32(this.root, Root.expires, this.volatile.head);
    this.memory.setU32(this.root, Root.bySlot, this.slots === null ? 0 : 1);
  }

  /** Puts `fresh` where `old` was, or anew, and releases `old` with (if asked) its value. */
  private put(key: Slice, hash: number, old: Addr, fresh: Addr, releaseValue: boolean): Addr {
    const m = this.memory;
    const expires = entryHasExpiry(m, fresh);
    if (expires) this.noteExpiry(key, hash);
    if (old === NULL) {
      this.enter(key, hash, fresh, expires);
      setEntryLru(m, fresh, this.rules.stamp);
      this.rules.created(this, key);
      return fresh;
    }
    const expired = entryHasExpiry(m, old);
    if (expires && !expired) this.enterExpires(key, hash, fresh);
    this.all.relink(key, old, fresh, hash);
    if (expired && expires) this.volatile.relink(key, old, fresh, hash);
    else if (expired) this.volatile.remove(old, hash);
    setEntryLru(m, fresh, releaseValue ? this.rules.overwritten(entryLru(m, old)) : entryLru(m, old));
    const encoding = entryEncoding(m, old);
    if (releaseValue && !isInline(encoding))
      this.rules.reclaimer.release(entryType(m, old), encoding, entryValue(m, old), this.rules.lazyServerDel);
    m.release(old);
    return fresh;
  }

  private noteExpiry(key: Slice, hash: number): void {
    const { localExpiry, seesExpired } = this.rules;
    // Commands of the master's see what is expired; its keys are not ours to remove.
    if (localExpiry !== null && !seesExpired) localExpiry.note(this, key, hash);
  }

  /** Comes before all else that a store changes: when a first table can't be had, nothing has. */
  private enterExpires(key: Slice, hash: number, fresh: Addr): void {
    try {
      this.volatile.insert(key, fresh, hash);
    } catch (error) {
      this.memory.release(fresh);
      throw error;
    }
  }

  /** Links a new entry in. When a first table can't be had, the entry is released and nothing has changed. */
  private enter(key: Slice, hash: number, fresh: Addr, expires: boolean): void {
    const m = this.memory;
    let entered = false;
    try {
      if (expires) this.volatile.insert(key, fresh, hash);
      entered = expires;
      this.all.insert(key, fresh, hash);
    } catch (error) {
      if (entered) this.volatile.remove(fresh, hash);
      m.release(fresh);
      throw error;
    }
  }

  /** A new block for `e` with or without an expiry; the value and the LRU stamp go along. */
  private rebuild(key: Slice, hash: number, e: Addr, expiry: number): Addr {
    const m = this.memory;
    const encoding = entryEncoding(m, e);
    const fresh = isInline(encoding)
      ? newInlineEntry(m, key, encoding, inlineString(m, e, this.scratch), expiry)
      : newEntry(m, key, entryType(m, e), encoding, entryValue(m, e), expiry);
    return this.put(entryKey(m, fresh, this.scratch), hash, e, fresh, false);
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const m = this.memory;
    const cursor = this.all.cursor();
    const key = new Slice();
    let expiring = 0;
    this.all.verify();
    assert(m.addr(this.root, Root.keys) === this.all.head, 'the root names the table of keys');
    assert(m.addr(this.root, Root.expires) === this.volatile.head, 'the root names the table of those that expire');
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      entryKey(m, e, key);
      const inExpires = this.volatile.find(key, this.hash(key)) === e;
      assert(inExpires === entryHasExpiry(m, e), 'an entry is in expires when it has an expiry');
      if (inExpires) expiring++;
    }
    assert(expiring === this.expiring, 'expires holds nothing else');
  }
}
