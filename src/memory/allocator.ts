/**
 * The allocator of the memory image.
 *
 * Three sizes of block, by what was asked for:
 *   small  up to 16 KiB   a slot of a slab. 76 size classes: every granule up to 128 bytes, then eight to a doubling, so
 *                         that at most an eighth is wasted. A slab is a run of pages cut into slots of one class.
 *   large  up to 64 MiB   a run of 4 KiB pages.
 *   huge   beyond         a segment of its own, mapped at the next power of two so that it can grow where it is: the
 *                         system commits the pages behind its end when they are first touched.
 *
 * Bookkeeping lives beside the image, in two arrays indexed by page number (`address >>> PAGE_SHIFT`):
 *   tags[page]  u16  low byte: 0 free | class + 1 slab | LARGE first page | INNER other pages of a large block | HUGE |
 *                    RESERVED; high byte, in a slab: pages back to its first page
 *   meta[page]  eight i32, half a cache line, of which the first page of a slab or of a run uses
 *     NEXT, PREV         links of the list that a slab with room, or a free run, is in (-1 = none)
 *     RUN                length in pages of a free or large run (a free run has it on its last page too)
 *     LIVE, FRESH, FREE  of a slab: slots in use, slots ever used, first slot of the free list (0 = none)
 * Only the links of a slab's free list lie in the image, in the first word of each free slot.
 *
 * Free runs are binned by length: exactly up to 64 pages, in eighths of a doubling beyond. A run is looked for in a few
 * places of its own bin and then at the head of each longer bin, where anything fits: the search is bounded.
 *
 * Counters are elements of a Float64Array, not fields: a double in a field makes V8 change the field's form when a counter
 * first passes 2^31, and costs a quarter more from then on (7.0 against 5.5 ns an allocation).
 *
 * Invariants (verify):
 *   - the pages of a segment are covered exactly by runs, slabs and reserved pages; no two free runs touch;
 *   - a free run is in the bin of its length, once; `empty` counts the segments that are one free run;
 *   - a slab is in its class's list if and only if it has room; its free list holds exactly fresh - live slots;
 *   - `used` is the sum of the sizes of live blocks, `reserved` that of the segments.
 */
import { assert } from '../base/assert.ts';
import { type Addr, MAX_SEGMENTS, NULL, PAGE_BYTES, PAGE_SHIFT, PAGES_PER_SEGMENT, SEGMENT_BYTES } from './address.ts';
import { type Memory, OutOfMemory } from './memory.ts';

const GRANULES_PER_PAGE = 1 << PAGE_SHIFT;
const SMALL_MAX = 16384;
const LARGE_MAX = SEGMENT_BYTES;
/** Bytes of the largest block: a 512 MiB string with its header, with room to spare for a dict's table of 2^28 slots. */
const HUGE_MAX = 0x40000000;

const CLASS_SIZES = classSizes();
const CLASS_COUNT = CLASS_SIZES.length;
/** Class of a size, by the number of granules that it needs. */
const CLASS_OF = classTable();
const SLAB_PAGES = Uint8Array.from(CLASS_SIZES, slabPages);
const SLOTS = Uint16Array.from(CLASS_SIZES, (size, index) => Math.floor((SLAB_PAGES[index] * PAGE_BYTES) / size));
const SLOT_GRANULES = Uint16Array.from(CLASS_SIZES, (size) => size >>> 4);

const FREE = 0;
const LARGE = 250;
const INNER = 251;
const HUGE = 252;
const RESERVED = 253;

const EXACT_BINS = 64;
const BINS = EXACT_BINS + 8 * 8 + 1;
/** Runs of its own bin that a search looks at before it goes to the longer ones. */
const TRIES = 16;

const STRIDE_BITS = 3;
const NEXT = 0;
const PREV = 1;
const RUN = 2;
const LIVE = 3;
const FRESH = 4;
const FREE_SLOT = 5;

const USED = 0;
const PEAK = 1;
const TOTAL = 2;
const BLOCKS = 3;

assert(CLASS_COUNT + 1 < LARGE, 'classes and page kinds share a byte');
assert(Math.max(...SLAB_PAGES) < 256, 'the way back to a slab fits a byte');

