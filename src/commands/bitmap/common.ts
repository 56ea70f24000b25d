/** What the bitmap commands share: offsets, the string made long enough, ranges of bytes or bits. */
import { parseInt64, parseInteger } from '../../base/numbers.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { growString, storeZeroes } from '../../keyspace/strings.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { TYPE_STRING } from '../../values/entry.ts';
import { stringLength } from '../../values/string.ts';

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range';
const NUMBER_SIGN = 35;

const digits = new Slice();

/**
 * The bit offset at argument `i`, undefined when the error has been replied. With a field's `width` an offset may be
 * written as #N: N fields of that width, reckoned in 64 bits.
 */
export function bitOffset(c: Call, i: number, width = 0): number | undefined {
  digits.like(c.arg(i));
  const counted = width > 0 && digits.length > 0 && digits.at(0) === NUMBER_SIGN;
  if (counted) digits.set(digits.buffer, digits.start + 1, digits.length - 1);
  let offset = parseInteger(digits);
  if (counted) {
    if (Math.abs(offset) < 2 ** 46) offset *= width;
    else if (!Number.isNaN(offset)) offset = Number(BigInt.asIntN(64, parseInt64(digits)! * BigInt(width)));
  }
  if (offset >= 0 && Math.floor(offset / 8) < c.longestString) return offset;
  c.reply.error(BAD_OFFSET);
  return undefined;
}

/** Whether the last `stringForBits` made the key or lengthened its string. */
export const opened = { grown: false };

/** The string at argument 1 as one that can be written in place and holds bit `last`; undefined when it is no string. */
export function stringForBits(c: Call, last: number): Addr | undefined {
  const e = c.openFor(c.findForWrite(1), TYPE_STRING);
  if (e === undefined) return undefined;
  const length = Math.floor(last / 8) + 1;
  opened.grown = e === NULL || stringLength(c.memory, e) < length;
  if (e === NULL) return storeZeroes(c.db, c.arg(1), c.hashOf(1), length);
  return growString(c.db, c.arg(1), c.hashOf(1), e, length);
}

/** 0 for BYTE, 1 for BIT, undefined when the syntax error has been replied. */
export function unitAt(c: Call, i: number): number | undefined {
  if (isWord(c.arg(i), 'BIT')) return 1;
  if (isWord(c.arg(i), 'BYTE')) return 0;
  c.syntaxError();
  return undefined;
}

/** Bits, both included; nothing when `from` lies behind `to`. */
export const range = { from: 0, to: 0 };

/** Leaves the bits between two positions in `range`, positions that count from the end where they are negative. */
export function setRange(start: number, end: number, length: number, inBits: boolean): void {
  const total = inBits ? length * 8 : length;
  if (start < 0) start = Math.max(0, start + total);
  if (end < 0) end = Math.max(0, end + total);
  if (end >= total) end = total - 1;
  const some = start <= end;
  range.from = some ? (inBits ? start : start * 8) : 1;
  range.to = some ? (inBits ? end : end * 8 + 7) : 0;
}
