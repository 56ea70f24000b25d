/**
 * The intset: distinct 64-bit integers in ascending order, in the narrowest width that holds them all.
 *
 *   [encoding u32][length u32][value x length], little-endian, Redis's own bytes; encoding is a value's width: 2, 4 or 8
 *
 *   02 00 00 00  02 00 00 00  fb ff 2c 01                                          holds -5 and 300
 *   08 00 00 00  01 00 00 00  00 00 00 00 01 00 00 00                              holds 2^32
 *
 * One block, which moves when it outgrows its size class; functions that may move it return where it is.
 *
 * A value travels as two 32-bit halves, `hi` signed and `lo` in any sign, so that all of int64 is exact without bigint.
 * Finding is O(log N), inserting and removing O(N) for the bytes that move.
 *
 * Invariants (intsetVerify): ascending without doubles; the block holds the bytes. An intset never narrows again.
 */
import { assert } from '../base/assert.ts';
import { parseInt64, parseInteger, writeInteger } from '../base/numbers.ts';
import type { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';

const Head = layout({ encoding: 'u32', length: 'u32' });

const TWO_32 = 2 ** 32;

/** A 64-bit integer in two halves. */
export class Int64 {
  hi = 0;
  lo = 0;

  /** Takes the canonical integer that `s` spells; false, with nothing taken, when it spells none. */
  parse(s: Slice): boolean {
    const value = parseInteger(s);
    if (Number.isNaN(value)) return false;
    if (Number.isSafeInteger(value)) this.setNumber(value);
    else this.setBigint(parseInt64(s)!);
    return true;
  }

  /** Takes a safe integer. */
  setNumber(value: number): void {
    this.lo = value | 0;
    this.hi = Math.floor(value / TWO_32);
  }

  setBigint(value: bigint): void {
    this.lo = Number(BigInt.asIntN(32, value));
    this.hi = Number(BigInt.asIntN(32, value >> 32n));
  }

  /** Rounded beyond 2^53. */
  number(): number {
    return this.hi * TWO_32 + (this.lo >>> 0);
  }

  bigint(): bigint {
    return BigInt(this.hi) * 4294967296n + BigInt(this.lo >>> 0);
  }
}

export function intsetNew(m: Memory): Addr {
  const s = m.allocate(Head.size);
  m.setU32(s, Head.encoding, 2);
  m.setU32(s, Head.length, 0);
  return s;
}

/** An intset of the bytes given, which must be valid. */
export function intsetFromBytes(m: Memory, bytes: Slice): Addr {
  const s = m.allocate(bytes.length);
  m.write(s, 0, bytes);
  return s;
}

export function intsetLength(r: Reader, s: Addr): number {
  return r.u32(s, Head.length);
}

/** Bytes of the intset: header and values. */
export function intsetBytes(r: Reader, s: Addr): number {
  return Head.size + r.u32(s, Head.encoding) * r.u32(s, Head.length);
}

/** The width that holds a value. */
function widthOf(hi: number, lo: number): number {
  const low = lo | 0;
  if (hi !== low >> 31) return 8;
  return low === (low << 16) >> 16 ? 2 : 4;
}

/** The value at `index` when values are 2 or 4 bytes wide. */
function narrowAt(r: Reader, s: Addr, width: number, index: number): number {
  return width === 2 ? (r.u16(s, Head.size + index * 2) << 16) >> 16 : r.u32(s, Head.size + index * 4) | 0;
}

/** Where the value is: its index, or ~index of where it belongs when it isn't there. */
export function intsetSearch(r: Reader, s: Addr, hi: number, lo: number): number {
  const width = r.u32(s, Head.encoding);
  const length = r.u32(s, Head.length);
  if (widthOf(hi, lo) > width) return hi < 0 ? ~0 : ~length;
  return width === 8 ? searchWide(r, s, length, hi, lo) : searchNarrow(r, s, width, length, lo | 0);
}

function searchNarrow(r: Reader, s: Addr, width: number, length: number, value: number): number {
  let low = 0;
  let high = length - 1;
  // Ascending insertion is common: look behind the last one first.
  if (length > 0 && value > narrowAt(r, s, width, high)) return ~length;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = narrowAt(r, s, width, middle);
    if (found < value) low = middle + 1;
    else if (found > value) high = middle - 1;
    else return middle;
  }
  return ~low;
}

function searchWide(r: Reader, s: Addr, length: number, hi: number, lo: number): number {
  const unsigned = lo >>> 0;
  let low = 0;
  let high = length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const at = Head.size + middle * 8;
    const order = (r.u32(s, at + 4) | 0) - hi || r.u32(s, at) - unsigned;
    if (order < 0) low = middle + 1;
    else if (order > 0) high = middle - 1;
    else return middle;
  }
  return ~low;
}

/** Reads the value at `index`. */
export function intsetGet(r: Reader, s: Addr, index: number, into: Int64): void {
  const width = r.u32(s, Head.encoding);
  if (width === 8) {
    into.lo = r.u32(s, Head.size + index * 8) | 0;
    into.hi = r.u32(s, Head.size + index * 8 + 4) | 0;
  } else {
    into.lo = narrowAt(r, s, width, index);
    into.hi = into.lo >> 31;
  }
}

const TEXT_BYTES = 24;
const texts = [
  new Uint8Array(TEXT_BYTES),
  new Uint8Array(TEXT_BYTES),
  new Uint8Array(TEXT_BYTES),
  new Uint8Array(TEXT_BYTES),
];
const turn = { next: 0 };
const scratch = new Int64();

