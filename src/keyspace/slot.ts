/**
 * The hash slot of a key in a cluster: CRC16 of the key, or of the part between its first `{` and the next `}` where that
 * holds anything, so that keys can be kept together.
 *
 *   user:1000          of the whole key          {user:1000}.following  of `user:1000`
 *   foo{}{bar}         of the whole key          foo{{bar}}zap          of `{bar`
 */
import { crc16 } from '../base/crc.ts';
import { Slice } from '../base/slice.ts';

export const SLOTS = 16384;
const OPENS = 123;
const CLOSES = 125;

const tag = new Slice();

/** 0 to SLOTS - 1. */
export function slotOf(key: Slice): number {
  const { buffer, start, length } = key;
  const end = start + length;
  let opens = start;
  while (opens < end && buffer[opens] !== OPENS) opens++;
  if (opens < end) {
    let closes = opens + 1;
    while (closes < end && buffer[closes] !== CLOSES) closes++;
    if (closes < end && closes > opens + 1) return crc16(tag.set(buffer, opens + 1, closes - opens - 1)) & (SLOTS - 1);
  }
  return crc16(key) & (SLOTS - 1);
}
