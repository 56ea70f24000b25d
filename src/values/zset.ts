/**
 * The sorted set: a listpack while it is small (zset-listpack.ts), a skip list whose nodes are entries of a dict beyond.
 *
 * The root of the second form is the skip list's; its owner word names the dict. A set only ever grows from the first
 * into the second; commands that build a whole result ask for the first again where it fits (`settle`).
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  dictExpand,
  dictFind,
  dictFree,
  dictInsert,
  dictLookup,
  dictNew,
  dictRemoveEntry,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
} from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import { LP_MAX_BYTES, lpBytes, lpFirst, lpGetBytes, lpNew, lpSeek, lpVerify } from '../structures/listpack.ts';
import {
  slBeginCut,
  slCountToMember,
  slCountToScore,
  slCut,
  slFirst,
  slFreeSome,
  slInsert,
  slLength,
  slMember,
  slNew,
  slNext,
  slOwner,
  slRank,
  slRemove,
  slScore,
  slSetOwner,
  slUpdate,
  slVerify,
} from '../structures/skiplist.ts';
import { ENC_LISTPACK, ENC_SKIPLIST, type Encoding } from './entry.ts';
import { type Sought, ValueAccessor, type ValueSlot } from './value.ts';
import { ZsetCursor } from './zset-cursor.ts';
import {
  zlAppend,
  zlCountToScore,
  zlDelete,
  zlFind,
  zlInsert,
  zlLast,
  zlLength,
  zlNext,
  zlPrev,
  zlRank,
  zlScore,
  zlUpdate,
} from './zset-listpack.ts';
import type { LexRange, ScoreRange } from './zset-range.ts';

/** Up to where a sorted set stays a listpack; the options zset-max-listpack-entries and -value write here. */
export class ZsetLimits {
  listpackEntries = 128;
  listpackValue = 64;
}

/** How `add` treats its score and the member's presence; to be or-ed together. */
export const ADD_INCREMENT = 1;
export const ADD_IF_ABSENT = 2;
export const ADD_IF_PRESENT = 4;
export const ADD_IF_GREATER = 8;
export const ADD_IF_LESS = 16;
/** A zero of the other sign is another score. */
export const ADD_SIGNED_ZERO = 32;

/** What `add` did: held back by a condition, added, changed the score, found it equal, or would have made it NaN. */
export const ZSET_HELD_BACK = 0;
export const ZSET_ADDED = 1;
export const ZSET_UPDATED = 2;
export const ZSET_SAME = 3;
export const ZSET_NAN = 4;

const key = new Slice();

export class ZsetValue extends ValueAccessor {
  /** The member's score after an `add` that was not held back. */
  newScore = 0;
  /** The ranks that the last range found: the first one in it and the first one behind it; equal when it is empty. */
  from = 0;
  to = 0;
  private readonly limits: ZsetLimits;
  private readonly walk: ZsetCursor;

  constructor(memory: Memory, limits: ZsetLimits) {
    super(memory, ENC_LISTPACK);
    this.limits = limits;
    this.walk = new ZsetCursor(memory);
  }

  override get length(): number {
    const { root, encoding } = this.slot;
    return encoding === ENC_LISTPACK ? zlLength(this.m, root) : slLength(this.m, root);
  }

