/**
 * The dict: a hash table of entries that belong to somebody else, by separate chaining with incremental rehash.
 *
 * An entry is a block of its owner's layout that begins with what the dict needs (dict-entry.ts), so sets, hashes, sorted
 * sets and the keyspace share one table code and pay one block an element. Faces outside import dict.ts.
 *
 * The header, one block; all that a reader of a frozen image needs is found from its address:
 *
 *    0  u32  table0     address of the table, null before the first entry
 *    4  u32  mask0      buckets - 1
 *    8  u32  used0      entries in it
 *   12  u32  rehashAt   0 when not rehashing, else 1 + the first bucket of table0 that is not yet moved
 *   16  u32  table1     the same three of the table that rehashing moves to
 *   20  u32  mask1
 *   24  u32  used1
 *   28  u16  pauses     rehashing stands still while above 0
 *   30  u8   linkAt     offset of the link in entries
 *   31  u8   -
 *
 * A table is a block of u32 addresses, one a bucket; beyond 64 MiB the allocator gives it a segment of its own. A large
 * second table is zeroed a slice at a time before rehashing begins, as clearing 64 MiB at once takes many milliseconds:
 * until then rehashAt is 0, and the table's first word counts the buckets that are zeroed.
 *
 * Invariants (dictVerify in dict-walk.ts):
 *   - the number of buckets is a power of two, at least 4;
 *   - an entry lies in bucket (hash & mask) of its table; while rehashing, buckets of table0 below rehashAt - 1 are empty;
 *   - used0 and used1 count the entries of their tables; table1, mask1 and used1 are 0 unless resizing;
 *   - no key is there twice.
 *
 * Find, insert and remove are O(1) expected; each moves one bucket while a rehash is under way. Growth begins at load
 * factor 1, or 5 while a frozen view is open (moving entries would have the view preserve every page), or 1.6 where the
 * memory can't afford the larger table; shrinking (dictShrinkIfNeeded) under 10 %.
 */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { entryKey, hasKey, haveSameKey } from './dict-entry.ts';
import { hashBytes } from './hash.ts';

const Head = layout({
  table0: 'u32',
  mask0: 'u32',
  used0: 'u32',
  rehashAt: 'u32',
  table1: 'u32',
  mask1: 'u32',
  used1: 'u32',
  pauses: 'u16',
  linkAt: 'u8',
  spare: 'u8',
});

export const MIN_BUCKETS = 4;
/** The largest block that the allocator gives is 1 GiB. */
const MAX_BUCKETS = 2 ** 28;
const ALL_BITS = 2 ** 31 - 1;
const FORCED_LOAD = 5;
const CROWDED_LOAD = 1.618;
const MIN_FILL_PERCENT = 10;
/** Empty buckets that one step of rehashing passes over at most. */
const EMPTY_VISITS = 10;
/** Bytes of a table that are zeroed at once, and in one slice. */
const ZERO_AT_ONCE = 65536;
const ZERO_SLICE = 16384;

assert(Head.size === 32, 'a dict that is empty costs two granules');

const keyScratch = new Slice();

// The dict as a whole.

/** A new empty dict; its entries have their links at `linkAt`. */
export function dictNew(m: Memory, linkAt = 0): Addr {
  const d = m.allocateZeroed(Head.size);
  m.setU8(d, Head.linkAt, linkAt);
  return d;
}

/** Releases tables and header, not the entries. */
export function dictFree(m: Memory, d: Addr): void {
  dictClear(m, d);
  m.release(d);
}

/** Forgets all entries (which stay allocated) and releases the tables. */
export function dictClear(m: Memory, d: Addr): void {
  const table0 = m.addr(d, Head.table0);
  const table1 = m.addr(d, Head.table1);
  if (table0 !== NULL) m.release(table0);
  if (table1 !== NULL) m.release(table1);
  m.fill(d, 0, 0, Head.pauses);
}

/**
 * Takes a dict that is going away apart: hands entries to `release` until about `budget` steps (an entry or a bucket each)
 * are spent, and says whether all is gone, tables and header too. Between the first call and the last it is no dict any
 * more: the mask of each table counts what buckets are left of it.
 */
