/**
 * What every entry of a dict begins with, whoever it belongs to:
 *
 *   0  u32  next    link of the chain (a second dict over the same entries has its link elsewhere: linkAt)
 *   4  u8   keyAt   offset of the key field: a varint length (7 bits a byte, low ones first, 0x80 = goes on), then bytes
 *
 * The rest of the block is its owner's. A set member `ab` in a block of 16 bytes, another entry after it in the chain:
 *
 *   30 12 00 00  05  02 61 62  ...
 *   next         |   key field
 *                keyAt
 */
import { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';

/** Offset in every entry of the byte that says where the key field begins. */
const ENTRY_KEY_AT = 4;

const borrowed = new Slice();
const other = new Slice();

/** Bytes of the key field of a key of `length` bytes: the varint and the key. */
export function keyFieldSize(length: number): number {
  if (length < 0x80) return length + 1;
  let size = 1;
  for (let rest = length; rest >= 0x80; rest = rest >>> 7) size++;
  return size + length;
}

/** Writes the key field at `at` and where it begins into the entry's byte 4; returns the offset behind it. */
export function writeKeyField(m: Memory, entry: Addr, at: number, key: Slice): number {
  m.setU8(entry, ENTRY_KEY_AT, at);
  let rest = key.length;
  while (rest >= 0x80) {
    m.setU8(entry, at++, (rest & 0x7f) | 0x80);
    rest = rest >>> 7;
  }
  m.setU8(entry, at++, rest);
  m.write(entry, at, key);
  return at + key.length;
}

/** The key of an entry. */
export function entryKey(r: Reader, entry: Addr, into: Slice): Slice {
  let at = r.u8(entry, ENTRY_KEY_AT);
  let length = r.u8(entry, at++);
  if (length >= 0x80) {
    length &= 0x7f;
    for (let shift = 7; ; shift += 7) {
      const byte = r.u8(entry, at++);
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  return r.borrow(into, entry, at, length);
}

/** Offset behind the key field of an entry. */
export function entryKeyEnd(r: Reader, entry: Addr): number {
  let at = r.u8(entry, ENTRY_KEY_AT);
  let length = r.u8(entry, at++);
  if (length < 0x80) return at + length;
  length &= 0x7f;
  for (let shift = 7; ; shift += 7) {
    const byte = r.u8(entry, at++);
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length;
  }
}

/** Whether the entry's key is `key`. From the last byte backwards, as keys of one application begin alike. */
export function hasKey(r: Reader, entry: Addr, key: Slice): boolean {
  const length = key.length;
  if (length >= 0x80) return hasLongKey(r, entry, key);
  const at = r.u8(entry, ENTRY_KEY_AT);
  if (r.u8(entry, at) !== length) return false;
  r.borrow(borrowed, entry, at + 1, length);
  const x = borrowed.buffer;
  const y = key.buffer;
  const low = key.start;
  const shift = borrowed.start - low;
  for (let i = low + length - 1; i >= low; i--) if (x[i + shift] !== y[i]) return false;
  return true;
}

/**
 * Whether two entries with their key fields at byte 5, as sets have them, have one key. Of most keys the first word tells
 * the length with two bytes, and what follows is compared by words as well.
 */
export function haveSameKey(r: Reader, a: Addr, b: Addr): boolean {
  const length = r.u8(a, ENTRY_KEY_AT + 1);
  if (length < 2 || length >= 0x80) return hasKey(r, a, entryKey(r, b, other));
  if (r.u32(a, ENTRY_KEY_AT) !== r.u32(b, ENTRY_KEY_AT)) return false;
  let at = ENTRY_KEY_AT + 2 + length;
  for (const words = at & ~3; at > words; ) if (r.u8(a, --at) !== r.u8(b, at)) return false;
  while (at > ENTRY_KEY_AT + 4) {
    at -= 4;
    if (r.u32(a, at) !== r.u32(b, at)) return false;
  }
  return true;
}

function hasLongKey(r: Reader, entry: Addr, key: Slice): boolean {
  if (r.u8(entry, r.u8(entry, ENTRY_KEY_AT)) !== ((key.length & 0x7f) | 0x80)) return false;
  const own = entryKey(r, entry, borrowed);
  if (own.length !== key.length) return false;
  const x = own.buffer;
  const y = key.buffer;
  const low = key.start;
  const shift = own.start - low;
  for (let i = low + key.length - 1; i >= low; i--) if (x[i + shift] !== y[i]) return false;
  return true;
}
