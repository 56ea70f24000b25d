/**
 * A string of bytes in a block of its own, with room to grow.
 *
 *   0 length u32 | 4 bytes ... | room          capacity: all of the block behind the length
 *
 *   05 00 00 00  68 65 6c 6c 6f  .. .. .. .. .. .. ..     "hello" in a block of 16 bytes, capacity 12
 *
 * A new string gets a block that fits. One that outgrows its block gets twice the length that it needs below 1 MiB, and
 * 1 MiB more than that from there: so appending costs amortized O(1) a byte, and a large string wastes little.
 *
 * Invariant (sdsVerify): length <= capacity.
 *
 * A function that may move the string returns where it is from then on. A slice handed in may lie in the image, but not
 * in the string that is written.
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';

const LENGTH = 0;
const BYTES = 4;
const DOUBLING_LIMIT = 1024 * 1024;

/** A string that holds a copy of `value` and no room beyond. */
export function sdsNew(m: Memory, value: Slice): Addr {
  const s = m.allocate(BYTES + value.length);
  m.setU32(s, LENGTH, value.length);
  m.write(s, BYTES, value);
  return s;
}

/** `length` bytes of zero. */
export function sdsZeroes(m: Memory, length: number): Addr {
  const s = m.allocate(BYTES + length);
  m.setU32(s, LENGTH, length);
  m.fill(s, BYTES, 0, length);
  return s;
}

/** A string of `length` bytes whose content is undefined: the caller writes all of it. */
export function sdsNewLength(m: Memory, length: number): Addr {
  const s = m.allocate(BYTES + length);
  m.setU32(s, LENGTH, length);
  return s;
}

export function sdsFree(m: Memory, s: Addr): void {
  m.release(s);
}

export function sdsLength(r: Reader, s: Addr): number {
  return r.u32(s, LENGTH);
}

/** Bytes that the string can hold before it moves. */
export function sdsCapacity(m: Memory, s: Addr): number {
  return m.sizeOf(s) - BYTES;
}

/** Shows all of the string through `into`. */
export function sdsBytes(r: Reader, s: Addr, into: Slice): Slice {
  return r.borrow(into, s, BYTES, r.u32(s, LENGTH));
}

/** Makes room for `length` bytes in all; what lies beyond the present length is undefined. */
export function sdsReserve(m: Memory, s: Addr, length: number): Addr {
  if (BYTES + length <= m.sizeOf(s)) return s;
  const wanted = length < DOUBLING_LIMIT ? length * 2 : length + DOUBLING_LIMIT;
  return m.resize(s, BYTES + wanted);
}

/** Makes the string at least `length` long; what it gains is zero. */
export function sdsGrow(m: Memory, s: Addr, length: number): Addr {
  const old = m.u32(s, LENGTH);
  if (length <= old) return s;
  const grown = sdsReserve(m, s, length);
  m.fill(grown, BYTES + old, 0, length - old);
  m.setU32(grown, LENGTH, length);
  return grown;
}

export function sdsAppend(m: Memory, s: Addr, value: Slice): Addr {
  const old = m.u32(s, LENGTH);
  const grown = sdsReserve(m, s, old + value.length);
  m.write(grown, BYTES + old, value);
  m.setU32(grown, LENGTH, old + value.length);
  return grown;
}

/** Writes `value` at `at`; all of it must lie within the string's length. */
export function sdsWrite(m: Memory, s: Addr, at: number, value: Slice): void {
  m.write(s, BYTES + at, value);
}

export function sdsByte(r: Reader, s: Addr, at: number): number {
  return r.u8(s, BYTES + at);
}

export function sdsSetByte(m: Memory, s: Addr, at: number, byte: number): void {
  m.setU8(s, BYTES + at, byte);
}

/** Passes the write barrier for `length` bytes from `from` and shows them for writing in place, until the next store. */
export function sdsWritable(m: Memory, s: Addr, from: number, length: number, into: Slice): Slice {
  return m.writable(into, s, BYTES + from, length);
}

/** Moves `length` bytes of the string from one place in it to another, which may overlap. */
export function sdsMove(m: Memory, s: Addr, to: number, from: number, length: number): void {
  m.copy(s, BYTES + to, s, BYTES + from, length);
}

/** Cuts the string to `length`; the room stays. */
export function sdsTruncate(m: Memory, s: Addr, length: number): void {
  if (length < m.u32(s, LENGTH)) m.setU32(s, LENGTH, length);
}

/**
 * Makes the string a copy of `value` where its block fits that without much waste, and says whether it did. `value` may lie
 * anywhere.
 */
export function sdsOverwrite(m: Memory, s: Addr, value: Slice): boolean {
  const room = m.sizeOf(s);
  const wanted = BYTES + value.length;
  if (wanted > room || m.roundUp(wanted) < room - (room >>> 3)) return false;
  m.write(s, BYTES, value);
  m.setU32(s, LENGTH, value.length);
  return true;
}

/** Throws where the invariant does not hold. */
export function sdsVerify(m: Memory, s: Addr): void {
  assert(BYTES + m.u32(s, LENGTH) <= m.sizeOf(s), 'a string lies within its block');
}
