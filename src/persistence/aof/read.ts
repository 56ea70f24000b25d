/**
 * The records of an append-only file, marked where they lie in a window over the file.
 *
 *   #TS:1628217470\r\n                                  an annotation: passed over
 *   *3\r\n $3\r\nSET\r\n $3\r\nkey\r\n $5\r\nvalue\r\n  a record: the command as a client would send it
 *                                               ^offset from the beginning of the file, once the record has been read
 *
 * The window grows only for a record that is larger than it, and a length that the file claims is believed only as far as
 * the file goes, so memory is bounded by the largest record that is really there.
 *
 * What ends a line is its line feed, and the two bytes behind an argument may be any, as in Redis. An annotation in which
 * the file ends is a short record and not the end: what is appended behind it would become part of it.
 */
import { Slice } from '../../base/slice.ts';
import type { ByteSource } from '../chunks.ts';

/** What `next()` says. */
export const RECORD = 0;
/** The file ends where a record could begin. */
export const END = 1;
/** The file ends within a record. */
export const SHORT = 2;
/** What stands at the offset is no record. */
export const BAD = 3;
/** The window ends within a record. */
const MORE = 4;

const WINDOW = 1 << 18;
/** Windows that are larger shrink once what they grew for has been read. */
const LARGE = WINDOW * 16;
/** A longer line is none that Redis wrote. */
const MAX_LINE = 128;
const MAX_DIGITS = 15;
/** Slices that are kept from one record to the next. */
const KEEP_SLICES = 1024;
const CR = 13;
const LF = 10;
const HASH = 35;
const DOLLAR = 36;
const STAR = 42;
const ZERO = 48;
const NINE = 57;

export class AofReader {
  /** The record at hand, good until the next call of `next()`. */
  readonly args: Slice[] = [];
  argc = 0;
  private readonly source: ByteSource;
  /** Where the file ends. */
  private readonly size: number;
  private buffer = new Uint8Array(WINDOW);
  /** Offset in the file of the window's first byte. */
  private before: number;
  private at = 0;
  private end = 0;
  /** Of `number()`: where the next line begins. */
  private behind = 0;

  /** Reads the bytes that `source` gives, which are those of the file from `from` to `size`. */
  constructor(source: ByteSource, from: number, size: number) {
    this.source = source;
    this.before = from;
    this.size = size;
  }

  /** Where the record at hand ends; before the first one and after all else, where reading has come to a halt. */
  get offset(): number {
    return this.before + this.at;
  }

  /** Goes back, or on, to where a record begins: from now on `source` gives what is in the file from there on. */
  seek(offset: number): void {
    this.before = offset;
    this.at = 0;
    this.end = 0;
  }

  /** Reads on: RECORD, END, SHORT or BAD. */
  next(): number {
    if (this.args.length > KEEP_SLICES) this.args.length = KEEP_SLICES;
    for (;;) {
      const outcome = this.mark();
      if (outcome !== MORE) return outcome;
      if (!this.fill()) return this.at === this.end ? END : SHORT;
    }
  }

  /** Marks the record that begins at `at`. Where it is not whole nothing has changed. */
  private mark(): number {
    const { buffer } = this;
    while (this.at < this.end && buffer[this.at] === HASH) if (!this.passAnnotation()) return MORE;
    if (this.at === this.end) return MORE;
    if (buffer[this.at] !== STAR) return BAD;
    const count = this.number(this.at + 1);
    if (count < 0) return MORE;
    if (count === 0) return BAD;
    this.argc = 0;
    for (let i = 0; i < count; i++) {
      const line = this.behind;
      if (line === this.end) return MORE;
      if (buffer[line] !== DOLLAR || (line + 1 < this.end && !isDigit(buffer[line + 1]))) return BAD;
      const length = this.number(line + 1);
      if (length < 0) return MORE;
      const start = this.behind;
      const behind = start + length + 2;
      if (behind > this.end) return this.before + behind > this.size ? SHORT : MORE;
      this.add(start, length);
      this.behind = behind;
    }
    this.at = this.behind;
    return RECORD;
  }

  private passAnnotation(): boolean {
    const lf = this.buffer.indexOf(LF, this.at);
    if (lf < 0 || lf >= this.end) return false;
    this.at = lf + 1;
    return true;
  }

  private add(start: number, length: number): void {
    const index = this.argc++;
    if (index < this.args.length) this.args[index].set(this.buffer, start, length);
    else this.args.push(new Slice(this.buffer, start, length));
  }

  /** The number that the line begins with, 0 where it begins with none, or -1 where the window ends within the line. */
  private number(from: number): number {
    const { buffer, end } = this;
    let i = from;
    let value = 0;
    for (; i < end; i++) {
      const digit = buffer[i] - ZERO;
      if (digit < 0 || digit > 9 || i - from === MAX_DIGITS) break;
      value = value * 10 + digit;
    }
    if (i + 1 < end && buffer[i] === CR && buffer[i + 1] === LF) {
      this.behind = i + 2;
      return value;
    }
    return this.oddLine(i, from, value);
  }

  /** The same where the digits are not followed by the usual end of a line. */
  private oddLine(after: number, from: number, value: number): number {
    const { buffer, end } = this;
    let lf = after;
    while (lf < end && buffer[lf] !== LF && lf - from < MAX_LINE) lf++;
    if (lf === end) return -1;
    this.behind = buffer[lf] === LF ? lf + 1 : lf;
    const overlong = after - from === MAX_DIGITS && isDigit(buffer[after]);
    return overlong ? Number.MAX_SAFE_INTEGER : value;
  }

  /** Gets more bytes into the window; false where there are none. */
  private fill(): boolean {
    const left = this.end - this.at;
    const shrinks = this.buffer.length > LARGE && left < WINDOW;
    if (left === this.buffer.length) this.replace(Math.min(2 * left, Math.max(this.size - this.offset, left + 1)));
    else if (shrinks) this.replace(WINDOW);
    else if (this.at > 0) this.buffer.copyWithin(0, this.at, this.end);
    this.before += this.at;
    this.at = 0;
    this.end = left;
    const got = this.source(this.buffer, left, this.buffer.length - left);
    this.end += got;
    return got > 0;
  }

  private replace(length: number): void {
    const fresh = new Uint8Array(length);
    fresh.set(this.buffer.subarray(this.at, this.end));
    this.buffer = fresh;
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
