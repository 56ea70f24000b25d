/**
 * Output bytes in flight: chunks of 20 KiB (as a block of Redis's reply list takes, so that limits count alike) from a
 * pool that all sessions of a server share; a session which owes nothing holds none. A chunk that carries one large
 * foreign piece is made for it and not pooled.
 *
 *   bytes  [ written already | owed         | free ]
 *          0                 start          end    bytes.length
 */
export const CHUNK_BYTES = 20 * 1024;

/** Free chunks kept for reuse; beyond it the garbage collector has them (5 MiB). */
const KEEP = 256;

export class Chunk {
  readonly bytes: Uint8Array;
  readonly pooled: boolean;
  start = 0;
  end = 0;
  next: Chunk | null = null;
  private shown: Uint8Array;

  constructor(bytes: Uint8Array, pooled: boolean) {
    this.bytes = bytes;
    this.pooled = pooled;
    this.shown = bytes;
  }

  /** The owed bytes as a view. The last view is kept: unpipelined replies tend to be of one length. */
  view(): Uint8Array {
    const offset = this.bytes.byteOffset + this.start;
    const length = this.end - this.start;
    if (this.shown.byteOffset !== offset || this.shown.length !== length) {
      this.shown = this.bytes.subarray(this.start, this.end);
    }
    return this.shown;
  }
}

/** How the nominal reply buffers of Output behave, and how often they did; one for all sessions of a server. */
export interface NominalFigures {
  resizing: boolean;
  /** How long a peak counts; below zero for ever. */
  peakMilliseconds: number;
  shrinks: number;
  expands: number;
}

export const PEAK_MILLISECONDS = 5000;

export class ChunkPool {
  readonly figures: NominalFigures = { resizing: true, peakMilliseconds: PEAK_MILLISECONDS, shrinks: 0, expands: 0 };
  private free: Chunk | null = null;
  private kept = 0;
  /** Bytes of chunks that sessions hold now. */
  held = 0;

  take(): Chunk {
    this.held += CHUNK_BYTES;
    const chunk = this.free;
    if (chunk === null) return new Chunk(new Uint8Array(CHUNK_BYTES), true);
    this.free = chunk.next;
    this.kept--;
    chunk.next = null;
    return chunk;
  }

  /** A chunk around bytes that nobody will change until they are written. */
  wrap(bytes: Uint8Array): Chunk {
    this.held += bytes.length;
    const chunk = new Chunk(bytes, false);
    chunk.end = bytes.length;
    return chunk;
  }

  give(chunk: Chunk): void {
    this.held -= chunk.bytes.length;
    if (!chunk.pooled || this.kept === KEEP) return;
    chunk.start = 0;
    chunk.end = 0;
    chunk.next = this.free;
    this.free = chunk;
    this.kept++;
  }
}
