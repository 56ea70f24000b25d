/**
 * Listpack: a run of short values in one block, in Redis's own bytes, so that a snapshot carries it as it is.
 *
 *   [total bytes u32][count u16][entry]...[ff]            entries are drawn in listpack-entry.ts
 *
 *   10 00 00 00  03 00  02 01  82 68 69 03  df f6 02  ff        holds the integer 2, "hi" and the integer -10
 *
 * A listpack is the block at its address; bytes past `total` are the allocator's slack. Positions are offsets of entries
 * from the start of the block, 0 where there is none. The count stays at 65535 once it has got there: then entries are
 * counted by walking.
 *
 * Functions that can move the block return its new address and leave the position concerned in `lpAt`. They take room
 * before they change a byte, so that OutOfMemory leaves the listpack as it was.
 *
 * Invariants (lpVerify): total is at most the block; the entries fill it exactly up to the ff; every back length fits
 * its entry; the count is true unless 65535.
 *
 * Get, next, prev O(1). Find, seek, insert, delete O(bytes).
 */
import { assert } from '../base/assert.ts';
import { enlist } from '../base/showing.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  backLengthSize,
  EncodedEntry,
  EntryInteger,
  encodeEntry,
  encodeInteger,
  endIn,
  entryIs,
  integerIn,
  isCanonical,
  sizeIn,
  stringHead,
  totalBy,
  writeEncoded,
  writeEntryInteger,
} from './listpack-entry.ts';

const HEADER = 6;
/** Where the first entry lies, if there is one. */
export const LP_FIRST = HEADER;
/** The byte behind the last entry. */
export const LP_END = 0xff;
const END = LP_END;
const EMPTY_BYTES = HEADER + 1;
const UNCOUNTED = 65535;

export const LP_BEFORE = 0;
export const LP_AFTER = 1;
/** A listpack beyond this is refused by those who would build it. */
export const LP_MAX_BYTES = 0x40000000;

/** Where the entry concerned lies after a call that writes: inserted, replaced, or next after what was deleted. */
export const lpAt = { position: 0 };

/** A value read from a listpack. */
export class ListpackValue {
  isInteger = false;
  readonly slice = new Slice();
  private readonly exact = new EntryInteger();

  /** Rounded beyond 2^53. */
  get integer(): number {
    return this.exact.number;
  }

  bigint(): bigint {
    return this.exact.bigint();
  }

  /** Reads the entry at `at` of `buffer`. The slice points into the buffer. */
  read(buffer: Uint8Array, at: number): void {
    const head = stringHead(buffer[at]);
    this.isInteger = head === 0;
    if (head === 0) integerIn(buffer, at, this.exact);
    else this.slice.set(buffer, at + head, sizeIn(buffer, at) - head);
  }

  /** Decimal text of an integer into `target`; returns its length. */
  writeInteger(target: Uint8Array): number {
    return writeEntryInteger(target, this.exact);
  }
}

// Scratch that no call leaves behind for another to read.
const entry = new EncodedEntry();
const whole = new Slice();
const gap = new Slice();
const decoded = new ListpackValue();
const texts = [new Uint8Array(24), new Uint8Array(24), new Uint8Array(24), new Uint8Array(24)];
const turn = { next: 0 };

/** An empty listpack with room for `capacityHint` bytes in all. */
export function lpNew(m: Memory, capacityHint = 0): Addr {
  const lp = m.allocate(capacityHint > EMPTY_BYTES ? capacityHint : EMPTY_BYTES);
  m.setU32(lp, 0, EMPTY_BYTES);
  m.setU16(lp, 4, 0);
  m.setU8(lp, HEADER, END);
  return lp;
}

/** A listpack of the bytes given, which must be valid. */
export function lpFromBytes(m: Memory, bytes: Slice): Addr {
  const lp = m.allocate(bytes.length);
  m.write(lp, 0, bytes);
  return lp;
}

/** A listpack outside of the image, of `count` entries as they lie in `entries`. */
export function lpOf(entries: Uint8Array, count: number): Uint8Array {
  const length = EMPTY_BYTES + entries.length;
  const bytes = new Uint8Array(length);
  const words = new DataView(bytes.buffer);
  words.setUint32(0, length, true);
  words.setUint16(4, Math.min(count, UNCOUNTED), true);
  bytes.set(entries, HEADER);
  bytes[length - 1] = END;
  return bytes;
}

export function lpFree(m: Memory, lp: Addr): void {
  m.release(lp);
}

