/**
 * Output bytes in flight: chunks of 20 KiB (as a block of Redis's reply list takes, so that limits count alike) from a
 * pool that all sessions of a server share; a session which owes nothing holds none. A large piece has a chunk of its own,
 * whose bytes are kept for pieces of about that size: to get and clear so much memory costs more than to copy it.
 *
 *   bytes  [ written already | owed         | free ]
 *          0                 start          end    bytes.length
 *
 * Who holds a chunk: the pool while it is free, then one Output, which alone gives it back, once, when its bytes have been
 * written or are owed to nobody any more. What a transport is still writing when its connection ends goes to nobody
 * (`lose`): only the garbage collector knows when the system is done with it. With `poisoned`, free bytes are overwritten.
 */
import { assert, POISON } from '../base/assert.ts';
import { copyBytes, mapped } from '../base/copy.ts';

export const CHUNK_BYTES = 20 * 1024;

/** Free chunks kept for reuse; beyond it the garbage collector has them (5 MiB). */
const KEEP = 256;
/** The same for the bytes of large chunks. */
const KEEP_LARGE = 32 * 1024 * 1024;
/** What was not needed for so long goes, ms. */
const IDLE_LARGE = 1000;

export class Chunk {
  readonly bytes: Uint8Array;
  /** What the pool keeps of it: the chunk, the array that a large one's bytes lie in, or nothing; lent bytes aren't counted either. */
  readonly kept: 'chunk' | 'nothing' | 'lent' | Uint8Array;
  start = 0;
  end = 0;
  next: Chunk | null = null;
  /** Whether an Output holds it. */
  taken = true;
  private shown: Uint8Array;

  constructor(bytes: Uint8Array, kept: Chunk['kept']) {
    this.bytes = bytes;
    this.kept = kept;
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
  /** Arrays for large chunks by their length, what they take, and the least that was left since the last `trim()`. */
  private readonly large = new Map<number, Uint8Array[]>();
  private largeKept = 0;
  private largeSpare = 0;
  private trimmedAt = 0;
  /** Bytes of chunks that sessions hold now. */
  held = 0;
  private readonly poisoned: boolean;

  constructor(poisoned = false) {
    this.poisoned = poisoned;
  }

  take(): Chunk {
    this.held += CHUNK_BYTES;
    const chunk = this.free;
    if (chunk === null) return new Chunk(new Uint8Array(CHUNK_BYTES), 'chunk');
    this.free = chunk.next;
    this.kept--;
    chunk.next = null;
    chunk.taken = true;
    return chunk;
  }

  /** A chunk around bytes that nobody will change until they are written. */
  wrap(bytes: Uint8Array): Chunk {
    this.held += bytes.length;
    return around(bytes, 'nothing');
  }

  /** The same, of bytes that their owner counts. */
  borrow(bytes: Uint8Array): Chunk {
    return around(bytes, 'lent');
  }

  /** A chunk with a copy of a large piece. */
  copy(source: Uint8Array, start: number, length: number): Chunk {
    const whole = this.takeLarge(roomFor(length));
    copyBytes(whole, 0, source, start, length);
    this.held += length;
    const chunk = new Chunk(whole.length === length ? whole : whole.subarray(0, length), whole);
    chunk.end = length;
    return chunk;
  }

  private takeLarge(room: number): Uint8Array {
    const free = this.large.get(room)?.pop();
    if (free === undefined) return mapped(room);
    this.largeKept -= room;
    if (this.largeKept < this.largeSpare) this.largeSpare = this.largeKept;
    return free;
  }

  give(chunk: Chunk): void {
    this.lose(chunk);
    const { kept } = chunk;
    if (kept === 'nothing' || kept === 'lent') return;
    if (this.poisoned) chunk.bytes.fill(POISON);
    if (kept !== 'chunk') {
      this.giveLarge(kept);
      return;
    }
    if (this.kept === KEEP) return;
    chunk.start = 0;
    chunk.end = 0;
    chunk.next = this.free;
    this.free = chunk;
    this.kept++;
  }

  /** The chunk is given up, and its bytes are used by nobody again. */
  lose(chunk: Chunk): void {
    assert(chunk.taken, 'a chunk is given back once');
    chunk.taken = false;
    if (chunk.kept !== 'lent') this.held -= chunk.bytes.length;
  }

  private giveLarge(whole: Uint8Array): void {
    const room = whole.length;
    if (this.largeKept + room > KEEP_LARGE) return;
    const list = this.large.get(room);
    if (list === undefined) this.large.set(room, [whole]);
    else list.push(whole);
    this.largeKept += room;
  }

  /** Now and then: lets go of what nobody has needed of late. */
  trim(now: number): void {
    if (now - this.trimmedAt < IDLE_LARGE) return;
    this.trimmedAt = now;
    for (const [room, list] of this.large) {
      while (this.largeSpare > 0 && list.pop() !== undefined) {
        this.largeSpare -= room;
        this.largeKept -= room;
      }
      if (list.length === 0) this.large.delete(room);
    }
    this.largeSpare = this.largeKept;
  }
}

function around(bytes: Uint8Array, kept: 'nothing' | 'lent'): Chunk {
  const chunk = new Chunk(bytes, kept);
  chunk.end = bytes.length;
  return chunk;
}

/** The size to keep for pieces of about that length: an eighth of a power of two more at most. */
function roomFor(length: number): number {
  const step = 1 << Math.max(0, 28 - Math.clz32(length));
  return Math.ceil(length / step) * step;
}
