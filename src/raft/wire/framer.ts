/**
 * Cuts what a peer sends into what begins with its own length, four bytes. Memory follows what has come, not what a length
 * promises; one above the limit ends the stream.
 */
import { viewOf } from '../disk/records.ts';

const LENGTH_BYTES = 4;
const NO_BYTES = new Uint8Array(0);

export class Framer {
  /** The most that one may have. */
  limit: number;
  /** The stream can't be read on: the connection is to be closed. */
  refused = false;
  private chunks: Uint8Array[] = [];
  private held = 0;
  private needed = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that wait for the rest. */
  get size(): number {
    return this.held;
  }

  /** The bytes are kept as they are. */
  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.chunks.push(chunk);
    this.held += chunk.length;
  }

  /** The next that is whole; null where none is. */
  next(): Uint8Array | null {
    if (this.refused || this.held < LENGTH_BYTES) return null;
    if (this.needed === 0) {
      this.needed = viewOf(this.joined()).getUint32(0);
      this.refused = this.needed < LENGTH_BYTES || this.needed > this.limit;
      if (this.refused) return null;
    }
    return this.held < this.needed ? null : this.take(this.needed);
  }

  /** All that is there, whatever it is. */
  rest(): Uint8Array {
    return this.held === 0 ? NO_BYTES : this.take(this.held);
  }

  private take(length: number): Uint8Array {
    const bytes = this.joined();
    const rest = bytes.subarray(length);
    this.chunks = rest.length === 0 ? [] : [rest];
    this.held = rest.length;
    this.needed = 0;
    return bytes.subarray(0, length);
  }

  private joined(): Uint8Array {
    if (this.chunks.length > 1) {
      const all = new Uint8Array(this.held);
      let at = 0;
      for (const chunk of this.chunks) {
        all.set(chunk, at);
        at += chunk.length;
      }
      this.chunks = [all];
    }
    return this.chunks[0];
  }
}
