/** Bytes that are put together in chunks of 64 KiB, each handed on when it is full. */
import { copyBytes } from '../base/copy.ts';

export const CHUNK_BYTES = 1 << 16;

/** Takes the next bytes, which it must have used when it returns. */
export type ByteSink = (bytes: Uint8Array) => void;

/** Puts up to `length` further bytes into `into` at `at`; 0 at the end, or where none are there yet. */
export type ByteSource = (into: Uint8Array, at: number, length: number) => number;

export class ChunkedOutput {
  protected readonly buffer = new Uint8Array(CHUNK_BYTES);
  protected at = 0;
  private readonly sink: ByteSink;

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  flush(): void {
    if (this.at === 0) return;
    this.handOn(this.buffer.subarray(0, this.at));
    this.at = 0;
  }

  protected handOn(bytes: Uint8Array): void {
    this.sink(bytes);
  }

  protected room(bytes: number): void {
    if (this.at + bytes > CHUNK_BYTES) this.flush();
  }

  protected byte(value: number): void {
    if (this.at === CHUNK_BYTES) this.flush();
    this.buffer[this.at++] = value;
  }

  /** Text of one byte a character, as it is. */
  protected characters(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  protected raw(source: Uint8Array, start: number, length: number): void {
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
}
