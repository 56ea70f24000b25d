/**
 * One way between two threads: frames in a ring of shared memory, with one writer and one reader.
 *
 *   bytes      0  head  i32   where the next frame will be written         written by the writer
 *             64  tail  i32   up to where frames have been read            written by the reader
 *            128  sleeps      1 while the reader waits to be woken         set by the reader, cleared by whoever wakes it
 *            192  starves     1 while the writer waits for room            set by the writer, cleared by the reader
 *            256  frames
 *
 * Positions count bytes for ever, modulo 2^32; the place of one is its remainder by the ring's size, a power of two.
 *
 *   frame     [length u32][kind u32][id u32][extra i32][length bytes][up to 15 unused]        16-byte aligned
 *             05 00 00 00  02 00 00 00  07 00 00 00  00 00 00 00  h e l l o                   'hello' of connection 7
 *
 * A frame lies in one piece: one of kind PAD fills the end of the ring where the next would not fit.
 *
 * Invariants: head - tail is at most the ring's size; the reader touches nothing at or behind the head, the writer nothing
 * between tail and head; whoever is about to wait says so first and then looks once more, and whoever has moved a position
 * looks then whether the other waits: so that no wake is lost.
 */
import { assert } from '../../base/assert.ts';
import { copyBytes } from '../../base/copy.ts';

const CONTROL_BYTES = 256;
const HEAD = 0;
const TAIL = 16;
const SLEEPS = 32;
const STARVES = 48;
const FRAME_HEADER = 16;
const PAD = 0;
/** The most that one frame carries. */
export const FRAME_MAX = 64 * 1024;
const RING_BYTES = 1024 * 1024;
const NONE = new Uint8Array(0);

assert(RING_BYTES % FRAME_HEADER === 0, 'an end of the ring has room for the header of a frame that fills it');

export function makeRing(bytes = RING_BYTES): SharedArrayBuffer {
  assert((bytes & (bytes - 1)) === 0 && bytes >= 64, 'a ring of a power of two');
  return new SharedArrayBuffer(CONTROL_BYTES + bytes);
}

/** What both ends have. */
class RingEnd {
  protected readonly control: Int32Array;
  /** The frames as words, and as bytes. */
  protected readonly words: Int32Array;
  readonly bytes: Uint8Array;
  protected readonly size: number;

  constructor(ring: SharedArrayBuffer) {
    this.control = new Int32Array(ring, 0, CONTROL_BYTES / 4);
    this.words = new Int32Array(ring, CONTROL_BYTES);
    this.bytes = new Uint8Array(ring, CONTROL_BYTES);
    this.size = this.bytes.length;
  }
}

export class RingWriter extends RingEnd {
  /** Where the next frame goes, whether the reader knows of those before or not. */
  private head = Atomics.load(this.control, HEAD);
  /** The tail as it was seen last. */
  private tail = Atomics.load(this.control, TAIL);

  /** The longest frame that any ring of this size can take once it is empty. */
  get longest(): number {
    return Math.min(FRAME_MAX, this.size / 2 - FRAME_HEADER);
  }

  /** Writes a frame that the reader sees after `publish()`; false when there is no room. */
  put(kind: number, id: number, extra: number, source: Uint8Array = NONE, from = 0, length = 0): boolean {
    assert(kind > PAD && length <= this.longest, 'a frame has a kind and fits into the ring');
    const needed = FRAME_HEADER + ((length + 15) & ~15);
    let at = this.head & (this.size - 1);
    const end = this.size - at;
    const padded = needed > end ? end : 0;
    if (!this.has(needed + padded)) return false;
    if (padded > 0) {
      this.header(at, end - FRAME_HEADER, PAD, 0, 0);
      at = 0;
    }
    this.header(at, length, kind, id, extra);
    if (length > 0) copyBytes(this.bytes, at + FRAME_HEADER, source, from, length);
    this.head = (this.head + padded + needed) | 0;
    return true;
  }

  private has(bytes: number): boolean {
    if (this.size - ((this.head - this.tail) | 0) >= bytes) return true;
    this.tail = Atomics.load(this.control, TAIL);
    const used = (this.head - this.tail) | 0;
    assert(used >= 0 && used <= this.size, 'no more lies in a ring than it holds');
    return this.size - used >= bytes;
  }

  private header(at: number, length: number, kind: number, id: number, extra: number): void {
    const { words } = this;
    const word = at >> 2;
    words[word] = length;
    words[word + 1] = kind;
    words[word + 2] = id;
    words[word + 3] = extra;
  }

  /** Shows the reader what has been written. */
  publish(): void {
    Atomics.store(this.control, HEAD, this.head);
  }

  /** After `publish()`: whether the reader sleeps. Who asks has to wake it: it answers true once only. */
  claimSleeper(): boolean {
    return Atomics.load(this.control, SLEEPS) === 1 && Atomics.exchange(this.control, SLEEPS, 0) === 1;
  }

  /** Waits for room from now on; false if the reader has made some since there was none. */
  starve(): boolean {
    Atomics.store(this.control, STARVES, 1);
    if (Atomics.load(this.control, TAIL) === this.tail) return true;
    Atomics.store(this.control, STARVES, 0);
    return false;
  }

  /** Holds the thread until the reader has made room; only where that is another thread's. */
  waitForRoom(): void {
    Atomics.wait(this.control, STARVES, 1);
  }
}

export class RingReader extends RingEnd {
  /** The frame at hand: its bytes lie from `from` to `to` in `bytes`, until `release()`. */
  kind = 0;
  id = 0;
  extra = 0;
  from = 0;
  to = 0;
  private tail = Atomics.load(this.control, TAIL);
  /** The head as it was seen last. */
  private head = Atomics.load(this.control, HEAD);
  /** What the frame at hand takes. */
  private taken = 0;

  /** Goes on to the next frame, if there is one. */
  next(): boolean {
    assert(this.taken === 0, 'a frame is given back before the next is taken');
    if (this.head === this.tail) {
      this.head = Atomics.load(this.control, HEAD);
      if (this.head === this.tail) return false;
    }
    let at = this.tail & (this.size - 1);
    if (this.words[(at >> 2) + 1] === PAD) {
      this.tail = (this.tail + this.size - at) | 0;
      at = 0;
    }
    const { words } = this;
    const word = at >> 2;
    const length = words[word];
    this.kind = words[word + 1];
    this.id = words[word + 2];
    this.extra = words[word + 3];
    this.from = at + FRAME_HEADER;
    this.to = this.from + length;
    this.taken = FRAME_HEADER + ((length + 15) & ~15);
    const known = (this.head - this.tail) | 0;
    assert(this.kind > PAD && length >= 0 && this.taken <= known, 'a frame lies whole before the head');
    return true;
  }

  /** Gives the frame at hand back; true when the writer waits for room and has to be told. */
  release(): boolean {
    this.tail = (this.tail + this.taken) | 0;
    this.taken = 0;
    Atomics.store(this.control, TAIL, this.tail);
    return Atomics.load(this.control, STARVES) === 1 && Atomics.exchange(this.control, STARVES, 0) === 1;
  }

  /** For a writer that holds its thread. */
  notify(): void {
    Atomics.notify(this.control, STARVES);
  }

  /** Waits to be woken from now on; false if there is a frame after all. */
  sleep(): boolean {
    Atomics.store(this.control, SLEEPS, 1);
    if (Atomics.load(this.control, HEAD) === this.tail) return true;
    Atomics.store(this.control, SLEEPS, 0);
    return false;
  }
}
