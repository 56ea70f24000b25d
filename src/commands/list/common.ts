/** What the families of list commands share. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { oneOf, token } from '../../engine/grammar.ts';
import type { ListValue } from '../../values/list.ts';

export const MUST_BE_POSITIVE = 'ERR value is out of range, must be positive';

export const LEFT = 1;
export const RIGHT = 0;

/** LEFT or RIGHT as argument `i` says; -1 when it says neither and the error has been replied. */
export function endOf(c: Call, i: number): number {
  const word = c.arg(i);
  if (isWord(word, 'LEFT')) return LEFT;
  if (isWord(word, 'RIGHT')) return RIGHT;
  c.syntaxError();
  return -1;
}

export const endArgument = (name: string) => oneOf(name, token('left', 'LEFT'), token('right', 'RIGHT'));

/** Argument `i` as an integer of at least `least`; undefined when `error` has been replied. */
export function integerFrom(c: Call, i: number, least: number, error: string): number | undefined {
  const value = c.integerOr(i, error);
  if (value === undefined || value >= least) return value;
  c.reply.error(error);
  return undefined;
}

const element = new Slice();

/** Sends `count` elements from `index` on, towards the head when `backwards`, in an array. They must be there. */
export function replyRange(c: Call, list: ListValue, index: number, count: number, backwards: boolean): void {
  const { reply } = c;
  const { cursor } = list;
  reply.array(count);
  list.seek(index, backwards);
  for (let left = count; left > 0; left--) {
    reply.bulk(cursor.bytes(element));
    cursor.next();
  }
}

/** Sends the element at one end. */
export function replyEnd(c: Call, list: ListValue, atHead: boolean): void {
  c.reply.bulk(list.peek(atHead, element));
}

/** Pushes to the list at argument `i`, which may have been made for it: want of memory takes it away again. */
export function pushFirst(c: Call, i: number, list: ListValue, value: Slice, atHead: boolean): void {
  try {
    list.push(value, atHead);
  } catch (error) {
    if (list.length === 0) c.remove(i);
    throw error;
  }
}

/** Says that `count` elements left the list at argument `i`, and removes its key when none is left. */
export function popped(c: Call, i: number, list: ListValue, atHead: boolean, count: number): void {
  const event = atHead ? 'lpop' : 'rpop';
  if (c.resuming) {
    // Whoever tracks the list was told of the change that served this waiter.
    c.dirty += count;
    c.engine.notify(c.db, event, c.arg(i));
  } else {
    c.changed(i, event, count);
  }
  c.dropEmpty(i, list);
}
