/** Sorted sets: members by rank, score or lexicographical range, sent or stored. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { type Argument, bytes, double, integer, key, oneOf, optional, token } from '../../engine/grammar.ts';
import { ENC_LISTPACK, ENC_SKIPLIST } from '../../values/entry.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { LexRange, ScoreRange } from '../../values/zset-range.ts';
import {
  limitArguments,
  NOT_A_LEX_RANGE,
  NOT_A_SCORE_RANGE,
  Result,
  readLexRange,
  readScoreRange,
  replyMember,
  replyMembers,
} from './common.ts';

/** By what a range selects; BY_ANY until an option says. */
const BY_ANY = 0;
const BY_RANK = 1;
const BY_SCORE = 2;
const BY_LEX = 3;

const FORWARD = 0;
const REVERSE = 1;
const EITHER = 2;

const NO_LIMIT = 'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX';
const NO_SCORES = 'ERR syntax error, WITHSCORES not supported in combination with BYLEX';

/** What one command asks for. Filled anew by each. */
const query = {
  by: BY_ANY,
  direction: EITHER,
  withScores: false,
  offset: 0,
  limit: -1,
  start: 0,
  stop: 0,
  scores: new ScoreRange(),
  members: new LexRange(),
};

/** Reads the options from argument `i` on; false when the error has been replied. */
function readOptions(c: Call, i: number, stores: boolean): boolean {
  query.withScores = false;
  query.offset = 0;
  query.limit = -1;
  for (; i < c.argc; i++) {
    const word = c.arg(i);
    if (!stores && isWord(word, 'WITHSCORES')) query.withScores = true;
    else if (isWord(word, 'LIMIT') && i + 2 < c.argc) {
      const offset = c.integer(i + 1);
      if (offset === undefined) return false;
      const limit = c.integer(i + 2);
      if (limit === undefined) return false;
      query.offset = offset;
      query.limit = limit;
      i += 2;
    } else if (query.direction === EITHER && isWord(word, 'REV')) query.direction = REVERSE;
    else if (query.by === BY_ANY && isWord(word, 'BYLEX')) query.by = BY_LEX;
    else if (query.by === BY_ANY && isWord(word, 'BYSCORE')) query.by = BY_SCORE;
    else {
      c.syntaxError();
      return false;
    }
  }
  if (query.direction === EITHER) query.direction = FORWARD;
  if (query.by === BY_ANY) query.by = BY_RANK;
  if (query.limit !== -1 && query.by === BY_RANK) c.reply.error(NO_LIMIT);
  else if (query.withScores && query.by === BY_LEX) c.reply.error(NO_SCORES);
  else return true;
  return false;
}

/** Reads the bounds at arguments `i` and `i + 1`; false when the error has been replied. */
function readBounds(c: Call, i: number): boolean {
  if (query.by === BY_RANK) {
    const start = c.integer(i);
    if (start === undefined) return false;
    const stop = c.integer(i + 1);
    if (stop === undefined) return false;
    query.start = start;
    query.stop = stop;
    return true;
  }
  const min = c.arg(query.direction === REVERSE ? i + 1 : i);
  const max = c.arg(query.direction === REVERSE ? i : i + 1);
  const scores = query.by === BY_SCORE;
  if (scores ? readScoreRange(min, max, query.scores) : readLexRange(min, max, query.members)) return true;
  c.reply.error(scores ? NOT_A_SCORE_RANGE : NOT_A_LEX_RANGE);
  return false;
}

/** Reads all that follows the key at argument `i`; false when the error has been replied. */
function readQuery(c: Call, i: number, by: number, direction: number, stores: boolean): boolean {
  query.by = by;
  query.direction = direction;
  return readOptions(c, i + 3, stores) && readBounds(c, i + 1);
}

/** Members to skip from the query's end of the set, and how many follow that are wanted. */
const picked = { skip: 0, count: 0 };

function pick(zset: ZsetValue): void {
  const reverse = query.direction === REVERSE;
  if (query.by === BY_RANK) {
    zset.findRanks(query.start, query.stop);
    picked.skip = zset.from;
    picked.count = zset.to - zset.from;
    return;
  }
  if (query.by === BY_SCORE) zset.findScores(query.scores);
  else zset.findMembers(query.members, reverse);
  const size = zset.to - zset.from;
  const left = query.offset < 0 || query.offset >= size ? 0 : size - query.offset;
  picked.skip = (reverse ? zset.length - zset.to : zset.from) + query.offset;
  picked.count = query.limit >= 0 && query.limit < left ? query.limit : left;
}

function range(c: Call, by: number, direction: number): void {
  if (!readQuery(c, 1, by, direction, false)) return;
  const zset = c.zsetForRead(1);
  if (zset === undefined) return;
  if (zset === null) {
    c.reply.array(0);
    return;
  }
  pick(zset);
  const withScores = query.withScores;
  let left = picked.count;
  replyMembers(c.reply, left, withScores);
  if (left === 0) return;
  const cursor = zset.cursor(picked.skip, query.direction === REVERSE);
  for (; left > 0 && cursor.next(); left--) replyMember(c.reply, cursor.member, cursor.score, withScores);
}

