/** ZRANDMEMBER. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { block, integer, key, optional, token } from '../../engine/grammar.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { readCount } from '../count.ts';
import { replyMember, replyMembers } from './common.ts';

/** Twice as many can't be replied with scores. */
const MOST_WITH_SCORES = 2 ** 62;
const OUT_OF_RANGE = 'ERR value is out of range';
/** Where fewer than this part of a set is wanted, members are drawn until enough differ. */
const DRAWING_PAYS = 3;

export const zrandmember = command({
  name: 'ZRANDMEMBER',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: 'O(N) with N members returned.',
  summary: 'Returns members at random.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  args: [
    key('key', 'RO ACCESS'),
    optional(block('options', integer('count'), optional(token('withscores', 'WITHSCORES')))),
  ],
  run(c) {
    if (c.argc === 2) {
      const zset = c.zsetForRead(1);
      if (zset === null) c.reply.null();
      else if (zset) c.reply.bulk(zset.random(c.random).member);
      return;
    }
    const count = readCount(c, 2);
    if (count === undefined) return;
    if (c.argc > 4 || (c.argc === 4 && !isWord(c.arg(3), 'WITHSCORES'))) {
      c.syntaxError();
      return;
    }
    const withScores = c.argc === 4;
    if (withScores && Math.abs(count) >= MOST_WITH_SCORES) c.reply.error(OUT_OF_RANGE);
    else replyRandom(c, count, withScores);
  },
});

function replyRandom(c: Call, count: number, withScores: boolean): void {
  const zset = c.zsetForRead(1);
  if (zset === undefined) return;
  if (zset === null || count === 0) c.reply.array(0);
  else if (count < 0 || count === 1) replyAny(c, zset, Math.abs(count), withScores);
  else if (count >= zset.length) replyAll(c, zset, withScores);
  else if (count * DRAWING_PAYS > zset.length) replyChosen(c, zset, count, withScores);
  else replyDrawn(c, zset, count, withScores);
}

/** Each drawn from all; a member may come more than once. */
function replyAny(c: Call, zset: ZsetValue, count: number, withScores: boolean): void {
  replyMembers(c.reply, count, withScores);
  for (; count > 0 && !c.session.closing; count--) {
    const { member, score } = zset.random(c.random);
    replyMember(c.reply, member, score, withScores);
  }
}

function replyAll(c: Call, zset: ZsetValue, withScores: boolean): void {
  replyMembers(c.reply, zset.length, withScores);
  for (const cursor = zset.cursor(0, true); cursor.next(); )
    replyMember(c.reply, cursor.member, cursor.score, withScores);
}

/** Goes over all members and takes each with the chance that makes `count` of them, every choice alike. */
function replyChosen(c: Call, zset: ZsetValue, count: number, withScores: boolean): void {
  replyMembers(c.reply, count, withScores);
  let left = zset.length;
  for (const cursor = zset.cursor(); count > 0 && cursor.next(); left--) {
    if (c.random.below(left) >= count) continue;
    replyMember(c.reply, cursor.member, cursor.score, withScores);
    count--;
  }
}

/** Draws until `count` different ranks are found, which is soon when they are few among many. */
function replyDrawn(c: Call, zset: ZsetValue, count: number, withScores: boolean): void {
  replyMembers(c.reply, count, withScores);
  const length = zset.length;
  const drawn = new Set<number>();
  while (drawn.size < count) {
    const rank = c.random.below(length);
    if (drawn.has(rank)) continue;
    drawn.add(rank);
    const cursor = zset.cursor(rank);
    cursor.next();
    replyMember(c.reply, cursor.member, cursor.score, withScores);
  }
}