export function dictDrain(m: Memory, d: Addr, budget: number, release: (entry: Addr) => void): boolean {
  dropUnprepared(m, d);
  let left = drainTable(m, d, Head.table0, Head.mask0, budget, release);
  if (left > 0) left = drainTable(m, d, Head.table1, Head.mask1, left, release);
  if (left <= 0) return false;
  m.release(d);
  return true;
}

/** Releases a second table that holds nothing yet. */
function dropUnprepared(m: Memory, d: Addr): void {
  const table1 = m.addr(d, Head.table1);
  if (table1 === NULL || m.u32(d, Head.rehashAt) !== 0) return;
  m.release(table1);
  m.setU32(d, Head.table1, NULL);
}

/** Has the processor fetch the first entries of up to `most` buckets from `bucket` down; the first bucket that it left out. */
function warmBelow(m: Memory, table: Addr, bucket: number, most: number): number {
  const count = Math.min(WARMED.length, bucket + 1, Math.ceil(most));
  for (let i = 0; i < count; i++) WARMED[i] = m.addr(table, (bucket - i) << 2);
  m.warm(WARMED, count);
  return bucket - count;
}

/** Returns what is left of the budget; above 0 when the table is gone. */
function drainTable(
  m: Memory,
  d: Addr,
  tableAt: number,
  maskAt: number,
  budget: number,
  release: (entry: Addr) => void,
): number {
  const table = m.addr(d, tableAt);
  if (table === NULL) return budget;
  const linkAt = m.u8(d, Head.linkAt);
  let bucket = m.u32(d, maskAt);
  for (let warm = bucket; budget > 0 && bucket >= 0; bucket--, budget--) {
    if (bucket === warm) warm = warmBelow(m, table, bucket, budget);
    let e = m.addr(table, bucket << 2);
    while (e !== NULL) {
      const next = m.addr(e, linkAt);
      release(e);
      e = next;
      budget--;
    }
  }
  if (bucket >= 0) {
    m.setU32(d, maskAt, bucket);
    return 0;
  }
  m.release(table);
  m.setU32(d, tableAt, NULL);
  return budget > 0 ? budget : 1;
}

export function dictSize(r: Reader, d: Addr): number {
  return r.u32(d, Head.used0) + r.u32(d, Head.used1);
}

/** Buckets of both tables. */
export function dictBuckets(r: Reader, d: Addr): number {
  const first = r.addr(d, Head.table0) === NULL ? 0 : r.u32(d, Head.mask0) + 1;
  return r.addr(d, Head.table1) === NULL ? first : first + r.u32(d, Head.mask1) + 1;
}

/** Bytes that header and tables take, without the entries. */
export function dictBytes(r: Reader, d: Addr): number {
  return Head.size + dictBuckets(r, d) * 4;
}

export function dictIsRehashing(r: Reader, d: Addr): boolean {
  return r.u32(d, Head.rehashAt) !== 0;
}

// Finding, adding, removing.

const WARMED = new Int32Array(32);

/** The entry of `key`, or null. Moves a bucket when a rehash is under way. */
export function dictFind(m: Memory, d: Addr, key: Slice, hash: number): Addr {
  if (m.u32(d, Head.rehashAt) !== 0) {
    rehashStep(m, d);
    return lookUpBoth(m, d, key, hash);
  }
  const table = m.addr(d, Head.table0);
  if (table === NULL) return NULL;
  const linkAt = m.u8(d, Head.linkAt);
  let e = m.addr(table, (hash & m.u32(d, Head.mask0)) << 2);
  while (e !== NULL && !hasKey(m, e, key)) e = m.addr(e, linkAt);
  return e;
}

/** `dictFind` where table and mask of a dict that is not being resized are known (`dictTable`, `dictMask`), its links at 0. */
export function dictFindIn(r: Reader, table: Addr, mask: number, key: Slice, hash: number): Addr {
  let e = r.addr(table, (hash & mask) << 2);
  while (e !== NULL && !hasKey(r, e, key)) e = r.addr(e, 0);
  return e;
}

/** Has the processor fetch the buckets of these hashes, and the entries in them, before they are looked up one by one. */
export function dictWarm(r: Reader, d: Addr, hashes: Int32Array, count: number): void {
  const table = r.addr(d, Head.table0);
  if (table === NULL) return;
  const mask = r.u32(d, Head.mask0);
  const moved = r.u32(d, Head.rehashAt) - 1;
  for (let from = 0; from < count; from += WARMED.length) {
    const size = Math.min(count - from, WARMED.length);
    for (let i = 0; i < size; i++) {
      const bucket = hashes[from + i] & mask;
      WARMED[i] = bucket < moved ? inSecond(r, d, hashes[from + i]) : r.addr(table, bucket << 2);
    }
    r.warm(WARMED, size);
  }
}