export function lpBytes(r: Reader, lp: Addr): number {
  return r.u32(lp, 0);
}

/** Bytes that a listpack grows by when `value` is added. */
export function lpEntryBytes(value: Slice): number {
  encodeEntry(value, entry);
  return entry.total;
}

export function lpLength(r: Reader, lp: Addr): number {
  const count = r.u16(lp, 4);
  return count !== UNCOUNTED ? count : lpCount(r.borrow(whole, lp, 0, r.u32(lp, 0)));
}

/** Entries of the valid listpack whose bytes these are, by walking. */
export function lpCount({ buffer, start, length }: Slice): number {
  return countIn(buffer, start + HEADER, start + length - 1);
}

function countIn(buffer: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; count++) at = endIn(buffer, at);
  return count;
}

/** Where the entry begins that ends at `end`. */
export function startIn(buffer: Uint8Array, end: number): number {
  let at = end - 1;
  let size = buffer[at] & 127;
  for (let shift = 7; buffer[at] > 127; shift += 7) size |= (buffer[--at] & 127) << shift;
  return at - size;
}

/** `sizeIn` by single loads. */
function sizeAt(r: Reader, lp: Addr, p: number): number {
  const first = r.u8(lp, p);
  if (first < 0x80) return 1;
  if (first < 0xc0) return 1 + (first & 63);
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 2 + (((first & 15) << 8) | r.u8(lp, p + 1));
  const { buffer, start } = r.borrow(gap, lp, p, 5);
  return sizeIn(buffer, start);
}

function endAt(r: Reader, lp: Addr, p: number): number {
  const total = totalBy(r.u8(lp, p));
  if (total !== 0) return p + total;
  const size = sizeAt(r, lp, p);
  return p + size + backLengthSize(size);
}

function startAt(r: Reader, lp: Addr, end: number): number {
  let at = end - 1;
  let byte = r.u8(lp, at);
  let size = byte & 127;
  for (let shift = 7; byte > 127; shift += 7) {
    byte = r.u8(lp, --at);
    size |= (byte & 127) << shift;
  }
  return at - size;
}

export function lpFirst(r: Reader, lp: Addr): number {
  return r.u8(lp, HEADER) === END ? 0 : HEADER;
}

export function lpLast(r: Reader, lp: Addr): number {
  const end = r.u32(lp, 0) - 1;
  return end === HEADER ? 0 : startAt(r, lp, end);
}

export function lpNext(r: Reader, lp: Addr, p: number): number {
  const next = endAt(r, lp, p);
  return r.u8(lp, next) === END ? 0 : next;
}

export function lpPrev(r: Reader, lp: Addr, p: number): number {
  return p === HEADER ? 0 : startAt(r, lp, p);
}

/** The entry number `index`, from the tail when negative (-1 is the last); 0 when there is none. */
export function lpSeek(r: Reader, lp: Addr, index: number): number {
  const bytes = r.u32(lp, 0);
  const count = r.u16(lp, 4);
  let steps = index;
  if (count !== UNCOUNTED) {
    if (steps < 0) steps += count;
    if (steps < 0 || steps >= count) return 0;
    if (steps > count >>> 1) steps -= count;
  }
  const { buffer, start } = r.borrow(whole, lp, 0, bytes);
  const from = start + HEADER;
  const end = start + bytes - 1;
  if (steps >= 0) {
    let at = from;
    while (steps > 0 && at < end) {
      at = endIn(buffer, at);
      steps--;
    }
    return at < end ? at - start : 0;
  }
  let at = end;
  while (steps < 0) {
    if (at === from) return 0;
    at = startIn(buffer, at);
    steps++;
  }
  return at - start;
}

/** Reads the entry at `p`. */
export function lpGet(r: Reader, lp: Addr, p: number, into: ListpackValue): void {
  const size = sizeAt(r, lp, p);
  const { buffer, start } = r.borrow(into.slice, lp, p, size);
  into.read(buffer, start);
}

/** The value at `p` as bytes; an integer's text is good until the fourth call after this one. */
export function lpGetBytes(r: Reader, lp: Addr, p: number, into: Slice): Slice {
  const size = sizeAt(r, lp, p);
  const { buffer, start } = r.borrow(into, lp, p, size);
  return valueIn(buffer, start, into);
}

function valueIn(buffer: Uint8Array, at: number, into: Slice): Slice {
  const head = stringHead(buffer[at]);
  if (head !== 0) return into.set(buffer, at + head, sizeIn(buffer, at) - head);
  decoded.read(buffer, at);
  const text = texts[(turn.next = (turn.next + 1) & 3)];
  return into.set(text, 0, decoded.writeInteger(text));
}

