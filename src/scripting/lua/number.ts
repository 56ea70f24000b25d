/** Numbers and their text: %.14g out, the C library's strtod (decimal and hexadecimal, blanks around) in. */

import { LONG_NUMERAL, Numeral } from './numeral.ts';

/** C's %.<precision>g. */
export function formatG(value: number, precision: number, alternate = false): string {
  if (value !== value) return '-nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (precision === 0) precision = 1;
  if (value === 0) return (Object.is(value, -0) ? '-0' : '0') + (alternate ? '.' + '0'.repeat(precision - 1) : '');
  const [mantissa, exponentText] = toExponential(value, precision - 1).split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= precision) {
    return (alternate ? mantissa : trimZeros(mantissa)) + exponentSuffix(exponent);
  }
  const fixed = toFixed(value, precision - 1 - exponent);
  return alternate ? fixed : trimZeros(fixed);
}

function trimZeros(text: string): string {
  if (!text.includes('.')) return text;
  let end = text.length;
  while (text[end - 1] === '0') end--;
  if (text[end - 1] === '.') end--;
  return text.slice(0, end);
}

function exponentSuffix(exponent: number): string {
  const digits = String(Math.abs(exponent)).padStart(2, '0');
  return (exponent < 0 ? 'e-' : 'e+') + digits;
}

const GUARD = 30;
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** How many decimal places a finite number has when it is written out in full. */
function decimalPlaces(value: number): number {
  double[0] = value;
  const [low, high] = halves;
  const exponent = ((high >>> 20) & 0x7ff) - 1075;
  const zeros = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32((high | 0x100000) & -(high | 0x100000));
  return Math.max(0, -(exponent + zeros));
}

/** JavaScript rounds ties up, C to even: where the digits after those kept are 5 and zeros, and the last kept is even. */
function tiesDown(longer: string, kept: number): boolean {
  const tail = longer.slice(kept);
  return (
    tail[0] === '5' &&
    /^50*$/.test(tail) &&
    (longer.charCodeAt(longer[kept - 1] === '.' ? kept - 2 : kept - 1) & 1) === 0
  );
}

/** Whether a number of so many places may lie half-way between two texts with this last place. */
function maybeTie(places: number, last: number): boolean {
  return places === 0 ? last < 0 : places === last + 1;
}

/** JavaScript's own stops at 100 digits. */
function toExponential(value: number, digits: number): string {
  if (digits <= 100 - GUARD) {
    const text = value.toExponential(digits);
    const last = digits - Number(text.slice(text.indexOf('e') + 1));
    const places = decimalPlaces(value);
    // Rounding may have made it one digit longer.
    if (!maybeTie(places, last) && !maybeTie(places, last + 1)) return text;
    const [longer, exponent] = value.toExponential(digits + GUARD).split('e');
    const kept = longer.indexOf('.') + 1 + digits;
    if (!tiesDown(longer, kept)) return text;
    return `${longer.slice(0, digits === 0 ? kept - 1 : kept)}e${exponent}`;
  }
  if (digits <= 100) return value.toExponential(digits);
  const [mantissa, exponent] = value.toExponential(100).split('e');
  return mantissa + '0'.repeat(digits - 100) + 'e' + exponent;
}

/** C's %.<digits>f: exact, also where JavaScript's toFixed turns to exponents. */
export function toFixed(value: number, digits: number): string {
  const more = Math.max(0, digits - 100);
  const kept = digits - more;
  const tail = '0'.repeat(more);
  if (Math.abs(value) < 1e21) {
    let text = value.toFixed(kept);
    if (kept <= 100 - GUARD && maybeTie(decimalPlaces(value), kept)) {
      const longer = value.toFixed(kept + GUARD);
      const end = longer.indexOf('.') + 1 + kept;
      if (tiesDown(longer, end)) text = longer.slice(0, kept === 0 ? end - 1 : end);
    }
    return (Object.is(value, -0) || (value < 0 && text[0] !== '-') ? '-' + text.replace('-', '') : text) + tail;
  }
  return BigInt(value).toString() + (digits > 0 ? '.' + '0'.repeat(kept) : '') + tail;
}

