/**
 * The memory image: typed loads and stores over its segments, and the write barrier.
 *
 * Every structure reads through `Reader` and writes through `Memory`, and through nothing else; so a frozen view
 * (view.ts) can serve the same readers in a worker thread, and every store passes the barrier here. With no view open
 * the barrier is one predictable branch. With one open, the first store into a 16 KiB page preserves the page first.
 *
 * Loads and stores of a width need an offset that is a multiple of it (blocks start on 16 bytes).
 */

import { copyBytes } from '../base/copy.ts';
import { randomWords } from '../base/random.ts';
import { emptyShowing, enlist } from '../base/showing.ts';
import type { Slice } from '../base/slice.ts';
import { type Addr, GRANULE_MASK, SEGMENT_BYTES } from './address.ts';
import { Allocator } from './allocator.ts';
import type { Barrier } from './barrier.ts';
import { type Collector, DeadBuffers, GENTLE, Leftovers } from './collect.ts';
import { OutOfMemory } from './errors.ts';
import type { LastOwner } from './last-owner.ts';
import { Renewal } from './renewal.ts';
import type { Renewed, Segments } from './segments.ts';

/** What reading code needs: implemented by the live image and by a frozen view of it. */
export interface Reader {
  u8(a: Addr, off: number): number;
  u16(a: Addr, off: number): number;
  u32(a: Addr, off: number): number;
  f64(a: Addr, off: number): number;
  addr(a: Addr, off: number): Addr;
  /**
   * Shows `length` bytes at `off` of block `a` through `into` and returns it. On the live image the bytes are the image's
   * own and must only be read; on a frozen view they are a private copy, good until the next `borrow` into the same slice.
   */
  borrow(into: Slice, a: Addr, off: number, length: number): Slice;
  /**
   * Brings the beginnings of `count` blocks into the processor's caches, all at a time where reading them one after another
   * would wait for each; leaves in `blocks` what looked like their first words, which may be anything.
   */
  warm(blocks: Int32Array, count: number): void;
}

export interface MemoryOptions {
  /** 128 secret bits for the keyed hash, as four 32-bit words; random when absent. */
  readonly seed?: Uint32Array;
  /** Bytes that segments may take in all; asking for more is OutOfMemory. */
  readonly limit?: number;
  /** Keep a segment in reserve; see `scarce`. */
  readonly reserve?: boolean;
  /** How buffers that were let go of are collected; gently when absent. */
  readonly collector?: Collector;
  /** Who holds buffers that were let go of to the last; nobody when absent. */
  readonly owner?: LastOwner;
}

const NONE = new Uint8Array(0);
const NEVER_LATE = (): boolean => false;
/** Bytes in buffers let go of that are worth a collection. */
const WORTH_COLLECTING = SEGMENT_BYTES / 8;
/** Bytes of a segment, free for a while, that are worth copying the others; and when memory is to be had at any price. */
const WORTH_RENEWING = SEGMENT_BYTES / 8;
const LEAST_RENEWED = SEGMENT_BYTES / 64;
/** Bytes in use of a segment that are copied without ado. */
const CHEAP = SEGMENT_BYTES / 16;
/** What is free for one to two times as long, in ms, is taken to be free for good. */
const LULL = 500;
/** A block of some 48 to 64 bytes ends in the cache line after the one that it begins in. */
const LINE_WORDS = 12;

