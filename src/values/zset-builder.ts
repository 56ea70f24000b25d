/**
 * A sorted set that is made at once, to be shown and dropped, or to stay.
 *
 * Its members come in any order and are nodes of a chain (skiplist.ts), which is sorted when all are there. What then stays
 * becomes a listpack or a skip list with its dict. Before that the dict only serves `merge`: members that are known to
 * differ are looked up by nobody.
 */
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { dictExpand, dictFind, dictInsert, dictSize } from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  slAppend,
  slChain,
  slMember,
  slNext,
  slOwner,
  slRescore,
  slScore,
  slSortChain,
  slUnchain,
} from '../structures/skiplist.ts';
import { ENC_SKIPLIST } from './entry.ts';
import type { LooseSlot, Sought } from './value.ts';
import { type ZsetLimits, zsetPack } from './zset.ts';
import { ZsetCursor } from './zset-cursor.ts';

const key = new Slice();

export class ZsetBuilder {
  length = 0;
  private readonly m: Memory;
  private readonly slot: LooseSlot;
  private readonly limits: ZsetLimits;
  private last: Addr;
  /** Bytes of the longest member. */
  private longest = 0;

  /** Builds what hangs off `slot`, which is an empty skip list and its owner's to release at any time. */
  constructor(slot: LooseSlot, limits: ZsetLimits) {
    this.m = slot.memory;
    this.slot = slot;
    this.limits = limits;
    this.last = slot.root;
  }

  /** Makes room for the members that `merge` will add at least. */
  expect(length: number): void {
    dictExpand(this.m, slOwner(this.m, this.slot.root), length);
  }

  /** Adds a member that is not there yet. Either all members are added or all are merged. */
  add(member: Slice, score: number): void {
    this.last = slChain(this.m, this.slot.root, this.last, score, member);
    this.length++;
    if (member.length > this.longest) this.longest = member.length;
  }

  /** Adds a member, or gives the one that is there the score that `merged` makes of both. */
  merge(sought: Sought, score: number, merged: (known: number, score: number) => number): void {
    const { m } = this;
    const dict = slOwner(m, this.slot.root);
    const node = dictFind(m, dict, sought.member, sought.hash);
    if (node !== NULL) {
      slRescore(m, node, merged(slScore(m, node), score));
      return;
    }
    this.add(sought.member, score);
    dictInsert(m, dict, this.last, sought.hash);
  }

  /** A walk over all members in order, of a set that does not stay. */
  sorted(): ZsetCursor {
    const { m, slot } = this;
    slSortChain(m, slot.root);
    return new ZsetCursor(m).reset(m, ENC_SKIPLIST, slot.root);
  }

  /** Makes the sorted set that stays. */
  finish(): void {
    slSortChain(this.m, this.slot.root);
    const { listpackEntries, listpackValue } = this.limits;
    if (this.length <= listpackEntries && this.longest <= listpackValue) zsetPack(this.m, this.slot);
    else this.toSkiplist();
  }

  private toSkiplist(): void {
    const { m } = this;
    const sl = this.slot.root;
    const dict = slOwner(m, sl);
    const merged = dictSize(m, dict) > 0;
    if (!merged) this.expect(this.length);
    for (let node = slUnchain(m, sl), next: Addr; node !== NULL; node = next) {
      next = slNext(m, node);
      if (merged || this.enter(dict, node)) slAppend(m, sl, node);
      else m.release(node);
    }
  }

  /** Whether the member is new: what was restored without deep tests may have held it twice. */
  private enter(dict: Addr, node: Addr): boolean {
    const { m } = this;
    const member = slMember(m, node, key);
    const hash = hashBytes(m.seed, member);
    if (dictFind(m, dict, member, hash) !== NULL) return false;
    dictInsert(m, dict, node, hash);
    return true;
  }
}
