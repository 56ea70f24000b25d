/**
 * The 80-bit extended numbers of the x87, in which Redis computes INCRBYFLOAT and HINCRBYFLOAT, exactly in software.
 *
 *   value = (-1)^negative x mantissa x 2^exponent     mantissa below 2^64
 *   normal:     2^63 <= mantissa, -16445 <= exponent <= 16320
 *   subnormal:  mantissa below 2^63, exponent = -16445         zero: mantissa 0, exponent -16445
 *
 * Every operation rounds once, to nearest, ties to even.
 */
import { isInfinity, parseExponent, parseHexadecimal, shiftRightRounded } from './numbers.ts';
import { latin1, type Slice } from './slice.ts';

const MANTISSA_BITS = 64;
const MIN_EXPONENT = -16445;
const MAX_EXPONENT = 16320;
const TWO_64 = 1n << 64n;
/** Redis's buffer for the text of a long double is 5 KiB; longer text isn't read. */
const LONGEST_TEXT = 5 * 1024;
/** Digits that "%.17Lf" prints after the point. */
const FRACTION_DIGITS = 17;
const FRACTION_SCALE = 10n ** BigInt(FRACTION_DIGITS);

export class LongDouble {
  readonly kind: 'finite' | 'infinite' | 'nan';
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;

  constructor(kind: 'finite' | 'infinite' | 'nan', negative: boolean, mantissa: bigint, exponent: number) {
    this.kind = kind;
    this.negative = negative;
    this.mantissa = mantissa;
    this.exponent = exponent;
  }

  static infinity(negative: boolean): LongDouble {
    return new LongDouble('infinite', negative, 0n, 0);
  }

  static zero(negative: boolean): LongDouble {
    return new LongDouble('finite', negative, 0n, MIN_EXPONENT);
  }

  static from(value: bigint): LongDouble {
    return rounded(value < 0n, value < 0n ? -value : value, 0, false);
  }

  isNaN(): boolean {
    return this.kind === 'nan';
  }

  isInfinite(): boolean {
    return this.kind === 'infinite';
  }
}

function bitLength(value: bigint): number {
  if (value < 0x20000000000000n) {
    const small = Number(value);
    return small < 0x80000000 ? 32 - Math.clz32(small) : 64 - Math.clz32(Math.floor(small / 0x100000000));
  }
  const hex = value.toString(16);
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex[0], 16)) - 28);
}

/** mantissa x 2^exponent, rounded; `sticky` says that a little more than the mantissa was meant. */
function rounded(negative: boolean, mantissa: bigint, exponent: number, sticky: boolean): LongDouble {
  if (mantissa === 0n) return LongDouble.zero(negative);
  let size = bitLength(mantissa);
  if (sticky && size < MANTISSA_BITS + 2) {
    // Room for the sticky bit below the rounding bit.
    const room = MANTISSA_BITS + 2 - size;
    mantissa <<= BigInt(room);
    exponent -= room;
    size += room;
  }
  if (sticky) mantissa |= 1n;
  const drop = Math.max(size - MANTISSA_BITS, MIN_EXPONENT - exponent);
  if (drop > 0) {
    mantissa = drop > size + 1 ? 0n : shiftRightRounded(mantissa, drop);
    exponent += drop;
    if (mantissa === TWO_64) {
      mantissa >>= 1n;
      exponent++;
    }
  } else if (drop < 0) {
    mantissa <<= BigInt(-drop);
    exponent += drop;
  }
  if (mantissa === 0n) return LongDouble.zero(negative);
  if (exponent > MAX_EXPONENT) return LongDouble.infinity(negative);
  return new LongDouble('finite', negative, mantissa, exponent);
}

/** a + b; infinities of opposite signs make NaN. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble {
  if (a.kind === 'nan' || b.kind === 'nan') return NOT_A_NUMBER;
  if (a.kind === 'infinite') return b.kind === 'infinite' && a.negative !== b.negative ? NOT_A_NUMBER : a;
  if (b.kind === 'infinite') return b;
  if (a.mantissa === 0n && b.mantissa === 0n) return LongDouble.zero(a.negative && b.negative);
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  if (a.exponent < b.exponent) return addLongDouble(b, a);
  // The smaller operand matters only as a sticky bit once it lies wholly below the rounding bits of the larger.
  const distance = a.exponent - b.exponent;
  const shift = distance > 2 * MANTISSA_BITS + 2 ? MANTISSA_BITS + 3 : distance;
  const smaller = shift === distance ? b.mantissa : 1n;
  const base = a.exponent - shift;
  const left = a.mantissa << BigInt(shift);
  const sum = (a.negative ? -left : left) + (b.negative ? -smaller : smaller);
  if (sum === 0n) return LongDouble.zero(false);
  return rounded(sum < 0n, sum < 0n ? -sum : sum, base, false);
}

const NOT_A_NUMBER = new LongDouble('nan', false, 0n, 0);

/**
 * What strtold makes of all of `s`: decimal, hexadecimal, infinities. Undefined for anything else, for NaN, and for a
 * number that overflows to infinity or underflows to zero.
 */