/** The decimal text of the value at `index`; good until the fourth call after this one. */
export function intsetText(r: Reader, s: Addr, index: number, into: Slice): Slice {
  turn.next = (turn.next + 1) & 3;
  const text = texts[turn.next];
  intsetGet(r, s, index, scratch);
  const value = scratch.number();
  if (Number.isSafeInteger(value)) return into.set(text, 0, writeInteger(text, 0, value));
  const digits = scratch.bigint().toString();
  for (let i = 0; i < digits.length; i++) text[i] = digits.charCodeAt(i);
  return into.set(text, 0, digits.length);
}

function put(m: Memory, s: Addr, width: number, index: number, hi: number, lo: number): void {
  if (width === 2) m.setU16(s, Head.size + index * 2, lo & 0xffff);
  else if (width === 4) m.setU32(s, Head.size + index * 4, lo >>> 0);
  else {
    m.setU32(s, Head.size + index * 8, lo >>> 0);
    m.setU32(s, Head.size + index * 8 + 4, hi >>> 0);
  }
}

/** Inserts a value that is not there at the index that `intsetSearch` told (its answer inverted). */
export function intsetInsert(m: Memory, s: Addr, index: number, hi: number, lo: number): Addr {
  const width = m.u32(s, Head.encoding);
  const wanted = widthOf(hi, lo);
  const length = m.u32(s, Head.length);
  const after = wanted > width ? wanted : width;
  const fresh = m.resize(s, Head.size + after * (length + 1));
  if (after > width) widen(m, fresh, width, after, length, index === 0 ? 1 : 0);
  else m.copy(fresh, Head.size + (index + 1) * width, fresh, Head.size + index * width, (length - index) * width);
  put(m, fresh, after, index, hi, lo);
  m.setU32(fresh, Head.length, length + 1);
  return fresh;
}

/** Rewrites the values in a greater width, from the last so that none is overwritten unread, `shift` places later. */
function widen(m: Memory, s: Addr, width: number, wider: number, length: number, shift: number): void {
  m.setU32(s, Head.encoding, wider);
  for (let i = length - 1; i >= 0; i--) {
    const value = narrowAt(m, s, width, i);
    put(m, s, wider, i + shift, value >> 31, value);
  }
}

/** Removes the value at `index`. */
export function intsetRemove(m: Memory, s: Addr, index: number): Addr {
  const width = m.u32(s, Head.encoding);
  const length = m.u32(s, Head.length) - 1;
  m.copy(s, Head.size + index * width, s, Head.size + (index + 1) * width, (length - index) * width);
  m.setU32(s, Head.length, length);
  try {
    return m.resize(s, Head.size + width * length);
  } catch (error) {
    // Giving memory back must not fail for want of memory.
    if (error instanceof OutOfMemory) return s;
    throw error;
  }
}

/** Whether foreign bytes are an intset; `deep` looks at the order of the values as well. */
export function intsetValidate(bytes: Slice, deep: boolean): boolean {
  const { buffer, start, length } = bytes;
  if (length < Head.size) return false;
  const width = wordIn(buffer, start + Head.encoding);
  if (width !== 2 && width !== 4 && width !== 8) return false;
  const count = wordIn(buffer, start + Head.length) >>> 0;
  if (count === 0 || Head.size + count * width !== length) return false;
  if (!deep) return true;
  const from = start + Head.size;
  if (width === 2) return ascend16(buffer, from, start + length);
  if (width === 4) return ascend32(buffer, from, start + length);
  return ascendWide(new DataView(buffer.buffer, buffer.byteOffset + start, length));
}

// Of what is short, to make a view takes longer than to put its numbers together of their bytes.

function wordIn(buffer: Uint8Array, at: number): number {
  return buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24);
}

function ascend16(buffer: Uint8Array, from: number, end: number): boolean {
  let before = -0x8001;
  for (let at = from; at < end; at += 2) {
    const value = ((buffer[at] << 16) | (buffer[at + 1] << 24)) >> 16;
    if (value <= before) return false;
    before = value;
  }
  return true;
}

function ascend32(buffer: Uint8Array, from: number, end: number): boolean {
  let before = wordIn(buffer, from);
  for (let at = from + 4; at < end; at += 4) {
    const value = wordIn(buffer, at);
    if (value <= before) return false;
    before = value;
  }
  return true;
}

function ascendWide(view: DataView): boolean {
  for (let at = Head.size + 8; at < view.byteLength; at += 8) {
    const order = view.getInt32(at + 4, true) - view.getInt32(at - 4, true);
    if (order < 0 || (order === 0 && view.getUint32(at, true) <= view.getUint32(at - 8, true))) return false;
  }
  return true;
}

/** Asserts the invariants of the header comment. */
export function intsetVerify(m: Memory, s: Addr): void {
  const width = m.u32(s, Head.encoding);
  assert(width === 2 || width === 4 || width === 8, 'intset: a known width');
  const length = m.u32(s, Head.length);
  assert(m.sizeOf(s) >= Head.size + width * length, 'intset: the block holds the values');
  const previous = new Int64();
  const value = new Int64();
  for (let i = 0; i < length; i++) {
    intsetGet(m, s, i, value);
    assert(i === 0 || previous.bigint() < value.bigint(), 'intset: ascending without doubles');
    previous.hi = value.hi;
    previous.lo = value.lo;
  }
}
