/** Sorted sets: taking members from either end, at once or when there are some. */
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, double, integer, key, many, numkeys, oneOf, optional, token } from '../../engine/grammar.ts';
import { TYPE_ZSET } from '../../values/entry.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { firstOfType } from '../ready.ts';
import { timeoutOf } from '../timeout.ts';
import { replyScore } from './common.ts';

/** Sends up to `count` members from one end, each in an array of its own when `nested`, and removes them. */
function pop(c: Call, i: number, zset: ZsetValue, max: boolean, count: number, nested: boolean): void {
  const length = zset.length;
  const taken = count < length ? count : length;
  c.changed(i, max ? 'zpopmax' : 'zpopmin', taken);
  const cursor = zset.cursor(0, max);
  for (let left = taken; left > 0 && cursor.next(); left--) {
    if (nested) c.reply.array(2);
    c.reply.bulk(cursor.member);
    replyScore(c.reply, cursor.score);
  }
  if (max) zset.removeRanks(length - taken, length);
  else zset.removeRanks(0, taken);
  c.dropEmpty(i, zset);
}

function popOne(c: Call, max: boolean): void {
  if (c.argc > 3) {
    c.syntaxError();
    return;
  }
  let count = 1;
  if (c.argc === 3) {
    const given = positiveOr(c, 2, 0, 'ERR value is out of range, must be positive');
    if (given === undefined) return;
    count = given;
  }
  const zset = c.zsetForWrite(1, false);
  if (zset === undefined) return;
  if (zset === null || count === 0) {
    c.reply.array(0);
    return;
  }
  const nested = c.reply.resp > 2 && c.argc === 3;
  const taken = Math.min(count, zset.length);
  c.reply.array(nested ? taken : taken * 2);
  pop(c, 1, zset, max, taken, nested);
}

/** Argument `i` as an integer of at least `least`. */
function positiveOr(c: Call, i: number, least: number, error: string): number | undefined {
  const value = c.integerOr(i, error);
  if (value === undefined || value >= least) return value;
  c.reply.error(error);
  return undefined;
}

