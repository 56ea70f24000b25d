/**
 * Addresses of the memory image.
 *
 *   31 bits, so that an address is a small integer in V8:
 *   [ segment : 9 ][ granule : 22 ]      a granule is 16 bytes, a segment 64 MiB, the image at most 32 GiB
 *
 * 0 is the null address: the first page of the first segment is never handed out.
 * A block larger than a segment gets a segment of its own, of its own length, and starts at that segment's granule 0.
 */
import { assert } from '../base/assert.ts';

declare const address: unique symbol;

/** Where a block of the image begins; only the allocator makes new ones. */
export type Addr = number & { readonly [address]: true };

export const NULL = 0 as Addr;

export const GRANULE = 16;
export const GRANULE_BITS = 22;
export const GRANULE_MASK = (1 << GRANULE_BITS) - 1;
export const SEGMENT_BYTES = GRANULE << GRANULE_BITS;
export const MAX_SEGMENTS = 1 << (31 - GRANULE_BITS);

/** The unit in which the allocator hands out large blocks and slabs. */
export const PAGE_BYTES = 4096;
/** `address >>> PAGE_SHIFT` numbers the allocator's pages through the whole image. */
export const PAGE_SHIFT = 8;
export const PAGES_PER_SEGMENT = SEGMENT_BYTES / PAGE_BYTES;

/** The unit of the write barrier. */
export const BARRIER_SHIFT = 14;

assert(SEGMENT_BYTES === 64 * 1024 * 1024, 'a segment is 64 MiB');
assert(PAGE_BYTES === GRANULE << PAGE_SHIFT, 'a page is a whole number of granules');