function classSizes(): number[] {
  const sizes: number[] = [];
  for (let size = 16; size <= 128; size += 16) sizes.push(size);
  for (let base = 128; base < SMALL_MAX; base *= 2)
    for (let step = 1; step <= 8; step++) {
      const size = Math.ceil((base + (base / 8) * step) / 16) * 16;
      if (size > sizes[sizes.length - 1]) sizes.push(size);
    }
  return sizes;
}

function classTable(): Uint8Array {
  const table = new Uint8Array(SMALL_MAX / 16 + 1);
  let index = 0;
  for (let granules = 0; granules < table.length; granules++) {
    while (CLASS_SIZES[index] < granules * 16) index++;
    table[granules] = index;
  }
  return table;
}

/** 16 KiB of pages for what is small, so that an empty slab goes back soon; 128 KiB where slots are large. */
function slabPages(size: number): number {
  return size <= 1024 ? 4 : 32;
}

/** The bin of a run of `pages`. */
function binOf(pages: number): number {
  if (pages <= EXACT_BINS) return pages - 1;
  const log = 31 - Math.clz32(pages);
  return EXACT_BINS + (log - 6) * 8 + ((pages >>> (log - 3)) & 7);
}

/** The first bin in which every run has at least `pages`. */
function binAbove(pages: number): number {
  if (pages <= EXACT_BINS) return pages - 1;
  const log = 31 - Math.clz32(pages);
  return binOf(pages) + ((pages & ((1 << (log - 3)) - 1)) === 0 ? 0 : 1);
}

export class Allocator {
  private readonly memory: Memory;
  private readonly counts = new Float64Array(4);
  private tags = new Uint16Array(0);
  private meta = new Int32Array(0);
  /** First slab with room of each class, or -1. */
  private readonly partial = new Int32Array(CLASS_COUNT).fill(-1);
  /** First free run of each bin, or -1. */
  private readonly bins = new Int32Array(BINS).fill(-1);
  /** Length in bytes of each segment, 0 where there is none; of a huge block, as much as it was asked for. */
  private readonly lengths = new Float64Array(MAX_SEGMENTS);
  /** Standard segments that are one free run. */
  private empty = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Bytes in live blocks. */
  get used(): number {
    return this.counts[USED];
  }

  get peak(): number {
    return this.counts[PEAK];
  }

  /** Bytes in segments. */
  get reserved(): number {
    return this.counts[TOTAL];
  }

  /** Live blocks. */
  get blocks(): number {
    return this.counts[BLOCKS];
  }

  allocate(size: number): Addr {
    if (size > SMALL_MAX) return this.allocateLarge(size);
    const index = CLASS_OF[(size + 15) >>> 4];
    let slab = this.partial[index];
    if (slab < 0) slab = this.newSlab(index);
    const meta = this.meta;
    const at = slab << STRIDE_BITS;
    let a = meta[at + FREE_SLOT] as Addr;
    if (a !== NULL) {
      meta[at + FREE_SLOT] = this.memory.link(a);
    } else {
      a = ((slab << PAGE_SHIFT) + meta[at + FRESH] * SLOT_GRANULES[index]) as Addr;
      meta[at + FRESH]++;
    }
    if (++meta[at + LIVE] === SLOTS[index]) this.unlink(this.partial, index, slab);
    this.account(CLASS_SIZES[index]);
    return a;
  }

  release(a: Addr): void {
    const page = a >>> PAGE_SHIFT;
    const tag = this.tags[page];
    const kind = tag & 0xff;
    if (kind === FREE || kind > CLASS_COUNT) {
      this.releaseLarge(a, page, kind);
      return;
    }
    const index = kind - 1;
    const slab = page - (tag >>> 8);
    const meta = this.meta;
    const at = slab << STRIDE_BITS;
    this.memory.setLink(a, meta[at + FREE_SLOT] as Addr);
    meta[at + FREE_SLOT] = a;
    this.counts[USED] -= CLASS_SIZES[index];
    this.counts[BLOCKS]--;
    const live = --meta[at + LIVE];
    if (live === SLOTS[index] - 1) this.link(this.partial, index, slab);
    if (live === 0) this.dropSlab(index, slab);
  }

