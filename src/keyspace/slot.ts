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

/** 0 to SLOTS - 1. */
export function slotOf(key: Slice): number {
  const { buffer, start } = key;
  const end = start + key.length;
  let from = start;
  while (from < end && buffer[from] !== OPENS) from++;
  if (from < end) {
    let to = ++from;
    while (to < end && buffer[to] !== CLOSES) to++;
    if (to < end && to > from) return crc16Of(buffer, from, to) & (SLOTS - 1);
  }
  return crc16Of(buffer, start, end) & (SLOTS - 1);
}