  /** The member's score, NaN when there is none. */
  score(member: Slice): number {
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      const p = zlFind(this.m, root, member);
      return p === 0 ? Number.NaN : zlScore(this.m, root, p);
    }
    const node = dictFind(this.m, slOwner(this.m, root), member, hashBytes(this.m.seed, member));
    return node === NULL ? Number.NaN : slScore(this.m, node);
  }

  /** How many members stand before `member`, or when `reverse` behind it; -1 when it is absent. */
  rank(member: Slice, reverse: boolean): number {
    const { root, encoding } = this.slot;
    let rank: number;
    if (encoding === ENC_LISTPACK) {
      const p = zlFind(this.m, root, member);
      if (p === 0) return -1;
      rank = zlRank(this.m, root, p);
    } else {
      const node = dictFind(this.m, slOwner(this.m, root), member, hashBytes(this.m.seed, member));
      if (node === NULL) return -1;
      rank = slRank(this.m, root, node);
    }
    return reverse ? this.length - 1 - rank : rank;
  }

  /** Adds a member or changes its score as the ADD_ flags say; answers with one of ZSET_. */
  add(member: Slice, score: number, flags = 0): number {
    if (this.slot.encoding === ENC_LISTPACK) {
      const m = this.m;
      const lp = this.slot.root;
      const p = zlFind(m, lp, member);
      if (p !== 0) {
        const outcome = this.decide(zlScore(m, lp, p), score, flags);
        if (outcome === ZSET_UPDATED) this.slot.update(zlUpdate(m, lp, p, member, this.newScore), ENC_LISTPACK);
        return outcome;
      }
      if ((flags & ADD_IF_PRESENT) !== 0) return ZSET_HELD_BACK;
      if (this.fits(lp, member)) {
        this.newScore = score;
        this.slot.update(zlInsert(m, lp, member, score), ENC_LISTPACK);
        return ZSET_ADDED;
      }
      this.toSkiplist();
    }
    return this.addNode(member, score, flags);
  }

  private fits(lp: Addr, member: Slice): boolean {
    return (
      member.length <= this.limits.listpackValue &&
      zlLength(this.m, lp) < this.limits.listpackEntries &&
      lpBytes(this.m, lp) + member.length <= LP_MAX_BYTES
    );
  }

  private addNode(member: Slice, score: number, flags: number): number {
    const m = this.m;
    const sl = this.slot.root;
    const dict = slOwner(m, sl);
    const hash = hashBytes(m.seed, member);
    const node = dictFind(m, dict, member, hash);
    if (node !== NULL) {
      const outcome = this.decide(slScore(m, node), score, flags);
      if (outcome === ZSET_UPDATED) slUpdate(m, sl, node, this.newScore);
      return outcome;
    }
    if ((flags & ADD_IF_PRESENT) !== 0) return ZSET_HELD_BACK;
    this.newScore = score;
    dictInsert(m, dict, slInsert(m, sl, score, member), hash);
    return ZSET_ADDED;
  }

  /** What is to become of a member that is there, with its new score in `newScore`. */
  private decide(current: number, score: number, flags: number): number {
    if ((flags & ADD_IF_ABSENT) !== 0) return ZSET_HELD_BACK;
    if ((flags & ADD_INCREMENT) !== 0) {
      score += current;
      if (Number.isNaN(score)) return ZSET_NAN;
    }
    if ((flags & ADD_IF_LESS) !== 0 && score >= current) return ZSET_HELD_BACK;
    if ((flags & ADD_IF_GREATER) !== 0 && score <= current) return ZSET_HELD_BACK;
    this.newScore = score;
    if (score !== current) return ZSET_UPDATED;
    return (flags & ADD_SIGNED_ZERO) === 0 || Object.is(score, current) ? ZSET_SAME : ZSET_UPDATED;
  }

  /** Whether the member was there. */
  remove(member: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      const p = zlFind(m, root, member);
      if (p === 0) return false;
      this.slot.update(zlDelete(m, root, p, 1), ENC_LISTPACK);
      return true;
    }
    const dict = slOwner(m, root);
    const hash = hashBytes(m.seed, member);
    const node = dictFind(m, dict, member, hash);
    if (node === NULL) return false;
    dictRemoveEntry(m, dict, node, hash);
    slRemove(m, root, node);
    m.release(node);
    dictShrinkIfNeeded(m, dict);
    return true;
  }

  /** Removes the members with ranks `from` to `to` (exclusive). */
  removeRanks(from: number, to: number): void {
    if (from >= to) return;
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      this.slot.update(zlDelete(m, root, lpSeek(m, root, from * 2), to - from), ENC_LISTPACK);
      return;
    }
    const dict = slOwner(m, root);
    slBeginCut(m, root, from);
    for (let left = to - from; left > 0; left--) {
      const node = slCut(m, root);
      dictRemoveEntry(m, dict, node, hashBytes(m.seed, slMember(m, node, key)));
      m.release(node);
    }
    dictShrinkIfNeeded(m, dict);
  }

  // Ranges. Each leaves its bounds in `from` and `to`.

  /** Ranks `start` to `stop` (inclusive), from the end where negative. */
  findRanks(start: number, stop: number): void {
    const length = this.length;
    if (start < 0) start = Math.max(start + length, 0);
    if (stop < 0) stop += length;
    if (stop >= length) stop = length - 1;
    this.from = start;
    this.to = Math.max(stop + 1, start);
  }

  findScores(range: ScoreRange): void {
    const { min, max, minExclusive, maxExclusive } = range;
    const { root, encoding } = this.slot;
    const count = encoding === ENC_LISTPACK ? zlCountToScore : slCountToScore;
    this.from = count(this.m, root, min, minExclusive);
    this.to = Math.max(this.from, count(this.m, root, max, !maxExclusive));
  }

  /** `reverse` matters only where scores differ: then the range is what a walk from its end finds. */
  findMembers(range: LexRange, reverse = false): void {
    const m = this.m;
    const { root, encoding } = this.slot;
    this.from = 0;
    this.to = 0;
    const length = this.length;
    if (range.isEmpty || length === 0) return;
    if (encoding === ENC_LISTPACK) {
      if (this.packedMayHold(range)) this.findPackedMembers(range, reverse, length);
      return;
    }
    if (range.minKind > 0) this.from = slCountToMember(m, root, range.min, range.minKind === 2);
    this.to = range.maxKind < 3 ? slCountToMember(m, root, range.max, range.maxKind === 1) : length;
    if (this.to < this.from) this.to = this.from;
  }

  private packedMayHold(range: LexRange): boolean {
    const lp = this.slot.root;
    return (
      range.reachedBy(lpGetBytes(this.m, lp, zlLast(this.m, lp), key)) &&
      range.notPassedBy(lpGetBytes(this.m, lp, lpFirst(this.m, lp), key))
    );
  }

  private findPackedMembers(range: LexRange, reverse: boolean, length: number): void {
    const m = this.m;
    const lp = this.slot.root;
    let p = reverse ? zlLast(m, lp) : lpFirst(m, lp);
    let skipped = 0;
    while (p !== 0 && !(reverse ? range.notPassedBy(this.at(p)) : range.reachedBy(this.at(p)))) {
      p = reverse ? zlPrev(m, lp, p) : zlNext(m, lp, p);
      skipped++;
    }
    let found = 0;
    while (p !== 0 && (reverse ? range.reachedBy(this.at(p)) : range.notPassedBy(this.at(p)))) {
      p = reverse ? zlPrev(m, lp, p) : zlNext(m, lp, p);
      found++;
    }
    this.from = reverse ? length - skipped - found : skipped;
    this.to = this.from + found;
  }

  private at(p: number): Slice {
    return lpGetBytes(this.m, this.slot.root, p, key);
  }

  // Reading.

  /** A walk from `rank` on (counted from the end when `reverse`); the accessor has one, so it ends where another begins. */
  cursor(rank = 0, reverse = false): ZsetCursor {
    return this.walk.reset(this.m, this.slot.encoding, this.slot.root, rank, reverse);
  }

  /** The same walk from the first member with a score above `score` on, or of that score unless `exclusive`. */
  cursorFromScore(score: number, exclusive: boolean): ZsetCursor {
    return this.walk.resetToScore(this.m, this.slot.encoding, this.slot.root, score, exclusive);
  }

  /** A random member, every one alike: the cursor that is returned shows it. */
  random(random: Random): ZsetCursor {
    const walk = this.cursor(random.below(this.length));
    walk.next();
    return walk;
  }

  /** The dict of the skiplist encoding, for SCAN and DEBUG HTSTATS; null for a listpack. */
  get dict(): Addr {
    return this.slot.encoding === ENC_LISTPACK ? NULL : slOwner(this.m, this.slot.root);
  }

  /** SCAN over the skiplist encoding: visits nodes, whose member and score `slMember` and `slScore` tell. */
  scan(cursor: number, visit: (node: Addr) => void): number {
    return dictScan(this.m, this.dict, cursor, visit);
  }

  // Conversion.

  toSkiplist(): void {
    const m = this.m;
    const { root: lp, encoding } = this.slot;
    if (encoding !== ENC_LISTPACK) return;
    const sl = newSkiplist(m);
    try {
      const dict = slOwner(m, sl);
      dictExpand(m, dict, zlLength(m, lp));
      for (let p = lpFirst(m, lp); p !== 0; p = zlNext(m, lp, p)) {
        const member = lpGetBytes(m, lp, p, key);
        const hash = hashBytes(m.seed, member);
        // What was restored without deep tests may hold a member twice: the first is the one that was seen.
        if (dictFind(m, dict, member, hash) === NULL)
          dictInsert(m, dict, slInsert(m, sl, zlScore(m, lp, p), member), hash);
      }
    } catch (error) {
      zsetFree(m, ENC_SKIPLIST, sl);
      throw error;
    }
    m.release(lp);
    this.slot.update(sl, ENC_SKIPLIST);
  }

  /** Makes a listpack of a finished result if its length and `longest`, its longest member, are within the limits. */
  settle(longest: number): void {
    const m = this.m;
    const { root: sl, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) return;
    const { listpackEntries, listpackValue } = this.limits;
    if (slLength(m, sl) > listpackEntries || longest > listpackValue) return;
    zsetPack(m, this.slot);
  }

  // Checking.

  verify(): void {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      verifyListpack(m, root);
      return;
    }
    slVerify(m, root);
    const dict = slOwner(m, root);
    assert(dictSize(m, dict) === slLength(m, root), 'dict and list hold the same number');
    for (let node = slFirst(m, root); node !== NULL; node = slNext(m, node)) {
      const member = slMember(m, node, key);
      assert(dictFind(m, dict, member, hashBytes(m.seed, member)) === node, 'a node is an entry of the dict');
    }
  }
}

