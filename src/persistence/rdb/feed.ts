/**
 * The bytes of a snapshot as a socket brings them: whoever reads the socket pushes chunks, and a loader takes from them what
 * it needs (RdbInput.arriving). `waiting` is what has been pushed and not been taken: while it is high, the owner reads no
 * more from the socket.
 */
import { copyBytes } from '../../base/copy.ts';
import { RdbInput } from './input.ts';

export class ChunkFeed {
  /** Bytes that have been pushed and not been taken. */
  waiting = 0;
  private readonly chunks: Uint8Array[] = [];
  /** How much of the first chunk has been taken. */
  private taken = 0;
  private ended = false;

  /** Adds bytes, which must stay as they are until they have been taken. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.waiting += chunk.length;
  }

  /** No more will come. */
  end(): void {
    this.ended = true;
  }

  /** What reads them; with `checksum` it sums up what it reads. */
  input(checksum: boolean): RdbInput {
    return RdbInput.arriving(
      (into, at, length) => this.take(into, at, length),
      checksum,
      () => !this.ended,
    );
  }

  /** Copies up to `length` bytes into `into` at `at`, and returns how many there were. */
  take(into: Uint8Array, at: number, length: number): number {
    let done = 0;
    while (done < length && this.chunks.length > 0) {
      const chunk = this.chunks[0];
      const part = Math.min(length - done, chunk.length - this.taken);
      copyBytes(into, at + done, chunk, this.taken, part);
      done += part;
      this.taken += part;
      if (this.taken < chunk.length) break;
      this.chunks.shift();
      this.taken = 0;
    }
    this.waiting -= done;
    return done;
  }
}
