/** What the families of sorted-set commands share: replies of scores, bounds of ranges, results under construction. */
import type { Slice } from '../../base/slice.ts';
import { looseDouble } from '../../base/strtod.ts';
import type { Call } from '../../engine/call.ts';
import { type Argument, integer } from '../../engine/grammar.ts';
import type { Reply } from '../../protocol/reply.ts';
import { ENC_LISTPACK, type Encoding, TYPE_ZSET } from '../../values/entry.ts';
import { LooseSlot } from '../../values/value.ts';
import { ZsetValue, zsetFree, zsetNew } from '../../values/zset.ts';
import { type LexRange, parseLexBound, type ScoreRange } from '../../values/zset-range.ts';

export const NOT_A_SCORE_RANGE = 'ERR min or max is not a float';
export const NOT_A_LEX_RANGE = 'ERR min or max not valid string range item';

/** The arguments of LIMIT. */
export const limitArguments: Argument = {
  name: 'offset_count',
  kind: 'block',
  token: 'LIMIT',
  optional: true,
  args: [integer('offset'), integer('count')],
};

/** A score as a double; integers, the most frequent scores, without making a string. */
export function replyScore(reply: Reply, score: number): void {
  if (reply.resp === 2 && Number.isSafeInteger(score) && (score !== 0 || 1 / score > 0)) reply.bulkInt(score);
  else reply.double(score);
}

/** Heads `count` members: with scores they are flat in RESP2 and pairs in RESP3. */
export function replyMembers(reply: Reply, count: number, withScores: boolean): void {
  reply.array(withScores && reply.resp === 2 ? count * 2 : count);
}

export function replyMember(reply: Reply, member: Slice, score: number, withScores: boolean): void {
  if (withScores && reply.resp > 2) reply.array(2);
  reply.bulk(member);
  if (withScores) replyScore(reply, score);
}

/** Reads both bounds of a range of scores; false when one is none. */
export function readScoreRange(min: Slice, max: Slice, into: ScoreRange): boolean {
  into.minExclusive = isOpen(min);
  into.min = boundOf(min, into.minExclusive);
  into.maxExclusive = isOpen(max);
  into.max = boundOf(max, into.maxExclusive);
  return !Number.isNaN(into.min) && !Number.isNaN(into.max);
}

export function readLexRange(min: Slice, max: Slice, into: LexRange): boolean {
  into.minKind = parseLexBound(min, into.min);
  into.maxKind = parseLexBound(max, into.max);
  return into.minKind >= 0 && into.maxKind >= 0;
}

function isOpen(bound: Slice): boolean {
  return bound.length > 0 && bound.at(0) === 0x28;
}

function boundOf(bound: Slice, open: boolean): number {
  return looseDouble(bound.buffer, bound.start + (open ? 1 : 0), bound.start + bound.length, true);
}

/** A sorted set that is built before it is stored, or sent and dropped. */
export class Result {
  readonly zset: ZsetValue;
  readonly slot: LooseSlot;
  private stored = false;

  constructor(c: Call, encoding: Encoding = ENC_LISTPACK) {
    this.slot = new LooseSlot(c.memory, zsetNew(c.memory, encoding), encoding);
    this.zset = new ZsetValue(c.memory, c.engine.accessors.limits.zset).bind(this.slot);
  }

  /** Stores the set under argument `i`, or removes that key when the set is empty; replies the length. */
  store(c: Call, i: number, event: string): void {
    const { length } = this.zset;
    const happened = this.put(c, i, event);
    c.reply.int(length);
    if (happened !== null) c.changed(i, happened);
  }

  /** The same where the event comes before the reply. */
  storeAndTell(c: Call, i: number, event: string): void {
    const { length } = this.zset;
    const happened = this.put(c, i, event);
    if (happened !== null) c.changed(i, happened);
    c.reply.int(length);
  }

  /** What has happened to the key: `event`, its removal, or nothing. */
  private put(c: Call, i: number, event: string): string | null {
    if (this.zset.length === 0) return c.remove(i) ? 'del' : null;
    c.storeValue(i, TYPE_ZSET, this.slot.encoding, this.slot.root);
    this.stored = true;
    return event;
  }

  /** Releases the set unless it was stored; to be called in any case. */
  end(): void {
    if (!this.stored) zsetFree(this.slot.memory, this.slot.encoding, this.slot.root);
  }
}
