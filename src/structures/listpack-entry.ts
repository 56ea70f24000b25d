/**
 * The entries of a listpack: what their bytes mean. The listpack around them is in listpack.ts.
 *
 *   [encoding and data][back length]
 *
 *   0xxxxxxx                              integer 0 to 127
 *   10llllll bytes                        string of at most 63 bytes
 *   110xxxxx xxxxxxxx                     integer of 13 bits, high bits first, two's complement
 *   1110llll llllllll bytes               string of at most 4095 bytes, high bits first
 *   11110000 [u32] bytes                  longer string            (this and all below little-endian)
 *   11110001 [2]  11110010 [3]  11110011 [4]  11110100 [8]         integer of 16, 24, 32, 64 bits
 *
 * The back length is the size of encoding and data in groups of 7 bits, the highest first, every group but the first
 * with bit 7 set: read backwards from its last byte it ends at a byte below 128.
 *
 *   02 01            the integer 2
 *   82 68 69 03      the string hi
 *   df f6 02         the integer -10
 *
 * A string that spells an int64 in its only canonical way is stored as that integer in its shortest form, so two equal
 * values always have equal bytes: entries are compared without being decoded.
 */
import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/copy.ts';
import { writeInteger } from '../base/numbers.ts';
import { Slice } from '../base/slice.ts';

const TWO_32 = 4294967296;
const LONGEST_INTEGER = 20;

/** A value as the entry that it becomes: `head` bytes, then the value's own bytes where it stays a string. */
export class EncodedEntry {
  readonly head = new Uint8Array(9);
  headSize = 0;
  /** Bytes of the value that follow the head; 0 for an integer. */
  tail = 0;
  /** Encoding and data: headSize + tail. */
  size = 0;
  /** The whole entry, back length included. */
  total = 0;
}

/** An exact int64: `number` where `wide` is false, both words always after `split`. */
const parsed = { number: 0, wide: false, low: 0, high: 0 };

/** Whether `s` is an int64 in canonical decimal; if so it is left in `parsed`. */
function parseCanonical(s: Slice): boolean {
  const length = s.length;
  if (length === 0 || length > LONGEST_INTEGER) return false;
  const buffer = s.buffer;
  let at = s.start;
  const end = at + length;
  const negative = buffer[at] === 45;
  if (negative) at++;
  const first = buffer[at] - 48;
  if (at === end || first < 0 || first > 9) return false;
  if (first === 0) {
    parsed.number = 0;
    parsed.wide = false;
    return length === 1;
  }
  if (end - at > 15) return parseWide(buffer, at, end, negative);
  let number = first;
  for (at++; at < end; at++) {
    const digit = buffer[at] - 48;
    if (digit < 0 || digit > 9) return false;
    number = number * 10 + digit;
  }
  parsed.number = negative ? -number : number;
  parsed.wide = false;
  return true;
}

/** 16 to 20 digits: the last nine and those before them are exact numbers, joined in 16-bit steps. */
function parseWide(buffer: Uint8Array, from: number, end: number, negative: boolean): boolean {
  if (end - from > 19) return false;
  let top = 0;
  let last = 0;
  for (let i = from; i < end; i++) {
    const digit = buffer[i] - 48;
    if (digit < 0 || digit > 9) return false;
    if (i < end - 9) top = top * 10 + digit;
    else last = last * 10 + digit;
  }
  const upper = Math.floor(top / 65536) * 1e9;
  const lower = (upper % 65536) * 65536 + (top % 65536) * 1e9 + last;
  let low = lower % TWO_32;
  let high = Math.floor(upper / 65536) + Math.floor(lower / TWO_32);
  if (high > 0x7fffffff && !(negative && high === 0x80000000 && low === 0)) return false;
  if (negative) {
    low = -low >>> 0;
    high = (~high + (low === 0 ? 1 : 0)) >>> 0;
  }
  parsed.wide = true;
  parsed.low = low;
  parsed.high = high;
  return true;
}

