/** Lists: taking elements away, at once or when there are some. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, bytes, double, integer, key, many, numkeys, optional } from '../../engine/grammar.ts';
import { TYPE_LIST } from '../../values/entry.ts';
import type { ListValue } from '../../values/list.ts';
import { firstOfType } from '../ready.ts';
import { timeoutOf } from '../timeout.ts';
import { endArgument, endOf, integerFrom, LEFT, MUST_BE_POSITIVE, popped, replyEnd, replyRange } from './common.ts';

function popOne(c: Call, atHead: boolean): void {
  if (c.argc > 2) {
    popCount(c, atHead);
    return;
  }
  const list = c.listForWrite(1, false);
  if (list === undefined) return;
  if (list === null) {
    c.reply.null();
    return;
  }
  replyEnd(c, list, atHead);
  list.drop(atHead);
  popped(c, 1, list, atHead, 1);
}

function popCount(c: Call, atHead: boolean): void {
  if (c.argc > 3) {
    c.wrongArity();
    return;
  }
  const count = integerFrom(c, 2, 0, MUST_BE_POSITIVE);
  if (count === undefined) return;
  const list = c.listForWrite(1, false);
  if (list === undefined) return;
  if (list === null) c.reply.nullArray();
  else if (count === 0) c.reply.array(0);
  else popRange(c, 1, list, atHead, count);
}

/** Sends up to `count` elements from one end of the list at argument `i` and removes them; says how many. */
function popRange(c: Call, i: number, list: ListValue, atHead: boolean, count: number): number {
  const { length } = list;
  const taken = count < length ? count : length;
  replyRange(c, list, atHead ? 0 : -1, taken, !atHead);
  list.removeRange(atHead ? 0 : length - taken, taken);
  popped(c, i, list, atHead, taken);
  return taken;
}

/** Waits for a list at one of the keys from `from` to `to` (exclusive). */
function wait(c: Call, from: number, to: number, timeout: number): void {
  const keys: number[] = [];
  for (let i = from; i < to; i++) keys.push(i);
  c.block({ type: TYPE_LIST, keys, timeout, onTimeout: 'nullArray' });
}

function popBlocking(c: Call, atHead: boolean): void {
  const last = c.argc - 1;
  const timeout = timeoutOf(c, last);
  if (timeout === undefined) return;
  const at = firstOfType(c, 1, last, TYPE_LIST);
  if (at < 0) return;
  const list = at === 0 ? null : c.listForWrite(at, false);
  if (!list) {
    wait(c, 1, last, timeout);
    return;
  }
  c.reply.array(2);
  c.reply.bulk(c.arg(at));
  replyEnd(c, list, atHead);
  list.drop(atHead);
  popped(c, at, list, atHead, 1);
  if (c.propagates) c.rewrite(atHead ? 'LPOP' : 'RPOP', c.arg(at));
}

/** What LMPOP and BLMPOP ask for. Filled anew by each. */
const request = { keys: 0, atHead: false, count: 1 };

/** Reads the count of keys at argument `i` and what follows the keys. */
function readRequest(c: Call, i: number): boolean {
  const keys = integerFrom(c, i, 1, 'ERR numkeys should be greater than 0');
  if (keys === undefined) return false;
  const where = i + keys + 1;
  if (where >= c.argc) {
    c.syntaxError();
    return false;
  }
  const end = endOf(c, where);
  if (end < 0) return false;
  request.keys = keys;
  request.atHead = end === LEFT;
  request.count = 1;
  if (where + 1 === c.argc) return true;
  if (where + 2 === c.argc || !isWord(c.arg(where + 1), 'COUNT')) {
    c.syntaxError();
    return false;
  }
  const count = integerFrom(c, where + 2, 1, 'ERR count should be greater than 0');
  if (count === undefined) return false;
  request.count = count;
  if (where + 3 === c.argc) return true;
  c.syntaxError();
  return false;
}

/** Pops from the list at `at` in LMPOP's form. */
function popMany(c: Call, at: number): void {
  const list = c.listForWrite(at, false);
  if (!list) return;
  const { atHead, count } = request;
  c.reply.array(2);
  c.reply.bulk(c.arg(at));
  const taken = popRange(c, at, list, atHead, count);
  if (c.propagates) c.rewrite(atHead ? 'LPOP' : 'RPOP', c.arg(at), taken);
}

export const lpop = command({
  name: 'LPOP',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements returned',
  summary: 'Removes the first elements of a list and returns them.',
  flags: ['write', 'fast'],
  history: [['6.2.0', 'Takes a count.']],
  args: [key('key', 'RW ACCESS DELETE'), optional(integer('count'), { since: '6.2.0' })],
  run(c) {
    popOne(c, true);
  },
});