/** Shows the entries where they lie; one at `start + i` has the position LP_FIRST + i. */
export function lpBorrow(r: Reader, lp: Addr, into: Slice): Slice {
  return r.borrow(into, lp, HEADER, r.u32(lp, 0) - EMPTY_BYTES);
}

/** The first entry from `p` on that equals `value`, passing over `skip` entries between those compared; or 0. */
export function lpFind(r: Reader, lp: Addr, p: number, value: Slice, skip: number): number {
  if (p === 0) return 0;
  encodeEntry(value, entry);
  const bytes = r.u32(lp, 0);
  const { buffer, start } = r.borrow(whole, lp, 0, bytes);
  const end = start + bytes - 1;
  const first = entry.head[0];
  for (let at = start + p; at < end; ) {
    if (buffer[at] === first && entryIs(buffer, at, entry, value)) return at - start;
    at = endIn(buffer, at);
    for (let left = skip; left > 0 && at < end; left--) at = endIn(buffer, at);
  }
  return 0;
}

// Writing.

/** Turns `remove` bytes at `p` into `insert` bytes of undefined content. */
function splice(m: Memory, lp: Addr, p: number, remove: number, insert: number): Addr {
  const total = m.u32(lp, 0);
  const fresh = total - remove + insert;
  if (insert === remove) return lp;
  const at = insert > remove && fresh > m.sizeOf(lp) ? m.resize(lp, fresh) : lp;
  m.copy(at, p + insert, at, p + remove, total - p - remove);
  m.setU32(at, 0, fresh);
  return insert > remove ? at : shrunk(m, at, fresh);
}

/** Giving memory back must not fail for want of memory. */
function shrunk(m: Memory, lp: Addr, bytes: number): Addr {
  try {
    return m.resize(lp, bytes);
  } catch (error) {
    if (error instanceof OutOfMemory) return lp;
    throw error;
  }
}

/** Writes the encoded entry at `p`, where `splice` has made room. */
function writeEntry(m: Memory, lp: Addr, p: number, value: Slice): void {
  const { buffer, start } = m.writable(gap, lp, p, entry.total);
  writeEncoded(buffer, start, entry, value);
}

/** Writes the header of a listpack of `total` bytes and `count` entries, wherever it lies. */
export function lpWriteHeader({ buffer, start }: Slice, total: number, count: number): void {
  buffer[start] = total;
  buffer[start + 1] = total >>> 8;
  buffer[start + 2] = total >>> 16;
  buffer[start + 3] = total >>> 24;
  const counted = count > UNCOUNTED ? UNCOUNTED : count;
  buffer[start + 4] = counted;
  buffer[start + 5] = counted >>> 8;
}

function addCount(m: Memory, lp: Addr, by: number): void {
  const count = m.u16(lp, 4);
  if (count !== UNCOUNTED) m.setU16(lp, 4, count + by > UNCOUNTED ? UNCOUNTED : count + by);
}

/** `value` itself, or a copy of it where it lies in the block at `a`, whose bytes are about to move. */
function apart(m: Memory, a: Addr, value: Slice): Slice {
  m.borrow(whole, a, 0, 0);
  if (value.buffer !== whole.buffer) return value;
  const distance = value.start - whole.start;
  return distance < 0 || distance >= m.sizeOf(a) ? value : new Slice(value.copy());
}

function insertAt(m: Memory, lp: Addr, p: number, value: Slice): Addr {
  const own = apart(m, lp, value);
  encodeEntry(own, entry);
  return insertEncoded(m, lp, p, own);
}

function insertEncoded(m: Memory, lp: Addr, p: number, value: Slice): Addr {
  const at = splice(m, lp, p, 0, entry.total);
  writeEntry(m, at, p, value);
  addCount(m, at, 1);
  lpAt.position = p;
  return at;
}

export function lpInsert(m: Memory, lp: Addr, p: number, where: number, value: Slice): Addr {
  return insertAt(m, lp, where === LP_BEFORE ? p : endAt(m, lp, p), value);
}

/** Behind the last entry nothing moves: the end is written anew. */
export function lpAppend(m: Memory, lp: Addr, value: Slice): Addr {
  const own = apart(m, lp, value);
  encodeEntry(own, entry);
  const { total } = entry;
  const at = lpReserve(m, lp, total);
  const bytes = m.u32(at, 0);
  writeEntry(m, at, bytes - 1, own);
  m.setU8(at, bytes - 1 + total, END);
  m.setU32(at, 0, bytes + total);
  addCount(m, at, 1);
  lpAt.position = bytes - 1;
  return at;
}

