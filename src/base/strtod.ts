/** Numbers as C's strtod reads them where Redis asks it directly: for bounds of ranges and what SORT sorts by. */
import { parseDouble, readDecimal } from './numbers.ts';
import { Slice } from './slice.ts';

const digits = new Slice();

/**
 * The number in bytes `at` to `end` (exclusive): leading white space passes, a NUL ends it, nothing at all is 0. With
 * `extremes`, what is too large or too small for a double is infinite or 0; without, it is no number, nor is a decimal one that is
 * too small for all of a double's digits. NaN when it is no number.
 */
export function looseDouble(buffer: Uint8Array, at: number, end: number, extremes: boolean): number {
  for (let i = at; i < end; i++) if (buffer[i] === 0) end = i;
  if (at === end) return 0;
  while (at < end && (buffer[at] === 32 || (buffer[at] >= 9 && buffer[at] <= 13))) at++;
  if (at === end) return Number.NaN;
  const value = parseDouble(digits.set(buffer, at, end - at)) ?? (extremes ? extremeOf(digits) : Number.NaN);
  return !extremes && Math.abs(value) < LEAST_NORMAL && value !== 0 && !isHexadecimal(digits) ? Number.NaN : value;
}

/** 2^-1022: what is less has fewer digits, and strtod says that some are lost. */
const LEAST_NORMAL = 2.2250738585072014e-308;

function isHexadecimal(text: Slice): boolean {
  for (let i = 0; i < text.length; i++) if ((text.at(i) | 32) === 0x78) return true;
  return false;
}

/** The value of a decimal number that leaves the range of doubles; NaN for what is no such number. */
function extremeOf(text: Slice): number {
  for (let i = 0; i < text.length; i++) {
    const byte = text.at(i);
    const fits = (byte >= 48 && byte <= 57) || byte === 43 || byte === 45 || byte === 46 || (byte | 32) === 101;
    if (!fits) return Number.NaN;
  }
  const signed = text.length > 0 && (text.at(0) === 43 || text.at(0) === 45);
  const start = text.start + (signed ? 1 : 0);
  const value = readDecimal(text.buffer, start, text.start + text.length);
  return signed && text.at(0) === 45 ? -value : value;
}
