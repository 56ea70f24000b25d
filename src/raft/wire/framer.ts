/**
 * Cuts what a peer sends into what begins with its own length, four bytes. Memory follows what has come, not what a length
 * promises; one above the limit ends the stream.
 */
import { getUint32 } from '../disk/records.ts';

const LENGTH_BYTES = 4;
const NO_BYTES = new Uint8Array(0);
/** What is put together in no more than this is put together there again. */
const KEPT_BYTES = 1024 * 1024;

export class Framer {
  /** The most that one may have. */
  limit: number;
  /** The stream can't be read on: the connection is to be closed. */
  refused = false;
  /** What was pushed, or `together`: what waits lies in it from `from` to `to`. */
  private bytes: Uint8Array = NO_BYTES;
  private from = 0;
  private to = 0;
  /** Where pieces are put together. */
  private together: Uint8Array = NO_BYTES;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that wait for the rest. */
  get size(): number {
    return this.to - this.from;
  }

  /** The bytes must stay as they are until `keepRest`. */
  push(chunk: Uint8Array): void {
    if (this.size > 0) {
      this.putTogether(chunk.length);
      this.together.set(chunk, this.to);
      this.to += chunk.length;
      return;
    }
    if (this.together.length > KEPT_BYTES) this.together = NO_BYTES;
    this.bytes = chunk;
    this.from = 0;
    this.to = chunk.length;
  }

  /** The buffer of what was pushed is about to be used again: what waits is copied. */
  keepRest(): void {
    if (this.size > 0) this.putTogether(0);
    else this.bytes = NO_BYTES;
  }

  /** The next that is whole, until the next push; null where none is. */
  next(): Uint8Array | null {
    if (this.refused || this.size < LENGTH_BYTES) return null;
    const needed = getUint32(this.bytes, this.from);
    this.refused = needed < LENGTH_BYTES || needed > this.limit;
    return this.refused || this.size < needed ? null : this.take(needed);
  }

  /** All that is there, whatever it is. */
  rest(): Uint8Array {
    return this.size === 0 ? NO_BYTES : this.take(this.size);
  }

  private take(length: number): Uint8Array {
    const { bytes, from } = this;
    this.from += length;
    return bytes.subarray(from, this.from);
  }

  /** What waits lies in `together`, with room for so many bytes more behind it. */
  private putTogether(more: number): void {
    const { bytes, from, to, together, size } = this;
    if (bytes === together && to + more <= together.length) return;
    const into = size + more <= together.length ? together : new Uint8Array(Math.max(size + more, 2 * together.length));
    into.set(bytes.subarray(from, to));
    this.together = into;
    this.bytes = into;
    this.from = 0;
    this.to = size;
  }
}
