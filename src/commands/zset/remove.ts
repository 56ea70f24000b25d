/** Sorted sets: removing by member, rank, score and lexicographical range. */
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { bytes, double, integer, key, many } from '../../engine/grammar.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { LexRange, ScoreRange } from '../../values/zset-range.ts';
import { NOT_A_LEX_RANGE, NOT_A_SCORE_RANGE, readLexRange, readScoreRange } from './common.ts';

const scores = new ScoreRange();
const members = new LexRange();

export const zrem = command({
  name: 'ZREM',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(M*log(N)) with N members in the set and M to be removed.',
  summary: 'Removes members from a sorted set, and the set with its last one.',
  flags: ['write', 'fast'],
  history: [['2.4.0', 'Takes several members.']],
  args: [key('key', 'RW DELETE'), many(bytes('member'))],
  run(c) {
    const zset = c.zsetForWrite(1, false);
    if (zset === undefined) return;
    let removed = 0;
    if (zset !== null) for (let i = 2; i < c.argc && zset.length > 0; i++) if (zset.remove(c.arg(i))) removed++;
    if (zset !== null && removed > 0) {
      c.changed(1, 'zrem', removed);
      c.dropEmpty(1, zset);
    }
    c.reply.int(removed);
  },
});

/** Removes the range that the accessor has found, and replies how many members that were. */
function removeFound(c: Call, zset: ZsetValue, event: string): void {
  const removed = zset.to - zset.from;
  if (removed > 0) {
    zset.removeRanks(zset.from, zset.to);
    c.changed(1, event, removed);
    c.dropEmpty(1, zset);
  }
  c.reply.int(removed);
}

/** The sorted set to remove from; undefined when the reply has been given, of WRONGTYPE or of nothing removed. */
function target(c: Call): ZsetValue | undefined {
  const zset = c.zsetForWrite(1, false);
  if (zset !== null) return zset;
  c.reply.int(0);
  return undefined;
}

export const zremrangebyrank = command({
  name: 'ZREMRANGEBYRANK',
  group: 'sorted-set',
  since: '2.0.0',
  complexity: 'O(log(N)+M) with N members in the set and M removed.',
  summary: 'Removes the members with ranks in a range.',
  flags: ['write'],
  args: [key('key', 'RW DELETE'), integer('start'), integer('stop')],
  run(c) {
    const start = c.integer(2);
    if (start === undefined) return;
    const stop = c.integer(3);
    if (stop === undefined) return;
    const zset = target(c);
    if (!zset) return;
    zset.findRanks(start, stop);
    removeFound(c, zset, 'zremrangebyrank');
  },
});

export const zremrangebyscore = command({
  name: 'ZREMRANGEBYSCORE',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(log(N)+M) with N members in the set and M removed.',
  summary: 'Removes the members with scores in a range.',
  flags: ['write'],
  args: [key('key', 'RW DELETE'), double('min'), double('max')],
  run(c) {
    if (!readScoreRange(c.arg(2), c.arg(3), scores)) {
      c.reply.error(NOT_A_SCORE_RANGE);
      return;
    }
    const zset = target(c);
    if (!zset) return;
    zset.findScores(scores);
    removeFound(c, zset, 'zremrangebyscore');
  },
});

export const zremrangebylex = command({
  name: 'ZREMRANGEBYLEX',
  group: 'sorted-set',
  since: '2.8.9',
  complexity: 'O(log(N)+M) with N members in the set and M removed.',
  summary: 'Removes the members in a lexicographical range.',
  flags: ['write'],
  args: [key('key', 'RW DELETE'), bytes('min'), bytes('max')],
  run(c) {
    if (!readLexRange(c.arg(2), c.arg(3), members)) {
      c.reply.error(NOT_A_LEX_RANGE);
      return;
    }
    const zset = target(c);
    if (!zset) return;
    zset.findMembers(members);
    removeFound(c, zset, 'zremrangebylex');
  },
});