function verifyListpack(m: Memory, lp: Addr): void {
  lpVerify(m, lp);
  let lastScore = Number.NEGATIVE_INFINITY;
  let last = '';
  let length = 0;
  for (let p = lpFirst(m, lp); p !== 0; p = zlNext(m, lp, p)) {
    const score = zlScore(m, lp, p);
    const member = lpGetBytes(m, lp, p, key).latin1();
    assert(length === 0 || score > lastScore || (score === lastScore && member > last), 'members ascend');
    lastScore = score;
    last = member;
    length++;
  }
  assert(length === zlLength(m, lp), 'every member has a score');
}

function newSkiplist(m: Memory): Addr {
  const dict = dictNew(m);
  // With a table from the start no insertion into the dict can fail once its node is in the list.
  dictExpand(m, dict, 4);
  const sl = slNew(m);
  slSetOwner(m, sl, dict);
  return sl;
}

/** Makes a listpack of a skip list, be it still a chain. */
export function zsetPack(m: Memory, slot: ValueSlot): void {
  const sl = slot.root;
  let lp = lpNew(m);
  for (let node = slFirst(m, sl); node !== NULL; node = slNext(m, node))
    lp = zlAppend(m, lp, slMember(m, node, key), slScore(m, node));
  zsetFree(m, ENC_SKIPLIST, sl);
  slot.update(lp, ENC_LISTPACK);
}

