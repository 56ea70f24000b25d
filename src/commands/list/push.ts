/** Lists: adding and replacing elements. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, integer, key, many, oneOf, token } from '../../engine/grammar.ts';
import type { ListValue } from '../../values/list.ts';
import { pushFirst } from './common.ts';

function push(c: Call, atHead: boolean, create: boolean): void {
  const list = c.listForWrite(1, create);
  if (list === undefined) return;
  if (list === null) {
    c.reply.int(0);
    return;
  }
  const { argc } = c;
  if (argc === 3) pushFirst(c, 1, list, c.arg(2), atHead);
  else pushAll(c, list, atHead);
  c.reply.int(list.length);
  c.changed(1, atHead ? 'lpush' : 'rpush', argc - 2);
}

/** Want of memory leaves none of the elements behind, nor an empty list. */
function pushAll(c: Call, list: ListValue, atHead: boolean): void {
  pushFirst(c, 1, list, c.arg(2), atHead);
  let pushed = 1;
  try {
    for (; pushed < c.argc - 2; pushed++) list.push(c.arg(pushed + 2), atHead);
  } catch (error) {
    for (; pushed > 0; pushed--) list.drop(atHead);
    if (list.length === 0) c.remove(1);
    throw error;
  }
}

const args = [key('key', 'RW INSERT'), many(bytes('element'))];

export const lpush = command({
  name: 'LPUSH',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements',
  summary: 'Puts elements before the first one of a list, creating it when absent.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['2.4.0', 'Takes several elements.']],
  args,
  run(c) {
    push(c, true, true);
  },
});

export const rpush = command({
  name: 'RPUSH',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements',
  summary: 'Puts elements behind the last one of a list, creating it when absent.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['2.4.0', 'Takes several elements.']],
  args,
  run(c) {
    push(c, false, true);
  },
});

export const lpushx = command({
  name: 'LPUSHX',
  group: 'list',
  since: '2.2.0',
  complexity: 'O(N) in elements',
  summary: 'Puts elements before the first one of a list that there is.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['4.0.0', 'Takes several elements.']],
  args,
  run(c) {
    push(c, true, false);
  },
});

export const rpushx = command({
  name: 'RPUSHX',
  group: 'list',
  since: '2.2.0',
  complexity: 'O(N) in elements',
  summary: 'Puts elements behind the last one of a list that there is.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['4.0.0', 'Takes several elements.']],
  args,
  run(c) {
    push(c, false, false);
  },
});

export const linsert = command({
  name: 'LINSERT',
  group: 'list',
  since: '2.2.0',
  complexity: 'O(N) in elements before the pivot',
  summary: 'Puts an element beside another, the first one of its value.',
  flags: ['write', 'denyoom'],
  args: [
    key('key', 'RW INSERT'),
    oneOf('where', token('before', 'BEFORE'), token('after', 'AFTER')),
    bytes('pivot'),
    bytes('element'),
  ],
  run(c) {
    const after = isWord(c.arg(2), 'AFTER');
    if (!after && !isWord(c.arg(2), 'BEFORE')) {
      c.syntaxError();
      return;
    }
    const list = c.listForWrite(1, false);
    if (list === undefined) return;
    if (list === null) {
      c.reply.int(0);
      return;
    }
    if (!list.insert(c.arg(3), after, c.arg(4))) {
      c.reply.int(-1);
      return;
    }
    c.changed(1, 'linsert');
    c.reply.int(list.length);
  },
});

export const lset = command({
  name: 'LSET',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in the length of the list, O(1) at either end',
  summary: 'Replaces the element at an index.',
  flags: ['write', 'denyoom'],
  args: [key('key', 'RW UPDATE'), integer('index'), bytes('element')],
  run(c) {
    const list = c.listForWrite(1, false);
    if (list === undefined) return;
    if (list === null) {
      c.reply.error('ERR no such key');
      return;
    }
    const index = c.integer(2);
    if (index === undefined) return;
    if (!list.set(index, c.arg(3))) {
      c.reply.error('ERR index out of range');
      return;
    }
    c.reply.ok();
    c.changed(1, 'lset');
  },
});

export const pushCommands: readonly Command[] = [lpush, rpush, lpushx, rpushx, linsert, lset];
