/**
 * The keyspace entry: one block a key, with all that is known of it.
 *
 *   0  u32  next       link of the database's dict
 *   4  u8   keyAt      where the key field begins: 10, 16 or 28
 *   5  u8   kind       type (bits 0-2), encoding (bits 3-6), has an expiry (bit 7)
 *   6  u16  lru low    the 24 bits of the LRU clock, or of LFU's minutes and counter
 *   8  u8   lru high
 *   9  u8   length     of a string held in place
 *  10                  key field and string in place, when there is neither address nor expiry
 *  12  u32  value      address of the value, when it is not a string in place
 *  16                  key field, when there is no expiry
 *  16  f64  expiry     unix time in milliseconds
 *  24  u32  link       of the dict of keys that expire
 *  28                  key field, when there is an expiry
 *
 * The key field is a varint length and the key's bytes; a string in place follows it. So the 16-byte key with its 3-byte
 * value of redis-benchmark takes 30 bytes, two granules:
 *
 *   xx xx xx xx  0a 10 cc cc cc 03  10 6b 65 79 3a ... 30  78 78 78
 *   next         |  |  lru      len key field              value
 *                keyAt, kind
 *
 * Integers are held in place as their decimal text: GET, the most frequent command, sends it as it is, the text of an
 * integer below 10^8 is shorter than its binary form, and INCR's parse of it costs less than a malloc did.
 *
 * Whether a value lies in place follows from its encoding: int and embstr do, all others hang off `value`.
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { entryKey, entryKeyEnd, keyFieldSize, writeKeyField } from '../structures/dict.ts';

export const TYPE_STRING = 0;
export const TYPE_LIST = 1;
export const TYPE_SET = 2;
export const TYPE_ZSET = 3;
export const TYPE_HASH = 4;
export const TYPE_STREAM = 5;
export type ValueType = 0 | 1 | 2 | 3 | 4 | 5;

export const ENC_EMBSTR = 0;
export const ENC_INT = 1;
export const ENC_RAW = 2;
export const ENC_INTSET = 3;
export const ENC_HASHTABLE = 4;
export const ENC_LISTPACK = 5;
export const ENC_QUICKLIST = 6;
export const ENC_SKIPLIST = 7;
export const ENC_STREAM = 8;
export type Encoding = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const TYPE_NAMES = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const;
const ENCODING_NAMES = [
  'embstr',
  'int',
  'raw',
  'intset',
  'hashtable',
  'listpack',
  'quicklist',
  'skiplist',
  'stream',
] as const;

/** The name that TYPE answers. */
export const typeName = (type: number): string => TYPE_NAMES[type];
/** The name that OBJECT ENCODING answers. */
export const encodingName = (encoding: number): string => ENCODING_NAMES[encoding];

/** The longest string that is held in place; OBJECT ENCODING shows where it ends. */
export const INLINE_MAX = 44;

const KEY_AT = 4;
const KIND = 5;
const LRU_LOW = 6;
const LRU_HIGH = 8;
const LENGTH = 9;
const VALUE = 12;
const EXPIRY = 16;
/** Where the link of the dict of expiring keys lies. */
export const EXPIRY_LINK = 24;
const KEY_AFTER_LENGTH = 10;
const KEY_AFTER_VALUE = 16;
const KEY_AFTER_EXPIRY = 28;
const HAS_EXPIRY = 0x80;

assert(VALUE % 4 === 0 && EXPIRY % 8 === 0 && EXPIRY_LINK % 4 === 0, 'fields are aligned to their width');

export function entryType(r: Reader, e: Addr): ValueType {
  return (r.u8(e, KIND) & 7) as ValueType;
}

export function entryEncoding(r: Reader, e: Addr): Encoding {
  return ((r.u8(e, KIND) >>> 3) & 15) as Encoding;
}

export function entryHasExpiry(r: Reader, e: Addr): boolean {
  return r.u8(e, KIND) >= HAS_EXPIRY;
}

/** Unix time in milliseconds at which the key expires, -1 when it does not. */
export function entryExpiry(r: Reader, e: Addr): number {
  return r.u8(e, KIND) >= HAS_EXPIRY ? r.f64(e, EXPIRY) : -1;
}

