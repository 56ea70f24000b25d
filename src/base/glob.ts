/**
 * Redis's glob patterns over bytes: * ? [abc] [^a-z] and \ before a character to take it literally.
 *
 * Only the last star met is ever gone back to: whatever an earlier star could swallow, a later one can too. So the
 * time is at most the product of the lengths, and the sum of them for patterns whose stars match at once.
 *
 * Particulars that are part of the language: a class without its bracket ends with the pattern; a range may be given
 * backwards; ranges compare signed bytes; an escaped byte inside a class is compared with its case; no pattern but
 * the empty one matches the empty text.
 */
import type { Slice } from './slice.ts';

const STAR = 42;
const ANY = 63;
const OPEN = 91;
const CLOSE = 93;
const ESCAPE = 92;
const NOT = 94;
const DASH = 45;

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

export function globMatch(pattern: Slice, text: Slice, nocase = false): boolean {
  const p = pattern.buffer;
  const t = text.buffer;
  let pat = pattern.start;
  const patEnd = pat + pattern.length;
  let at = text.start;
  const end = at + text.length;
  if (pat === patEnd || at === end) return pattern.length === 0 && text.length === 0;
  let starPat = -1;
  let starAt = 0;
  while (at < end) {
    if (pat < patEnd) {
      const byte = p[pat];
      if (byte === STAR) {
        starPat = ++pat;
        starAt = at;
        if (pat === patEnd) return true;
        continue;
      }
      const after = matchOne(p, pat, patEnd, t[at], nocase);
      if (after !== 0) {
        pat = after;
        at++;
        continue;
      }
    }
    if (starPat < 0) return false;
    pat = starPat;
    at = ++starAt;
  }
  while (pat < patEnd && p[pat] === STAR) pat++;
  return pat === patEnd;
}

/** Where the pattern goes on when its element at `pat` (not a star) matches `byte`; 0 when it doesn't match. */
function matchOne(p: Uint8Array, pat: number, patEnd: number, byte: number, nocase: boolean): number {
  let wanted = p[pat];
  if (wanted === ANY) return next(pat, patEnd);
  if (wanted === OPEN) return matchClass(p, pat + 1, patEnd, byte, nocase);
  if (wanted === ESCAPE && pat + 1 < patEnd) wanted = p[++pat];
  if (wanted === byte || (nocase && lower(wanted) === lower(byte))) return next(pat, patEnd);
  return 0;
}

function next(pat: number, patEnd: number): number {
  return pat + 1 > patEnd ? patEnd : pat + 1;
}

function matchClass(p: Uint8Array, pat: number, patEnd: number, byte: number, nocase: boolean): number {
  const negated = pat < patEnd && p[pat] === NOT;
  if (negated) pat++;
  let match = false;
  while (pat < patEnd && p[pat] !== CLOSE) {
    const left = patEnd - pat;
    if (left >= 2 && p[pat] === ESCAPE) {
      if (p[++pat] === byte) match = true;
    } else if (left >= 3 && p[pat + 1] === DASH) {
      if (inRange(p[pat], p[pat + 2], byte, nocase)) match = true;
      pat += 2;
    } else if (p[pat] === byte || (nocase && lower(p[pat]) === lower(byte))) {
      match = true;
    }
    pat++;
  }
  return match === negated ? 0 : next(pat, patEnd);
}

function inRange(from: number, to: number, byte: number, nocase: boolean): boolean {
  let start = signed(from);
  let end = signed(to);
  let value = signed(byte);
  if (start > end) {
    const other = start;
    start = end;
    end = other;
  }
  if (nocase) {
    start = lower(start);
    end = lower(end);
    value = lower(value);
  }
  return value >= start && value <= end;
}
