/**
 * Byte strings of all lengths side by side in one array, each known by its number: what thousands of them take is two arrays
 * and not two objects each.
 *
 *   bytes    a n n a b e n c a r l a ...
 *   ends     4, 7, 12
 */
import { copyBytes } from './copy.ts';
import type { Slice } from './slice.ts';

const FIRST_BYTES = 1024;
const FIRST_STRINGS = 64;
/** Bytes, and strings, whose room a pile keeps for the next ones. */
const MOST_KEPT = 64 * 1024;

export class Pile {
  /** How many strings there are. */
  count = 0;
  private bytes = new Uint8Array(FIRST_BYTES);
  /** Where each string ends: the next one begins there. In doubles, since all together may pass 4 GiB. */
  private ends = new Float64Array(FIRST_STRINGS);
  private end = 0;

  /** Forgets all strings, and the memory of more than a few. */
  clear(): this {
    this.count = 0;
    this.end = 0;
    if (this.bytes.length > MOST_KEPT) this.bytes = new Uint8Array(FIRST_BYTES);
    if (this.ends.length > MOST_KEPT) this.ends = new Float64Array(FIRST_STRINGS);
    return this;
  }

  /** Adds a copy of what `s` shows, as number `count`. */
  add(s: Slice): void {
    const { end, count } = this;
    const wanted = end + s.length;
    if (wanted > this.bytes.length) this.widen(wanted);
    copyBytes(this.bytes, end, s.buffer, s.start, s.length);
    if (count === this.ends.length) {
      const longer = new Float64Array(2 * count);
      longer.set(this.ends);
      this.ends = longer;
    }
    this.ends[count] = wanted;
    this.end = wanted;
    this.count = count + 1;
  }

  private widen(wanted: number): void {
    const wider = new Uint8Array(Math.max(wanted, 2 * this.bytes.length));
    wider.set(this.bytes.subarray(0, this.end));
    this.bytes = wider;
  }

  /** Shows string `i` through `into`, good until the next `add`. */
  show(i: number, into: Slice): Slice {
    const start = this.start(i);
    return into.set(this.bytes, start, this.ends[i] - start);
  }

  /** The order of memcmp, the shorter first where one begins the other. */
  compare(i: number, j: number): number {
    const { bytes } = this;
    let a = this.start(i);
    let b = this.start(j);
    const left = this.ends[i] - a;
    const right = this.ends[j] - b;
    for (const end = a + Math.min(left, right); a < end; a++, b++)
      if (bytes[a] !== bytes[b]) return bytes[a] - bytes[b];
    return left - right;
  }

  /** How many bytes all strings begin with alike. */
  private shared(): number {
    const { bytes, ends } = this;
    let shared = this.count > 0 ? ends[0] : 0;
    for (let i = 1; i < this.count && shared > 0; i++) {
      const from = ends[i - 1];
      shared = Math.min(shared, ends[i] - from);
      let at = 0;
      while (at < shared && bytes[at] === bytes[from + at]) at++;
      shared = at;
    }
    return shared;
  }

  /**
   * Writes a number, not negative, for each string into `heads` that tells most of them apart: of two strings the one with the lesser number
   * comes first by `compare`, and of equal numbers nothing is said. They are read from the bytes behind those that all have
   * in common, an end counting as less than any byte.
   */
  heads(heads: Float64Array): void {
    const shared = this.shared();
    for (let i = 0; i < this.count; i++) {
      let head = 0;
      let at = this.start(i) + shared;
      const end = this.ends[i];
      for (let digit = 0; digit < HEAD_BYTES; digit++, at++)
        head = head * HEAD_BASE + (at < end ? this.bytes[at] + 1 : 0);
      heads[i] = head;
    }
  }

  private start(i: number): number {
    return i === 0 ? 0 : this.ends[i - 1];
  }
}

/** 257^6 is below 2^53. */
const HEAD_BASE = 257;
const HEAD_BYTES = 6;
