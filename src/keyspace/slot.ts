/**
 * The hash slot of a key in a cluster: CRC16 of the key, or of the part between its first `{` and the next `}` where that
 * holds anything, so that keys can be kept together.
 *
 *   user:1000          of the whole key          {user:1000}.following  of `user:1000`
 *   foo{}{bar}         of the whole key          foo{{bar}}zap          of `{bar`
 */
import { crc16Of } from '../base/crc.ts';
import type { Slice } from '../base/slice.ts';

export const SLOTS = 16384;
const OPENS = 123;
const CLOSES = 125;
/** No byte. */
const NONE = -1;

/** 0 to SLOTS - 1. */
export function slotOf(key: Slice): number {
  return slotOfRange(key.buffer, key.start, key.start + key.length);
}

/** The same of the bytes from `start` to `end`. */
export function slotOfRange(buffer: Uint8Array, start: number, end: number): number {
  const crc = crc16Of(buffer, start, end, OPENS);
  return (crc >= 0 ? crc : ofTagged(buffer, start, end)) & (SLOTS - 1);
}

/** The checksum for a key that has a `{`. */
function ofTagged(buffer: Uint8Array, start: number, end: number): number {
  let from = start;
  while (buffer[from] !== OPENS) from++;
  let to = ++from;
  while (to < end && buffer[to] !== CLOSES) to++;
  return to < end && to > from ? crc16Of(buffer, from, to, NONE) : crc16Of(buffer, start, end, NONE);
}
