/** Lists: moving an element from one to another, at once or when there is one. */
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { double, key } from '../../engine/grammar.ts';
import { NULL } from '../../memory/address.ts';
import { entryType, TYPE_LIST } from '../../values/entry.ts';
import type { ListValue } from '../../values/list.ts';
import { timeoutOf } from '../timeout.ts';
import { endArgument, endOf, LEFT, popped, pushFirst, replyEnd } from './common.ts';

const element = new Slice();

/** Moves an element of `source`, the list at argument 1, to the list at argument 2; says whether it could. */
function move(c: Call, source: ListValue, fromHead: boolean, toHead: boolean): boolean {
  const target = c.listForWrite(2, true, 1);
  if (!target) return false;
  // The element is pushed before it is dropped, so that want of memory loses nothing.
  const moves = !source.isSame(target) || fromHead !== toHead;
  if (moves) pushFirst(c, 2, target, source.peek(fromHead, element), toHead);
  c.changed(2, toHead ? 'lpush' : 'rpush', 0);
  replyEnd(c, source, fromHead);
  if (moves) source.drop(fromHead);
  popped(c, 1, source, fromHead, 1);
  return true;
}

function moveOrNull(c: Call, fromHead: boolean, toHead: boolean): void {
  const source = c.listForWrite(1, false);
  if (source === null) c.reply.null();
  else if (source !== undefined) move(c, source, fromHead, toHead);
}

/** Moves an element, or waits for one; says whether one was moved. */
function moveOrWait(c: Call, fromHead: boolean, toHead: boolean, timeout: number): boolean {
  const e = c.findForWrite(1);
  if (e !== NULL && entryType(c.memory, e) === TYPE_LIST) return move(c, c.engine.accessors.list(e), fromHead, toHead);
  if (e !== NULL && !c.resuming) c.wrongType();
  else if (c.denyBlocking) c.reply.null();
  else c.block({ type: TYPE_LIST, keys: [1], timeout, onTimeout: 'nullArray' });
  return false;
}

const source = key('source', 'RW ACCESS DELETE');
const destination = key('destination', 'RW INSERT');

export const lmove = command({
  name: 'LMOVE',
  group: 'list',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Moves an element from one end of a list to one end of another, and returns it.',
  flags: ['write', 'denyoom'],
  args: [source, destination, endArgument('wherefrom'), endArgument('whereto')],
  run(c) {
    const from = endOf(c, 3);
    if (from < 0) return;
    const to = endOf(c, 4);
    if (to < 0) return;
    moveOrNull(c, from === LEFT, to === LEFT);
  },
});

export const rpoplpush = command({
  name: 'RPOPLPUSH',
  group: 'list',
  since: '1.2.0',
  complexity: 'O(1)',
  summary: 'Moves the last element of a list before the first one of another, and returns it.',
  flags: ['write', 'denyoom'],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments',
  args: [source, destination],
  run(c) {
    moveOrNull(c, false, true);
  },
});

export const blmove = command({
  name: 'BLMOVE',
  group: 'list',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Moves an element from one list to another and returns it, waiting for one when there is none.',
  flags: ['write', 'denyoom', 'noscript', 'blocking'],
  args: [source, destination, endArgument('wherefrom'), endArgument('whereto'), double('timeout')],
  run(c) {
    const from = endOf(c, 3);
    if (from < 0) return;
    const to = endOf(c, 4);
    if (to < 0) return;
    const timeout = timeoutOf(c, 5);
    if (timeout === undefined) return;
    if (!moveOrWait(c, from === LEFT, to === LEFT, timeout) || !c.propagates) return;
    // Who has waited is served by words of the server's own.
    const ends = c.resuming ? [from, to].map((end) => (end === LEFT ? 'left' : 'right')) : [c.arg(3), c.arg(4)];
    c.rewrite('LMOVE', c.arg(1), c.arg(2), ...ends);
  },
});

export const brpoplpush = command({
  name: 'BRPOPLPUSH',
  group: 'list',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Moves the last element of a list before the first one of another, waiting for one when there is none.',
  flags: ['write', 'denyoom', 'noscript', 'blocking'],
  history: [['6.0.0', 'The timeout is a double.']],
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
  args: [source, destination, double('timeout')],
  run(c) {
    const timeout = timeoutOf(c, 3);
    if (timeout === undefined) return;
    if (moveOrWait(c, false, true, timeout) && c.propagates) c.rewrite('RPOPLPUSH', c.arg(1), c.arg(2));
  },
});

export const moveCommands: readonly Command[] = [lmove, rpoplpush, blmove, brpoplpush];
