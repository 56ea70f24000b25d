/**
 * Replies in RESP2 and RESP3: the writers that commands call. Where the bytes go is Output's matter.
 *
 * A reply needs no socket: without an owner it is a sink that is emptied with `take()`.
 */
import { digitCount, formatDouble, integerLength } from '../base/numbers.ts';
import type { Slice } from '../base/slice.ts';
import { Chunk } from './chunk.ts';
import { COPY_BY_LOOP, Output, type ReplyOwner, SMALL } from './output.ts';

export type { ReplyOwner };

/** Hears of every error reply, suppressed ones too, for the statistics of errors. */
export interface ErrorListener {
  /** Not `counted` where the statistics have it already. */
  errorReplied(text: string, counted: boolean): void;
}

const NONE = new Uint8Array(0);
const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const STAR = 42;
const DOLLAR = 36;
const PERCENT = 37;
const TILDE = 126;
const ANGLE = 62;
const PIPE = 124;
const COMMA = 44;
const HASH = 35;
const UNDERSCORE = 95;
const PAREN = 40;
const EQUALS = 61;
const ZERO = 48;

/** Of a longer line so much is written at one go. */
const LONG_LINE = 4096;
const linePiece = Buffer.alloc(LONG_LINE);

export class Reply extends Output {
  /** The client's protocol, 2 or 3. */
  resp = 2;
  errors: ErrorListener | null = null;
  /** Error replies so far; dispatch compares before and after a command. */
  errorCount = 0;
  private readonly deferredChunks: Chunk[] = [];
  private readonly deferredAt: number[] = [];

  override rewind(chunk: Chunk | null, at: number): void {
    this.deferredChunks.length = 0;
    this.deferredAt.length = 0;
    super.rewind(chunk, at);
  }

  // Simple replies.

  ok(): void {
    let at = this.room();
    const bytes = this.bytes;
    bytes[at++] = PLUS;
    bytes[at++] = 79;
    bytes[at++] = 75;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.at = at;
  }

  /** A simple string. Line breaks inside become spaces. */
  status(text: string): void {
    this.beginStatus();
    this.lineText(text, 0, text.length);
    this.line();
  }

  /** The beginning of a simple string; `lineText()` and `line()` follow. */
  beginStatus(): void {
    this.byte(PLUS);
  }

  /** A part of a text, in which line breaks become spaces. */
  lineText(text: string, start: number, end: number): void {
    let from = start;
    for (; end - from > LONG_LINE; from += LONG_LINE) {
      const piece = text.slice(from, from + LONG_LINE);
      if (piece.includes('\n') || piece.includes('\r')) this.spaced(piece);
      else this.rawText(piece);
    }
    for (let i = from; i < end; i++) {
      const code = text.charCodeAt(i);
      this.byte(isLineBreak(code) ? 32 : code);
    }
  }

  private spaced(piece: string): void {
    const length = linePiece.write(piece, 'latin1');
    for (let i = 0; i < length; i++) if (isLineBreak(linePiece[i])) linePiece[i] = 32;
    this.raw(linePiece, 0, length);
  }

  int(value: number): void {
    let at = this.room();
    this.bytes[at++] = COLON;
    at = this.digits(at, value);
    this.bytes[at++] = CR;
    this.bytes[at++] = LF;
    this.at = at;
  }

  bigint(value: bigint): void {
    this.byte(COLON);
    this.rawText(value.toString());
    this.line();
  }

  /**
   * An error, its code first and without the leading '-'. Line breaks inside become spaces. One that the statistics have
   * heard of already (of a command that a script ran) is not `counted` again.
   */
  error(text: string, counted = true): void {
    this.beginError(text, counted);
    let from = 0;
    let to = text.length;
    while (from < to && isLineBreak(text.charCodeAt(from))) from++;
    while (to > from && isLineBreak(text.charCodeAt(to - 1))) to--;
    this.lineText(text, from, to);
    this.line();
  }