export function parseLongDouble(s: Slice): LongDouble | undefined {
  if (s.length === 0 || s.length >= LONGEST_TEXT) return undefined;
  const buffer = s.buffer;
  const negative = s.at(0) === 45;
  const at = s.start + (negative || s.at(0) === 43 ? 1 : 0);
  const end = s.start + s.length;
  const mark = decimalMark(buffer, at, end);
  if (mark >= 0) return readDecimal(negative, buffer, at, mark, end);
  if (isInfinity(buffer, at, end - at)) return LongDouble.infinity(negative);
  const hex = parseHexadecimal(buffer, at, end);
  if (hex === undefined) return undefined;
  return inRange(rounded(negative, hex.mantissa, hex.exponent, false), hex.mantissa === 0n);
}

/** Where the digits (and the point) of a decimal number end, at its 'e' or at `end`; -1 for anything else. */
function decimalMark(buffer: Uint8Array, at: number, end: number): number {
  let digits = 0;
  let points = 0;
  for (; at < end; at++) {
    const byte = buffer[at];
    if (byte >= 48 && byte <= 57) digits++;
    else if (byte === 46 && points === 0) points++;
    else break;
  }
  if (digits === 0) return -1;
  return at === end || (buffer[at] | 32) === 101 ? at : -1;
}

function readDecimal(
  negative: boolean,
  buffer: Uint8Array,
  at: number,
  mark: number,
  end: number,
): LongDouble | undefined {
  const power = mark === end ? 0 : parseExponent(buffer, mark + 1, end);
  if (Number.isNaN(power)) return undefined;
  const text = latin1(buffer, at, mark - at);
  const point = text.indexOf('.');
  if (point < 0) return fromDecimal(negative, text, power);
  const fraction = text.slice(point + 1);
  return fromDecimal(negative, text.slice(0, point) + fraction, power - fraction.length);
}

function inRange(value: LongDouble, isZero: boolean): LongDouble | undefined {
  if (value.kind === 'infinite' || (value.mantissa === 0n && !isZero)) return undefined;
  return value;
}

/** digits x 10^power. */
function fromDecimal(negative: boolean, digits: string, power: number): LongDouble | undefined {
  const number = BigInt(digits);
  if (number === 0n) return LongDouble.zero(negative);
  // Length with leading zeros counts too much by at most the text's length: only clear cases are decided here.
  if (power > 5000) return undefined;
  if (power < -2 * LONGEST_TEXT) return undefined;
  if (power >= 0) return inRange(rounded(negative, number * 10n ** BigInt(power), 0, false), false);
  const divisor = 10n ** BigInt(-power);
  // Enough bits in the quotient for the rounding to see, the remainder as the sticky bit.
  const shift = Math.max(0, bitLength(divisor) - bitLength(number) + MANTISSA_BITS + 3);
  const scaled = number << BigInt(shift);
  const quotient = scaled / divisor;
  return inRange(rounded(negative, quotient, -shift, quotient * divisor !== scaled), false);
}

/** As "%.17Lf" with the zeros at the end taken off: Redis's form for people. */
export function formatLongDouble(value: LongDouble): string {
  if (value.kind === 'nan') return 'nan';
  if (value.kind === 'infinite') return value.negative ? '-inf' : 'inf';
  const { mantissa, exponent } = value;
  let text: string;
  if (exponent >= 0) {
    text = (mantissa << BigInt(exponent)).toString();
  } else {
    const digits = shiftRightRounded(mantissa * FRACTION_SCALE, -exponent)
      .toString()
      .padStart(FRACTION_DIGITS + 1, '0');
    const point = digits.length - FRACTION_DIGITS;
    let end = digits.length;
    while (end > point && digits.charCodeAt(end - 1) === 48) end--;
    text = end === point ? digits.slice(0, point) : digits.slice(0, point) + '.' + digits.slice(point, end);
  }
  return value.negative && text !== '0' ? '-' + text : text;
}
