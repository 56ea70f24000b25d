/**
 * The reading half of a frozen view, for a worker thread: every load gives what the image held at the freeze.
 *
 * Each load checks its page's state after it has read the live page (view.ts has the reasons why that is enough), so no
 * value that is not of the instant ever comes out: addresses can be followed without a second look. `borrow` copies,
 * page by page, each page checked the same way.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Slice } from '../base/slice.ts';
import { type Addr, BARRIER_SHIFT, GRANULE_MASK } from './address.ts';
import { copyBytes } from './copy.ts';
import type { Reader } from './memory.ts';
import { BARRIER_PAGE, CHUNK_SHIFT, CHUNK_SLOTS, type FrozenImage } from './view.ts';

/** The view was closed, or lost for want of memory, while it was being read. */
export class ViewLost extends Error {
  override name = 'ViewLost';
}

const ORDERED_LOADS = process.arch === 'x64' || process.arch === 'ia32';
const PAGE_MASK = BARRIER_PAGE - 1;
/** Private copies up to here are kept for the slice's next borrow. */
const KEPT_BYTES = 1 << 20;

export class FrozenMemory implements Reader {
  readonly seed: Uint32Array;
  private readonly u8s: Uint8Array[];
  private readonly u16s: Uint16Array[];
  private readonly u32s: Uint32Array[];
  private readonly f64s: Float64Array[];
  private readonly bases: Int32Array;
  private readonly states: Int32Array;
  private readonly port: MessagePort;
  private readonly chunks: Uint8Array[] = [];
  private readonly chunkWords: DataView[] = [];
  /** Keeps loads in order where the processor would not; see view.ts. */
  private readonly fence = new Int32Array(new SharedArrayBuffer(4));
  private readonly copies = new WeakMap<Slice, Uint8Array>();
  private lastSlice: Slice | undefined;
  private lastCopy: Uint8Array = new Uint8Array(64);

  constructor(image: FrozenImage) {
    const none = new SharedArrayBuffer(0);
    const segments = image.segments.map((buffer) => buffer ?? none);
    this.seed = image.seed;
    this.u8s = segments.map((buffer) => new Uint8Array(buffer));
    this.u16s = segments.map((buffer) => new Uint16Array(buffer));
    this.u32s = segments.map((buffer) => new Uint32Array(buffer));
    this.f64s = segments.map((buffer) => new Float64Array(buffer));
    this.bases = image.bases;
    this.states = new Int32Array(image.states);
    this.port = image.port;
  }

  u8(a: Addr, off: number): number {
    const at = ((a & GRANULE_MASK) << 4) + off;
    const value = this.u8s[a >>> 22][at];
    const slot = this.slotOf(a >>> 22, at);
    return slot === 0 ? value : this.saved(slot)[this.savedAt(slot, at)];
  }

  u16(a: Addr, off: number): number {
    const at = ((a & GRANULE_MASK) << 4) + off;
    const value = this.u16s[a >>> 22][at >>> 1];
    const slot = this.slotOf(a >>> 22, at);
    return slot === 0 ? value : this.savedWords(slot).getUint16(this.savedAt(slot, at), true);
  }

  u32(a: Addr, off: number): number {
    const at = ((a & GRANULE_MASK) << 4) + off;
    const value = this.u32s[a >>> 22][at >>> 2];
    const slot = this.slotOf(a >>> 22, at);
    return slot === 0 ? value : this.savedWords(slot).getUint32(this.savedAt(slot, at), true);
  }

  f64(a: Addr, off: number): number {
    const at = ((a & GRANULE_MASK) << 4) + off;
    const value = this.f64s[a >>> 22][at >>> 3];
    const slot = this.slotOf(a >>> 22, at);
    return slot === 0 ? value : this.savedWords(slot).getFloat64(this.savedAt(slot, at), true);
  }

  addr(a: Addr, off: number): Addr {
    return this.u32(a, off) as Addr;
  }

  borrow(into: Slice, a: Addr, off: number, length: number): Slice {
    const target = this.copyFor(into, length);
    const segment = a >>> 22;
    let at = ((a & GRANULE_MASK) << 4) + off;
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, BARRIER_PAGE - (at & PAGE_MASK));
      copyBytes(target, done, this.u8s[segment], at, part);
      const slot = this.slotOf(segment, at);
      if (slot !== 0) copyBytes(target, done, this.saved(slot), this.savedAt(slot, at), part);
      done += part;
      at += part;
    }
    return into.set(target, 0, length);
  }

  /** Lets go of the port; the rest goes with the object. */
  close(): void {
    this.port.close();
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

  private savedWords(slot: number): DataView {
    return this.chunkWords[this.chunkOf(slot)];
  }

  /** The number of the chunk that holds a slot; takes it from the port where that has not been done yet. */
  private chunkOf(slot: number): number {
    if (slot < 0) throw new ViewLost('the frozen view was closed while it was being read');
    const chunk = (slot - 1) >>> CHUNK_SHIFT;
    while (this.chunks.length <= chunk) {
      const received = receiveMessageOnPort(this.port);
      if (received === undefined) throw new ViewLost('the frozen view was closed while it was being read');
      const buffer = received.message as SharedArrayBuffer;
      this.chunks.push(new Uint8Array(buffer));
      this.chunkWords.push(new DataView(buffer));
    }
    return chunk;
  }

  private savedAt(slot: number, at: number): number {
    return (((slot - 1) & (CHUNK_SLOTS - 1)) << BARRIER_SHIFT) + (at & PAGE_MASK);
  }

  private copyFor(into: Slice, length: number): Uint8Array {
    if (this.lastSlice === into && this.lastCopy.length >= length) return this.lastCopy;
    if (length > KEPT_BYTES) return new Uint8Array(length);
    let copy = this.copies.get(into);
    if (copy === undefined || copy.length < length) {
      copy = new Uint8Array(Math.max(64, 2 ** Math.ceil(Math.log2(length))));
      this.copies.set(into, copy);
    }
    this.lastSlice = into;
    this.lastCopy = copy;
    return copy;
  }
}