  resize(a: Addr, size: number): Addr {
    const room = this.sizeOf(a);
    if (size > room) {
      if (this.growInPlace(a, room, size)) return a;
      const fresh = this.allocate(size);
      this.memory.copy(fresh, 0, a, 0, room);
      this.release(a);
      return fresh;
    }
    return this.roundUp(size) >= room - (room >>> 2) ? a : this.shrink(a, size);
  }

  sizeOf(a: Addr): number {
    const page = a >>> PAGE_SHIFT;
    const kind = this.tags[page] & 0xff;
    if (kind === LARGE) return this.meta[(page << STRIDE_BITS) + RUN] * PAGE_BYTES;
    if (kind === HUGE) return this.lengths[a >>> 22];
    assert(kind > 0 && kind <= CLASS_COUNT, 'the address of a live block');
    return CLASS_SIZES[kind - 1];
  }

  roundUp(size: number): number {
    if (size <= SMALL_MAX) return CLASS_SIZES[CLASS_OF[(size + 15) >>> 4]];
    return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
  }

  private account(bytes: number): void {
    const counts = this.counts;
    counts[BLOCKS]++;
    const used = (counts[USED] += bytes);
    if (used > counts[PEAK]) counts[PEAK] = used;
  }

  // Slabs.

  private newSlab(index: number): number {
    const pages = SLAB_PAGES[index];
    const slab = this.takeRun(pages);
    for (let i = 0; i < pages; i++) this.tags[slab + i] = (index + 1) | (i << 8);
    const at = slab << STRIDE_BITS;
    this.meta[at + LIVE] = 0;
    this.meta[at + FRESH] = 0;
    this.meta[at + FREE_SLOT] = NULL;
    this.link(this.partial, index, slab);
    return slab;
  }

  /** An empty slab goes back to the free runs unless it is the last one of its class with room. */
  private dropSlab(index: number, slab: number): void {
    if (this.partial[index] === slab && this.meta[(slab << STRIDE_BITS) + NEXT] < 0) return;
    this.unlink(this.partial, index, slab);
    this.giveRun(slab, SLAB_PAGES[index]);
  }

  /** Gives back what is kept for the next allocation: empty slabs and empty segments. */
  trim(): void {
    for (let index = 0; index < CLASS_COUNT; index++) {
      let slab = this.partial[index];
      while (slab >= 0) {
        const next = this.meta[(slab << STRIDE_BITS) + NEXT];
        if (this.meta[(slab << STRIDE_BITS) + LIVE] === 0) {
          this.unlink(this.partial, index, slab);
          this.giveRun(slab, SLAB_PAGES[index]);
        }
        slab = next;
      }
    }
    for (let run = this.bins[BINS - 1]; run >= 0; run = this.bins[BINS - 1]) {
      this.unlinkRun(run, PAGES_PER_SEGMENT);
      this.unmapSegment(run / PAGES_PER_SEGMENT);
    }
  }

  // Large and huge blocks.

  private allocateLarge(size: number): Addr {
    if (size > LARGE_MAX) return this.allocateHuge(size);
    const pages = Math.ceil(size / PAGE_BYTES);
    const first = this.takeRun(pages);
    this.tags.fill(INNER, first, first + pages);
    this.tags[first] = LARGE;
    this.meta[(first << STRIDE_BITS) + RUN] = pages;
    this.account(pages * PAGE_BYTES);
    return (first << PAGE_SHIFT) as Addr;
  }

  private allocateHuge(size: number): Addr {
    if (size > HUGE_MAX) throw new OutOfMemory(`a block of ${size} bytes is beyond the largest`);
    const bytes = this.roundUp(size);
    const segment = this.mapHuge(bytes);
    const first = segment * PAGES_PER_SEGMENT;
    this.tags.fill(RESERVED, first, first + PAGES_PER_SEGMENT);
    this.tags[first] = HUGE;
    this.account(bytes);
    return (first << PAGE_SHIFT) as Addr;
  }

