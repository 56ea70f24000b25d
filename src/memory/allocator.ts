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
 * A freed slot is the next to be given, whichever slab of its class it is of: the processor still has it at hand.
 *
 * Runs of pages, segments and the bookkeeping of both are runs.ts's. Only the links of a slab's free list lie in the image,
 * in the first word of each free slot.
 *
 * Invariants (verify), beside those of runs.ts:
 *   - a slab is in its class's list if and only if it has room and is not being emptied; its free list holds exactly fresh - live slots;
 *   - `used` is the sum of the sizes of live blocks.
 */
import { assert } from '../base/assert.ts';
import { type Addr, MAX_SEGMENTS, NULL, PAGE_BYTES, PAGE_SHIFT, PAGES_PER_SEGMENT, SEGMENT_BYTES } from './address.ts';
import { OutOfMemory } from './errors.ts';
import {
  BLOCKS,
  FREE,
  FREE_SLOT,
  FRESH,
  HUGE,
  INNER,
  LARGE,
  LEAVING,
  LIVE,
  NEXT,
  PEAK,
  RESERVED,
  RUN,
  Runs,
  STRIDE_BITS,
  USED,
} from './runs.ts';

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

/** Which slabs of a class are to be emptied: those that all others could take the blocks of, the sparsest first. */
class Sparsest {
  private readonly wanted: Int32Array;

  /** `slabs` with room, by the blocks that are live in them. */
  constructor(slabs: Int32Array, slots: number) {
    const count = slabs.reduce((sum, n) => sum + n, 0);
    const live = slabs.reduce((sum, n, blocks) => sum + n * blocks, 0);
    let left = count - Math.ceil(live / slots);
    this.wanted = slabs.map((n) => {
      const taken = Math.min(n, left);
      left -= taken;
      return taken;
    });
  }

  /** Whether one with so many live blocks is among them. */
  takes(live: number): boolean {
    return this.wanted[live] > 0 && this.wanted[live]-- > 0;
  }
}

export class Allocator extends Runs {
  /** First slab with room of each class, or -1. */
  private readonly partial = new Int32Array(CLASS_COUNT).fill(-1);

  /** Bytes in live blocks. */
  get used(): number {
    return this.counts[USED];
  }