/** The first entry of a bucket in the table that rehashing moves to. */
function inSecond(r: Reader, d: Addr, hash: number): Addr {
  return r.addr(r.addr(d, Head.table1), (hash & r.u32(d, Head.mask1)) << 2);
}

/**
 * Whether what was an entry with this hash still is one, be it of another key: only the addresses in the chains of the hash
 * are looked at, so that `entry` may be anything.
 */
export function dictHolds(r: Reader, d: Addr, entry: Addr, hash: number): boolean {
  const table = r.addr(d, Head.table0);
  if (table === NULL) return false;
  if (holdsInChain(r, d, r.addr(table, (hash & r.u32(d, Head.mask0)) << 2), entry)) return true;
  if (r.u32(d, Head.rehashAt) === 0) return false;
  return holdsInChain(r, d, r.addr(r.addr(d, Head.table1), (hash & r.u32(d, Head.mask1)) << 2), entry);
}

function holdsInChain(r: Reader, d: Addr, first: Addr, entry: Addr): boolean {
  const linkAt = r.u8(d, Head.linkAt);
  let e = first;
  while (e !== NULL && e !== entry) e = r.addr(e, linkAt);
  return e !== NULL;
}

/** `dictFind` for reading code: nothing moves. */
export function dictLookup(r: Reader, d: Addr, key: Slice, hash: number): Addr {
  if (r.u32(d, Head.rehashAt) !== 0) return lookUpBoth(r, d, key, hash);
  const table = r.addr(d, Head.table0);
  if (table === NULL) return NULL;
  return lookUpChain(r, r.addr(table, (hash & r.u32(d, Head.mask0)) << 2), r.u8(d, Head.linkAt), key);
}

function lookUpBoth(r: Reader, d: Addr, key: Slice, hash: number): Addr {
  const linkAt = r.u8(d, Head.linkAt);
  const bucket = (hash & r.u32(d, Head.mask0)) << 2;
  const e = lookUpChain(r, r.addr(r.addr(d, Head.table0), bucket), linkAt, key);
  const table1 = r.addr(d, Head.table1);
  if (e !== NULL || table1 === NULL) return e;
  return lookUpChain(r, r.addr(table1, (hash & r.u32(d, Head.mask1)) << 2), linkAt, key);
}

function lookUpChain(r: Reader, first: Addr, linkAt: number, key: Slice): Addr {
  let e = first;
  while (e !== NULL && !hasKey(r, e, key)) e = r.addr(e, linkAt);
  return e;
}

/**
 * Which bits of a hash finding or adding looks at now: those of both tables, and all where a larger one may come. Others'
 * may be anything.
 */
export function dictHashBits(r: Reader, d: Addr): number {
  const crowded = r.u32(d, Head.used0) > r.u32(d, Head.mask0) || r.addr(d, Head.table0) === NULL;
  return crowded ? ALL_BITS : r.u32(d, Head.mask0) | r.u32(d, Head.mask1);
}

/** `dictLookup` of the key that an entry of another dict has, in sets. */
export function dictLookupEntry(r: Reader, d: Addr, entry: Addr, hash: number): Addr {
  const table = r.addr(d, Head.table0);
  if (table === NULL) return NULL;
  const e = dictFindEntryIn(r, table, r.u32(d, Head.mask0), entry, hash);
  if (e !== NULL || r.u32(d, Head.rehashAt) === 0) return e;
  return dictFindEntryIn(r, r.addr(d, Head.table1), r.u32(d, Head.mask1), entry, hash);
}

/** `dictFindIn` of the same. */
export function dictFindEntryIn(r: Reader, table: Addr, mask: number, entry: Addr, hash: number): Addr {
  let e = r.addr(table, (hash & mask) << 2);
  while (e !== NULL && !haveSameKey(r, e, entry)) e = r.addr(e, 0);
  return e;
}

/**
 * Links an entry in, whose key must be absent. Throws OutOfMemory, with the dict as it was, only when there is no table
 * at all; when a larger one can't be had, chains grow longer.
 */