function positions(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function popBlocking(c: Call, max: boolean): void {
  const last = c.argc - 1;
  const timeout = timeoutOf(c, last);
  if (timeout === undefined) return;
  const at = firstOfType(c, 1, last, TYPE_ZSET);
  if (at < 0) return;
  if (at === 0) {
    c.block({ type: TYPE_ZSET, keys: positions(1, last), timeout, onTimeout: 'nullArray' });
    return;
  }
  const zset = c.zsetForWrite(at, false);
  if (!zset) return;
  c.reply.array(3);
  c.reply.bulk(c.arg(at));
  pop(c, at, zset, max, 1, false);
  if (c.propagates) c.rewrite(max ? 'ZPOPMAX' : 'ZPOPMIN', c.arg(at));
}

/** What ZMPOP and BZMPOP ask for. Filled anew by each. */
const request = { keys: 0, max: false, count: 1 };

function isEnd(word: Slice): boolean {
  return isWord(word, 'MIN') || isWord(word, 'MAX');
}

/** Reads the count of keys at argument `i` and what follows the keys. */
function readRequest(c: Call, i: number): boolean {
  const keys = positiveOr(c, i, 1, 'ERR numkeys should be greater than 0');
  if (keys === undefined) return false;
  const where = i + keys + 1;
  if (where >= c.argc || !isEnd(c.arg(where))) {
    c.syntaxError();
    return false;
  }
  let count = 0;
  for (let at = where + 1; at < c.argc; at += 2) {
    if (count !== 0 || at + 1 >= c.argc || !isWord(c.arg(at), 'COUNT')) {
      c.syntaxError();
      return false;
    }
    const given = positiveOr(c, at + 1, 1, 'ERR count should be greater than 0');
    if (given === undefined) return false;
    count = given;
  }
  request.keys = keys;
  request.max = isWord(c.arg(where), 'MAX');
  request.count = count === 0 ? 1 : count;
  return true;
}

/** Pops from the key at `at` in ZMPOP's form. */
function popMany(c: Call, at: number): void {
  const zset = c.zsetForWrite(at, false);
  if (!zset) return;
  const { max } = request;
  const taken = Math.min(request.count, zset.length);
  c.reply.array(2);
  c.reply.bulk(c.arg(at));
  c.reply.array(taken);
  pop(c, at, zset, max, taken, true);
  if (c.propagates) c.rewrite(max ? 'ZPOPMAX' : 'ZPOPMIN', c.arg(at), taken);
}

const where = oneOf('where', token('min', 'MIN'), token('max', 'MAX'));
const countOption = optional(after('COUNT', integer('count')));

export const zpopmin = command({
  name: 'ZPOPMIN',
  group: 'sorted-set',
  since: '5.0.0',
  complexity: 'O(log(N)*M) with N members in the set and M taken.',
  summary: 'Removes the members with the lowest scores and returns them.',
  flags: ['write', 'fast'],
  args: [key('key', 'RW ACCESS DELETE'), optional(integer('count'))],
  run(c) {
    popOne(c, false);
  },
});

export const zpopmax = command({
  name: 'ZPOPMAX',
  group: 'sorted-set',
  since: '5.0.0',
  complexity: 'O(log(N)*M) with N members in the set and M taken.',
  summary: 'Removes the members with the highest scores and returns them.',
  flags: ['write', 'fast'],
  args: [key('key', 'RW ACCESS DELETE'), optional(integer('count'))],
  run(c) {
    popOne(c, true);
  },
});

export const bzpopmin = command({
  name: 'BZPOPMIN',
  group: 'sorted-set',
  since: '5.0.0',
  complexity: 'O(log(N)) with N members in the set.',
  summary: 'Takes the member with the lowest score of the first set that has any, waiting for one when none has.',
  flags: ['write', 'noscript', 'blocking', 'fast'],
  history: [['6.0.0', 'The timeout is a double.']],
  args: [many(key('key', 'RW ACCESS DELETE')), double('timeout')],
  run(c) {
    popBlocking(c, false);
  },
});

export const bzpopmax = command({
  name: 'BZPOPMAX',
  group: 'sorted-set',
  since: '5.0.0',
  complexity: 'O(log(N)) with N members in the set.',
  summary: 'Takes the member with the highest score of the first set that has any, waiting for one when none has.',
  flags: ['write', 'noscript', 'blocking', 'fast'],
  history: [['6.0.0', 'The timeout is a double.']],
  args: [many(key('key', 'RW ACCESS DELETE')), double('timeout')],
  run(c) {
    popBlocking(c, true);
  },
});

export const zmpop = command({
  name: 'ZMPOP',
  group: 'sorted-set',
  since: '7.0.0',
  complexity: 'O(K)+O(M*log(N)) with K keys, N members in the set and M taken.',
  summary: 'Takes members from one end of the first set that has any.',
  flags: ['write'],
  args: [numkeys(), many(key('key', 'RW ACCESS DELETE')), where, countOption],
  run(c) {
    if (!readRequest(c, 1)) return;
    const at = firstOfType(c, 2, 2 + request.keys, TYPE_ZSET);
    if (at === 0) c.reply.nullArray();
    else if (at > 0) popMany(c, at);
  },
});

export const bzmpop = command({
  name: 'BZMPOP',
  group: 'sorted-set',
  since: '7.0.0',
  complexity: 'O(K)+O(M*log(N)) with K keys, N members in the set and M taken.',
  summary: 'Takes members from one end of the first set that has any, waiting for one when none has.',
  flags: ['write', 'blocking'],
  args: [double('timeout'), numkeys(), many(key('key', 'RW ACCESS DELETE')), where, countOption],
  run(c) {
    if (!readRequest(c, 2)) return;
    const timeout = timeoutOf(c, 1);
    if (timeout === undefined) return;
    const end = 3 + request.keys;
    const at = firstOfType(c, 3, end, TYPE_ZSET);
    if (at > 0) popMany(c, at);
    else if (at === 0) c.block({ type: TYPE_ZSET, keys: positions(3, end), timeout, onTimeout: 'nullArray' });
  },
});
