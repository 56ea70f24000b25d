/**
 * The pages of the image: segments, and runs of 4 KiB pages in them. The allocator (allocator.ts) cuts runs into blocks.
 *
 * Bookkeeping lies beside the image, in arrays indexed by page number (`address >>> PAGE_SHIFT`):
 *   tags[page]  u16  low byte: 0 free | class + 1 slab | LARGE first page | INNER other pages of a large block | HUGE |
 *                    RESERVED; high byte, in a slab: pages back to its first page
 *   meta[page]  eight i32, half a cache line, of which the first page of a slab or of a run uses
 *     NEXT, PREV         links of the list that a slab with room, or a free run, is in (-1 = none)
 *     RUN                length in pages of a free or large run (a free run has it on its last page too)
 *     LIVE, FRESH, FREE  of a slab: slots in use, slots ever used, first slot of the free list (0 = none)
 *     LEAVING            of a slab: 1 while its blocks are being moved out of it
 *   dirty[page] u8   1 when the page may have been written since its segment was mapped: the system has committed it
 *
 * All three lie in one buffer, beyond 32 MiB from the start, of which the system commits what is written: malloc of glibc,
 * which has such blocks mapped by themselves, keeps at the end of every thread's arena twice the largest smaller block that
 * was ever freed. With 8 MiB of bookkeeping freed at a doubling, V8's compiling threads kept 7 MiB each.
 *
 * Free runs are binned by length: exactly up to 64 pages, in eighths of a doubling beyond. A run is looked for in a few
 * places of its own bin and then at the head of each longer bin, where anything fits: the search is bounded.
 *
 * Memory that is free goes back to the system by whole segments, or, out of a segment that is in use, by `renew`: its
 * pages in use are copied into a new buffer that takes the place of the old one, so that every address stays as it is and
 * the system has not committed the pages in between.
 *
 * Invariants (verifyPages):
 *   - the pages of a segment are covered exactly by runs, slabs and reserved pages; no two free runs touch;
 *   - a free run is in the bin of its length, once; `empty` counts the segments that are one free run;
 *   - `taken` and `committed` of a segment are its pages in use and its dirty ones; what is in use is dirty.
 */
import { assert } from '../base/assert.ts';
import { MAX_SEGMENTS, PAGE_BYTES, PAGES_PER_SEGMENT, SEGMENT_BYTES } from './address.ts';
import { OutOfMemory } from './errors.ts';
import type { Renewed, Segments } from './segments.ts';

export const FREE = 0;
export const LARGE = 250;
export const INNER = 251;
export const HUGE = 252;
export const RESERVED = 253;

const EXACT_BINS = 64;
const BINS = EXACT_BINS + 8 * 8 + 1;
/** Runs of its own bin that a search looks at before it goes to the longer ones. */
const TRIES = 16;

export const STRIDE_BITS = 3;
/** Bytes of bookkeeping for a page, and the pages that there is room for at first. */
const KNOWN_BYTES = 4 * (1 << STRIDE_BITS) + 2 + 1;
const FIRST_PAGES = 64 * PAGES_PER_SEGMENT;
/** Bytes of bookkeeping about segments that are no more that are worth a new buffer. */
const WORTH_FORGETTING = 4 * 1024 * 1024;
export const NEXT = 0;
export const PREV = 1;
export const RUN = 2;
export const LIVE = 3;
export const FRESH = 4;
export const FREE_SLOT = 5;
export const LEAVING = 6;

export const USED = 0;
export const PEAK = 1;
export const BLOCKS = 2;
const TOTAL = 3;
const ACTIVE = 4;
const RESIDENT = 5;
const COUNTERS = 6;

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

export class Runs {
  protected readonly segments: Segments;
  /**
   * Counters are elements of a Float64Array, not fields: a double in a field makes V8 change the field's form when a counter
   * first passes 2^31, and costs a quarter more from then on (7.0 against 5.5 ns an allocation).
   */
  protected readonly counts = new Float64Array(COUNTERS);
  protected tags: Uint16Array = new Uint16Array(0);
  protected meta: Int32Array = new Int32Array(0);
  private dirty: Uint8Array = new Uint8Array(0);
  /** Pages of the segments that the bookkeeping has been about. */
  private known = 0;
  /** Length in bytes of each segment, 0 where there is none; of a huge block, as much as it was asked for. */
  protected readonly lengths = new Float64Array(MAX_SEGMENTS);
  /** First free run of each bin, or -1. */
  private readonly bins = new Int32Array(BINS).fill(-1);
  /** Pages of each segment in use, and those that the system has committed; 0 for that of a huge block. */
  private readonly taken = new Int32Array(MAX_SEGMENTS);
  private readonly committed = new Int32Array(MAX_SEGMENTS);
  /** The fewest pages committed and free that each segment has had since the last `observe()`, and in the time before. */
  private readonly lull = new Int32Array(MAX_SEGMENTS);
  private readonly lullBefore = new Int32Array(MAX_SEGMENTS);
  /** Standard segments that are one free run. */
  private empty = 0;

