/** What the allocator asks of the image that it cuts into blocks (memory.ts); it never sees what blocks hold. */
import type { Addr } from './address.ts';

/** How far giving back the free pages of a segment got; `more` is to be done, and anything may happen before. */
export type Renewed = 'over' | 'more' | 'refused';

export interface Segments {
  /** Bytes that segments may take in all. */
  readonly limit: number;

  /** The word with which the free slot at `a` begins. */
  link(a: Addr): Addr;
  setLink(a: Addr, next: Addr): void;
  /** Copies `length` bytes between two blocks, overlapping or not. */
  copy(to: Addr, toOff: number, from: Addr, fromOff: number, length: number): void;

  /** Maps segment `number` with `capacity` bytes of zeroes, of which `bytes` count; throws OutOfMemory. */
  mapSegment(number: number, bytes: number, capacity: number): void;
  /** Bytes that are mapped for segment `number`. */
  segmentBytes(number: number): number;
  /**
   * Puts a new buffer into the place of segment `number`'s, with the pages copied that are in use by their `tags`: goes on with
   * that until `late`. `committed` tells what the old one takes.
   */
  renewSegment(number: number, tags: Uint16Array, committed: number, late: () => boolean): Renewed;
  /** Gives a segment back, of which `committed` bytes take memory. */
  unmapSegment(number: number, committed: number): void;
  /** Takes note of a buffer beside the image that was let go of, and of which `committed` bytes take memory. */
  discarded(buffer: SharedArrayBuffer, committed: number): void;
}