  get peak(): number {
    return this.counts[PEAK];
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
      meta[at + FREE_SLOT] = this.segments.link(a);
    } else {
      a = ((slab << PAGE_SHIFT) + meta[at + FRESH] * SLOT_GRANULES[index]) as Addr;
      meta[at + FRESH]++;
    }
    if (++meta[at + LIVE] === SLOTS[index]) this.unlink(this.partial, index, slab);
    this.countBlock(CLASS_SIZES[index]);
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
    this.segments.setLink(a, meta[at + FREE_SLOT] as Addr);
    meta[at + FREE_SLOT] = a;
    this.counts[USED] -= CLASS_SIZES[index];
    this.counts[BLOCKS]--;
    const live = --meta[at + LIVE];
    if (live === SLOTS[index] - 1) this.link(this.partial, index, slab);
    else if (this.partial[index] !== slab && meta[at + LEAVING] === 0) {
      // To the front of the list.
      this.unlink(this.partial, index, slab);
      this.link(this.partial, index, slab);
    }
    if (live === 0) this.dropSlab(index, slab);
  }

  resize(a: Addr, size: number): Addr {
    const room = this.sizeOf(a);
    if (size > room) {
      if (this.growInPlace(a, room, size)) return a;
      const fresh = this.allocate(size);
      this.segments.copy(fresh, 0, a, 0, room);
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

  private countBlock(bytes: number): void {
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
    this.meta[at + LEAVING] = 0;
    this.link(this.partial, index, slab);
    return slab;
  }

  /** An empty slab goes back to the free runs unless it is the last one of its class with room. */
  private dropSlab(index: number, slab: number): void {
    if (this.meta[(slab << STRIDE_BITS) + LEAVING] !== 0) {
      this.giveRun(slab, SLAB_PAGES[index]);
      return;
    }
    if (this.partial[index] === slab && this.meta[(slab << STRIDE_BITS) + NEXT] < 0) return;
    this.unlink(this.partial, index, slab);
    this.giveRun(slab, SLAB_PAGES[index]);
  }

  /** Gives back what is kept for the next allocation, empty slabs and empty segments, and bookkeeping of what has gone. */
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
    this.dropEmpty();
    this.forgetGone();
  }

  // Moving blocks together.

  /**
   * Chooses the slabs to be emptied: of each class the sparsest, as many as the room in the others can take the blocks of.
   * Whoever knows where blocks are pointed at then moves those that `isLeaving`, and goes through `endLeaving`. Returns the
   * bytes of the slabs chosen; a step is about one segment, between which anything may happen.
   */
  *beginLeaving(): Generator<void, number> {
    const slabs = Array.from(SLOTS, (slots) => new Int32Array(slots));
    for (let segment = 0; segment < MAX_SEGMENTS; segment++)
      if (this.eachRoomy(segment, (_, index, live) => slabs[index][live]++)) yield;
    const choices = slabs.map((byLive, index) => new Sparsest(byLive, SLOTS[index]));
    let bytes = 0;
    const choose = (slab: number, index: number, live: number): void => {
      if (!choices[index].takes(live)) return;
      this.unlink(this.partial, index, slab);
      this.meta[(slab << STRIDE_BITS) + LEAVING] = 1;
      bytes += SLAB_PAGES[index] * PAGE_BYTES;
    };
    for (let segment = 0; segment < MAX_SEGMENTS; segment++) if (this.eachRoomy(segment, choose)) yield;
    return bytes;
  }

  /** Calls `visit` with each slab with room that is not being emptied, its class and its live blocks; false where there is no slab. */
  private eachRoomy(segment: number, visit: (slab: number, index: number, live: number) => void): boolean {
    return this.eachSlab(segment, (slab, index) => {
      const live = this.meta[(slab << STRIDE_BITS) + LIVE];
      if (live < SLOTS[index] && this.meta[(slab << STRIDE_BITS) + LEAVING] === 0) visit(slab, index, live);
    });
  }

  private eachSlab(segment: number, visit: (slab: number, index: number) => void): boolean {
    const first = segment * PAGES_PER_SEGMENT;
    if (this.lengths[segment] === 0 || this.tags[first] === HUGE) return false;
    let found = false;
    for (let page = first; page < first + PAGES_PER_SEGMENT; ) {
      const kind = this.tags[page];
      if (kind === RESERVED) page++;
      else if (kind === FREE || kind === LARGE) page += this.meta[(page << STRIDE_BITS) + RUN];
      else {
        found = true;
        visit(page, kind - 1);
        page += SLAB_PAGES[kind - 1];
      }
    }
    return found;
  }

  /** Whether a block lies in a slab that is to be emptied. */
  isLeaving(a: Addr): boolean {
    const page = a >>> PAGE_SHIFT;
    const tag = this.tags[page];
    const kind = tag & 0xff;
    return kind <= CLASS_COUNT && kind !== FREE && this.meta[((page - (tag >>> 8)) << STRIDE_BITS) + LEAVING] !== 0;
  }

  /** Blocks may come into all slabs again; step by step as above. */
  *endLeaving(): Generator<void> {
    const stay = (slab: number, index: number): void => {
      if (this.meta[(slab << STRIDE_BITS) + LEAVING] === 0) return;
      this.meta[(slab << STRIDE_BITS) + LEAVING] = 0;
      this.link(this.partial, index, slab);
    };
    for (let segment = 0; segment < MAX_SEGMENTS; segment++) if (this.eachSlab(segment, stay)) yield;
  }

  // Large and huge blocks.

  private allocateLarge(size: number): Addr {
    if (size > LARGE_MAX) return this.allocateHuge(size);
    const pages = Math.ceil(size / PAGE_BYTES);
    const first = this.takeRun(pages);
    this.tags.fill(INNER, first, first + pages);
    this.tags[first] = LARGE;
    this.meta[(first << STRIDE_BITS) + RUN] = pages;
    this.countBlock(pages * PAGE_BYTES);
    return (first << PAGE_SHIFT) as Addr;
  }

  private allocateHuge(size: number): Addr {
    if (size > HUGE_MAX) throw new OutOfMemory(`a block of ${size} bytes is beyond the largest`);
    const bytes = this.roundUp(size);
    const first = this.takeHuge(bytes);
    this.countBlock(bytes);
    return (first << PAGE_SHIFT) as Addr;
  }

  private releaseLarge(a: Addr, page: number, kind: number): void {
    assert((kind === LARGE || kind === HUGE) && (a & (GRANULES_PER_PAGE - 1)) === 0, 'release of a live block');
    this.counts[BLOCKS]--;
    if (kind === HUGE) {
      const segment = a >>> 22;
      this.counts[USED] -= this.lengths[segment];
      this.giveHuge(segment);
      return;
    }
    const pages = this.meta[(page << STRIDE_BITS) + RUN];
    this.counts[USED] -= pages * PAGE_BYTES;
    this.giveRun(page, pages);
  }

  private growInPlace(a: Addr, room: number, size: number): boolean {
    const first = a >>> PAGE_SHIFT;
    const kind = this.tags[first] & 0xff;
    if (kind === HUGE) {
      const bytes = this.roundUp(size);
      const more = bytes - room;
      if (!this.growHuge(a >>> 22, bytes)) return false;
      this.grew(more);
      return true;
    }
    if (kind !== LARGE) return false;
    const pages = room / PAGE_BYTES;
    const wanted = Math.ceil(size / PAGE_BYTES) - pages;
    if (!this.extendRun(first + pages, wanted)) return false;
    this.tags.fill(INNER, first + pages, first + pages + wanted);
    this.meta[(first << STRIDE_BITS) + RUN] = pages + wanted;
    this.grew(wanted * PAGE_BYTES);
    return true;
  }

  private grew(bytes: number): void {
    this.counts[BLOCKS]--;
    this.countBlock(bytes);
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
    this.segments.copy(fresh, 0, a, 0, size);
    this.release(a);
    return fresh;
  }

  /** The allocator's figures for people: totals, and a line for each size class that has slabs with room. */
  describe(): string {
    let text = `blocks ${this.blocks}, ${this.used} bytes, at most ${this.peak}\n`;
    text += `pages in use ${this.active} bytes, committed ${this.resident}, in segments ${this.reserved}\n`;
    text += 'size  slabs with room  blocks in them  free slots\n';
    for (let index = 0; index < CLASS_COUNT; index++) {
      let slabs = 0;
      let live = 0;
      for (let slab = this.partial[index]; slab >= 0; slab = this.meta[(slab << STRIDE_BITS) + NEXT]) {
        slabs++;
        live += this.meta[(slab << STRIDE_BITS) + LIVE];
      }
      if (slabs > 0) text += `${CLASS_SIZES[index]}  ${slabs}  ${live}  ${slabs * SLOTS[index] - live}\n`;
    }
    return text;
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const slabs = this.listed(this.partial);
    const sum = { used: 0, blocks: 0, slabs: 0 };
    this.verifyPages((page) => this.verifyBlock(page, slabs, sum));
    assert(sum.slabs === slabs.size, `${sum.slabs} slabs have room, ${slabs.size} are listed`);
    assert(sum.used === this.used, `used is ${this.used}, the blocks sum to ${sum.used}`);
    assert(sum.blocks === this.blocks, `${this.blocks} blocks are counted, ${sum.blocks} found`);
  }

  private verifyBlock(
    page: number,
    slabs: Map<number, number>,
    sum: { used: number; blocks: number; slabs: number },
  ): number {
    const kind = this.tags[page] & 0xff;
    if (kind === RESERVED) return 1;
    if (kind === HUGE) {
      sum.used += this.sizeOf((page << PAGE_SHIFT) as Addr);
      sum.blocks++;
      return PAGES_PER_SEGMENT;
    }
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
    const leaving = this.meta[(page << STRIDE_BITS) + LEAVING] !== 0;
    assert(!leaving || live < SLOTS[index], 'no block comes into a slab that is being emptied');
    const hasRoom = live < SLOTS[index] && !leaving;
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
    for (let a = this.meta[at + FREE_SLOT] as Addr; a !== NULL; a = this.segments.link(a)) {
      const slot = (a - (slab << PAGE_SHIFT)) / SLOT_GRANULES[index];
      assert(Number.isInteger(slot) && slot >= 0 && slot < fresh, 'a free slot lies in its slab');
      free++;
      assert(free <= fresh, 'a free list has no cycle');
    }
    assert(free === fresh - live, 'the free list holds what is not live');
  }
}
