/**
 * Numbers as Redis reads and writes them: 64-bit integers, doubles and their text.
 *
 * Integers travel as JavaScript numbers wherever they are safe (below 2^53) and as bigint beyond: the first reading is
 * always `parseInteger`, and only a result that isn't a safe integer sends the caller to `parseInt64`.
 */
import { isWord, Slice } from './slice.ts';

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const PLUS = 43;
const POINT = 46;
/** "-9223372036854775808", the longest int64. */
const LONGEST_INT64 = 20;

export const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;

/**
 * The canonical decimal int64 that `s` spells (no spaces, plus sign, leading zeros or "-0"), or NaN. Exact below 2^53;
 * beyond, the result is rounded and is never a safe integer.
 */
export function parseInteger(s: Slice): number {
  const buffer = s.buffer;
  let at = s.start;
  const end = at + s.length;
  if (at === end || s.length > LONGEST_INT64) return Number.NaN;
  let byte = buffer[at];
  const negative = byte === MINUS;
  if (negative) {
    if (++at === end) return Number.NaN;
    byte = buffer[at];
  }
  if (byte === ZERO) return s.length === 1 ? 0 : Number.NaN;
  const digits = end - at;
  if (digits > 18) return parseLongInteger(buffer, at, digits, negative);
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** 19 digits may pass the limit of an int64; 20 always do. */
function parseLongInteger(buffer: Uint8Array, at: number, digits: number, negative: boolean): number {
  if (digits > 19) return Number.NaN;
  let high = 0;
  let low = 0;
  for (let i = 0; i < 19; i++) {
    const digit = buffer[at + i] - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    if (i < 10) high = high * 10 + digit;
    else low = low * 10 + digit;
  }
  if (high > 9223372036 || (high === 9223372036 && low > (negative ? 854775808 : 854775807))) return Number.NaN;
  const value = high * 1e9 + low;
  return negative ? -value : value;
}

/** The same, exact over the whole range; undefined where `s` isn't a canonical int64. */
export function parseInt64(s: Slice): bigint | undefined {
  const value = parseInteger(s);
  if (Number.isSafeInteger(value)) return BigInt(value);
  if (Number.isNaN(value)) return undefined;
  return BigInt(s.beginning(LONGEST_INT64));
}

/** The least numbers of one to ten digits. */
const LEAST = Uint32Array.from({ length: 10 }, (_, i) => (i === 0 ? 0 : 10 ** i));
/** The text of 0 to 99, two digits each. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => ZERO + ((i & 1) === 0 ? Math.floor(i / 20) : (i >>> 1) % 10));

/** Decimal digits of a safe integer that is not negative. */
export function digitCount(value: number): number {
  if (value > 0x7fffffff) {
    let count = 10;
    for (let limit = 1e10; value >= limit; limit *= 10) count++;
    return count;
  }
  // So many bits make so many digits (log10(2) is 1233 / 4096), or one more.
  const digits = ((32 - Math.clz32(value)) * 1233) >>> 12;
  return value >= LEAST[digits] ? digits + 1 : digits;
}

/** Bytes that the decimal text of a safe integer takes. */
export function integerLength(value: number): number {
  return value < 0 ? digitCount(-value) + 1 : digitCount(value);
}

/** Writes a safe integer in decimal at `at` and returns where the text ends. */
export function writeInteger(target: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    target[at++] = MINUS;
    value = -value;
  }
  if (value < 10) {
    target[at] = ZERO + value;
    return at + 1;
  }
  const end = at + digitCount(value);
  let last = end;
  while (value > 0x7fffffff) {
    const rest = Math.floor(value / 10);
    target[--last] = ZERO + (value - rest * 10);
    value = rest;
  }
  let small = value | 0;
  while (small >= 10) {
    const rest = (small / 100) | 0;
    const pair = (small - rest * 100) << 1;
    target[--last] = PAIRS[pair + 1];
    target[--last] = PAIRS[pair];
    small = rest;
  }
  // After an even number of digits none is left, and nothing else may be written there.
  if (last > at) target[--last] = ZERO + small;
  return end;
}

export function integerText(value: number | bigint): string {
  return String(value);
}

/** 10^0 to 10^22, all exact: a product or quotient of one of these and an integer below 2^53 is rounded once. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => Number('1e' + i));

/** What a scan of a number's text found; scratch, read at once. */
const scanned = { plain: false, negative: false, digits: 0, mantissa: 0, fraction: 0, zero: true };

/**
 * Walks over a decimal number as strtod does and tells whether it takes all of the text. `plain` says that it had at
 * most 15 significant digits and no exponent, so that `mantissa` / 10^`fraction` is its value.
 */
