/** XRANGE, XREVRANGE and XLEN. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, bytes, integer, key, optional } from '../../engine/grammar.ts';
import { StreamId } from '../../structures/stream-id.ts';
import { replyEntry } from './common.ts';
import { endAt, startAt } from './ids.ts';

const start = new StreamId();
const end = new StreamId();

/** COUNT from argument `i` on: -1 where it is absent, undefined when an error has been replied. */
function readCount(c: Call, i: number): number | undefined {
  let count = -1;
  for (; i < c.argc; i += 2) {
    if (i + 1 >= c.argc || !isWord(c.arg(i), 'COUNT')) {
      c.syntaxError();
      return undefined;
    }
    const given = c.integer(i + 1);
    if (given === undefined) return undefined;
    count = Math.max(given, 0);
  }
  return count;
}

function range(c: Call, reverse: boolean): void {
  if (!startAt(c, reverse ? 3 : 2, start) || !endAt(c, reverse ? 2 : 3, end)) return;
  const count = readCount(c, 4);
  if (count === undefined) return;
  const stream = c.streamForRead(1);
  if (stream === undefined) return;
  if (stream === null) {
    c.reply.array(0);
    return;
  }
  if (count === 0) {
    c.reply.nullArray();
    return;
  }
  const { reply } = c;
  const handle = reply.deferArray();
  let shown = 0;
  for (const cursor = stream.cursor(start, end, reverse); shown !== count && cursor.next(); shown++)
    replyEntry(reply, cursor);
  reply.settleArray(handle, shown);
}

export const xrange = command({
  name: 'XRANGE',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries returned.',
  summary: 'Returns the entries of a stream within a range of IDs.',
  flags: ['readonly'],
  history: [['6.2.0', 'Ranges can be exclusive.']],
  args: [key('key', 'RO ACCESS'), bytes('start'), bytes('end'), optional(after('COUNT', integer('count')))],
  run(c) {
    range(c, false);
  },
});

export const xrevrange = command({
  name: 'XREVRANGE',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries returned.',
  summary: 'Returns the entries of a stream within a range of IDs, the last first.',
  flags: ['readonly'],
  history: [['6.2.0', 'Ranges can be exclusive.']],
  args: [key('key', 'RO ACCESS'), bytes('end'), bytes('start'), optional(after('COUNT', integer('count')))],
  run(c) {
    range(c, true);
  },
});

export const xlen = command({
  name: 'XLEN',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Counts the entries of a stream.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const stream = c.streamForRead(1);
    if (stream !== undefined) c.reply.int(stream === null ? 0 : stream.length);
  },
});