  constructor(segments: Segments) {
    this.segments = segments;
  }

  /** Bytes in segments. */
  get reserved(): number {
    return this.counts[TOTAL];
  }

  /** Bytes of pages in use. */
  get active(): number {
    return this.counts[ACTIVE];
  }

  /** Bytes of pages that the system has committed, as far as the image can know. */
  get resident(): number {
    return this.counts[RESIDENT];
  }

  // Runs.

  protected takeRun(pages: number): number {
    let first = this.findRun(pages);
    if (first < 0) {
      this.newSegment();
      first = this.findRun(pages);
    }
    const length = this.meta[(first << STRIDE_BITS) + RUN];
    this.unlinkRun(first, length);
    if (length > pages) this.linkRun(first + pages, length - pages);
    this.use(first, pages);
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

  /** Takes the `wanted` pages behind a run in use, when they are free. */
  protected extendRun(behind: number, wanted: number): boolean {
    if (behind % PAGES_PER_SEGMENT === 0 || this.tags[behind] !== FREE) return false;
    const length = this.meta[(behind << STRIDE_BITS) + RUN];
    if (length < wanted) return false;
    this.unlinkRun(behind, length);
    if (length > wanted) this.linkRun(behind + wanted, length - wanted);
    this.use(behind, wanted);
    return true;
  }

  private use(first: number, pages: number): void {
    const segment = Math.floor(first / PAGES_PER_SEGMENT);
    const { dirty } = this;
    let fresh = 0;
    for (let page = first; page < first + pages; page++)
      if (dirty[page] === 0) {
        dirty[page] = 1;
        fresh++;
      }
    this.committed[segment] += fresh;
    this.taken[segment] += pages;
    this.counts[RESIDENT] += fresh * PAGE_BYTES;
    this.counts[ACTIVE] += pages * PAGE_BYTES;
    const idle = this.committed[segment] - this.taken[segment];
    if (idle < this.lull[segment]) this.lull[segment] = idle;
  }

  protected giveRun(first: number, pages: number): void {
    const segment = Math.floor(first / PAGES_PER_SEGMENT);
    const segmentStart = segment * PAGES_PER_SEGMENT;
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
    this.taken[segment] -= pages;
    this.counts[ACTIVE] -= pages * PAGE_BYTES;
    if (length === PAGES_PER_SEGMENT && this.empty > 0) this.unmapSegment(segment);
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

  protected link(heads: Int32Array, index: number, page: number): void {
    const first = heads[index];
    this.meta[(page << STRIDE_BITS) + NEXT] = first;
    this.meta[(page << STRIDE_BITS) + PREV] = -1;
    if (first >= 0) this.meta[(first << STRIDE_BITS) + PREV] = page;
    heads[index] = page;
  }

  protected unlink(heads: Int32Array, index: number, page: number): void {
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
    this.segments.mapSegment(segment, bytes, capacity);
    this.lengths[segment] = bytes;
    this.lull[segment] = this.lullBefore[segment] = 0;
    this.counts[TOTAL] += bytes;
    return segment;
  }

  private unmapSegment(segment: number): void {
    this.counts[TOTAL] -= this.lengths[segment];
    this.lengths[segment] = 0;
    this.segments.unmapSegment(segment, this.forgetPages(segment));
  }

  /** Nothing of a segment's free pages is committed any more; returns the bytes that were committed in all. */
  private forgetPages(segment: number): number {
    const first = segment * PAGES_PER_SEGMENT;
    const bytes = this.committed[segment] * PAGE_BYTES;
    this.counts[RESIDENT] -= (this.committed[segment] - this.taken[segment]) * PAGE_BYTES;
    this.committed[segment] = this.taken[segment];
    this.lull[segment] = this.lullBefore[segment] = 0;
    for (let page = first; page < first + PAGES_PER_SEGMENT; page++) if (this.tags[page] === FREE) this.dirty[page] = 0;
    return bytes;
  }

  /** The number of the first page of a segment of its own for a huge block, mapped with room to grow. */
  protected takeHuge(bytes: number): number {
    const segment = this.mapHuge(bytes);
    const first = segment * PAGES_PER_SEGMENT;
    this.tags.fill(RESERVED, first, first + PAGES_PER_SEGMENT);
    this.tags[first] = HUGE;
    this.countHuge(bytes);
    return first;
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

  protected growHuge(segment: number, bytes: number): boolean {
    const more = bytes - this.lengths[segment];
    if (bytes > this.segments.segmentBytes(segment)) return false;
    if (this.counts[TOTAL] + more > this.segments.limit) throw new OutOfMemory('the image has reached its limit');
    this.lengths[segment] = bytes;
    this.counts[TOTAL] += more;
    this.countHuge(more);
    return true;
  }

  protected giveHuge(segment: number): void {
    const first = segment * PAGES_PER_SEGMENT;
    const bytes = this.lengths[segment];
    this.countHuge(-bytes);
    this.tags.fill(FREE, first, first + PAGES_PER_SEGMENT);
    this.counts[TOTAL] -= bytes;
    this.lengths[segment] = 0;
    this.segments.unmapSegment(segment, bytes);
  }

  private countHuge(bytes: number): void {
    this.counts[ACTIVE] += bytes;
    this.counts[RESIDENT] += bytes;
  }

  private ensurePages(pages: number): void {
    const room = this.tags.length;
    if (room < pages && !this.moveBooks(Math.max(pages, FIRST_PAGES, room * 2), this.known))
      throw new OutOfMemory('no bookkeeping for another segment could be had');
    if (pages > this.known) this.known = pages;
  }

  /** Moves the bookkeeping of the first `known` pages into a buffer with room for `room`; false where that can't be had. */
  private moveBooks(room: number, known: number): boolean {
    let buffer: SharedArrayBuffer;
    try {
      buffer = new SharedArrayBuffer(room * KNOWN_BYTES);
    } catch {
      return false;
    }
    const meta = new Int32Array(buffer, 0, room << STRIDE_BITS);
    const tags = new Uint16Array(buffer, meta.byteLength, room);
    const dirty = new Uint8Array(buffer, meta.byteLength + tags.byteLength, room);
    meta.set(this.meta.subarray(0, known << STRIDE_BITS));
    tags.set(this.tags.subarray(0, known));
    dirty.set(this.dirty.subarray(0, known));
    const old = this.meta.buffer;
    this.meta = meta;
    this.tags = tags;
    this.dirty = dirty;
    if (old instanceof SharedArrayBuffer) this.segments.discarded(old, this.known * KNOWN_BYTES);
    this.known = known;
    return true;
  }

  // Giving back.

  /** Unmaps the segments in which nothing is in use. */
  protected dropEmpty(): void {
    for (let run = this.bins[BINS - 1]; run >= 0; run = this.bins[BINS - 1]) {
      this.unlinkRun(run, PAGES_PER_SEGMENT);
      this.unmapSegment(run / PAGES_PER_SEGMENT);
    }
  }

  /** Gives back what the bookkeeping takes for segments behind the last that is there, where that is much. */
  protected forgetGone(): void {
    let segments = this.known / PAGES_PER_SEGMENT;
    while (segments > 0 && this.lengths[segments - 1] === 0) segments--;
    const pages = segments * PAGES_PER_SEGMENT;
    if ((this.known - pages) * KNOWN_BYTES >= WORTH_FORGETTING) this.moveBooks(Math.max(pages, FIRST_PAGES), pages);
  }

  /** From here on, the fewest free pages of each segment are noted anew. */
  observe(): void {
    this.lullBefore.set(this.lull);
    for (let segment = 0; segment < MAX_SEGMENTS; segment++)
      this.lull[segment] = this.committed[segment] - this.taken[segment];
  }

  /**
   * The segment with the most bytes that are committed and free, `least` at least, or -1; an eighth of that is enough where
   * no more than is gained has to be copied. With `lasting` only those count that have been free all the time since the
   * last but one `observe()`.
   */
  loosest(least: number, lasting: boolean): number {
    let found = -1;
    let most = 0;
    for (let segment = 0; segment < MAX_SEGMENTS; segment++) {
      const idle = lasting
        ? Math.min(this.lull[segment], this.lullBefore[segment])
        : this.committed[segment] - this.taken[segment];
      const worth = idle >= this.taken[segment] ? least / 8 : least;
      if (idle <= most || idle * PAGE_BYTES < worth || this.lengths[segment] === 0) continue;
      found = segment;
      most = idle;
    }
    return found;
  }

  /** Bytes of a segment's pages in use, which `renew` copies. */
  bytesIn(segment: number): number {
    return this.taken[segment] * PAGE_BYTES;
  }

  /**
   * Gives the free pages of a segment back, if need be by copying those in use, at most 64 MiB, until `late`. Refused where
   * there is no memory for that, or a frozen view is open.
   */
  renew(segment: number, late: () => boolean): Renewed {
    const first = segment * PAGES_PER_SEGMENT;
    if (this.taken[segment] === 0 && segment > 0) {
      this.unlinkRun(first, PAGES_PER_SEGMENT);
      this.unmapSegment(segment);
      return 'over';
    }
    const tags = this.tags.subarray(first, first + PAGES_PER_SEGMENT);
    const renewed = this.segments.renewSegment(segment, tags, this.committed[segment] * PAGE_BYTES, late);
    if (renewed === 'over') this.forgetPages(segment);
    return renewed;
  }

  // Verification.

  /** Page -> list of everything in the lists that begin at `heads`. */
  protected listed(heads: Int32Array): Map<number, number> {
    const found = new Map<number, number>();
    heads.forEach((head, list) => {
      for (let page = head; page >= 0; page = this.meta[(page << STRIDE_BITS) + NEXT]) {
        assert(!found.has(page), 'nothing is listed twice');
        found.set(page, list);
      }
    });
    return found;
  }

  /** Throws where an invariant of the header does not hold. `verifyUsed` looks at what begins at a page and tells its length. */
  protected verifyPages(verifyUsed: (page: number) => number): void {
    const runs = this.listed(this.bins);
    let reserved = 0;
    let found = 0;
    let empty = 0;
    for (let segment = 0; segment < MAX_SEGMENTS; segment++) {
      reserved += this.lengths[segment];
      const first = segment * PAGES_PER_SEGMENT;
      if (this.lengths[segment] === 0) continue;
      if ((this.tags[first] & 0xff) === HUGE) {
        verifyUsed(first);
        continue;
      }
      let wasFree = false;
      let taken = 0;
      for (let page = first; page < first + PAGES_PER_SEGMENT; ) {
        const free = this.tags[page] === FREE;
        assert(!(wasFree && free), 'no two free runs touch');
        wasFree = free;
        const length = free ? this.verifyRun(page, runs) : verifyUsed(page);
        if (free) found++;
        else if (this.tags[page] !== RESERVED) taken += length;
        if (free && length === PAGES_PER_SEGMENT) empty++;
        page += length;
      }
      this.verifySegment(segment, taken);
    }
    assert(found === runs.size, `${found} free runs are there, ${runs.size} are listed`);
    assert(empty === this.empty, 'empty segments are counted');
    assert(reserved === this.reserved, 'the segments are counted');
  }

  private verifySegment(segment: number, taken: number): void {
    const first = segment * PAGES_PER_SEGMENT;
    let dirty = 0;
    for (let page = first; page < first + PAGES_PER_SEGMENT; page++) {
      dirty += this.dirty[page];
      const used = this.tags[page] !== FREE && this.tags[page] !== RESERVED;
      assert(!used || this.dirty[page] === 1, 'what is in use is dirty');
    }
    assert(taken === this.taken[segment], `${this.taken[segment]} pages in use are counted, ${taken} found`);
    assert(dirty === this.committed[segment], `${this.committed[segment]} dirty pages are counted, ${dirty} found`);
  }

  private verifyRun(page: number, runs: Map<number, number>): number {
    const length = this.meta[(page << STRIDE_BITS) + RUN];
    assert(
      this.meta[((page + length - 1) << STRIDE_BITS) + RUN] === length,
      'a free run knows its length at both ends',
    );
    assert(runs.get(page) === binOf(length), 'a free run is in the bin of its length');
    return length;
  }
}
