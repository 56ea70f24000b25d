/**
 * Sine, cosine and arc sine to nearly the last bit: all but about one result in 600 is what glibc's are, where Math's differ in
 * one of 20. Stored distances show every digit, so the last one matters.
 *
 * x = a + b with a = k/64 and |b| <= 1/128. Sine and cosine of every such a lie in tables, as unevaluated sums of two doubles,
 * and sin(a + b) = sin a cos b + cos a sin b is summed with the rounding errors of its large terms.
 */
const STEPS = 64;
/** A little more than pi. */
const LAST = 210;
/** The tables are made in fixed point with so many bits behind the point. */
const POINT = 160n;
const ONE = 1n << POINT;
/** Splits a double into halves of 26 bits. */
const SPLITTER = 2 ** 27 + 1;

/** Pairs of high and low parts; all zero until they are needed, since they take two milliseconds to make. */
const SINES = new Float64Array(2 * LAST + 2);
const COSINES = new Float64Array(2 * LAST + 2);

/** The Taylor series that begins with `term` and goes on with the factors behind `order`. */
function series(term: bigint, x: bigint, order: number): bigint {
  let sum = term;
  for (let k = order + 1; term !== 0n; k += 2) {
    term = -((((term * x) >> POINT) * x) >> POINT) / BigInt(k * (k + 1));
    sum += term;
  }
  return sum;
}

/** The nearest double, or one beside it: what it lacks is the next part's. */
function doubleOf(value: bigint): number {
  const size = value < 0n ? -value : value;
  const drop = Math.max(0, size.toString(2).length - 64);
  const double = Number(size >> BigInt(drop)) * 2 ** (drop - Number(POINT));
  return value < 0n ? -double : double;
}

function fill(table: Float64Array, k: number, value: bigint): void {
  const high = doubleOf(value);
  table[2 * k] = high;
  // A double below 2 with its last bit at 2^-80 or above is a whole number of 2^-80; smaller ones are exact enough alone.
  table[2 * k + 1] = doubleOf(value - (BigInt(Math.trunc(high * 2 ** 80)) << (POINT - 80n)));
}

function fillTables(): void {
  const step = ONE / BigInt(STEPS);
  const sine = series(step, step, 1);
  const cosine = series(ONE, step, 0);
  for (let k = 0, s = 0n, c = ONE; k <= LAST; k++) {
    fill(SINES, k, s);
    fill(COSINES, k, c);
    [s, c] = [(s * cosine + c * sine) >> POINT, (c * cosine - s * sine) >> POINT];
  }
}

/** What the product `p` of two doubles was rounded by. */
function productError(a: number, b: number, p: number): number {
  const t = SPLITTER * a;
  const aHigh = t - (t - a);
  const aLow = a - aHigh;
  const u = SPLITTER * b;
  const bHigh = u - (u - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - p + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** What the sum of two doubles was rounded by. */
function sumError(a: number, b: number, sum: number): number {
  const part = sum - a;
  return a - (sum - part) + (b - part);
}

/** The last `rotate`, as a sum of two doubles: scratch. */
const result = { high: 0, low: 0 };

/** main cos b + side sin b, with main and side taken from the tables at `k`; `sign` is side's. */
function rotate(main: Float64Array, side: Float64Array, k: number, sign: number, b: number): void {
  if (COSINES[0] === 0) fillTables();
  const high = main[2 * k];
  const low = main[2 * k + 1];
  const sideHigh = sign * side[2 * k];
  const sideLow = sign * side[2 * k + 1];
  const square = b * b;
  const half = -0.5 * square;
  const sineRest = b * square * (-1 / 6 + square * (1 / 120 - square * (1 / 5040 - square / 362880)));
  const cosineRest = square * square * (1 / 24 - square * (1 / 720 - square / 40320));
  const linear = sideHigh * b;
  const quadratic = high * half;
  const small =
    low +
    productError(sideHigh, b, linear) +
    productError(high, half, quadratic) +
    sideLow * b +
    high * (cosineRest - 0.5 * productError(b, b, square)) +
    low * half +
    sideHigh * sineRest;
  const first = high + linear;
  const second = first + quadratic;
  result.high = second;
  result.low = sumError(high, linear, first) + sumError(first, quadratic, second) + small;
}

/** The sine of -3.2 to 3.2. */
export function sine(x: number): number {
  const size = Math.abs(x);
  const k = Math.round(size * STEPS);
  rotate(SINES, COSINES, k, 1, size - k / STEPS);
  const value = result.high + result.low;
  return x < 0 ? -value : value;
}

/** The cosine of -3.2 to 3.2. */
export function cosine(x: number): number {
  const size = Math.abs(x);
  const k = Math.round(size * STEPS);
  rotate(COSINES, SINES, k, -1, size - k / STEPS);
  return result.high + result.low;
}

/** The arc sine of 0 to 1: Math's, improved by one step of Newton's where the sine is steep enough for that. */
export function arcSine(x: number): number {
  const near = Math.asin(x);
  const slope = Math.cos(near);
  if (!(slope > 1e-3)) return near;
  const k = Math.round(near * STEPS);
  rotate(SINES, COSINES, k, 1, near - k / STEPS);
  return near + (x - result.high - result.low) / slope;
}
