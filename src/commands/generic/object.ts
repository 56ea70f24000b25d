/** OBJECT: how a value is kept, and when it was used. */
import { parseInteger } from '../../base/numbers.ts';
import { Slice, sameBytes } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { flagBit } from '../../engine/derive.ts';
import { key } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { ENC_INT, encodingName, entryEncoding, entryLru, inlineString } from '../../values/entry.ts';
import { stringLength } from '../../values/string.ts';

/** Small integers count as shared by all who hold them, as they are in Redis, unless eviction goes by each key's use. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2_147_483_647;
const ADJUSTS =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';

/** Commands that store an argument of theirs as it is, as APPEND does where there was nothing. */
const STORES_ARGUMENT = new Set(['set', 'setnx', 'setex', 'psetex', 'getset', 'mset', 'msetnx']);

const WRITE = flagBit('write');
const scratch = new Slice();

/** The entry that a subcommand asks about; NULL when null has been replied. Neither touched nor notified. */
function lookUp(c: Call): Addr {
  const e = c.peek(2);
  const { stats } = c.engine;
  if (e === NULL) {
    stats.keyspaceMisses++;
    c.reply.null();
  } else {
    stats.keyspaceHits++;
  }
  return e;
}

/** Of the entry of the key at argument `i`: how many would hold its value in Redis. */
export function references(c: Call, i: number, e: Addr): number {
  return isShared(c, e) ? SHARED_REFERENCES : isQueued(c, c.arg(i), e) ? 2 : 1;
}

function isShared(c: Call, e: Addr): boolean {
  if (entryEncoding(c.memory, e) !== ENC_INT) return false;
  const { maxmemory, maxmemoryPolicy } = c.engine.server.settings;
  if (maxmemory > 0 && /-l[rf]u$/.test(maxmemoryPolicy)) return false;
  const value = parseInteger(inlineString(c.memory, e, scratch));
  return value >= 0 && value < SHARED_INTEGERS;
}

/** Whether the key's value is an argument of the transaction that runs: the queue holds it too, up to its end. */
function isQueued(c: Call, key: Slice, e: Addr): boolean {
  const { executing } = c.session;
  if (executing === null) return false;
  const wrote = executing.queue
    .slice(0, executing.done)
    .reverse()
    .find(({ registered, args }) => registered.has(WRITE) && args.some((arg, i) => i > 0 && sameBytes(arg, key)));
  if (wrote?.registered.name === 'append') return stringLength(c.memory, e) === wrote.args[2].length;
  return wrote !== undefined && STORES_ARGUMENT.has(wrote.registered.name);
}

function subcommand(name: string, since: string, summary: string, answer: (c: Call, e: Addr) => void): Command {
  return command({
    name,
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    flags: ['readonly'],
    categories: ['keyspace'],
    tips: ['nondeterministic_output'],
    args: [key('key', 'RO')],
    run(c) {
      const e = lookUp(c);
      if (e !== NULL) answer(c, e);
    },
  });
}

export const object = command({
  name: 'OBJECT',
  group: 'generic',
  since: '2.2.3',
  complexity: 'Depends on the subcommand.',
  summary: 'Looks into how values are kept.',
  flags: [],
  subcommands: [
    subcommand('IDLETIME', '2.2.3', 'Tells how many seconds ago a key was last used.', (c, e) => {
      const { usage } = c.engine.keyspaces;
      if (usage.policy.lfu) c.reply.error(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${ADJUSTS}`);
      else c.reply.int(usage.idleSeconds(entryLru(c.memory, e)));
    }),
    subcommand('FREQ', '4.0.0', 'Tells how often a key is used, on a logarithmic scale.', (c, e) => {
      const { usage } = c.engine.keyspaces;
      if (!usage.policy.lfu)
        c.reply.error(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${ADJUSTS}`);
      else c.reply.int(usage.frequency(entryLru(c.memory, e)));
    }),
    subcommand('ENCODING', '2.2.3', 'Names the encoding of the value of a key.', (c, e) => {
      c.reply.bulkText(encodingName(entryEncoding(c.memory, e)));
    }),
    help(
      'OBJECT',
      [
        'ENCODING <key>',
        '    Name the internal representation in which the value of <key> is kept.',
        'FREQ <key>',
        '    Show the logarithmic counter of how often <key> is used (LFU policies only).',
        'IDLETIME <key>',
        '    Show how many seconds ago <key> was last used.',
        'REFCOUNT <key>',
        '    Show how many references there are to the value of <key>.',
      ],
      { group: 'generic', since: '6.2.0', categories: ['keyspace'] },
    ),
    subcommand('REFCOUNT', '2.2.3', 'Counts the references to the value of a key.', (c, e) => {
      c.reply.int(references(c, 2, e));
    }),
  ],
});
