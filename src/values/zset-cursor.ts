/** A walk over the members of a sorted set, by rank, in either direction, over live or frozen memory. */
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Reader } from '../memory/memory.ts';
import { ListpackValue, lpGet, lpSeek } from '../structures/listpack.ts';
import {
  slByRank,
  slFirst,
  slFirstFrom,
  slLast,
  slLength,
  slMember,
  slNext,
  slPrev,
  slScore,
} from '../structures/skiplist.ts';
import { ENC_LISTPACK, type Encoding } from './entry.ts';
import { zlCountToScore, zlLast, zlLength, zlNext, zlPrev, zlScore } from './zset-listpack.ts';

/**
 * `for (cursor.reset(r, encoding, root); cursor.next(); ) ... cursor.member, cursor.score`. The set must not change
 * meanwhile. The member is good until the next step.
 */
export class ZsetCursor {
  readonly member = new Slice();
  score = 0;
  private reader: Reader;
  private root: Addr = NULL;
  private packed = false;
  private reverse = false;
  /** The position or node that comes next, 0 at the end. */
  private following = 0;
  private readonly value = new ListpackValue();
  private readonly text = new Uint8Array(24);

  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** Begins at `rank`, counted from the first, or when `reverse` from the last; then goes that way. */
  reset(reader: Reader, encoding: Encoding, root: Addr, rank = 0, reverse = false): this {
    this.reader = reader;
    this.root = root;
    this.packed = encoding === ENC_LISTPACK;
    this.reverse = reverse;
    this.following = this.packed ? packedAt(reader, root, rank, reverse) : nodeAt(reader, root, rank, reverse);
    return this;
  }

  /** Begins at the first member with a score above `score`, or of that score unless `exclusive`. */
  resetToScore(reader: Reader, encoding: Encoding, root: Addr, score: number, exclusive: boolean): this {
    if (encoding === ENC_LISTPACK)
      return this.reset(reader, encoding, root, zlCountToScore(reader, root, score, exclusive));
    this.reader = reader;
    this.root = root;
    this.packed = false;
    this.reverse = false;
    this.following = slFirstFrom(reader, root, score, exclusive);
    return this;
  }

  /** Steps to the next member; false when there is none. */
  next(): boolean {
    const at = this.following;
    if (at === 0) return false;
    const r = this.reader;
    if (this.packed) {
      lpGet(r, this.root, at, this.value);
      if (this.value.isInteger) this.member.set(this.text, 0, this.value.writeInteger(this.text));
      else this.member.like(this.value.slice);
      this.score = zlScore(r, this.root, at);
      this.following = this.reverse ? zlPrev(r, this.root, at) : zlNext(r, this.root, at);
    } else {
      const node = at as Addr;
      slMember(r, node, this.member);
      this.score = slScore(r, node);
      this.following = this.reverse ? slPrev(r, node) : slNext(r, node);
    }
    return true;
  }
}

function packedAt(r: Reader, lp: Addr, rank: number, reverse: boolean): number {
  const length = zlLength(r, lp);
  if (rank >= length) return 0;
  if (reverse) return rank === 0 ? zlLast(r, lp) : lpSeek(r, lp, (length - 1 - rank) * 2);
  return lpSeek(r, lp, rank * 2);
}

function nodeAt(r: Reader, sl: Addr, rank: number, reverse: boolean): Addr {
  if (rank === 0) return reverse ? slLast(r, sl) : slFirst(r, sl);
  return slByRank(r, sl, reverse ? slLength(r, sl) - 1 - rank : rank);
}