/** C's %.<digits>e. */
export function formatE(value: number, digits: number): string {
  const [mantissa, exponent] = toExponential(value, digits).split('e');
  return (Object.is(value, -0) ? '-' : '') + mantissa + exponentSuffix(Number(exponent));
}

export function numberText(value: number): string {
  if (value === (value | 0)) return Object.is(value, -0) ? '-0' : String(value);
  if (Math.abs(value) < 1e14 && Math.abs(value) >= 1e-4) {
    // The shortest text that gives the number back is the right one where it has few enough digits.
    const text = String(value);
    if (text.length <= 15) return text;
  }
  return formatG(value, 14);
}

/** The length of a text as C sees it, up to a zero byte. */
export function cLength(text: string): number {
  const zero = text.indexOf('\0');
  return zero < 0 ? text.length : zero;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

function longNumber(text: string): number | undefined {
  const numeral = new Numeral(text, null);
  while (!numeral.run());
  return numeral.value;
}

/** The number that a string spells, or undefined. */
export function textNumber(text: string): number | undefined {
  if (text.length > LONG_NUMERAL) return longNumber(text);
  let from = 0;
  let to = cLength(text);
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  if (from === to) return undefined;
  const body = text.slice(from, to);
  const first = body.charCodeAt(0);
  const unsigned = first === 43 || first === 45 ? body.slice(1) : body;
  const value = unsignedNumber(unsigned);
  return value === undefined ? undefined : first === 45 ? -value : value;
}

function unsignedNumber(text: string): number | undefined {
  const first = text.charCodeAt(0);
  if (first === 48 && (text.charCodeAt(1) | 32) === 120) return hexNumber(text.slice(2));
  if ((first >= 48 && first <= 57) || first === 46) return isDecimal(text) ? Number(text) : undefined;
  const lower = text.toLowerCase();
  if (lower === 'inf' || lower === 'infinity') return Number.POSITIVE_INFINITY;
  return lower === 'nan' ? Number.NaN : undefined;
}

function isDecimal(text: string): boolean {
  let at = 0;
  let digits = 0;
  const run = (): void => {
    for (; text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57; at++) digits++;
  };
  run();
  if (text.charCodeAt(at) === 46) {
    at++;
    run();
  }
  if (digits === 0) return false;
  if ((text.charCodeAt(at) | 32) === 101) {
    at++;
    if (text.charCodeAt(at) === 43 || text.charCodeAt(at) === 45) at++;
    digits = 0;
    run();
    if (digits === 0) return false;
  }
  return at === text.length;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Hexadecimal digits with a fraction and a binary exponent, after the 0x. */
function hexNumber(text: string): number | undefined {
  let value = 0;
  let digits = 0;
  let scale = 0;
  let at = 0;
  for (let point = false; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46 && !point) {
      point = true;
      continue;
    }
    const digit = hexDigit(code);
    if (digit < 0) break;
    value = value * 16 + digit;
    digits++;
    if (point) scale -= 4;
  }
  if (digits === 0) return undefined;
  if (at < text.length) {
    if ((text.charCodeAt(at) | 32) !== 112) return undefined;
    const exponent = text.slice(at + 1);
    if (exponent === '' || exponent.includes('.') || !isDecimal(exponent.replace(/^[+-]/, ''))) return undefined;
    scale += Number(exponent);
    if (Number.isNaN(scale)) return undefined;
  }
  return value * 2 ** scale;
}

/** tonumber(text, base). */
export function textInBase(text: string, base: number): number | undefined {
  let at = 0;
  text = text.slice(0, cLength(text));
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  const negative = text[at] === '-';
  if (negative || text[at] === '+') at++;
  if (base === 16 && text[at] === '0' && (text.charCodeAt(at + 1) | 32) === 120) at += 2;
  let value = 0;
  let digits = 0;
  for (; at < text.length; at++, digits++) {
    const code = text.charCodeAt(at);
    const letter = code | 32;
    const digit = code >= 48 && code <= 57 ? code - 48 : letter >= 97 && letter <= 122 ? letter - 87 : 99;
    if (digit >= base) break;
    value = value * base + digit;
  }
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  if (digits === 0 || at < text.length) return undefined;
  // The reference reads an unsigned long: it saturates, and a minus wraps around.
  if (value >= 2 ** 64) value = 2 ** 64;
  return negative && value !== 0 ? 2 ** 64 - value : value;
}