  /** Room to grow is given up where the system has no addresses for it. */
  private mapHuge(bytes: number): number {
    try {
      return this.mapSegment(bytes, 2 ** Math.ceil(Math.log2(bytes)));
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      return this.mapSegment(bytes, bytes);
    }
  }

  private releaseLarge(a: Addr, page: number, kind: number): void {
    assert((kind === LARGE || kind === HUGE) && (a & (GRANULES_PER_PAGE - 1)) === 0, 'release of a live block');
    this.counts[BLOCKS]--;
    if (kind === HUGE) {
      const segment = a >>> 22;
      this.counts[USED] -= this.lengths[segment];
      this.tags.fill(FREE, page, page + PAGES_PER_SEGMENT);
      this.unmapSegment(segment);
      return;
    }
    const pages = this.meta[(page << STRIDE_BITS) + RUN];
    this.counts[USED] -= pages * PAGE_BYTES;
    this.giveRun(page, pages);
  }

  private growInPlace(a: Addr, room: number, size: number): boolean {
    const first = a >>> PAGE_SHIFT;
    const kind = this.tags[first] & 0xff;
    if (kind === HUGE) return this.growHuge(a >>> 22, this.roundUp(size));
    if (kind !== LARGE) return false;
    const pages = room / PAGE_BYTES;
    const wanted = Math.ceil(size / PAGE_BYTES) - pages;
    const behind = first + pages;
    if (behind % PAGES_PER_SEGMENT === 0 || this.tags[behind] !== FREE) return false;
    const length = this.meta[(behind << STRIDE_BITS) + RUN];
    if (length < wanted) return false;
    this.unlinkRun(behind, length);
    if (length > wanted) this.linkRun(behind + wanted, length - wanted);
    this.tags.fill(INNER, behind, behind + wanted);
    this.meta[(first << STRIDE_BITS) + RUN] = pages + wanted;
    this.grew(wanted * PAGE_BYTES);
    return true;
  }

  private growHuge(segment: number, bytes: number): boolean {
    const more = bytes - this.lengths[segment];
    if (bytes > this.memory.segmentBytes(segment)) return false;
    if (this.counts[TOTAL] + more > this.memory.limit) throw new OutOfMemory('the image has reached its limit');
    this.lengths[segment] = bytes;
    this.counts[TOTAL] += more;
    this.grew(more);
    return true;
  }

  private grew(bytes: number): void {
    this.counts[BLOCKS]--;
    this.account(bytes);
  }

  /** A large block gives back its last pages; any other moves, or stays as it is where there is no memory to move to. */
  private shrink(a: Addr, size: number): Addr {
    const first = a >>> PAGE_SHIFT;
    if ((this.tags[first] & 0xff) === LARGE && size > SMALL_MAX) {
      const at = (first << STRIDE_BITS) + RUN;
      const pages = Math.ceil(size / PAGE_BYTES);
      const surplus = this.meta[at] - pages;
      this.meta[at] = pages;
      this.counts[USED] -= surplus * PAGE_BYTES;
      this.giveRun(first + pages, surplus);
      return a;
    }
    let fresh: Addr;
    try {
      fresh = this.allocate(size);
    } catch (error) {
      if (error instanceof OutOfMemory) return a;
      throw error;
    }
    this.memory.copy(fresh, 0, a, 0, size);
    this.release(a);
    return fresh;
  }

  // Runs of pages.

  private takeRun(pages: number): number {
    let first = this.findRun(pages);
    if (first < 0) {
      this.newSegment();
      first = this.findRun(pages);
    }
    const length = this.meta[(first << STRIDE_BITS) + RUN];
    this.unlinkRun(first, length);
    if (length > pages) this.linkRun(first + pages, length - pages);
    return first;
  }

  private findRun(pages: number): number {
    const meta = this.meta;
    const sure = binAbove(pages);
    const own = binOf(pages);
    if (own < sure) {
      let run = this.bins[own];
      for (let tries = TRIES; run >= 0 && tries > 0; tries--) {
        if (meta[(run << STRIDE_BITS) + RUN] >= pages) return run;
        run = meta[(run << STRIDE_BITS) + NEXT];
      }
    }
    for (let bin = sure; bin < BINS; bin++) if (this.bins[bin] >= 0) return this.bins[bin];
    return -1;
  }