/** Bytes that a back length of `size` takes. The steps are the format's, odd as the second one is. */
export function backLengthSize(size: number): number {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

/** Writes the back length of `size` at `at`; returns its end. */
export function writeBackLength(target: Uint8Array, at: number, size: number): number {
  const bytes = backLengthSize(size);
  let rest = size;
  for (let i = at + bytes - 1; i > at; i--) {
    target[i] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[at] = rest;
  return at + bytes;
}

/** Writes the whole entry that `value` becomes at `at`. */
export function writeEncoded(target: Uint8Array, at: number, entry: EncodedEntry, value: Slice): void {
  const { head, headSize, tail, size } = entry;
  for (let i = 0; i < headSize; i++) target[at + i] = head[i];
  if (tail > 0) copyBytes(target, at + headSize, value.buffer, value.start, tail);
  writeBackLength(target, at + size, size);
}

export function encodeEntry(value: Slice, into: EncodedEntry): void {
  if (parseCanonical(value)) encodeParsed(into);
  else encodeStringHead(value.length, into);
}

/** The same for an integer that is already known, a safe one. */
export function encodeInteger(value: number, into: EncodedEntry): void {
  parsed.number = value;
  parsed.wide = false;
  encodeParsed(into);
}

function encodeStringHead(length: number, into: EncodedEntry): void {
  const head = into.head;
  if (length < 64) {
    head[0] = 0x80 | length;
    into.headSize = 1;
  } else if (length < 4096) {
    head[0] = 0xe0 | (length >>> 8);
    head[1] = length;
    into.headSize = 2;
  } else {
    head[0] = 0xf0;
    putWord(head, 1, length);
    into.headSize = 5;
  }
  into.tail = length;
  into.size = into.headSize + length;
  into.total = into.size + backLengthSize(into.size);
}

function encodeParsed(into: EncodedEntry): void {
  const head = into.head;
  const value = parsed.number;
  let size = 9;
  if (parsed.wide) {
    head[0] = 0xf4;
    putWord(head, 1, parsed.low);
    putWord(head, 5, parsed.high);
  } else if (value >= 0 && value <= 127) {
    head[0] = value;
    size = 1;
  } else if (value >= -4096 && value <= 4095) {
    head[0] = 0xc0 | ((value >> 8) & 31);
    head[1] = value;
    size = 2;
  } else if (value >= -0x80000000 && value <= 0x7fffffff) {
    putWord(head, 1, value);
    size = value >= -32768 && value <= 32767 ? 3 : value >= -8388608 && value <= 8388607 ? 4 : 5;
    head[0] = 0xf1 + size - 3;
  } else {
    head[0] = 0xf4;
    putWord(head, 1, value);
    putWord(head, 5, Math.floor(value / TWO_32));
  }
  into.headSize = size;
  into.tail = 0;
  into.size = size;
  into.total = size + 1;
}

/** The low 32 bits of `value`, little-endian. */
function putWord(target: Uint8Array, at: number, value: number): void {
  const word = value | 0;
  target[at] = word;
  target[at + 1] = word >>> 8;
  target[at + 2] = word >>> 16;
  target[at + 3] = word >>> 24;
}

function word(buffer: Uint8Array, at: number): number {
  return buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24);
}

/** Size of the encoding and data of the entry at `at`; 0 where no entry begins. */
export function sizeIn(buffer: Uint8Array, at: number): number {
  const first = buffer[at];
  if (first < 0x80) return 1;
  if (first < 0xc0) return 1 + (first & 63);
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 2 + (((first & 15) << 8) | buffer[at + 1]);
  if (first === 0xf0) return 5 + (word(buffer, at + 1) >>> 0);
  return SIZES[first - 0xf1];
}

const TOTALS = Uint8Array.from({ length: 256 }, (_, first) => {
  if (first < 0x80) return 2;
  if (first < 0xc0) return 2 + (first & 63);
  if (first < 0xe0) return 3;
  return first > 0xf0 && first < 0xf5 ? [4, 5, 6, 10][first - 0xf1] : 0;
});

/** What an entry takes, back length included, where its first byte says it; else 0. */
export function totalBy(first: number): number {
  return TOTALS[first];
}

/** Where the entry after the one at `at` begins. */
export function endIn(buffer: Uint8Array, at: number): number {
  const total = TOTALS[buffer[at]];
  if (total !== 0) return at + total;
  const size = sizeIn(buffer, at);
  return at + size + backLengthSize(size);
}

/** Of the encodings 0xf1 to 0xff. */
const SIZES = Uint8Array.of(3, 4, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** Whether the entry at `at` holds `entry`, whose value is `value`. Names differ at their ends rather than in front. */
export function entryIs(buffer: Uint8Array, at: number, entry: EncodedEntry, value: Slice): boolean {
  const { head, headSize, tail } = entry;
  for (let i = 0; i < headSize; i++) if (buffer[at + i] !== head[i]) return false;
  const from = at + headSize;
  const bytes = value.buffer;
  for (let i = from + tail - 1, j = value.start + tail - 1; i >= from; i--, j--)
    if (buffer[i] !== bytes[j]) return false;
  return true;
}

/** Bytes before the string's own in an entry that begins with `first`; 0 when it is an integer. */
export function stringHead(first: number): number {
  if (first < 0x80) return 0;
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 0;
  if (first < 0xf0) return 2;
  return first === 0xf0 ? 5 : 0;
}

/** Whether the valid entry at `at`, of `size` bytes, is the one that its value becomes here. */
export function isCanonical(buffer: Uint8Array, at: number, size: number): boolean {
  const first = buffer[at];
  if (first < 0x80) return true;
  // Most texts don't begin as a number would, with a digit or a minus.
  if (first < 0xc0) return buffer[at + 1] > 57 || !parseCanonical(probe.text.set(buffer, at + 1, size - 1));
  if (first >= 0xe0 && first < 0xf0) return size >= 2 + 64;
  if (first === 0xf0) return size >= 5 + 4096;
  integerIn(buffer, at, probe.integer);
  const value = probe.integer.number;
  if (first < 0xe0) return value < 0 || value > 127;
  if (first === 0xf1) return value < -4096 || value > 4095;
  if (first === 0xf2) return value < -32768 || value > 32767;
  return first === 0xf3 ? value < -8388608 || value > 8388607 : value !== (value | 0);
}

/** An integer read from an entry: `number` is rounded where `wide`, then the two words are exact. */
export class EntryInteger {
  number = 0;
  wide = false;
  low = 0;
  high = 0;

  bigint(): bigint {
    return this.wide ? (BigInt(this.high | 0) << 32n) | BigInt(this.low >>> 0) : BigInt(this.number);
  }
}

const probe = { text: new Slice(), integer: new EntryInteger() };

/** Reads the integer entry at `at`, of `size` bytes. */
export function integerIn(buffer: Uint8Array, at: number, into: EntryInteger): void {
  const first = buffer[at];
  into.wide = false;
  if (first < 0x80) into.number = first;
  else if (first < 0xe0) into.number = (((first & 31) << 27) >> 19) | buffer[at + 1];
  else if (first === 0xf1) into.number = ((buffer[at + 1] | (buffer[at + 2] << 8)) << 16) >> 16;
  else if (first === 0xf2) into.number = ((buffer[at + 1] | (buffer[at + 2] << 8) | (buffer[at + 3] << 16)) << 8) >> 8;
  else if (first === 0xf3) into.number = word(buffer, at + 1);
  else {
    assert(first === 0xf4, 'an integer entry');
    const low = word(buffer, at + 1) >>> 0;
    const high = word(buffer, at + 5);
    into.low = low;
    into.high = high;
    into.number = high * TWO_32 + low;
    into.wide = !Number.isSafeInteger(into.number);
  }
}

/** Decimal text of an integer that was read, into `target`; returns its length. */
export function writeEntryInteger(target: Uint8Array, integer: EntryInteger): number {
  if (integer.wide) {
    const text = integer.bigint().toString();
    for (let i = 0; i < text.length; i++) target[i] = text.charCodeAt(i);
    return text.length;
  }
  return writeInteger(target, 0, integer.number);
}
