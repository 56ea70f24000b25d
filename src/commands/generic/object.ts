/** OBJECT: how a value is kept, and when it was used. */
import { parseInteger } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { key } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { ENC_INT, encodingName, entryEncoding, entryLru, inlineString } from '../../values/entry.ts';

/** Small integers count as shared by all who hold them, as they are in Redis, unless eviction goes by each key's use. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2_147_483_647;
const ADJUSTS =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';

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

function references(c: Call, e: Addr): number {
  if (entryEncoding(c.memory, e) !== ENC_INT) return 1;
  const { maxmemory, maxmemoryPolicy } = c.engine.server.settings;
  if (maxmemory > 0 && /-l[rf]u$/.test(maxmemoryPolicy)) return 1;
  const value = parseInteger(inlineString(c.memory, e, scratch));
  return value >= 0 && value < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
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
      c.reply.int(references(c, e));
    }),
  ],
});
