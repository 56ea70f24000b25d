/**
 * Splits a line of words as a shell would: blanks between words; "..." with \n \r \t \b \a \xHH and \<byte>; '...' with
 * \'. A closing quote must end its word. The same rules hold for inline requests and for lines of redis.conf.
 *
 * Words are decoded in place, since a decoded word is never longer than its spelling:  "a\x41" b  ->  aA\x41" b
 */
import { Slice } from '../base/slice.ts';

const BACKSLASH = 92;
const DOUBLE = 34;
const SINGLE = 39;

/** Points `into` at the words of `buffer` from `from` to `to`; returns their number, or -1 when quotes don't balance. */
export function splitInline(buffer: Uint8Array, from: number, to: number, into: Slice[]): number {
  let count = 0;
  let at = from;
  for (;;) {
    while (at < to && isBlank(buffer[at])) at++;
    if (at >= to) return count;
    if (count === into.length) into.push(new Slice());
    const word = into[count++].set(buffer, at, 0);
    at = readWord(buffer, at, to, word);
    if (at < 0) return -1;
  }
}

/** Decodes the word at `at`; returns where it ends, or -1. */
function readWord(buffer: Uint8Array, at: number, to: number, word: Slice): number {
  let out = at;
  while (at < to) {
    const byte = buffer[at];
    if (byte === 32 || byte === 9 || byte === 10 || byte === 13 || byte === 0) break;
    at++;
    if (byte !== DOUBLE && byte !== SINGLE) {
      buffer[out++] = byte;
      continue;
    }
    for (;;) {
      if (at >= to) return -1;
      const inner = buffer[at];
      if (inner === byte) break;
      const escaping = inner === BACKSLASH && at + 1 < to;
      if (escaping && byte === DOUBLE) {
        const hex = buffer[at + 1] === 120 && at + 3 < to ? hexPair(buffer[at + 2], buffer[at + 3]) : -1;
        buffer[out++] = hex >= 0 ? hex : escaped(buffer[at + 1]);
        at += hex >= 0 ? 4 : 2;
      } else if (escaping && buffer[at + 1] === SINGLE) {
        buffer[out++] = SINGLE;
        at += 2;
      } else {
        buffer[out++] = inner;
        at++;
      }
    }
    at++;
    if (at < to && !isBlank(buffer[at])) return -1;
    break;
  }
  word.length = out - word.start;
  return at;
}

/** As isspace() of the C locale. */
function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function escaped(byte: number): number {
  switch (byte) {
    case 110:
      return 10;
    case 114:
      return 13;
    case 116:
      return 9;
    case 98:
      return 8;
    case 97:
      return 7;
    default:
      return byte;
  }
}

function hexPair(high: number, low: number): number {
  const h = hexDigit(high);
  const l = hexDigit(low);
  return h < 0 || l < 0 ? -1 : h * 16 + l;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
