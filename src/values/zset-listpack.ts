/**
 * A small sorted set in a listpack: member, score, member, score ..., ascending by score and then by member's bytes.
 *
 *   8c 00 ...  [82 'h' 'i' 03][01 01]  [81 'x' 02][83 '1' '.' '5' 04]      hi 1, x 1.5 (after the header's six bytes)
 *
 * A score that is an integer within 2^62 is stored as one, any other as the text of %.17g, as in Redis's snapshots; so a
 * zero's sign is lost here, as it is there.
 */
import { formatDouble, integerText, parseDouble, writeInteger } from '../base/numbers.ts';
import { compareBytes, Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  ListpackValue,
  LP_AFTER,
  LP_BEFORE,
  LP_FIRST,
  lpAppend,
  lpAt,
  lpBorrow,
  lpBytes,
  lpDeleteRange,
  lpEntryBytes,
  lpFind,
  lpFirst,
  lpGet,
  lpGetBytes,
  lpInsert,
  lpLast,
  lpLength,
  lpNext,
  lpPrev,
  lpReplace,
} from '../structures/listpack.ts';
import { endIn } from '../structures/listpack-entry.ts';

/** Integers up to here are stored as integers. */
const INTEGER_BOUND = 2 ** 62;

const value = new ListpackValue();
const there = new Slice();
const text = new Slice(new Uint8Array(40), 0, 0);

/** How many members there are. */
export function zlLength(r: Reader, lp: Addr): number {
  return lpLength(r, lp) >>> 1;
}

/** The position of a member, or 0. */
export function zlFind(r: Reader, lp: Addr, member: Slice): number {
  const first = lpFirst(r, lp);
  return first === 0 ? 0 : lpFind(r, lp, first, member, 1);
}

/** The score behind the member at `p`. */
export function zlScore(r: Reader, lp: Addr, p: number): number {
  lpGet(r, lp, lpNext(r, lp, p), value);
  if (value.isInteger) return value.integer;
  return parseDouble(value.slice) ?? 0;
}

/** The member behind the one at `p`, or 0. */
export function zlNext(r: Reader, lp: Addr, p: number): number {
  return lpNext(r, lp, lpNext(r, lp, p));
}

export function zlPrev(r: Reader, lp: Addr, p: number): number {
  const score = lpPrev(r, lp, p);
  return score === 0 ? 0 : lpPrev(r, lp, score);
}

/** The last member, or 0. */
export function zlLast(r: Reader, lp: Addr): number {
  const score = lpLast(r, lp);
  return score === 0 ? 0 : lpPrev(r, lp, score);
}

/** How many members stand before the one at `p`. */
export function zlRank(r: Reader, lp: Addr, p: number): number {
  let rank = 0;
  for (let at = lpFirst(r, lp); at !== p; at = zlNext(r, lp, at)) rank++;
  return rank;
}

/** Adds a member that is not there yet, in its place; returns where the listpack is now. */
export function zlInsert(m: Memory, lp: Addr, member: Slice, score: number): Addr {
  const last = zlLast(m, lp);
  if (last === 0 || precedes(m, lp, last, score, member)) return zlAppend(m, lp, member, score);
  const p = placeFor(m, lp, score, member);
  const scored = zlScoreText(score);
  lp = lpInsert(m, withRoom(m, lp, member, scored), p, LP_BEFORE, member);
  return lpInsert(m, lp, lpAt.position, LP_AFTER, scored);
}

/** Adds a member that comes after all others. */
export function zlAppend(m: Memory, lp: Addr, member: Slice, score: number): Addr {
  const scored = zlScoreText(score);
  lp = lpAppend(m, withRoom(m, lp, member, scored), member);
  return lpAppend(m, lp, scored);
}

/** Takes the room for both entries at once, so that no member is left without its score when there is none. */
function withRoom(m: Memory, lp: Addr, member: Slice, scored: Slice): Addr {
  return m.resize(lp, lpBytes(m, lp) + lpEntryBytes(member) + lpEntryBytes(scored));
}

/** Gives the member at `p`, which is `member`, another score. */
export function zlUpdate(m: Memory, lp: Addr, p: number, member: Slice, score: number): Addr {
  const after = zlNext(m, lp, p);
  const before = zlPrev(m, lp, p);
  if (
    (before === 0 || precedes(m, lp, before, score, member)) &&
    (after === 0 || !precedes(m, lp, after, score, member))
  )
    return lpReplace(m, lp, lpNext(m, lp, p), zlScoreText(score));
  // In first and out then: when there is no room, nothing has changed.
  const lower = score < zlScore(m, lp, p);
  const bytes = lpBytes(m, lp);
  const grown = zlInsert(m, lp, member, score);
  return zlDelete(m, grown, lower ? p + lpBytes(m, grown) - bytes : p, 1);
}

/** Deletes `count` members from the one at `p` on. */
export function zlDelete(m: Memory, lp: Addr, p: number, count: number): Addr {
  return lpDeleteRange(m, lp, p, count * 2);
}

/** How many members have a score under `score`, or under or equal to it when `through`. */
export function zlCountToScore(r: Reader, lp: Addr, score: number, through: boolean): number {
  let count = 0;
  for (let p = lpFirst(r, lp); p !== 0; p = zlNext(r, lp, p)) {
    const at = zlScore(r, lp, p);
    if (at > score || (at === score && !through)) break;
    count++;
  }
  return count;
}

/** The position of the first member that comes after one with this score and name; there is one. */
function placeFor(r: Reader, lp: Addr, score: number, member: Slice): number {
  const { buffer, start, length } = lpBorrow(r, lp, there);
  let at = start;
  for (const end = start + length; at < end; ) {
    const scoreAt = endIn(buffer, at);
    value.read(buffer, scoreAt);
    const other = value.isInteger ? value.integer : (parseDouble(value.slice) ?? 0);
    if (other > score) break;
    const p = LP_FIRST + at - start;
    if (other === score && compareBytes(lpGetBytes(r, lp, p, there), member) >= 0) break;
    at = endIn(buffer, scoreAt);
  }
  return LP_FIRST + at - start;
}

function precedes(r: Reader, lp: Addr, p: number, score: number, member: Slice): boolean {
  const at = zlScore(r, lp, p);
  return at < score || (at === score && compareBytes(lpGetBytes(r, lp, p, there), member) < 0);
}

/** A score as the listpack holds it; good until the next call. */
export function zlScoreText(score: number): Slice {
  if (Number.isSafeInteger(score)) {
    // Adding zero makes of -0 the 0 that an integer is.
    text.length = writeInteger(text.buffer, 0, score + 0);
    return text;
  }
  const isInteger = Number.isInteger(score) && score >= -INTEGER_BOUND && score <= INTEGER_BOUND;
  const written = isInteger ? integerText(BigInt(score)) : formatDouble(score);
  for (let i = 0; i < written.length; i++) text.buffer[i] = written.charCodeAt(i);
  text.length = written.length;
  return text;
}