export const rpop = command({
  name: 'RPOP',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements returned',
  summary: 'Removes the last elements of a list and returns them.',
  flags: ['write', 'fast'],
  history: [['6.2.0', 'Takes a count.']],
  args: [key('key', 'RW ACCESS DELETE'), optional(integer('count'), { since: '6.2.0' })],
  run(c) {
    popOne(c, false);
  },
});

export const lmpop = command({
  name: 'LMPOP',
  group: 'list',
  since: '7.0.0',
  complexity: 'O(N+M) with N keys and M elements returned',
  summary: 'Removes elements from one end of the first list that has any, and returns them.',
  flags: ['write', 'movablekeys'],
  args: [
    numkeys(),
    many(key('key', 'RW ACCESS DELETE')),
    endArgument('where'),
    optional(after('COUNT', integer('count'))),
  ],
  run(c) {
    if (!readRequest(c, 1)) return;
    const at = firstOfType(c, 2, 2 + request.keys, TYPE_LIST);
    if (at === 0) c.reply.nullArray();
    else if (at > 0) popMany(c, at);
  },
});

export const blpop = command({
  name: 'BLPOP',
  group: 'list',
  since: '2.0.0',
  complexity: 'O(N) in keys',
  summary: 'Removes and returns the first element of the first list that has any, waiting for one when none has.',
  flags: ['write', 'noscript', 'blocking'],
  history: [['6.0.0', 'The timeout is a double.']],
  args: [many(key('key', 'RW ACCESS DELETE')), double('timeout')],
  run(c) {
    popBlocking(c, true);
  },
});

export const brpop = command({
  name: 'BRPOP',
  group: 'list',
  since: '2.0.0',
  complexity: 'O(N) in keys',
  summary: 'Removes and returns the last element of the first list that has any, waiting for one when none has.',
  flags: ['write', 'noscript', 'blocking'],
  history: [['6.0.0', 'The timeout is a double.']],
  args: [many(key('key', 'RW ACCESS DELETE')), double('timeout')],
  run(c) {
    popBlocking(c, false);
  },
});

export const blmpop = command({
  name: 'BLMPOP',
  group: 'list',
  since: '7.0.0',
  complexity: 'O(N+M) with N keys and M elements returned',
  summary: 'Removes and returns elements from one end of the first list that has any, waiting for one when none has.',
  flags: ['write', 'blocking', 'movablekeys'],
  args: [
    double('timeout'),
    numkeys(),
    many(key('key', 'RW ACCESS DELETE')),
    endArgument('where'),
    optional(after('COUNT', integer('count'))),
  ],
  run(c) {
    if (!readRequest(c, 2)) return;
    const timeout = timeoutOf(c, 1);
    if (timeout === undefined) return;
    const end = 3 + request.keys;
    const at = firstOfType(c, 3, end, TYPE_LIST);
    if (at > 0) popMany(c, at);
    else if (at === 0) wait(c, 3, end, timeout);
  },
});

export const ltrim = command({
  name: 'LTRIM',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements removed',
  summary: 'Removes all elements but those in a range of indices.',
  flags: ['write'],
  args: [key('key', 'RW DELETE'), integer('start'), integer('stop')],
  run(c) {
    const from = c.integer(2);
    if (from === undefined) return;
    const to = c.integer(3);
    if (to === undefined) return;
    const list = c.listForWrite(1, false);
    if (list === undefined) return;
    if (list !== null) trim(c, list, from, to);
    c.reply.ok();
  },
});

function trim(c: Call, list: ListValue, from: number, to: number): void {
  const { length } = list;
  const start = from >= 0 ? from : from + length > 0 ? from + length : 0;
  const end = to < 0 ? to + length : to < length ? to : length - 1;
  const kept = start > end || start >= length ? 0 : end - start + 1;
  if (kept === 0) list.removeRange(0, length);
  else {
    list.removeRange(end + 1, length - end - 1);
    list.removeRange(0, start);
  }
  c.changed(1, 'ltrim', length - kept);
  c.dropEmpty(1, list);
}

export const lrem = command({
  name: 'LREM',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N+M) with N elements in the list and M removed',
  summary: 'Removes elements of a value, from the head or, with a negative count, from the tail.',
  flags: ['write'],
  args: [key('key', 'RW DELETE'), integer('count'), bytes('element')],
  run(c) {
    const count = c.integer(2);
    if (count === undefined) return;
    const list = c.listForWrite(1, false);
    if (list === undefined) return;
    if (list === null) {
      c.reply.int(0);
      return;
    }
    const limit = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
    const removed = list.remove(c.arg(3), limit, count < 0);
    if (removed > 0) {
      c.changed(1, 'lrem', removed);
      c.dropEmpty(1, list);
    }
    c.reply.int(removed);
  },
});

export const removeCommands: readonly Command[] = [lpop, rpop, lmpop, blpop, brpop, blmpop, ltrim, lrem];