export class Memory implements Reader, Segments {
  /** Secret words of the keyed hash; one image, one seed. */
  readonly seed: Uint32Array;
  readonly allocator: Allocator;
  readonly buffers: (SharedArrayBuffer | undefined)[] = [];
  private readonly u8s: Uint8Array[] = [];
  private readonly u16s: Uint16Array[] = [];
  private readonly u32s: Uint32Array[] = [];
  private readonly f64s: Float64Array[] = [];
  /** What stores pass: an open view, or else `renewal`, or nothing. */
  private barrier: Barrier | null = null;
  private renewal: Renewal | null = null;
  /** Every store sets it: whoever has set it to false knows from it whether there has been one since. */
  stored = true;
  readonly collector: Collector;
  private readonly leftovers: Leftovers;
  private readonly dead: DeadBuffers;
  private observedAt = 0;
  readonly limit: number;
  /** Told when `scarce` changes. */
  onScarce: (scarce: boolean) => void = () => {};
  private readonly reserves: boolean;
  /** The segment in reserve: addresses only, since the system commits its pages when they are first touched. */
  private spare: SharedArrayBuffer | undefined;
  private isScarce = false;
  private usedAtFreeze = 0;
  /** Scarcity ends when no more than this is used. */
  private enough = 0;
  /** Whether so many bytes more are within what may be used (maxmemory); tables stay crowded for a while where they are not. */
  affords: (bytes: number) => boolean = () => true;
  /** Blocks that `moved` was asked about and that moved, and those that stayed. */
  moves = 0;
  stays = 0;
  /** Keeps the loads of `warm` from being left out. */
  warmth = 0;

  constructor(options: MemoryOptions = {}) {
    this.seed = options.seed ?? randomWords(4);
    this.limit = options.limit ?? Number.POSITIVE_INFINITY;
    this.reserves = options.reserve ?? false;
    this.collector = options.collector ?? GENTLE;
    this.leftovers = new Leftovers(this.collector, options.owner);
    this.dead = new DeadBuffers(this.collector);
    this.allocator = new Allocator(this);
  }

  // Loads.

  u8(a: Addr, off: number): number {
    return this.u8s[a >>> 22][((a & GRANULE_MASK) << 4) + off];
  }

  u16(a: Addr, off: number): number {
    return this.u16s[a >>> 22][(((a & GRANULE_MASK) << 4) + off) >>> 1];
  }

  u32(a: Addr, off: number): number {
    return this.u32s[a >>> 22][(((a & GRANULE_MASK) << 4) + off) >>> 2];
  }

  f64(a: Addr, off: number): number {
    return this.f64s[a >>> 22][(((a & GRANULE_MASK) << 4) + off) >>> 3];
  }

  addr(a: Addr, off: number): Addr {
    return this.u32s[a >>> 22][(((a & GRANULE_MASK) << 4) + off) >>> 2] as Addr;
  }

  borrow(into: Slice, a: Addr, off: number, length: number): Slice {
    if (!into.listed) enlist(into);
    into.buffer = this.u8s[a >>> 22];
    into.start = ((a & GRANULE_MASK) << 4) + off;
    into.length = length;
    return into;
  }

