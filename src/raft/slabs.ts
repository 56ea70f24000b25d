/**
 * Memory for the payloads of a log. What is allocated for each by itself counts against the heap, though it lies outside of it:
 * all of the heap was collected with every ten megabytes of entries. Shared memory is not counted. So nobody collects it either:
 * what it holds is known by the indices of the entries, and it is used again once the log begins behind them.
 *
 *   room ──> the slab at hand ──full──> filled, in their order ──release──> spare
 *
 * There is as much of it as the log in memory had at most.
 */
import { assert, POISON, verifies } from '../base/assert.ts';

const SLAB_BYTES = 1024 * 1024;
/** Where everything is checked: so few that they are used again all the time. */
const SMALL_SLAB_BYTES = 2048;
/** A room that takes more than such a part has memory of its own. */
const LARGEST_PART = 4;
const ALIGNMENT = 8;

interface Slab {
  readonly bytes: Uint8Array;
  /** The last of the entries that lie there. */
  last: number;
  /** Something lies there of which that is not known. */
  open: boolean;
}

export class Slabs {
  /** The last is the one at hand. */
  private readonly filled: Slab[] = [];
  private readonly spare: Uint8Array[] = [];
  private readonly size: number;
  private readonly verified = verifies();
  private at: number;
  private releasedTo = 0;

  /** Bytes of a slab. */
  constructor(size = verifies() ? SMALL_SLAB_BYTES : SLAB_BYTES) {
    this.size = size;
    this.at = size;
  }

  /** Up to which entry they have gone. */
  get released(): number {
    return this.releasedTo;
  }

  /** How many there are: with entries, and to be used. */
  get counts(): { readonly filled: number; readonly spare: number } {
    return { filled: this.filled.length, spare: this.spare.length };
  }

  /** So many bytes, whatever is in them. Before anything is released, `holds` must say what they are for. */
  room(length: number): Uint8Array {
    if (length * LARGEST_PART > this.size) return new Uint8Array(length);
    if (this.at + length > this.size) {
      const bytes = this.spare.pop() ?? new Uint8Array(new SharedArrayBuffer(this.size));
      this.filled.push({ bytes, last: 0, open: false });
      this.at = 0;
    }
    const slab = this.filled[this.filled.length - 1];
    slab.open = true;
    const room = slab.bytes.subarray(this.at, this.at + length);
    this.at += (length + ALIGNMENT - 1) & -ALIGNMENT;
    return room;
  }

  /** All rooms that were given until now hold entries up to this one, or nothing. */
  holds(last: number): void {
    assert(Number.isSafeInteger(last), 'entries have indices');
    for (let i = this.filled.length - 1; i >= 0 && this.filled[i].open; i--) {
      const slab = this.filled[i];
      slab.last = Math.max(slab.last, last);
      slab.open = false;
    }
  }

  /** Nobody looks at the entries up to this one any more. The slab at hand stays. */
  release(index: number): void {
    this.releasedTo = Math.max(this.releasedTo, index);
    let count = 0;
    while (count < this.filled.length - 1 && !this.filled[count].open && this.filled[count].last <= index) count++;
    for (const { bytes } of this.filled.splice(0, count)) {
      if (this.verified) bytes.fill(POISON);
      this.spare.push(bytes);
    }
  }
}
