/**
 * A borrowed run of bytes: the one currency in which arguments, keys, fields and values travel.
 *
 * A slice never owns what it shows. One that shows a request is good until the command returns; one that shows
 * the memory image is good until the next store or allocation. Whoever wants to keep the bytes calls `copy()`.
 * Slices are pooled by their owners (the parser, a cursor) so that the hot path makes none.
 */
import { constants } from 'node:buffer';
import { copied } from './copy.ts';
import { enlist } from './showing.ts';

export class Slice {
  buffer: Uint8Array;
  start: number;
  length: number;
  /** See showing.ts. */
  listed = false;

  constructor(buffer: Uint8Array = EMPTY, start = 0, length = buffer.length - start) {
    this.buffer = buffer;
    this.start = start;
    this.length = length;
  }

  /** Points this slice somewhere else. */
  set(buffer: Uint8Array, start: number, length: number): this {
    if (!this.listed) enlist(this);
    this.buffer = buffer;
    this.start = start;
    this.length = length;
    return this;
  }

  /** Points this slice at what `other` shows. */
  like(other: Slice): this {
    return this.set(other.buffer, other.start, other.length);
  }

  at(index: number): number {
    return this.buffer[this.start + index];
  }

  /** The bytes, in memory of their own. */
  copy(): Uint8Array {
    return copied(this.buffer, this.start, this.length);
  }

  /** The bytes where they are; shares memory with the buffer. */
  view(): Uint8Array {
    return this.buffer.subarray(this.start, this.start + this.length);
  }

  /** One character a byte (latin1), never UTF-8. Throws TextTooLong for more than LONGEST_TEXT bytes. */
  latin1(): string {
    return latin1(this.buffer, this.start, this.length);
  }

  /** The same of no more than its first `limit` bytes. */
  beginning(limit: number): string {
    return latin1(this.buffer, this.start, Math.min(limit, this.length));
  }

  /** The same of a word that is looked up among words of ours: cut where it is longer than any of them. */
  keyword(): string {
    return this.beginning(KEYWORD);
  }

  /** The same for an error's text: up to a zero byte, as a string of C ends, and no more than `limit` bytes. */
  shown(limit = SHOWN): string {
    return shownText(this.beginning(limit));
  }
}

const EMPTY = new Uint8Array(0);

/** No word of ours (a command's, an option's, a category's, a hash) is as long. */
const KEYWORD = 128;
/** More than this of a word is of no use in an error; Redis shows all of it in some. */
const SHOWN = 64 * 1024;

const { latin1Slice } = Buffer.prototype;

/** Whether Node makes strings of shared memory; not every version does. */
const READS_SHARED = readsShared();

function readsShared(): boolean {
  try {
    return latin1Slice.call(new Uint8Array(new SharedArrayBuffer(1)), 0, 1) === '\0';
  } catch {
    return false;
  }
}

/** Up to here characters one by one beat the call into Node. */
const CHARACTER_WISE = 8;

/** The longest string of V8. */
export const LONGEST_TEXT = constants.MAX_STRING_LENGTH;

/** Bytes were to become a text, and are more than one can hold. */
export class TextTooLong extends RangeError {
  override name = 'TextTooLong';

  constructor() {
    super(`text exceeds maximum allowed size (${LONGEST_TEXT} bytes)`);
  }
}

/** `length` bytes of `buffer` from `start` as a string of one character a byte. Throws TextTooLong. */
export function latin1(buffer: Uint8Array, start: number, length: number): string {
  if (length <= CHARACTER_WISE) {
    let text = '';
    for (let i = start; i < start + length; i++) text += String.fromCharCode(buffer[i]);
    return text;
  }
  if (length > LONGEST_TEXT) throw new TextTooLong();
  if (!READS_SHARED && buffer.buffer instanceof SharedArrayBuffer) {
    return latin1Slice.call(buffer.slice(start, start + length), 0, length);
  }
  return latin1Slice.call(buffer, start, start + length);
}

/** What an error shows of a text of one byte a character: see Slice.shown. */
export function shownText(text: string): string {
  const end = text.indexOf('\0');
  return text.slice(0, end < 0 ? SHOWN : Math.min(end, SHOWN));
}

/** The bytes of a string that holds one byte a character. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A slice of its own over `text`, one byte a character. */
export function sliceOf(text: string): Slice {
  return new Slice(bytesOf(text));
}

/** From so many bytes on a call into Node beats the loop. */
const COMPARED_BY_CALL = 256;
/** Buffer's compare of two parts, which is the system's memcmp. */
export const compareParts = Buffer.prototype.compare as (
  this: Uint8Array,
  other: Uint8Array,
  otherFrom: number,
  otherTo: number,
  from: number,
  to: number,
) => number;

export function sameBytes(a: Slice, b: Slice): boolean {
  const length = a.length;
  if (length !== b.length) return false;
  const x = a.buffer;
  const y = b.buffer;
  if (length >= COMPARED_BY_CALL)
    return compareParts.call(x, y, b.start, b.start + length, a.start, a.start + length) === 0;
  let i = a.start;
  let j = b.start;
  for (const end = i + length; i < end; i++, j++) if (x[i] !== y[j]) return false;
  return true;
}

/** The order of memcmp, the shorter first where one begins the other: negative, zero or positive. */
export function compareBytes(a: Slice, b: Slice): number {
  const x = a.buffer;
  const y = b.buffer;
  const shared = a.length < b.length ? a.length : b.length;
  for (let i = a.start, j = b.start, end = i + shared; i < end; i++, j++) {
    const difference = x[i] - y[j];
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function beginsWith(slice: Slice, beginning: Slice): boolean {
  const { length } = beginning;
  return slice.length >= length && sameBytes(new Slice(slice.buffer, slice.start, length), beginning);
}

/** Whether `slice` spells `word` (given in upper-case ASCII) in any mix of cases. */
export function isWord(slice: Slice, word: string): boolean {
  const length = word.length;
  if (slice.length !== length) return false;
  const buffer = slice.buffer;
  const start = slice.start;
  for (let i = 0; i < length; i++) {
    let byte = buffer[start + i];
    if (byte >= 97 && byte <= 122) byte -= 32;
    if (byte !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether `slice` is exactly `text`, byte for byte. */
export function isText(slice: Slice, text: string): boolean {
  const length = text.length;
  if (slice.length !== length) return false;
  for (let i = 0; i < length; i++) if (slice.buffer[slice.start + i] !== text.charCodeAt(i)) return false;
  return true;
}
