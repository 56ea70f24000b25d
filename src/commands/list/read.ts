/** Lists: reading. */
import { INT64_MIN } from '../../base/numbers.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, bytes, integer, key, optional } from '../../engine/grammar.ts';
import type { ListValue } from '../../values/list.ts';
import { integerFrom, replyRange } from './common.ts';

const element = new Slice();

export const llen = command({
  name: 'LLEN',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Returns the length of a list.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const list = c.listForRead(1);
    if (list === undefined) return;
    c.reply.int(list === null ? 0 : list.length);
  },
});

export const lindex = command({
  name: 'LINDEX',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(N) in elements passed over, O(1) at either end',
  summary: 'Returns the element at an index.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), integer('index')],
  run(c) {
    const list = c.listForRead(1);
    if (list === undefined) return;
    if (list === null) {
      c.reply.null();
      return;
    }
    const index = c.integer(2);
    if (index === undefined) return;
    if (list.seek(index)) c.reply.bulk(list.cursor.bytes(element));
    else c.reply.null();
  },
});

export const lrange = command({
  name: 'LRANGE',
  group: 'list',
  since: '1.0.0',
  complexity: 'O(S+N) with S elements passed over from the nearer end and N in the range',
  summary: 'Returns the elements in a range of indices.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), integer('start'), integer('stop')],
  run(c) {
    const from = c.integer(2);
    if (from === undefined) return;
    const to = c.integer(3);
    if (to === undefined) return;
    const list = c.listForRead(1);
    if (list === undefined) return;
    if (list === null) {
      c.reply.array(0);
      return;
    }
    const { length } = list;
    const start = from >= 0 ? from : from + length > 0 ? from + length : 0;
    const end = to < 0 ? to + length : to < length ? to : length - 1;
    if (start > end || start >= length) c.reply.array(0);
    else replyRange(c, list, start, end - start + 1, false);
  },
});

const LARGEST = 2 ** 63;
/** Stands for the rank that is the lowest integer: Redis negates it to itself, so that every match is beyond it. */
const LOWEST = -1;

/** What LPOS asks for. Filled anew by each. */
const search = { rank: 1, backwards: false, many: false, count: 1, most: 0 };

const RANK_ZERO =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
  'or use negative to start from the end of the list';

/** Reads one option of LPOS and its value; false when its error has been replied. */
function readOption(c: Call, i: number): boolean {
  const option = c.arg(i);
  if (i + 1 < c.argc && isWord(option, 'RANK')) {
    const rank = c.integer(i + 1);
    if (rank === undefined) return false;
    if (rank === 0) {
      c.reply.error(RANK_ZERO);
      return false;
    }
    search.backwards = rank < 0;
    search.rank = rank === -LARGEST && c.int64(i + 1) === INT64_MIN ? LOWEST : Math.abs(rank);
    return true;
  }
  if (i + 1 < c.argc && isWord(option, 'COUNT')) {
    const count = integerFrom(c, i + 1, 0, "ERR COUNT can't be negative");
    if (count === undefined) return false;
    search.many = true;
    search.count = count;
    return true;
  }
  if (i + 1 < c.argc && isWord(option, 'MAXLEN')) {
    const most = integerFrom(c, i + 1, 0, "ERR MAXLEN can't be negative");
    if (most === undefined) return false;
    search.most = most;
    return true;
  }
  c.syntaxError();
  return false;
}

/** Replies the indices that `search` asks for; says how many there were. */
function replyMatches(c: Call, list: ListValue, wanted: Slice): number {
  const { rank, backwards, count } = search;
  const { length, cursor } = list;
  const most = search.most === 0 ? length : search.most;
  const skipped = rank === LOWEST ? 0 : rank - 1;
  const wantedCount = rank === LOWEST && search.many ? 0 : count;
  cursor.aim(wanted);
  list.seek(backwards ? -1 : 0, backwards);
  let matches = 0;
  for (let index = 0; cursor.more && index < most; index++, cursor.next()) {
    if (!cursor.hit(wanted)) continue;
    matches++;
    if (matches <= skipped) continue;
    c.reply.int(backwards ? length - 1 - index : index);
    if (wantedCount > 0 && matches - skipped >= wantedCount) break;
  }
  return matches > skipped ? matches - skipped : 0;
}

export const lpos = command({
  name: 'LPOS',
  group: 'list',
  since: '6.0.6',
  complexity: 'O(N) in the length of the list',
  summary: 'Returns where in a list a value stands.',
  flags: ['readonly'],
  args: [
    key('key', 'RO ACCESS'),
    bytes('element'),
    optional(after('RANK', integer('rank'))),
    optional(after('COUNT', integer('num-matches'))),
    optional(after('MAXLEN', integer('len'))),
  ],
  run(c) {
    search.rank = 1;
    search.backwards = false;
    search.many = false;
    search.count = 1;
    search.most = 0;
    for (let i = 3; i < c.argc; i += 2) if (!readOption(c, i)) return;
    const list = c.listForRead(1);
    if (list === undefined) return;
    if (search.many) {
      if (list === null) {
        c.reply.array(0);
        return;
      }
      const handle = c.reply.deferArray();
      c.reply.settleArray(handle, replyMatches(c, list, c.arg(2)));
    } else if (list === null || replyMatches(c, list, c.arg(2)) === 0) c.reply.null();
  },
});

export const readCommands: readonly Command[] = [llen, lindex, lrange, lpos];