  warm(blocks: Int32Array, count: number): void {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const words = this.u32s[blocks[i] >>> 22];
      if (words === undefined) continue;
      const at = (blocks[i] & GRANULE_MASK) << 2;
      blocks[i] = words[at];
      sum ^= words[at + LINE_WORDS];
    }
    this.warmth = sum;
  }

  // Stores.

  setU8(a: Addr, off: number, value: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + 1);
    this.u8s[a >>> 22][at] = value;
  }

  setU16(a: Addr, off: number, value: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + 2);
    this.u16s[a >>> 22][at >>> 1] = value;
  }

  setU32(a: Addr, off: number, value: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + 4);
    this.u32s[a >>> 22][at >>> 2] = value;
  }

  setF64(a: Addr, off: number, value: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + 8);
    this.f64s[a >>> 22][at >>> 3] = value;
  }

  setAddr(a: Addr, off: number, value: Addr): void {
    this.setU32(a, off, value);
  }

  /** Copies `source` into block `a` at `off`. The source may be a slice of the image, overlapping or not. */
  write(a: Addr, off: number, source: Slice): void {
    this.writeBytes(a, off, source.buffer, source.start, source.length);
  }

  writeBytes(a: Addr, off: number, source: Uint8Array, start: number, length: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + length);
    copyBytes(this.u8s[a >>> 22], at, source, start, length);
  }

  /** Copies between two places of the image, overlapping or not. */
  copy(to: Addr, toOff: number, from: Addr, fromOff: number, length: number): void {
    this.writeBytes(to, toOff, this.u8s[from >>> 22], ((from & GRANULE_MASK) << 4) + fromOff, length);
  }

  fill(a: Addr, off: number, value: number, length: number): void {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + length);
    this.u8s[a >>> 22].fill(value, at, at + length);
  }

  /**
   * Passes the barrier for `length` bytes at `off` and shows them through `into` for writing in place. Good until the
   * next allocation or the opening of a view, whichever is first.
   */
  writable(into: Slice, a: Addr, off: number, length: number): Slice {
    const at = ((a & GRANULE_MASK) << 4) + off;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + length);
    return this.borrow(into, a, off, length);
  }

  // Blocks.

  /** A block of at least `size` bytes, its content undefined; throws OutOfMemory. */
  allocate(size: number): Addr {
    return this.allocator.allocate(size);
  }

  /** The same, zeroed. */
  allocateZeroed(size: number): Addr {
    const a = this.allocator.allocate(size);
    this.fill(a, 0, 0, size);
    return a;
  }

  release(a: Addr): void {
    this.allocator.release(a);
  }

  /**
   * Moves the block at `a` out of a sparse slab where blocks are being moved together (Allocator.beginLeaving): its new
   * address, or `a` where it stays. The caller makes whatever points at it point there. On OutOfMemory nothing has changed.
   */
  moved(a: Addr): Addr {
    if (!this.allocator.isLeaving(a)) {
      this.stays++;
      return a;
    }
    this.moves++;
    const size = this.sizeOf(a);
    const fresh = this.allocate(size);
    this.copy(fresh, 0, a, 0, size);
    this.release(a);
    return fresh;
  }

  /**
   * A block of at least `size` bytes that begins with what `a` held (as much as fits); `a` itself where it still fits well.
   * On OutOfMemory `a` is untouched.
   */
  resize(a: Addr, size: number): Addr {
    return this.allocator.resize(a, size);
  }

  /** Gives back all memory that no block needs, at once. */
  trim(): void {
    for (const _ of this.purge(() => NEVER_LATE));
  }

  /**
   * The same in slices, which `next()` does; `begin` begins one and returns what tells that it has lasted long enough. First
   * what is empty, then segments in part free, one after another, whose blocks are copied; in the end, and whenever old
   * buffers pile up beside new ones, a collection.
   */
  *purge(begin: () => () => boolean): Generator<void> {
    this.allocator.trim();
    yield;
    for (let more = true; more; ) {
      const segment = this.renewal?.segment ?? this.allocator.loosest(LEAST_RENEWED, false);
      more = segment >= 0 && this.allocator.renew(segment, begin()) !== 'refused';
      if (this.leftovers.bytes >= SEGMENT_BYTES && this.renewal === null) this.collect(true);
      if (more) yield;
    }
    this.allocator.trim();
    this.leftovers.all();
    if (this.isScarce) this.endScarcity();
  }

  /** Nobody has asked for anything for a while: a pause of some 10 ms, after much has been given back, disturbs nobody. */
  quiet(): void {
    if (!this.leftovers.uncut) return;
    this.allocator.trim();
    this.leftovers.quiet();
  }

  /** Ordinary buffers of the process, of which `alive` bytes are in use, go where many are dead. */
  collectBuffers(alive: number, quiet: boolean): void {
    this.dead.look(alive, quiet);
  }

  /** Bytes that were let go of, and that are waited for until they are collected. */
  get awaited(): number {
    return this.collector.keepsAwake ? this.leftovers.bytes : 0;
  }

  /** Whether `tidy` has, or will have, something to give back. */
  get untidy(): boolean {
    if (this.awaited >= WORTH_COLLECTING) return true;
    return !this.frozen && this.allocator.loosest(WORTH_RENEWING, false) >= 0;
  }

  /**
   * Once a tick of the cron, `now` in ms: gives back what has been free for a while, until `late`; `releasing` while values
   * wait to be released. Says whether a segment is half-way (`tidyOn`).
   */
  tidy(now: number, releasing: boolean, late: () => boolean): boolean {
    this.collect();
    if (now - this.observedAt >= LULL) {
      this.observedAt = now;
      this.allocator.observe();
    }
    for (let dear = false; this.renewal === null && !dear; ) {
      const segment = this.frozen ? -1 : this.allocator.loosest(WORTH_RENEWING, true);
      if (segment < 0) return false;
      // What is dear goes alone, and after what was let go of before: for that long it takes memory twice. While values are
      // released it may be cheap soon.
      dear = this.allocator.bytesIn(segment) > CHEAP;
      if (dear && (releasing || this.awaited >= SEGMENT_BYTES)) return false;
      if (this.allocator.renew(segment, late) === 'refused' || late()) break;
    }
    return this.renewal !== null;
  }

  /** Goes on until `late` with a segment that `tidy` has left half-way; says whether there is more to do. */
  tidyOn(late: () => boolean): boolean {
    if (this.renewal !== null) this.allocator.renew(this.renewal.segment, late);
    return this.renewal !== null;
  }

  /**
   * Hands buffers that were let go of back to the system, when there is enough of them to pay for it:
   * by steps, or with a pause of some 10 ms when that is wanted or memory is scarce.
   */
  collect(atOnce = false): void {
    if (this.leftovers.bytes < WORTH_COLLECTING) this.leftovers.rest();
    else if (atOnce || this.isScarce) this.leftovers.now();
    else this.leftovers.step();
    if (this.isScarce) this.endScarcity();
  }

  /**
   * The last segment that could be had was the one in reserve: whoever writes is to be refused before it begins, so that
   * no command runs out of memory half-way. Ends when `collect` finds memory to be had or given back.
   */
  get scarce(): boolean {
    return this.isScarce;
  }

  discarded(buffer: SharedArrayBuffer, committed: number): void {
    this.leftovers.add(buffer, committed);
  }

  /** Bytes that block `a` can hold: its size class or its run of pages. */
  sizeOf(a: Addr): number {
    return this.allocator.sizeOf(a);
  }

  /** Bytes that a block asked for with `size` will take. */
  roundUp(size: number): number {
    return this.allocator.roundUp(size);
  }

  /** Bytes in live blocks, exact. */
  get used(): number {
    return this.allocator.used;
  }

  /** The largest that `used` has been. */
  get peak(): number {
    return this.allocator.peak;
  }

  /** Bytes in segments, used or not. */
  get reserved(): number {
    return this.allocator.reserved;
  }

  /** Bytes of pages that hold blocks, and of those that the system has given, buffers that wait for their end included. */
  get active(): number {
    return this.allocator.active;
  }

  get resident(): number {
    return this.allocator.resident + this.leftovers.bytes + (this.renewal?.bytes ?? 0);
  }

  /** Whether a frozen view is open; structures hold resizing back meanwhile. */
  get frozen(): boolean {
    return this.barrier !== null && this.renewal === null;
  }

  /**
   * Whether what is dropped had better wait for its release: a frozen view shows it, and to write into its pages would have
   * them copied. No longer so where memory is short, or has doubled since the view was opened.
   */
  get sparesPages(): boolean {
    return this.frozen && !this.isScarce && this.used < 2 * this.usedAtFreeze && this.affords(0);
  }

  /** Hangs in or takes out the barrier of a frozen view; only view.ts calls it. */
  setBarrier(barrier: Barrier | null): void {
    this.dropRenewal();
    this.barrier = barrier;
    this.usedAtFreeze = this.used;
    // What a view held can be collected once it is closed.
    if (barrier === null) this.leftovers.rest();
  }

  // Free slots and segments, for the allocator (segments.ts). VerifiedMemory, which guards blocks, leaves links alone.

  link(a: Addr): Addr {
    return this.u32s[a >>> 22][(a & GRANULE_MASK) << 2] as Addr;
  }

  setLink(a: Addr, next: Addr): void {
    const at = (a & GRANULE_MASK) << 4;
    this.stored = true;
    if (this.barrier !== null) this.barrier.preserve(a >>> 22, at, at + 4);
    this.u32s[a >>> 22][at >>> 2] = next;
  }

  mapSegment(number: number, bytes: number, capacity: number): void {
    const buffer = this.obtain(bytes, capacity) ?? this.takeReserve(capacity);
    if (buffer === undefined) throw new OutOfMemory(`no segment of ${bytes} bytes could be had`);
    if (this.reserves && number === 0) this.spare = this.obtain(SEGMENT_BYTES, SEGMENT_BYTES);
    this.show(number, buffer);
  }

  private show(number: number, buffer: SharedArrayBuffer): void {
    this.buffers[number] = buffer;
    this.u8s[number] = new Uint8Array(buffer);
    this.u16s[number] = new Uint16Array(buffer);
    this.u32s[number] = new Uint32Array(buffer);
    this.f64s[number] = new Float64Array(buffer);
  }

  private discard(number: number, committed: number): void {
    const buffer = this.buffers[number];
    emptyShowing(this.u8s[number]);
    if (buffer !== undefined) this.leftovers.add(buffer, committed);
  }

  private obtain(bytes: number, capacity: number): SharedArrayBuffer | undefined {
    if (this.reserved + bytes > this.limit) return undefined;
    try {
      return new SharedArrayBuffer(capacity);
    } catch {
      return undefined;
    }
  }

  private takeReserve(capacity: number): SharedArrayBuffer | undefined {
    if (!this.reserves || capacity !== SEGMENT_BYTES) return undefined;
    const spare = this.spare;
    this.spare = undefined;
    this.enough = this.used - SEGMENT_BYTES;
    if (!this.isScarce) {
      this.isScarce = true;
      this.onScarce(true);
    }
    return spare;
  }

  private endScarcity(): void {
    this.spare ??= this.obtain(SEGMENT_BYTES, SEGMENT_BYTES);
    if (this.spare === undefined && this.used > this.enough) return;
    this.isScarce = false;
    this.onScarce(false);
  }

  segmentBytes(number: number): number {
    return this.u8s[number].length;
  }

  renewSegment(number: number, tags: Uint16Array, committed: number, late: () => boolean): Renewed {
    const renewal = this.renewalOf(number);
    if (renewal === null) return 'refused';
    if (!renewal.copy(tags, late)) return 'more';
    this.barrier = this.renewal = null;
    this.discard(number, committed);
    this.show(number, renewal.buffer);
    return 'over';
  }

  /** The segment's that is under way, or a new one; null where there is no memory for it, or a frozen view is open. */
  private renewalOf(number: number): Renewal | null {
    if (this.frozen) return null;
    if (this.renewal?.segment === number) return this.renewal;
    this.dropRenewal();
    try {
      this.barrier = this.renewal = new Renewal(number, this.u8s[number], () => this.dropRenewal());
    } catch {
      // For want of memory nothing is given back.
    }
    return this.renewal;
  }

  /** The old buffer stays; the new one goes, with what it took. */
  private dropRenewal(): void {
    const { renewal } = this;
    if (renewal === null) return;
    this.barrier = this.renewal = null;
    this.leftovers.add(renewal.buffer, renewal.bytes);
  }

  /** The memory goes once no frozen view holds it. */
  unmapSegment(number: number, committed: number): void {
    this.barrier?.forget(number);
    this.discard(number, committed);
    this.buffers[number] = undefined;
    this.u8s[number] = NONE;
    this.u16s[number] = NO_U16;
    this.u32s[number] = NO_U32;
    this.f64s[number] = NO_F64;
  }
}

const NO_U16 = new Uint16Array(0);
const NO_U32 = new Uint32Array(0);
const NO_F64 = new Float64Array(0);