function scanDecimal(buffer: Uint8Array, at: number, end: number): boolean {
  scanned.plain = true;
  scanned.zero = true;
  scanned.digits = 0;
  scanned.mantissa = 0;
  scanned.fraction = 0;
  let seen = 0;
  let point = false;
  for (; at < end; at++) {
    const byte = buffer[at];
    if (byte === POINT && !point) {
      point = true;
      continue;
    }
    if (byte < ZERO || byte > NINE) break;
    seen++;
    if (byte !== ZERO) scanned.zero = false;
    if (!scanned.zero) scanned.digits++;
    if (scanned.digits <= 15) scanned.mantissa = scanned.mantissa * 10 + (byte - ZERO);
    if (point) scanned.fraction++;
  }
  if (seen === 0) return false;
  if (scanned.digits > 15 || scanned.fraction > 22) scanned.plain = false;
  if (at === end) return true;
  if ((buffer[at] | 32) !== 101) return false;
  scanned.plain = false;
  return !Number.isNaN(parseExponent(buffer, at + 1, end));
}

/** Longer numbers are cut to their significant digits before they are read. */
const READ_WHOLE = 4096;
/** More digits than tell any double from its neighbours: of those behind it only counts whether one isn't zero. */
const SIGNIFICANT = 800;

/** The double nearest to a decimal number of any length without a sign; NaN for what is none. */
export function readDecimal(buffer: Uint8Array, at: number, end: number): number {
  return scanDecimal(buffer, at, end) ? decimalValue(buffer, at, end) : Number.NaN;
}

/** The same of what scanDecimal has accepted. */
function decimalValue(buffer: Uint8Array, at: number, end: number): number {
  if (end - at <= READ_WHOLE) return Number(new Slice(buffer, at, end - at).beginning(READ_WHOLE));
  let digits = '';
  let exponent = 0;
  let point = false;
  let more = false;
  for (; at < end && (buffer[at] | 32) !== 101; at++) {
    const byte = buffer[at];
    if (byte === POINT) point = true;
    else if (digits === '' && byte === ZERO) exponent -= point ? 1 : 0;
    else if (digits.length < SIGNIFICANT) {
      digits += String.fromCharCode(byte);
      exponent -= point ? 1 : 0;
    } else {
      more ||= byte !== ZERO;
      exponent += point ? 0 : 1;
    }
  }
  if (at < end) exponent += parseExponent(buffer, at + 1, end);
  return Number(more ? `${digits}1e${exponent - 1}` : `${digits === '' ? '0' : digits}e${exponent}`);
}

/** Whether the bytes spell "inf" or "infinity" in any case. */
export function isInfinity(buffer: Uint8Array, at: number, length: number): boolean {
  if (length !== 3 && length !== 8) return false;
  return isWord(new Slice(buffer, at, length), length === 3 ? 'INF' : 'INFINITY');
}

/**
 * What strtod makes of all of `s`: decimal, hexadecimal, "inf" and "infinity". Undefined for anything else, for NaN,
 * and for a number whose size overflows to infinity or underflows to zero.
 */
export function parseDouble(s: Slice): number | undefined {
  const buffer = s.buffer;
  let at = s.start;
  const end = at + s.length;
  if (at === end) return undefined;
  const negative = buffer[at] === MINUS;
  if (negative || buffer[at] === PLUS) at++;
  let value: number;
  if (scanDecimal(buffer, at, end)) {
    if (scanned.plain) value = scanned.mantissa / POWERS_OF_TEN[scanned.fraction];
    else {
      value = decimalValue(buffer, at, end);
      if (value === Number.POSITIVE_INFINITY || (value === 0 && !scanned.zero)) return undefined;
    }
  } else if (isInfinity(buffer, at, end - at)) {
    value = Number.POSITIVE_INFINITY;
  } else {
    const hex = parseHexadecimal(buffer, at, end);
    if (hex === undefined) return undefined;
    value = hexToDouble(hex);
    if (value === Number.POSITIVE_INFINITY || (value === 0 && hex.mantissa !== 0n)) return undefined;
  }
  return negative ? -value : value;
}

/** mantissa x 2^exponent. */
export interface Hexadecimal {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** Exponents are clamped here: far beyond every format's range, far below what arithmetic on them could upset. */
const EXPONENT_LIMIT = 1_000_000;

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** The decimal digits after an 'e' or 'p' with their sign, all of them to the end, clamped; NaN where there are none. */
export function parseExponent(buffer: Uint8Array, at: number, end: number): number {
  const negative = buffer[at] === MINUS;
  if (at < end && (negative || buffer[at] === PLUS)) at++;
  if (at === end) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = buffer[at] - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    if (value < EXPONENT_LIMIT) value = value * 10 + digit;
  }
  if (value > EXPONENT_LIMIT) value = EXPONENT_LIMIT;
  return negative ? -value : value;
}