export function dictInsert(m: Memory, d: Addr, entry: Addr, hash: number): void {
  if (m.u32(d, Head.rehashAt) !== 0) rehashStep(m, d);
  else if (m.u32(d, Head.used0) > m.u32(d, Head.mask0) || m.addr(d, Head.table0) === NULL) growIfNeeded(m, d);
  const linkAt = m.u8(d, Head.linkAt);
  const second = m.u32(d, Head.rehashAt) !== 0;
  const table = m.addr(d, second ? Head.table1 : Head.table0);
  const at = (hash & m.u32(d, second ? Head.mask1 : Head.mask0)) << 2;
  m.setU32(entry, linkAt, m.u32(table, at));
  m.setU32(table, at, entry);
  const used = second ? Head.used1 : Head.used0;
  m.setU32(d, used, m.u32(d, used) + 1);
}

/** Unlinks the entry of `key` and returns it, or null when there is none. */
export function dictRemove(m: Memory, d: Addr, key: Slice, hash: number): Addr {
  const entry = dictFind(m, d, key, hash);
  if (entry !== NULL) unlink(m, d, entry, hash);
  return entry;
}

/** Unlinks an entry that is known to be there. */
export function dictRemoveEntry(m: Memory, d: Addr, entry: Addr, hash: number): void {
  if (m.u32(d, Head.rehashAt) !== 0) rehashStep(m, d);
  unlink(m, d, entry, hash);
}

function unlink(m: Memory, d: Addr, entry: Addr, hash: number): void {
  const linkAt = m.u8(d, Head.linkAt);
  const next = m.addr(entry, linkAt);
  const second = replaceLink(m, d, hash, linkAt, entry, next);
  const used = second ? Head.used1 : Head.used0;
  m.setU32(d, used, m.u32(d, used) - 1);
}

/** Puts the entry at `fresh` (same key, link not yet set) in the place of the one at `old`, which is still allocated. */
export function dictRelink(m: Memory, d: Addr, old: Addr, fresh: Addr, hash: number): void {
  const linkAt = m.u8(d, Head.linkAt);
  m.setU32(fresh, linkAt, m.u32(old, linkAt));
  replaceLink(m, d, hash, linkAt, old, fresh);
}

/** The entry's block was resized, from `old` that is gone to `fresh` that carries its link. */
export function dictMoved(m: Memory, d: Addr, old: Addr, fresh: Addr, hash: number): void {
  if (old !== fresh) replaceLink(m, d, hash, m.u8(d, Head.linkAt), old, fresh);
}

/** Makes what points at `old` point at `fresh`; says whether that was in the second table. */
function replaceLink(m: Memory, d: Addr, hash: number, linkAt: number, old: Addr, fresh: Addr): boolean {
  const table0 = m.addr(d, Head.table0);
  if (replaceInChain(m, table0, (hash & m.u32(d, Head.mask0)) << 2, linkAt, old, fresh)) return false;
  const table1 = m.addr(d, Head.table1);
  assert(table1 !== NULL, 'the entry is in the dict');
  const found = replaceInChain(m, table1, (hash & m.u32(d, Head.mask1)) << 2, linkAt, old, fresh);
  assert(found, 'the entry is in the dict');
  return true;
}

function replaceInChain(m: Memory, table: Addr, at: number, linkAt: number, old: Addr, fresh: Addr): boolean {
  let holder = table;
  let e = m.addr(table, at);
  while (e !== NULL) {
    if (e === old) {
      m.setU32(holder, holder === table ? at : linkAt, fresh);
      return true;
    }
    holder = e;
    e = m.addr(e, linkAt);
  }
  return false;
}

// Size.

function growIfNeeded(m: Memory, d: Addr): void {
  const used = m.u32(d, Head.used0);
  if (m.addr(d, Head.table0) === NULL) {
    beginResize(m, d, MIN_BUCKETS);
    return;
  }
  if (dictIsResizing(m, d)) {
    prepare(m, d);
    return;
  }
  const buckets = m.u32(d, Head.mask0) + 1;
  if (m.frozen && used <= buckets * FORCED_LOAD) return;
  if (buckets >= MAX_BUCKETS) return;
  const wanted = bucketsFor(used + 1);
  if (used <= buckets * CROWDED_LOAD && !m.affords(wanted * 4)) return;
  try {
    beginResize(m, d, wanted);
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
  }
}

