/**
 * The reading half of a frozen view, for a worker thread: every load gives what the image held at the freeze.
 *
 * Whatever is read from a live page is checked against the page's state afterwards (view.ts has the reasons why that is
 * enough), so no value that is not of the instant ever comes out: addresses can be followed without a second look.
 *
 * A checked load costs ten times a plain one, and readers take one field of a block after another. So loads come out of
 * two windows, copies of 64 bytes that were checked as a whole: the first bytes of the block that was read last, and the
 * last piece further inside a block, since tables are read from one end to the other. What is of the instant stays so; a
 * window is never out of date.
 *
 *   words  [ 0..63  of block `nearBlock` ][ `farFrom`..`farFrom` + 63  of block `farBlock` ]
 *
 * A page that is known to be preserved is not read at all: it would cost a cache miss for nothing.
 *
 * `borrow` copies out of the window where it can, and else page by page, each page checked the same way.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { copyBytes } from '../base/copy.ts';
import type { Slice } from '../base/slice.ts';
import { type Addr, BARRIER_SHIFT, GRANULE_MASK } from './address.ts';
import type { Reader } from './memory.ts';
import { BARRIER_PAGE, CHUNK_SHIFT, CHUNK_SLOTS, type FrozenImage } from './view.ts';

/** The view was closed, or lost for want of memory, while it was being read. */
export class ViewLost extends Error {
  override name = 'ViewLost';
}

const ORDERED_LOADS = process.arch === 'x64' || process.arch === 'ia32';
const PAGE_MASK = BARRIER_PAGE - 1;
/** Bytes of a window. */
const WINDOW = 64;
/** A block of some 48 to 64 bytes ends in the cache line after the one that it begins in. */
const LINE_WORDS = 12;
/** The smallest unit in which systems commit memory. */
const SYSTEM_PAGE = 4096;
const NOWHERE = -1 as Addr;
/** Private copies up to here are kept for the slice's next borrow. */
const KEPT_BYTES = 1 << 20;
/** Slices whose copies are found without a look into the map. */
const RECENT = 4;

export class FrozenMemory implements Reader {
  readonly seed: Uint32Array;
  private readonly u8s: Uint8Array[];
  private readonly u32s: Uint32Array[];
  private readonly bases: Int32Array;
  private readonly states: Int32Array;
  private readonly port: MessagePort;
  private readonly chunks: Uint8Array[] = [];
  private readonly chunkWords: Uint32Array[] = [];
  /** Keeps loads in order where the processor would not; see view.ts. */
  private readonly fence = new Int32Array(new SharedArrayBuffer(4));
  private readonly bytes = new Uint8Array(2 * WINDOW);
  private readonly halves = new Uint16Array(this.bytes.buffer);
  private readonly words = new Uint32Array(this.bytes.buffer);
  private readonly doubles = new Float64Array(this.bytes.buffer);
  private nearBlock = NOWHERE;
  private farBlock = NOWHERE;
  private farFrom = 0;
  private readonly copies = new WeakMap<Slice, Uint8Array>();
  private readonly recent: (Slice | undefined)[] = new Array(RECENT).fill(undefined);
  private readonly recentCopies: Uint8Array[] = new Array(RECENT).fill(new Uint8Array(0));
  private oldest = 0;
  /** Keeps the loads of `warm` from being left out. */
  warmth = 0;

  constructor(image: FrozenImage) {
    const none = new SharedArrayBuffer(0);
    const segments = image.segments.map((buffer) => buffer ?? none);
    this.seed = image.seed;
    this.u8s = segments.map((buffer) => new Uint8Array(buffer));
    this.u32s = segments.map((buffer) => new Uint32Array(buffer));
    this.bases = image.bases;
    this.states = new Int32Array(image.states);
    this.port = image.port;
  }

  u8(a: Addr, off: number): number {
    return this.bytes[this.place(a, off)];
  }

  u16(a: Addr, off: number): number {
    return this.halves[this.place(a, off) >>> 1];
  }

  u32(a: Addr, off: number): number {
    return this.words[this.place(a, off) >>> 2];
  }

  f64(a: Addr, off: number): number {
    return this.doubles[this.place(a, off) >>> 3];
  }

  addr(a: Addr, off: number): Addr {
    return this.words[this.place(a, off) >>> 2] as Addr;
  }

