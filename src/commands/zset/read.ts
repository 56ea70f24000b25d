/** Sorted sets: single scores, ranks and counts. */
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { bytes, double, key, many } from '../../engine/grammar.ts';
import { NULL } from '../../memory/address.ts';
import { LexRange, ScoreRange } from '../../values/zset-range.ts';
import { fetchMembers } from '../fetch.ts';
import { NOT_A_LEX_RANGE, NOT_A_SCORE_RANGE, readLexRange, readScoreRange, replyScore } from './common.ts';

const scores = new ScoreRange();
const members = new LexRange();

export const zscore = command({
  name: 'ZSCORE',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(1)',
  summary: "Returns a member's score.",
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), bytes('member')],
  run(c) {
    const zset = c.zsetForRead(1);
    if (zset === undefined) return;
    const score = zset === null ? Number.NaN : zset.score(c.arg(2));
    if (Number.isNaN(score)) c.reply.null();
    else replyScore(c.reply, score);
  },
});

export const zmscore = command({
  name: 'ZMSCORE',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: 'O(N) with N members asked for.',
  summary: 'Returns the scores of several members.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), many(bytes('member'))],
  run(c) {
    const zset = c.zsetForRead(1);
    if (zset === undefined) return;
    c.reply.array(c.argc - 2);
    const dict = zset?.dict ?? NULL;
    for (let i = 2, next = 2; i < c.argc; i++) {
      if (i === next) next = fetchMembers(c, dict, i);
      const score = zset === null ? Number.NaN : zset.score(c.arg(i));
      if (Number.isNaN(score)) c.reply.null();
      else replyScore(c.reply, score);
    }
  },
});

export const zcard = command({
  name: 'ZCARD',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(1)',
  summary: 'Returns how many members a sorted set has.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const zset = c.zsetForRead(1);
    if (zset !== undefined) c.reply.int(zset === null ? 0 : zset.length);
  },
});

export const zcount = command({
  name: 'ZCOUNT',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: 'O(log(N)) with N members in the set.',
  summary: 'Counts the members with scores in a range.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), double('min'), double('max')],
  run(c) {
    if (!readScoreRange(c.arg(2), c.arg(3), scores)) {
      c.reply.error(NOT_A_SCORE_RANGE);
      return;
    }
    const zset = c.zsetForRead(1);
    if (zset === undefined) return;
    zset?.findScores(scores);
    c.reply.int(zset === null ? 0 : zset.to - zset.from);
  },
});

export const zlexcount = command({
  name: 'ZLEXCOUNT',
  group: 'sorted-set',
  since: '2.8.9',
  complexity: 'O(log(N)) with N members in the set.',
  summary: 'Counts the members in a lexicographical range.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), bytes('min'), bytes('max')],
  run(c) {
    if (!readLexRange(c.arg(2), c.arg(3), members)) {
      c.reply.error(NOT_A_LEX_RANGE);
      return;
    }
    const zset = c.zsetForRead(1);
    if (zset === undefined) return;
    zset?.findMembers(members);
    c.reply.int(zset === null ? 0 : zset.to - zset.from);
  },
});

function replyRank(c: Call, reverse: boolean): void {
  const zset = c.zsetForRead(1);
  if (zset === undefined) return;
  const rank = zset === null ? -1 : zset.rank(c.arg(2), reverse);
  if (rank < 0) c.reply.null();
  else c.reply.int(rank);
}

export const zrank = command({
  name: 'ZRANK',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: 'O(log(N))',
  summary: "Returns a member's place, counted from the lowest score.",
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), bytes('member')],
  run(c) {
    replyRank(c, false);
  },
});

export const zrevrank = command({
  name: 'ZREVRANK',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: 'O(log(N))',
  summary: "Returns a member's place, counted from the highest score.",
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), bytes('member')],
  run(c) {
    replyRank(c, true);
  },
});