export function entryLru(r: Reader, e: Addr): number {
  return r.u16(e, LRU_LOW) | (r.u8(e, LRU_HIGH) << 16);
}

export function setEntryLru(m: Memory, e: Addr, lru: number): void {
  m.setU16(e, LRU_LOW, lru & 0xffff);
  m.setU8(e, LRU_HIGH, lru >>> 16);
}

/** The root of a value that does not lie in place. */
export function entryValue(r: Reader, e: Addr): Addr {
  return r.addr(e, VALUE);
}

/** Sets root and encoding of a value that does not lie in place; the type stays. */
export function setEntryValue(m: Memory, e: Addr, encoding: Encoding, root: Addr): void {
  const kind = m.u8(e, KIND);
  m.setU8(e, KIND, (kind & (HAS_EXPIRY | 7)) | (encoding << 3));
  m.setU32(e, VALUE, root);
}

export function isInline(encoding: Encoding): boolean {
  return encoding <= ENC_INT;
}

/** The string held in place in `e`. */
export function inlineString(r: Reader, e: Addr, into: Slice): Slice {
  const length = r.u8(e, LENGTH);
  return r.borrow(into, e, entryKeyEnd(r, e), length);
}

export { entryKey };

function keyAtOf(inline: boolean, expires: boolean): number {
  if (expires) return KEY_AFTER_EXPIRY;
  return inline ? KEY_AFTER_LENGTH : KEY_AFTER_VALUE;
}

/** Bytes that an entry with a string in place asks for. */
export function inlineEntrySize(keyLength: number, valueLength: number, expires: boolean): number {
  return keyAtOf(true, expires) + keyFieldSize(keyLength) + valueLength;
}

function writeHead(m: Memory, e: Addr, type: ValueType, encoding: Encoding, expiry: number, key: Slice): number {
  const inline = isInline(encoding);
  const expires = expiry >= 0;
  const keyAt = keyAtOf(inline, expires);
  m.setU32(e, 0, 0);
  m.setU8(e, KEY_AT, keyAt);
  m.setU8(e, KIND, type | (encoding << 3) | (expires ? HAS_EXPIRY : 0));
  if (expires) {
    m.setF64(e, EXPIRY, expiry);
    m.setU32(e, EXPIRY_LINK, 0);
  }
  return writeKeyField(m, e, keyAt, key);
}

/** A new entry with a string in place (at most INLINE_MAX bytes); `expiry` is -1 for none. Not yet in any dict. */
export function newInlineEntry(m: Memory, key: Slice, encoding: Encoding, value: Slice, expiry: number): Addr {
  const e = m.allocate(inlineEntrySize(key.length, value.length, expiry >= 0));
  const at = writeHead(m, e, TYPE_STRING, encoding, expiry, key);
  m.setU8(e, LENGTH, value.length);
  m.write(e, at, value);
  return e;
}

/** A new entry whose value hangs off `root`. Not yet in any dict. */
export function newEntry(m: Memory, key: Slice, type: ValueType, encoding: Encoding, root: Addr, expiry: number): Addr {
  const e = m.allocate(keyAtOf(false, expiry >= 0) + keyFieldSize(key.length));
  writeHead(m, e, type, encoding, expiry, key);
  m.setU32(e, VALUE, root);
  return e;
}

/**
 * Overwrites the string in place of `e` with another where the block holds it without being more than a granule too
 * large, and says whether it did. Expiry and LRU stay.
 */
export function overwriteInline(m: Memory, e: Addr, encoding: Encoding, value: Slice): boolean {
  const at = entryKeyEnd(m, e);
  const size = m.sizeOf(e);
  const wanted = at + value.length;
  if (wanted > size || size - wanted >= 32) return false;
  const kind = m.u8(e, KIND);
  m.setU8(e, KIND, (kind & HAS_EXPIRY) | TYPE_STRING | (encoding << 3));
  m.setU8(e, LENGTH, value.length);
  m.write(e, at, value);
  return true;
}

/** Moves the expiry of an entry that has one. */
export function overwriteExpiry(m: Memory, e: Addr, expiry: number): void {
  m.setF64(e, EXPIRY, expiry);
}
