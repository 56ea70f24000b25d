/** Commands in RESP, put together in chunks that are handed on. */

import { copyBytes } from '../../base/copy.ts';
import { integerLength, writeInteger } from '../../base/numbers.ts';
import type { Slice } from '../../base/slice.ts';
import { ARRAY, BULK, HEADING_BYTES, writeHeading } from '../../protocol/heading.ts';

const CHUNK_BYTES = 1 << 16;
/** What a bulk string of a number takes at most behind its heading. */
const NUMBER = 32;
const CR = 13;
const LF = 10;

export class CommandOutput {
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly buffer = new Uint8Array(CHUNK_BYTES);
  private at = 0;

  /** `sink` takes the next bytes, which it must have used when it returns. */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.sink = sink;
  }

  /** Begins a command of so many parts. */
  begin(parts: number): void {
    this.head(ARRAY, parts);
  }

  bytes(part: Slice): void {
    const { buffer, start, length } = part;
    this.head(BULK, length);
    this.raw(buffer, start, length);
    this.line();
  }

  /** A part of one byte a character. */
  text(part: string): void {
    this.head(BULK, part.length);
    this.plain(part);
    this.line();
  }

  /** A whole number as a part. */
  integer(value: number): void {
    this.room(NUMBER + HEADING_BYTES);
    this.head(BULK, integerLength(value));
    this.at = writeInteger(this.buffer, this.at, value);
    this.line();
  }

  /** Text that is no part. */
  plain(text: string): void {
    for (let i = 0; i < text.length; i++) {
      if (this.at === CHUNK_BYTES) this.flush();
      this.buffer[this.at++] = text.charCodeAt(i);
    }
  }

  flush(): void {
    if (this.at === 0) return;
    this.sink(this.buffer.subarray(0, this.at));
    this.at = 0;
  }

  private head(kind: number, count: number): void {
    this.room(HEADING_BYTES);
    this.at = writeHeading(this.buffer, this.at, kind, count);
  }

  private line(): void {
    this.room(2);
    this.buffer[this.at++] = CR;
    this.buffer[this.at++] = LF;
  }

  private raw(source: Uint8Array, start: number, length: number): void {
    let from = start;
    for (let left = length; left > 0; ) {
      if (this.at === CHUNK_BYTES) this.flush();
      const part = Math.min(left, CHUNK_BYTES - this.at);
      copyBytes(this.buffer, this.at, source, from, part);
      this.at += part;
      from += part;
      left -= part;
    }
  }

  private room(bytes: number): void {
    if (this.at + bytes > CHUNK_BYTES) this.flush();
  }
}