function bucketsFor(size: number): number {
  let buckets = MIN_BUCKETS;
  while (buckets < size && buckets < MAX_BUCKETS) buckets *= 2;
  return buckets;
}

/** Sets up a table of `buckets` to rehash into, or the first one. */
function beginResize(m: Memory, d: Addr, buckets: number): void {
  if (m.addr(d, Head.table0) === NULL) {
    m.setU32(d, Head.table0, m.allocateZeroed(buckets * 4));
    m.setU32(d, Head.mask0, buckets - 1);
    return;
  }
  const atOnce = buckets * 4 <= ZERO_AT_ONCE;
  const table = atOnce ? m.allocateZeroed(buckets * 4) : m.allocate(buckets * 4);
  m.setU32(d, Head.table1, table);
  m.setU32(d, Head.mask1, buckets - 1);
  if (atOnce) m.setU32(d, Head.rehashAt, 1);
  else m.setU32(table, 0, 1);
}

/** Whether there is a second table, be it still in preparation. */
export function dictIsResizing(r: Reader, d: Addr): boolean {
  return r.addr(d, Head.table1) !== NULL;
}

/** Zeroes the next slice of the second table; rehashing begins after the last. */
function prepare(m: Memory, d: Addr): void {
  const table = m.addr(d, Head.table1);
  const from = m.u32(table, 0) * 4;
  const end = (m.u32(d, Head.mask1) + 1) * 4;
  const length = end - from < ZERO_SLICE ? end - from : ZERO_SLICE;
  m.fill(table, from, 0, length);
  const done = from + length === end;
  m.setU32(table, 0, done ? NULL : (from + length) / 4);
  if (done) m.setU32(d, Head.rehashAt, 1);
}

/** Makes room for `size` entries ahead of need; false when a rehash is under way or that would not be larger. */
export function dictExpand(m: Memory, d: Addr, size: number): boolean {
  if (dictIsResizing(m, d) || m.u32(d, Head.used0) > size) return false;
  const buckets = bucketsFor(size);
  if (m.addr(d, Head.table0) !== NULL && buckets === m.u32(d, Head.mask0) + 1) return false;
  beginResize(m, d, buckets);
  return true;
}

/** Whether it is less than 10 % full. */
export function dictIsTooLarge(m: Memory, d: Addr): boolean {
  const buckets = m.u32(d, Head.mask0) + 1;
  return buckets > MIN_BUCKETS && m.u32(d, Head.used0) * MIN_FILL_PERCENT < buckets;
}

/** Begins to shrink a dict that is less than 10 % full; owners call it after removals. */
export function dictShrinkIfNeeded(m: Memory, d: Addr): void {
  if (!dictIsTooLarge(m, d)) return;
  if (m.u32(d, Head.rehashAt) !== 0 || m.frozen) return;
  if (dictIsResizing(m, d)) prepare(m, d);
  else dictShrink(m, d);
}

/** Begins to shrink the table to what its entries need; false when it can't be smaller or is rehashing. */
export function dictShrink(m: Memory, d: Addr): boolean {
  if (dictIsResizing(m, d)) return false;
  const buckets = bucketsFor(m.u32(d, Head.used0));
  if (m.addr(d, Head.table0) === NULL || buckets >= m.u32(d, Head.mask0) + 1) return false;
  beginResize(m, d, buckets);
  return true;
}

// Rehashing.

/** Rehashing stands still until as many resumes: for iteration that removes, and while a scan visits. */
export function dictPauseRehash(m: Memory, d: Addr): void {
  m.setU16(d, Head.pauses, m.u16(d, Head.pauses) + 1);
}

export function dictResumeRehash(m: Memory, d: Addr): void {
  const pauses = m.u16(d, Head.pauses);
  assert(pauses > 0, 'a pause for each resume');
  m.setU16(d, Head.pauses, pauses - 1);
}

function rehashStep(m: Memory, d: Addr): void {
  if (m.u16(d, Head.pauses) === 0) dictRehash(m, d, 1);
}

