/**
 * A segment on its way into a new buffer, in which the system commits only the pages in use: they are copied in slices,
 * between which anything may be stored.
 *
 *   old  [ used, copied ][ free ][ used, copied, stored into since ][ free ][ used, not copied yet ]
 *   new  [ same bytes   ][      ][ out of date: is copied again    ][      ][                      ]
 *
 * Every store passes the image's barrier, where this one hangs until the copy is whole: a page that is stored into has none any
 * more. The copy is whole after a round over all pages in one slice, in which nothing can have been stored. The rounds
 * before it leave only what was stored between two slices, so a slice that has to be the last is short as well.
 *
 * Invariant: `copied[page]` is 1 only where the page's bytes are the same in both buffers.
 */
import { copyBytes } from '../base/copy.ts';
import { PAGE_BYTES, PAGES_PER_SEGMENT, SEGMENT_BYTES } from './address.ts';
import type { Barrier } from './barrier.ts';
import { FREE } from './runs.ts';

/** Pages that are copied between two looks at the clock, some 50 us. */
const PORTION = 64;
/** Rounds after which what is left is copied in one slice: what was stored since the last. */
const MOST_ROUNDS = 8;
const PAGE_SHIFT = Math.log2(PAGE_BYTES);

export class Renewal implements Barrier {
  readonly segment: number;
  /** What is to take the old buffer's place. */
  readonly buffer: SharedArrayBuffer;
  private readonly old: Uint8Array;
  private readonly fresh: Uint8Array;
  private readonly copied = new Uint8Array(PAGES_PER_SEGMENT);
  private readonly forgotten: () => void;
  private at = 0;
  private rounds = 0;
  private pages = 0;

  /** Throws RangeError where there is no memory. `forgotten` is told when the segment is given back. */
  constructor(segment: number, old: Uint8Array, forgotten: () => void) {
    this.segment = segment;
    this.old = old;
    this.buffer = new SharedArrayBuffer(SEGMENT_BYTES);
    this.fresh = new Uint8Array(this.buffer);
    this.forgotten = forgotten;
  }

  /** Bytes that the new buffer takes so far. */
  get bytes(): number {
    return this.pages * PAGE_BYTES;
  }

  preserve(segment: number, from: number, to: number): void {
    if (segment === this.segment) this.copied.fill(0, from >>> PAGE_SHIFT, ((to - 1) >>> PAGE_SHIFT) + 1);
  }

  forget(segment: number): void {
    if (segment === this.segment) this.forgotten();
  }

  /** Goes on copying pages that are in use by their `tags` until `late`; says whether the copy is whole. */
  copy(tags: Uint16Array, late: () => boolean): boolean {
    for (let whole = this.at === 0; ; whole = true) {
      while (this.at < PAGES_PER_SEGMENT)
        if (this.copyRun(tags) > 0 && this.rounds < MOST_ROUNDS && late()) return false;
      if (whole) return true;
      this.at = 0;
      this.rounds++;
    }
  }

  /** Copies the next pages that are in use and have no copy, and goes on behind them; returns how many. */
  private copyRun(tags: Uint16Array): number {
    const { copied } = this;
    let first = this.at;
    while (first < PAGES_PER_SEGMENT && (tags[first] === FREE || copied[first] === 1)) first++;
    let page = first;
    const end = Math.min(PAGES_PER_SEGMENT, first + PORTION);
    while (page < end && tags[page] !== FREE && copied[page] === 0) copied[page++] = 1;
    copyBytes(this.fresh, first * PAGE_BYTES, this.old, first * PAGE_BYTES, (page - first) * PAGE_BYTES);
    this.pages += page - first;
    this.at = page;
    return page - first;
  }
}
