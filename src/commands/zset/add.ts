/** ZADD and ZINCRBY. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { bytes, double, integer, key, manyOf, oneOf, optional, token } from '../../engine/grammar.ts';
import {
  ADD_IF_ABSENT,
  ADD_IF_GREATER,
  ADD_IF_LESS,
  ADD_IF_PRESENT,
  ADD_INCREMENT,
  ZSET_ADDED,
  ZSET_HELD_BACK,
  ZSET_NAN,
  ZSET_UPDATED,
  type ZsetValue,
} from '../../values/zset.ts';
import { replyScore } from './common.ts';

/** A flag of the command's own, beside those of `add`. */
const CHANGED = 64;
const NOT_A_NUMBER = 'ERR resulting score is not a number (NaN)';

/** Scores read ahead, so that a bad one stops the command before it changes anything. */
const scratch = { scores: new Float64Array(64) };

export const zadd = command({
  name: 'ZADD',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(log(N)) for each member.',
  summary: 'Adds members to a sorted set or changes their scores, creating the set when absent.',
  flags: ['write', 'denyoom', 'fast'],
  history: [
    ['2.4.0', 'Takes several members.'],
    ['3.0.2', 'Added XX, NX, CH and INCR.'],
    ['6.2.0', 'Added GT and LT.'],
  ],
  args: [
    key('key', 'RW UPDATE'),
    optional(oneOf('condition', token('nx', 'NX'), token('xx', 'XX')), { since: '3.0.2' }),
    optional(oneOf('comparison', token('gt', 'GT'), token('lt', 'LT')), { since: '6.2.0' }),
    optional(token('change', 'CH'), { since: '3.0.2' }),
    optional(token('increment', 'INCR'), { since: '3.0.2' }),
    manyOf('score_member', double('score'), bytes('member')),
  ],
  run(c) {
    add(c, 0);
  },
});

export const zincrby = command({
  name: 'ZINCRBY',
  group: 'sorted-set',
  since: '1.2.0',
  complexity: 'O(log(N)) with N members in the set.',
  summary: "Adds to a member's score, creating set and member when absent.",
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), integer('increment'), bytes('member')],
  run(c) {
    add(c, ADD_INCREMENT);
  },
});

/** The flag that argument `i` names, 0 when it names none. */
function flagAt(c: Call, i: number): number {
  const word = c.arg(i);
  if (word.length === 2) {
    if (isWord(word, 'NX')) return ADD_IF_ABSENT;
    if (isWord(word, 'XX')) return ADD_IF_PRESENT;
    if (isWord(word, 'GT')) return ADD_IF_GREATER;
    if (isWord(word, 'LT')) return ADD_IF_LESS;
    if (isWord(word, 'CH')) return CHANGED;
  }
  return word.length === 4 && isWord(word, 'INCR') ? ADD_INCREMENT : 0;
}

function conflictIn(flags: number, pairs: number): string | null {
  const absent = (flags & ADD_IF_ABSENT) !== 0;
  const greater = (flags & ADD_IF_GREATER) !== 0;
  const less = (flags & ADD_IF_LESS) !== 0;
  if (absent && (flags & ADD_IF_PRESENT) !== 0) return 'ERR XX and NX options at the same time are not compatible';
  if ((absent && (greater || less)) || (greater && less))
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  if ((flags & ADD_INCREMENT) !== 0 && pairs > 1) return 'ERR INCR option supports a single increment-element pair';
  return null;
}

function add(c: Call, flags: number): void {
  let first = 2;
  for (let flag: number; first < c.argc && (flag = flagAt(c, first)) !== 0; first++) flags |= flag;
  const rest = c.argc - first;
  if (rest === 0 || (rest & 1) === 1) {
    c.syntaxError();
    return;
  }
  const pairs = rest >>> 1;
  const conflict = flags === 0 ? null : conflictIn(flags, pairs);
  if (conflict !== null) {
    c.reply.error(conflict);
    return;
  }
  if (scratch.scores.length < pairs) scratch.scores = new Float64Array(pairs * 2);
  for (let i = 0; i < pairs; i++) {
    const score = c.double(first + i * 2);
    if (score === undefined) return;
    scratch.scores[i] = score;
  }
  const zset = c.zsetForWrite(1, (flags & ADD_IF_PRESENT) === 0);
  if (zset === undefined) return;
  if (zset !== null) addPairs(c, zset, flags, first, pairs);
  else if ((flags & ADD_INCREMENT) !== 0) c.reply.null();
  else c.reply.int(0);
}

function addPairs(c: Call, zset: ZsetValue, flags: number, first: number, pairs: number): void {
  const increments = (flags & ADD_INCREMENT) !== 0;
  let added = 0;
  let updated = 0;
  let outcome = ZSET_HELD_BACK;
  for (let i = 0; i < pairs; i++) {
    outcome = zset.add(c.arg(first + i * 2 + 1), scratch.scores[i], flags);
    if (outcome === ZSET_ADDED) added++;
    else if (outcome === ZSET_UPDATED) updated++;
  }
  if (!increments) c.reply.int((flags & CHANGED) !== 0 ? added + updated : added);
  else if (outcome === ZSET_NAN) c.reply.error(NOT_A_NUMBER);
  else if (outcome === ZSET_HELD_BACK) c.reply.null();
  else replyScore(c.reply, zset.newScore);
  if (added + updated > 0) c.changed(1, increments ? 'zincr' : 'zadd', added + updated);
}