const NOTHING = new Slice();

/** Makes sure that the listpack can take `more` bytes without asking for memory. */
export function lpReserve(m: Memory, lp: Addr, more: number): Addr {
  const wanted = m.u32(lp, 0) + more;
  return wanted > m.sizeOf(lp) ? m.resize(lp, wanted) : lp;
}

/** Appends `count` entries that lie encoded in the first `length` bytes of `bytes`. */
export function lpAppendEncoded(m: Memory, lp: Addr, bytes: Uint8Array, length: number, count: number): Addr {
  const at = lpReserve(m, lp, length);
  const total = m.u32(at, 0);
  m.writeBytes(at, total - 1, bytes, 0, length);
  m.setU8(at, total - 1 + length, END);
  m.setU32(at, 0, total + length);
  addCount(m, at, count);
  return at;
}

/** Puts a safe integer in the place of the entry at `p`. */
export function lpReplaceInteger(m: Memory, lp: Addr, p: number, value: number): Addr {
  encodeInteger(value, entry);
  const at = splice(m, lp, p, endAt(m, lp, p) - p, entry.total);
  writeEntry(m, at, p, NOTHING);
  lpAt.position = p;
  return at;
}

export function lpReplace(m: Memory, lp: Addr, p: number, value: Slice): Addr {
  const own = apart(m, lp, value);
  encodeEntry(own, entry);
  const at = splice(m, lp, p, endAt(m, lp, p) - p, entry.total);
  writeEntry(m, at, p, own);
  lpAt.position = p;
  return at;
}

export function lpDelete(m: Memory, lp: Addr, p: number): Addr {
  return deleteBytes(m, lp, p, endAt(m, lp, p), 1);
}

/** Deletes up to `count` entries from `p` on. */
export function lpDeleteRange(m: Memory, lp: Addr, p: number, count: number): Addr {
  const bytes = m.u32(lp, 0);
  const { buffer, start } = m.borrow(whole, lp, 0, bytes);
  const end = start + bytes - 1;
  let at = start + p;
  let deleted = 0;
  for (; deleted < count && at < end; deleted++) at = endIn(buffer, at);
  return deleteBytes(m, lp, p, at - start, deleted);
}

function deleteBytes(m: Memory, lp: Addr, p: number, end: number, count: number): Addr {
  addCount(m, lp, -count);
  const at = splice(m, lp, p, end - p, 0);
  lpAt.position = m.u8(at, p) === END ? 0 : p;
  return at;
}

/** Moves the entries of `second` behind those of `first` and releases it; returns where `first` is now. */
export function lpMerge(m: Memory, first: Addr, second: Addr): Addr {
  const total = m.u32(first, 0);
  const added = m.u32(second, 0) - EMPTY_BYTES;
  const count = lpLength(m, first) + lpLength(m, second);
  const at = m.resize(first, total + added);
  m.copy(at, total - 1, second, HEADER, added + 1);
  m.setU32(at, 0, total + added);
  m.setU16(at, 4, count > UNCOUNTED ? UNCOUNTED : count);
  m.release(second);
  return at;
}

/** A listpack of the entries from position `from` up to but not with `to` (0 is the end), which stay where they are. */
export function lpCopyRange(m: Memory, lp: Addr, from: number, to: number): Addr {
  const end = to === 0 ? m.u32(lp, 0) - 1 : to;
  const total = EMPTY_BYTES + end - from;
  const fresh = m.allocate(total);
  m.copy(fresh, HEADER, lp, from, end - from);
  m.setU8(fresh, total - 1, END);
  m.setU32(fresh, 0, total);
  const { buffer, start } = m.borrow(whole, fresh, 0, total);
  const count = countIn(buffer, start + HEADER, start + total - 1);
  m.setU16(fresh, 4, count > UNCOUNTED ? UNCOUNTED : count);
  return fresh;
}

/**
 * A quick walk over the entries: it borrows the bytes once, so nothing may be stored or allocated while it is in use.
 *
 *   for (cursor.reset(r, lp, p); cursor.more; cursor.next()) ... cursor.bytes(into)
 */