  borrow(into: Slice, a: Addr, off: number, length: number): Slice {
    const target = this.copyFor(into, length);
    if (a === this.nearBlock && off + length <= WINDOW) {
      copyBytes(target, 0, this.bytes, off, length);
      return into.set(target, 0, length);
    }
    const segment = a >>> 22;
    let at = ((a & GRANULE_MASK) << 4) + off;
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, BARRIER_PAGE - (at & PAGE_MASK));
      if (this.states[this.bases[segment] + (at >>> BARRIER_SHIFT)] === 0)
        copyBytes(target, done, this.u8s[segment], at, part);
      const slot = this.slotOf(segment, at);
      if (slot !== 0) copyBytes(target, done, this.saved(slot), this.savedAt(slot, at), part);
      done += part;
      at += part;
    }
    return into.set(target, 0, length);
  }

  /** Loads what the processor is to have at hand soon, be it of the instant or not; what it gives is looked at by nobody. */
  warm(blocks: Int32Array, count: number): void {
    const { states, bases } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const segment = blocks[i] >>> 22;
      const at = (blocks[i] & GRANULE_MASK) << 4;
      const slot = states[bases[segment] + (at >>> BARRIER_SHIFT)];
      const chunk = slot > 0 ? this.chunkWords[(slot - 1) >>> CHUNK_SHIFT] : this.u32s[segment];
      if (chunk === undefined) continue;
      const word = (slot > 0 ? this.savedAt(slot, at) : at) >>> 2;
      blocks[i] = chunk[word];
      sum ^= chunk[word + LINE_WORDS];
    }
    this.warmth = sum;
  }

  /**
   * Takes chunks of the preserving area that have arrived and has the system commit their pages, which is most of what the
   * writer's first store into a page would cost; to be called now and then by a thread of its own. Nothing changes in them.
   */
  fetch(): void {
    while (this.receive()) {
      const chunk = this.chunks[this.chunks.length - 1];
      for (let at = 0; at < chunk.length; at += SYSTEM_PAGE) Atomics.or(chunk, at, 0);
    }
  }

  /** Lets go of the image; nothing is read any more. */
  close(): void {
    this.port.close();
    for (const held of [this.u8s, this.u32s, this.chunks, this.chunkWords]) held.length = 0;
  }

  /** Where in the windows byte `off` of block `a` lies; brings it there first. */
  private place(a: Addr, off: number): number {
    if (off < WINDOW) {
      if (a !== this.nearBlock) {
        this.nearBlock = NOWHERE;
        this.look(a, 0, 0);
        this.nearBlock = a;
      }
      return off;
    }
    const from = off - (off % WINDOW);
    if (a !== this.farBlock || from !== this.farFrom) {
      this.farBlock = NOWHERE;
      this.look(a, from, WINDOW >>> 2);
      this.farBlock = a;
      this.farFrom = from;
    }
    return off - from + WINDOW;
  }

  /** Fills a window, from word `to` on, with what block `a` holds from `off` on. */
  private look(a: Addr, off: number, to: number): void {
    const segment = a >>> 22;
    const at = ((a & GRANULE_MASK) << 4) + off;
    const inPage = BARRIER_PAGE - (at & PAGE_MASK);
    if (inPage >= WINDOW) {
      this.lookAt(segment, at, to, WINDOW >>> 2);
      return;
    }
    this.lookAt(segment, at, to, inPage >>> 2);
    // Behind the segment's end there is nothing, and nothing of the block.
    if (at + inPage < this.u8s[segment].length)
      this.lookAt(segment, at + inPage, to + (inPage >>> 2), (WINDOW - inPage) >>> 2);
  }

  /** Copies `count` words of one page at byte `at` of the segment, as they were, to word `to` of the windows. */
  private lookAt(segment: number, at: number, to: number, count: number): void {
    if (this.states[this.bases[segment] + (at >>> BARRIER_SHIFT)] === 0)
      copyWords(this.words, to, this.u32s[segment], at >>> 2, count);
    const slot = this.slotOf(segment, at);
    if (slot !== 0) copyWords(this.words, to, this.chunkWords[this.chunkOf(slot)], this.savedAt(slot, at) >>> 2, count);
  }

  /** 0 when what was loaded from byte `at` of the segment before this call is of the instant, else where it is kept. */
  private slotOf(segment: number, at: number): number {
    if (!ORDERED_LOADS) Atomics.store(this.fence, 0, 0);
    if (at >= this.u8s[segment].length) throw new RangeError(`no byte ${at} in segment ${segment} of the frozen view`);
    return Atomics.load(this.states, this.bases[segment] + (at >>> BARRIER_SHIFT));
  }

  private saved(slot: number): Uint8Array {
    return this.chunks[this.chunkOf(slot)];
  }

  /** The number of the chunk that holds a slot; takes it from the port where that has not been done yet. */
  private chunkOf(slot: number): number {
    if (slot < 0) throw new ViewLost('the frozen view was closed while it was being read');
    const chunk = (slot - 1) >>> CHUNK_SHIFT;
    while (this.chunks.length <= chunk)
      if (!this.receive()) throw new ViewLost('the frozen view was closed while it was being read');
    return chunk;
  }

  /** Takes the next chunk from the port; whether there was one. */
  private receive(): boolean {
    const received = receiveMessageOnPort(this.port);
    if (received === undefined) return false;
    const buffer = received.message as SharedArrayBuffer;
    this.chunks.push(new Uint8Array(buffer));
    this.chunkWords.push(new Uint32Array(buffer));
    return true;
  }

  private savedAt(slot: number, at: number): number {
    return (((slot - 1) & (CHUNK_SLOTS - 1)) << BARRIER_SHIFT) + (at & PAGE_MASK);
  }

  private copyFor(into: Slice, length: number): Uint8Array {
    for (let i = 0; i < RECENT; i++)
      if (this.recent[i] === into && this.recentCopies[i].length >= length) return this.recentCopies[i];
    if (length > KEPT_BYTES) return new Uint8Array(length);
    let copy = this.copies.get(into);
    if (copy === undefined || copy.length < length) {
      copy = new Uint8Array(Math.max(64, 2 ** Math.ceil(Math.log2(length))));
      this.copies.set(into, copy);
    }
    const at = this.recent.includes(into) ? this.recent.indexOf(into) : this.oldest++ % RECENT;
    this.recent[at] = into;
    this.recentCopies[at] = copy;
    return copy;
  }
}

function copyWords(target: Uint32Array, to: number, source: Uint32Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) target[to + i] = source[from + i];
}