const withScoresOption = optional(token('withscores', 'WITHSCORES'));
const sortBy = oneOf('sortby', token('byscore', 'BYSCORE'), token('bylex', 'BYLEX'));
const rev = token('rev', 'REV');
const COMPLEXITY = 'O(log(N)+M) with N members in the set and M returned.';

export const zrange = command({
  name: 'ZRANGE',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: COMPLEXITY,
  summary: 'Returns the members in a range of ranks, scores or bytes.',
  flags: ['readonly'],
  history: [['6.2.0', 'Added REV, BYSCORE, BYLEX and LIMIT.']],
  args: [
    key('key', 'RO ACCESS'),
    bytes('start'),
    bytes('stop'),
    optional(sortBy, { since: '6.2.0' }),
    optional(rev, { since: '6.2.0' }),
    { ...limitArguments, since: '6.2.0' },
    withScoresOption,
  ],
  run(c) {
    range(c, BY_ANY, EITHER);
  },
});

export const zrevrange = command({
  name: 'ZREVRANGE',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: COMPLEXITY,
  summary: 'Returns the members in a range of ranks, counted and sent from the highest score.',
  flags: ['readonly'],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` argument',
  args: [key('key', 'RO ACCESS'), integer('start'), integer('stop'), withScoresOption],
  run(c) {
    range(c, BY_RANK, REVERSE);
  },
});

export const zrangebyscore = command({
  name: 'ZRANGEBYSCORE',
  group: 'sorted-set',
  since: '1.0.5',
  complexity: COMPLEXITY,
  summary: 'Returns the members with scores in a range.',
  flags: ['readonly'],
  history: [['2.0.0', 'Added WITHSCORES.']],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYSCORE` argument',
  args: [
    key('key', 'RO ACCESS'),
    double('min'),
    double('max'),
    optional(token('withscores', 'WITHSCORES'), { since: '2.0.0' }),
    limitArguments,
  ],
  run(c) {
    range(c, BY_SCORE, FORWARD);
  },
});

export const zrevrangebyscore = command({
  name: 'ZREVRANGEBYSCORE',
  group: 'sorted-set',
  since: '2.2.0',
  complexity: COMPLEXITY,
  summary: 'Returns the members with scores in a range, the highest first.',
  flags: ['readonly'],
  history: [['2.1.6', 'Bounds can be exclusive.']],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYSCORE` arguments',
  args: [key('key', 'RO ACCESS'), double('max'), double('min'), withScoresOption, limitArguments],
  run(c) {
    range(c, BY_SCORE, REVERSE);
  },
});

export const zrangebylex = command({
  name: 'ZRANGEBYLEX',
  group: 'sorted-set',
  since: '2.8.9',
  complexity: COMPLEXITY,
  summary: 'Returns the members in a lexicographical range.',
  flags: ['readonly'],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYLEX` argument',
  args: [key('key', 'RO ACCESS'), bytes('min'), bytes('max'), limitArguments],
  run(c) {
    range(c, BY_LEX, FORWARD);
  },
});

export const zrevrangebylex = command({
  name: 'ZREVRANGEBYLEX',
  group: 'sorted-set',
  since: '2.8.9',
  complexity: COMPLEXITY,
  summary: 'Returns the members in a lexicographical range, the highest first.',
  flags: ['readonly'],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYLEX` arguments',
  args: [key('key', 'RO ACCESS'), bytes('max'), bytes('min'), limitArguments],
  run(c) {
    range(c, BY_LEX, REVERSE);
  },
});

const rangeArguments: readonly Argument[] = [
  bytes('min'),
  bytes('max'),
  optional(sortBy),
  optional(rev),
  limitArguments,
];

export const zrangestore = command({
  name: 'ZRANGESTORE',
  group: 'sorted-set',
  since: '6.2.0',
  complexity: 'O(log(N)+M) with N members in the set and M stored.',
  summary: 'Stores a range of one sorted set as another.',
  flags: ['write', 'denyoom'],
  args: [key('dst', 'OW UPDATE'), key('src', 'RO ACCESS'), ...rangeArguments],
  run(c) {
    if (!readQuery(c, 2, BY_ANY, EITHER, true)) return;
    const source = c.zsetForRead(2);
    if (source === undefined) return;
    picked.count = 0;
    if (source !== null) pick(source);
    // A range of ranks knows its length beforehand and never passes through a listpack, which forgets the sign of -0.
    const large = query.by === BY_RANK && picked.count > c.engine.accessors.limits.zset.listpackEntries;
    const result = new Result(c, large ? ENC_SKIPLIST : ENC_LISTPACK);
    try {
      if (source !== null) copyPicked(source, result.zset);
      result.store(c, 1, 'zrangestore');
    } finally {
      result.end();
    }
  },
});

function copyPicked(source: ZsetValue, target: ZsetValue): void {
  const cursor = source.cursor(picked.skip, query.direction === REVERSE);
  for (let left = picked.count; left > 0 && cursor.next(); left--) target.add(cursor.member, cursor.score);
}
