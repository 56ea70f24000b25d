/** Doubles with a fixed number of decimals, as C's "%.4f" prints them. */

/**
 * `value` to `digits` decimals. ECMAScript takes the larger of two equally near results where C takes the even one; a tie
 * needs a value that is an odd multiple of 2^-(digits + 1).
 */
export function formatFixed(value: number, digits: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const negative = value < 0 || Object.is(value, -0);
  const size = Math.abs(value);
  if (size >= 1e21) return `${negative ? '-' : ''}${BigInt(size)}.${'0'.repeat(digits)}`;
  let text = size.toFixed(digits);
  const scaled = size * 2 ** (digits + 1);
  if (scaled % 2 === 1 && (text.charCodeAt(text.length - 1) & 1) === 1) {
    // An odd last digit of a tie was rounded up to, so nothing carries on the way back: 0.0312|5 is 0.0313 - 0.0001.
    text = text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) - 1);
  }
  return negative ? '-' + text : text;
}

/** The same without zeroes at the end: 17 decimals as Redis prints coordinates. */
export function formatTrimmed(value: number, digits: number): string {
  const text = formatFixed(value, digits);
  if (!text.includes('.')) return text;
  let length = text.length;
  while (text[length - 1] === '0') length--;
  if (text[length - 1] === '.') length--;
  return text.slice(0, length) === '-0' ? '0' : text.slice(0, length);
}