  /** The beginning of an error; `lineText()`, without the line breaks at the ends, and `line()` follow. */
  beginError(text: string, counted = true): void {
    this.errorCount++;
    if (this.errors !== null) this.errors.errorReplied(text, counted);
    this.byte(MINUS);
  }

  /** The null that stands for an absent value. */
  null(): void {
    if (this.resp >= 3) this.resp3Null();
    else this.negativeOne(DOLLAR);
  }

  /** The null that stands for an absent array. */
  nullArray(): void {
    if (this.resp >= 3) this.resp3Null();
    else this.negativeOne(STAR);
  }

  bool(value: boolean): void {
    if (this.resp < 3) {
      this.int(value ? 1 : 0);
      return;
    }
    let at = this.room();
    this.bytes[at++] = HASH;
    this.bytes[at++] = value ? 116 : 102;
    this.bytes[at++] = CR;
    this.bytes[at++] = LF;
    this.at = at;
  }

  double(value: number): void {
    this.decimal(formatDouble(value));
  }

  /** A double given as its text. */
  decimal(text: string): void {
    if (this.resp < 3) {
      this.bulkText(text);
      return;
    }
    this.byte(COMMA);
    this.rawText(text);
    this.line();
  }

  /** A big number given as decimal text. Line breaks inside become spaces. */
  bigNumber(text: string): void {
    this.beginBigNumber(text.length);
    this.lineText(text, 0, text.length);
    this.line();
  }

  /** The beginning of a big number; `lineText()` and `line()` follow. */
  beginBigNumber(length: number): void {
    if (this.resp < 3) this.bulkLength(length);
    else this.byte(PAREN);
  }

  // Bulk strings.

  bulk(value: Slice): void {
    this.bulkBytes(value.buffer, value.start, value.length);
  }

  bulkBytes(source: Uint8Array, start: number, length: number): void {
    if (length > COPY_BY_LOOP || this.limit - this.at < COPY_BY_LOOP + SMALL) {
      this.bulkLength(length);
      this.raw(source, start, length);
      this.line();
      return;
    }
    const bytes = this.bytes;
    let at = this.at;
    bytes[at++] = DOLLAR;
    if (length > 9) bytes[at++] = ZERO + ((length / 10) | 0);
    bytes[at++] = ZERO + (length % 10);
    bytes[at++] = CR;
    bytes[at++] = LF;
    for (const end = start + length; start < end; start++) bytes[at++] = source[start];
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.at = at;
  }

  /** A bulk string from text of one character a byte. */
  bulkText(text: string): void {
    this.bulkLength(text.length);
    this.rawText(text);
    this.line();
  }

  /** A bulk string that is an integer's decimal text. */
  bulkInt(value: number): void {
    let at = this.room();
    const bytes = this.bytes;
    const width = integerLength(value);
    bytes[at++] = DOLLAR;
    at = this.digits(at, width);
    bytes[at++] = CR;
    bytes[at++] = LF;
    at = this.digits(at, value);
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.at = at;
  }

  /** '$<length>' alone; the caller follows with `raw()` and `line()`. */
  bulkLength(length: number): void {
    this.header(DOLLAR, length);
  }

  /** Text with a format of three letters, 'txt' or 'mkd'; a plain bulk string in RESP2. */
  verbatim(text: string, format = 'txt'): void {
    this.beginVerbatim(text.length, format);
    this.rawText(text);
    this.line();
  }

  /** The beginning of the same; `rawText()` and `line()` follow. */
  beginVerbatim(length: number, format: string): void {
    if (this.resp < 3) {
      this.bulkLength(length);
      return;
    }
    this.header(EQUALS, length + 4);
    this.rawText(format);
    this.byte(COLON);
  }

  // Aggregates: a header, then as many replies as it says.

  array(length: number): void {
    this.header(STAR, length);
  }

  /** `length` pairs follow. */
  map(length: number): void {
    if (this.resp >= 3) this.header(PERCENT, length);
    else this.header(STAR, length * 2);
  }

