/** Commands in RESP, put together in chunks that are handed on. */
import { integerLength, writeInteger } from '../../base/numbers.ts';
import type { Slice } from '../../base/slice.ts';
import { ARRAY, BULK, HEADING_BYTES, writeHeading } from '../../protocol/heading.ts';
import { ChunkedOutput } from '../chunks.ts';

/** What a bulk string of a number takes at most behind its heading. */
const NUMBER = 32;
const CR = 13;
const LF = 10;

export class CommandOutput extends ChunkedOutput {
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
    this.characters(text);
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
}