/** An unsigned C hexadecimal floating constant that takes all of the bytes: 0x1.8p3. */
export function parseHexadecimal(buffer: Uint8Array, at: number, end: number): Hexadecimal | undefined {
  if (end - at < 3 || buffer[at] !== ZERO || (buffer[at + 1] | 32) !== 120) return undefined;
  let digits = '0x';
  let fraction = 0;
  let point = false;
  for (at += 2; at < end; at++) {
    if (buffer[at] === POINT && !point) {
      point = true;
      continue;
    }
    if (hexDigit(buffer[at]) < 0) break;
    digits += String.fromCharCode(buffer[at]);
    if (point) fraction++;
  }
  if (digits.length === 2) return undefined;
  let exponent = 0;
  if (at < end) {
    if ((buffer[at] | 32) !== 112) return undefined;
    exponent = parseExponent(buffer, at + 1, end);
    if (Number.isNaN(exponent)) return undefined;
  }
  return { mantissa: BigInt(digits), exponent: exponent - 4 * fraction };
}

function hexToDouble({ mantissa, exponent }: Hexadecimal): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  const top = bits + exponent;
  if (top > 1025) return Number.POSITIVE_INFINITY;
  if (top < -1080) return 0;
  // 53 bits are kept, or fewer where the last of them would lie below 2^-1074.
  const drop = Math.max(bits - 53, -1074 - exponent);
  const kept = drop > 0 ? shiftRightRounded(mantissa, drop) : mantissa;
  const scale = drop > 0 ? exponent + drop : exponent;
  return timesPowerOfTwo(Number(kept), scale);
}

/** value / 2^bits to the nearest integer, ties to even. */
export function shiftRightRounded(value: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const quotient = value >> shift;
  const rest = value - (quotient << shift);
  const half = 1n << (shift - 1n);
  if (rest > half || (rest === half && (quotient & 1n) === 1n)) return quotient + 1n;
  return quotient;
}

/** `value` has at most 53 bits and the product is representable (or overflows), so that every step is exact. */
function timesPowerOfTwo(value: number, exponent: number): number {
  while (exponent > 1000) {
    value *= 2 ** 1000;
    exponent -= 1000;
  }
  while (exponent < -1000) {
    // A value below 2^53 scaled by 2^-1000 is still normal: only the last step may make a subnormal.
    if (exponent < -1022) {
      const step = Math.max(exponent + 1022, -960);
      value *= 2 ** step;
      exponent -= step;
    } else return value * 2 ** exponent;
  }
  return value * 2 ** exponent;
}

/**
 * As C's "%.17g", with "inf", "-inf" and "nan": the form in which Redis 7.0 prints scores and doubles. Integers below
 * 10^17 come out plainly, zero keeps its sign.
 */
export function formatDouble(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 && 1 / value < 0 ? '-0' : String(value);
  // At most 15 digits in all: the shortest text that reads back is the exact one.
  const scaled = value * 1024;
  if (Number.isInteger(scaled) && scaled < 1024e5 && scaled > -1024e5) return String(value);
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  const negative = value < 0;
  const text = exponential17(negative ? -value : value);
  const mark = text.indexOf('e');
  const exponent = Number(text.slice(mark + 1));
  let digits = text[0] + text.slice(2, mark);
  let length = digits.length;
  while (length > 1 && digits.charCodeAt(length - 1) === ZERO) length--;
  digits = digits.slice(0, length);
  const sign = negative ? '-' : '';
  if (exponent < -4 || exponent >= 17) {
    const size = Math.abs(exponent);
    const power = (exponent < 0 ? '-' : '+') + (size < 10 ? '0' + size : size);
    return sign + digits[0] + (length > 1 ? '.' + digits.slice(1) : '') + 'e' + power;
  }
  if (exponent < 0) return sign + '0.' + '0'.repeat(-exponent - 1) + digits;
  if (length <= exponent + 1) return sign + digits + '0'.repeat(exponent + 1 - length);
  return sign + digits.slice(0, exponent + 1) + '.' + digits.slice(exponent + 1);
}

/**
 * A positive number to 17 significant digits. ECMAScript rounds a tie up where C rounds it to even, so only an odd last
 * digit can differ. A tie needs exactly 18 significant digits, which a double has only with 3 to 25 bits after the point.
 */
function exponential17(value: number): string {
  const text = value.toExponential(16);
  if ((text.charCodeAt(17) & 1) === 0) return text;
  if (value >= 9007199254740992 || !Number.isInteger(value * 33554432)) return text;
  const longer = value.toExponential(60);
  const mark = longer.indexOf('e');
  // d.ffff: the 17th digit is at 17; a 5 and then zeros must follow it.
  if (longer.charCodeAt(18) !== 53) return text;
  for (let i = 19; i < mark; i++) if (longer.charCodeAt(i) !== ZERO) return text;
  return (longer.charCodeAt(17) & 1) === 0 ? longer.slice(0, 18) + longer.slice(mark) : text;
}