  private giveRun(first: number, pages: number): void {
    const segmentStart = first - (first % PAGES_PER_SEGMENT);
    let start = first;
    let length = pages;
    const behind = first + pages;
    if (behind < segmentStart + PAGES_PER_SEGMENT && this.tags[behind] === FREE) {
      const after = this.meta[(behind << STRIDE_BITS) + RUN];
      length += after;
      this.unlinkRun(behind, after);
    }
    if (first > segmentStart && this.tags[first - 1] === FREE) {
      const before = this.meta[((first - 1) << STRIDE_BITS) + RUN];
      start -= before;
      length += before;
      this.unlinkRun(start, before);
    }
    this.tags.fill(FREE, first, first + pages);
    if (length === PAGES_PER_SEGMENT && this.empty > 0) this.unmapSegment(segmentStart / PAGES_PER_SEGMENT);
    else this.linkRun(start, length);
  }

  private linkRun(first: number, length: number): void {
    this.meta[(first << STRIDE_BITS) + RUN] = length;
    this.meta[((first + length - 1) << STRIDE_BITS) + RUN] = length;
    if (length === PAGES_PER_SEGMENT) this.empty++;
    this.link(this.bins, binOf(length), first);
  }

  private unlinkRun(first: number, length: number): void {
    if (length === PAGES_PER_SEGMENT) this.empty--;
    this.unlink(this.bins, binOf(length), first);
  }

  private link(heads: Int32Array, index: number, page: number): void {
    const first = heads[index];
    this.meta[(page << STRIDE_BITS) + NEXT] = first;
    this.meta[(page << STRIDE_BITS) + PREV] = -1;
    if (first >= 0) this.meta[(first << STRIDE_BITS) + PREV] = page;
    heads[index] = page;
  }

  private unlink(heads: Int32Array, index: number, page: number): void {
    const next = this.meta[(page << STRIDE_BITS) + NEXT];
    const prev = this.meta[(page << STRIDE_BITS) + PREV];
    if (next >= 0) this.meta[(next << STRIDE_BITS) + PREV] = prev;
    if (prev >= 0) this.meta[(prev << STRIDE_BITS) + NEXT] = next;
    else heads[index] = next;
  }

  // Segments.

  private newSegment(): void {
    const segment = this.mapSegment(SEGMENT_BYTES, SEGMENT_BYTES);
    const first = segment * PAGES_PER_SEGMENT;
    if (segment === 0) {
      this.tags[0] = RESERVED;
      this.linkRun(1, PAGES_PER_SEGMENT - 1);
    } else {
      this.linkRun(first, PAGES_PER_SEGMENT);
    }
  }

  /** The number of a new segment of `bytes`, with room for it to grow to `capacity`. */
  private mapSegment(bytes: number, capacity: number): number {
    // Segment 0 holds the null address and so is never a huge block's.
    if (capacity > SEGMENT_BYTES && this.lengths[0] === 0) this.newSegment();
    let segment = 0;
    while (segment < MAX_SEGMENTS && this.lengths[segment] > 0) segment++;
    if (segment === MAX_SEGMENTS) throw new OutOfMemory('the image has reached its largest size');
    this.ensurePages((segment + 1) * PAGES_PER_SEGMENT);
    this.memory.mapSegment(segment, bytes, capacity);
    this.lengths[segment] = bytes;
    this.counts[TOTAL] += bytes;
    return segment;
  }

  private unmapSegment(segment: number): void {
    this.counts[TOTAL] -= this.lengths[segment];
    this.lengths[segment] = 0;
    this.memory.unmapSegment(segment);
  }