/** An empty sorted set's root, in the encoding given. */
export function zsetNew(m: Memory, encoding: Encoding = ENC_LISTPACK): Addr {
  return encoding === ENC_LISTPACK ? lpNew(m) : newSkiplist(m);
}

/** Releases all that a sorted set takes. */
export function zsetFree(m: Memory, encoding: Encoding, root: Addr): void {
  zsetFreeSome(m, encoding, root, Number.POSITIVE_INFINITY);
}

/** Releases up to `budget` members of a set that is going away; true when all of it is gone. */
export function zsetFreeSome(m: Memory, encoding: Encoding, root: Addr, budget: number): boolean {
  if (encoding === ENC_LISTPACK) {
    m.release(root);
    return true;
  }
  const dict = slOwner(m, root);
  if (dict !== NULL) {
    dictFree(m, dict);
    slSetOwner(m, root, NULL);
  }
  return slFreeSome(m, root, budget);
}

/** A member's score, NaN when there is none, for reading code: a rehash under way stays where it is. */
export function zsetScore(r: Reader, encoding: Encoding, root: Addr, sought: Sought): number {
  if (encoding === ENC_LISTPACK) {
    const p = zlFind(r, root, sought.member);
    return p === 0 ? Number.NaN : zlScore(r, root, p);
  }
  const node = dictLookup(r, slOwner(r, root), sought.member, sought.hash);
  return node === NULL ? Number.NaN : slScore(r, node);
}

export function zsetLength(m: Reader, encoding: Encoding, root: Addr): number {
  return encoding === ENC_LISTPACK ? zlLength(m, root) : slLength(m, root);
}