export class ListpackCursor {
  buffer: Uint8Array = NOTHING.buffer;
  /** See base/showing.ts. */
  listed = false;
  /** Offset of the current entry in `buffer`. */
  at = 0;
  private readonly lp = new Slice();
  private readonly wanted = new EncodedEntry();
  private end = 0;

  /** Begins at position `p`; 0 is past the end. */
  reset(r: Reader, lp: Addr, p: number): void {
    const bytes = r.u32(lp, 0);
    r.borrow(this.lp, lp, 0, bytes);
    this.end = this.lp.start + bytes - 1;
    this.begin(p);
  }

  /** The same over a listpack that lies outside the image. */
  resetBytes(bytes: Slice, p: number): void {
    this.lp.like(bytes);
    this.end = bytes.start + bytes.length - 1;
    this.begin(p);
  }

  private begin(p: number): void {
    if (!this.listed) enlist(this);
    this.buffer = this.lp.buffer;
    this.at = p === 0 ? this.end : this.lp.start + p;
  }

  /** Goes to the first entry. */
  toFirst(): void {
    this.at = this.lp.start + HEADER;
  }

  /** Goes to the last entry. */
  toLast(): void {
    this.at = this.end;
    this.prev();
  }

  get more(): boolean {
    return this.at < this.end && this.at !== 0;
  }

  /** The current entry's position in its listpack. */
  get position(): number {
    return this.at - this.lp.start;
  }

  next(): void {
    this.at = endIn(this.buffer, this.at);
  }

  /** Steps back; past the first entry `more` is false. */
  prev(): void {
    this.at = this.at === this.lp.start + HEADER ? 0 : startIn(this.buffer, this.at);
  }

  /** The current value as bytes; an integer's text is good until the fourth such reading. */
  bytes(into: Slice): Slice {
    return valueIn(this.buffer, this.at, into);
  }

  value(into: ListpackValue): void {
    into.read(this.buffer, this.at);
  }

  /** Names the value that `hit` compares with. */
  aim(value: Slice): void {
    encodeEntry(value, this.wanted);
  }

  /** Whether the current entry holds `value`, which is the one that was aimed at. */
  hit(value: Slice): boolean {
    return entryIs(this.buffer, this.at, this.wanted, value);
  }
}

// Checking.

/** Whether `bytes` are a listpack: its frame only, or with `deep` every entry, so that reading it is safe, and their number if `numbered`. */
export function lpValidate(bytes: Slice, deep: boolean, numbered = true): boolean {
  const { buffer, start, length } = bytes;
  if (length < EMPTY_BYTES || buffer[start + length - 1] !== END) return false;
  const total = buffer[start] + buffer[start + 1] * 256 + buffer[start + 2] * 65536 + buffer[start + 3] * 16777216;
  if (total !== length) return false;
  if (!deep) return true;
  const end = start + length - 1;
  let count = 0;
  let at = start + HEADER;
  for (; at < end; count++) {
    const size = sizeIn(buffer, at);
    if (size === 0 || size > end - at) return false;
    const back = backLengthSize(size);
    if (at + size + back > end) return false;
    if (backLengthAt(buffer, at + size, back) !== size) return false;
    at += size + back;
  }
  const counted = buffer[start + 4] | (buffer[start + 5] << 8);
  return at === end && (!numbered || counted === UNCOUNTED || counted === count);
}

/** Whether every entry of a valid listpack is as it would be written here: else equal values may have other bytes. */
export function lpIsCanonical({ buffer, start, length }: Slice): boolean {
  const end = start + length - 1;
  for (let at = start + HEADER; at < end; ) {
    const size = sizeIn(buffer, at);
    if (!isCanonical(buffer, at, size)) return false;
    at += size + backLengthSize(size);
  }
  return true;
}

/** The back length in exactly `bytes` bytes at `at`; -1 where it is longer or shorter. */
function backLengthAt(buffer: Uint8Array, at: number, bytes: number): number {
  let size = buffer[at];
  if (size > 127) return -1;
  for (let i = 1; i < bytes; i++) {
    if (buffer[at + i] < 128) return -1;
    size = size * 128 + (buffer[at + i] & 127);
  }
  return size;
}

/** Throws where an invariant of the header does not hold. */
export function lpVerify(m: Memory, lp: Addr): void {
  assert(lp !== NULL, 'a listpack has an address');
  const bytes = m.u32(lp, 0);
  assert(bytes <= m.sizeOf(lp), 'a listpack lies in its block');
  assert(lpValidate(m.borrow(whole, lp, 0, bytes), true), 'the bytes of a listpack are valid');
}