  private ensurePages(pages: number): void {
    if (this.tags.length >= pages) return;
    const length = Math.max(pages, this.tags.length * 2);
    let tags: Uint16Array<ArrayBuffer>;
    let meta: Int32Array<ArrayBuffer>;
    try {
      tags = new Uint16Array(length);
      meta = new Int32Array(length << STRIDE_BITS);
    } catch {
      throw new OutOfMemory('no bookkeeping for another segment could be had');
    }
    tags.set(this.tags);
    meta.set(this.meta);
    this.tags = tags;
    this.meta = meta;
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const slabs = this.listed(this.partial);
    const runs = this.listed(this.bins);
    const sum = { used: 0, blocks: 0, reserved: 0, empty: 0, runs: 0, slabs: 0 };
    for (let segment = 0; segment < MAX_SEGMENTS; segment++) {
      if (this.lengths[segment] === 0) continue;
      sum.reserved += this.lengths[segment];
      const first = segment * PAGES_PER_SEGMENT;
      if ((this.tags[first] & 0xff) === HUGE) {
        sum.used += this.lengths[segment];
        sum.blocks++;
        continue;
      }
      let wasFree = false;
      for (let page = first; page < first + PAGES_PER_SEGMENT; ) {
        const free = this.tags[page] === FREE;
        assert(!(wasFree && free), 'no two free runs touch');
        wasFree = free;
        page += free ? this.verifyRun(page, runs, sum) : this.verifyBlock(page, slabs, sum);
      }
    }
    assert(sum.runs === runs.size, `${sum.runs} free runs are there, ${runs.size} are listed`);
    assert(sum.slabs === slabs.size, `${sum.slabs} slabs have room, ${slabs.size} are listed`);
    assert(sum.empty === this.empty, 'empty segments are counted');
    assert(sum.used === this.used, `used is ${this.used}, the blocks sum to ${sum.used}`);
    assert(sum.blocks === this.blocks, `${this.blocks} blocks are counted, ${sum.blocks} found`);
    assert(sum.reserved === this.reserved, 'the segments are counted');
  }

  /** Page -> list of everything in the lists that begin at `heads`. */
  private listed(heads: Int32Array): Map<number, number> {
    const found = new Map<number, number>();
    heads.forEach((head, list) => {
      for (let page = head; page >= 0; page = this.meta[(page << STRIDE_BITS) + NEXT]) {
        assert(!found.has(page), 'nothing is listed twice');
        found.set(page, list);
      }
    });
    return found;
  }

  private verifyRun(page: number, runs: Map<number, number>, sum: { runs: number; empty: number }): number {
    const length = this.meta[(page << STRIDE_BITS) + RUN];
    assert(
      this.meta[((page + length - 1) << STRIDE_BITS) + RUN] === length,
      'a free run knows its length at both ends',
    );
    assert(runs.get(page) === binOf(length), 'a free run is in the bin of its length');
    sum.runs++;
    if (length === PAGES_PER_SEGMENT) sum.empty++;
    return length;
  }

  private verifyBlock(
    page: number,
    slabs: Map<number, number>,
    sum: { used: number; blocks: number; slabs: number },
  ): number {
    const kind = this.tags[page] & 0xff;
    if (kind === RESERVED) return 1;
    if (kind === LARGE) {
      const pages = this.meta[(page << STRIDE_BITS) + RUN];
      sum.used += pages * PAGE_BYTES;
      sum.blocks++;
      return pages;
    }
    assert(kind <= CLASS_COUNT && this.tags[page] >>> 8 === 0, 'a slab begins where a run ended');
    const index = kind - 1;
    const live = this.meta[(page << STRIDE_BITS) + LIVE];
    this.verifyFreeList(page, index, live);
    const hasRoom = live < SLOTS[index];
    assert(slabs.get(page) === (hasRoom ? index : undefined), 'a slab is listed when it has room');
    if (hasRoom) sum.slabs++;
    sum.used += live * CLASS_SIZES[index];
    sum.blocks += live;
    return SLAB_PAGES[index];
  }

  private verifyFreeList(slab: number, index: number, live: number): void {
    const at = slab << STRIDE_BITS;
    const fresh = this.meta[at + FRESH];
    let free = 0;
    for (let a = this.meta[at + FREE_SLOT] as Addr; a !== NULL; a = this.memory.link(a)) {
      const slot = (a - (slab << PAGE_SHIFT)) / SLOT_GRANULES[index];
      assert(Number.isInteger(slot) && slot >= 0 && slot < fresh, 'a free slot lies in its slab');
      free++;
      assert(free <= fresh, 'a free list has no cycle');
    }
    assert(free === fresh - live, 'the free list holds what is not live');
  }
}