/** Moves up to `steps` buckets, and says whether there is more to move. Does nothing while paused. */
export function dictRehash(m: Memory, d: Addr, steps: number): boolean {
  if (m.u32(d, Head.rehashAt) === 0) {
    if (!dictIsResizing(m, d)) return false;
    prepare(m, d);
    return true;
  }
  if (m.u16(d, Head.pauses) !== 0) return true;
  if (m.frozen && !mustMove(m, d)) return true;
  const table = m.addr(d, Head.table0);
  let bucket = m.u32(d, Head.rehashAt) - 1;
  let empty = steps * EMPTY_VISITS;
  while (steps-- > 0 && m.u32(d, Head.used0) !== 0) {
    while (m.u32(table, bucket << 2) === 0) {
      bucket++;
      if (--empty === 0) {
        m.setU32(d, Head.rehashAt, bucket + 1);
        return true;
      }
    }
    moveBucket(m, d, table, bucket++);
  }
  if (m.u32(d, Head.used0) !== 0) {
    m.setU32(d, Head.rehashAt, bucket + 1);
    return true;
  }
  finishRehash(m, d);
  return false;
}

/** Under a frozen view rehashing goes on only where standing still would hurt: the tables far apart, or chains long. */
function mustMove(r: Reader, d: Addr): boolean {
  const buckets0 = r.u32(d, Head.mask0) + 1;
  const buckets1 = r.u32(d, Head.mask1) + 1;
  const fewer = buckets0 < buckets1 ? buckets0 : buckets1;
  const more = buckets0 < buckets1 ? buckets1 : buckets0;
  return more >= fewer * FORCED_LOAD || dictSize(r, d) > fewer * FORCED_LOAD;
}

function moveBucket(m: Memory, d: Addr, table: Addr, bucket: number): void {
  const linkAt = m.u8(d, Head.linkAt);
  const target = m.addr(d, Head.table1);
  const mask0 = m.u32(d, Head.mask0);
  const mask1 = m.u32(d, Head.mask1);
  let e = m.addr(table, bucket << 2);
  let moved = 0;
  while (e !== NULL) {
    const next = m.addr(e, linkAt);
    // The bucket is the low bits of the hash: shrinking needs no more of it.
    const hash = mask1 < mask0 ? bucket : hashBytes(m.seed, entryKey(m, e, keyScratch));
    const at = (hash & mask1) << 2;
    m.setU32(e, linkAt, m.u32(target, at));
    m.setU32(target, at, e);
    moved++;
    e = next;
  }
  m.setU32(table, bucket << 2, NULL);
  m.setU32(d, Head.used0, m.u32(d, Head.used0) - moved);
  m.setU32(d, Head.used1, m.u32(d, Head.used1) + moved);
}

function finishRehash(m: Memory, d: Addr): void {
  m.release(m.addr(d, Head.table0));
  m.setU32(d, Head.table0, m.u32(d, Head.table1));
  m.setU32(d, Head.mask0, m.u32(d, Head.mask1));
  m.setU32(d, Head.used0, m.u32(d, Head.used1));
  m.fill(d, Head.rehashAt, 0, Head.pauses - Head.rehashAt);
}

/** Rehashes until `until` says that time is up, 100 buckets between two looks; says whether there is more to move. */
export function dictRehashFor(m: Memory, d: Addr, until: () => boolean): boolean {
  while (dictRehash(m, d, 100)) if (m.u16(d, Head.pauses) !== 0 || m.frozen || until()) return true;
  return false;
}

/** Moves the tables where memory wants that (Memory.moved). */
export function dictMoveTables(m: Memory, d: Addr): void {
  for (const at of [Head.table0, Head.table1]) {
    const table = m.addr(d, at);
    if (table !== NULL) m.setU32(d, at, m.moved(table));
  }
}

// For dict-walk.ts: the header's fields, of the first table (0) or the second (1).

export function dictTable(r: Reader, d: Addr, which: 0 | 1): Addr {
  return r.addr(d, which === 0 ? Head.table0 : Head.table1);
}

/** Buckets - 1. */
export function dictMask(r: Reader, d: Addr, which: 0 | 1): number {
  return r.u32(d, which === 0 ? Head.mask0 : Head.mask1);
}

export function dictUsed(r: Reader, d: Addr, which: 0 | 1): number {
  return r.u32(d, which === 0 ? Head.used0 : Head.used1);
}

export function dictLinkAt(r: Reader, d: Addr): number {
  return r.u8(d, Head.linkAt);
}

/** Buckets of the first table that rehashing has emptied; -1 when it is not under way. */
export function dictMovedBuckets(r: Reader, d: Addr): number {
  return r.u32(d, Head.rehashAt) - 1;
}