  set(length: number): void {
    this.header(this.resp >= 3 ? TILDE : STAR, length);
  }

  push(length: number): void {
    this.header(this.resp >= 3 ? ANGLE : STAR, length);
  }

  /** `length` pairs that belong to the reply after them; RESP3 only. */
  attribute(length: number): void {
    this.header(PIPE, length);
  }

  /**
   * Begins an aggregate whose length is not known yet. What follows is settled in the opposite order of deferring, with
   * one of the settle methods, in the same turn.
   */
  deferArray(): number {
    this.room();
    this.deferredChunks.push(this.silent ? DETACHED : (this.last ?? DETACHED));
    this.deferredAt.push(this.at);
    return this.deferredAt.length;
  }

  settleArray(handle: number, length: number): void {
    this.settle(handle, STAR, length);
  }

  settleMap(handle: number, length: number): void {
    if (this.resp >= 3) this.settle(handle, PERCENT, length);
    else this.settle(handle, STAR, length * 2);
  }

  settleSet(handle: number, length: number): void {
    this.settle(handle, this.resp >= 3 ? TILDE : STAR, length);
  }

  // Inside.

  private header(kind: number, length: number): void {
    let at = this.room();
    this.bytes[at++] = kind;
    at = this.digits(at, length);
    this.bytes[at++] = CR;
    this.bytes[at++] = LF;
    this.at = at;
  }

  private negativeOne(kind: number): void {
    let at = this.room();
    const bytes = this.bytes;
    bytes[at++] = kind;
    bytes[at++] = MINUS;
    bytes[at++] = ZERO + 1;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.at = at;
  }

  private resp3Null(): void {
    let at = this.room();
    this.bytes[at++] = UNDERSCORE;
    this.bytes[at++] = CR;
    this.bytes[at++] = LF;
    this.at = at;
  }

  private settle(handle: number, kind: number, length: number): void {
    let chunk = DETACHED;
    let offset = 0;
    // Those that were begun within it and never settled go with it.
    while (this.deferredAt.length >= handle) {
      chunk = this.deferredChunks.pop()!;
      offset = this.deferredAt.pop()!;
    }
    // What was begun before the reply was cut is settled.
    if (this.silent && (!this.short || chunk === DETACHED)) return;
    const size = 3 + digitCount(length);
    if (chunk === this.last && !this.silent) {
      if (this.limit - this.at >= size) {
        const bytes = this.bytes;
        if (this.at - offset > COPY_BY_LOOP) bytes.copyWithin(offset + size, offset, this.at);
        else for (let i = this.at - 1; i >= offset; i--) bytes[i + size] = bytes[i];
        const end = this.at + size;
        this.at = offset;
        this.header(kind, length);
        this.at = end;
        return;
      }
      this.append(this.pool.take());
    }
    this.splitAt(chunk, offset);
    chunk.end = this.headerInto(chunk.bytes, offset, kind, length);
    this.sealed += size;
  }

  /** Moves what lies in `chunk` from `offset` on into a chunk of its own behind it. `chunk` is sealed. */
  private splitAt(chunk: Chunk, offset: number): void {
    const rest = this.pool.take();
    rest.bytes.set(chunk.bytes.subarray(offset, chunk.end));
    rest.end = chunk.end - offset;
    rest.next = chunk.next;
    chunk.next = rest;
    if (chunk === this.last) {
      this.last = rest;
      this.sealed += offset - chunk.start;
    }
    this.capacity += rest.bytes.length;
    this.chunks++;
  }

  private headerInto(bytes: Uint8Array, at: number, kind: number, length: number): number {
    const { bytes: mine, at: myAt } = this;
    this.bytes = bytes;
    bytes[at++] = kind;
    at = this.digits(at, length);
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.bytes = mine;
    this.at = myAt;
    return at;
  }
}

/** Stands where a suppressed reply has no chunk. */
const DETACHED = new Chunk(NONE, 'nothing');

function isLineBreak(code: number): boolean {
  return code === CR || code === LF;
}
