/** SLOWLOG. */
import { command } from '../../engine/command.ts';
import { integer, optional } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';

const DEFAULT_COUNT = 10;
const BAD_COUNT = 'ERR count should be greater than or equal to -1';

const get = command({
  name: 'GET',
  group: 'server',
  since: '2.2.12',
  complexity: 'O(N) in the entries returned',
  summary: 'Tells the latest slow commands.',
  flags: ['admin', 'loading', 'stale'],
  tips: ['request_policy:all_nodes', 'nondeterministic_output'],
  history: [['4.0.0', "Tells the client's address and name."]],
  arity: -2,
  args: [optional(integer('count'))],
  run(c) {
    if (c.argc > 3) {
      c.unknownSubcommand(1);
      return;
    }
    const count = c.argc === 3 ? c.integerOr(2, BAD_COUNT) : DEFAULT_COUNT;
    if (count === undefined) return;
    if (count < -1) {
      c.reply.error(BAD_COUNT);
      return;
    }
    const entries = c.engine.slow.log.latest(count === -1 ? c.engine.slow.log.length : count);
    c.reply.array(entries.length);
    for (const entry of entries) {
      c.reply.array(6);
      c.reply.int(entry.id);
      c.reply.int(entry.time);
      c.reply.int(entry.microseconds);
      c.reply.array(entry.args.length);
      for (const arg of entry.args) c.reply.bulkText(arg);
      c.reply.bulkText(entry.address);
      c.reply.bulkText(entry.name);
    }
  },
});

const len = command({
  name: 'LEN',
  group: 'server',
  since: '2.2.12',
  complexity: 'O(1)',
  summary: 'Counts the entries of the slow log.',
  flags: ['admin', 'loading', 'stale'],
  tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
  run(c) {
    c.reply.int(c.engine.slow.log.length);
  },
});

const reset = command({
  name: 'RESET',
  group: 'server',
  since: '2.2.12',
  complexity: 'O(N) in the entries',
  summary: 'Empties the slow log.',
  flags: ['admin', 'loading', 'stale'],
  tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  run(c) {
    c.engine.slow.log.reset();
    c.reply.ok();
  },
});

export const slowlog = command({
  name: 'SLOWLOG',
  group: 'server',
  since: '2.2.12',
  complexity: 'Depends on the subcommand.',
  summary: 'Commands that took long.',
  flags: [],
  subcommands: [
    get,
    len,
    reset,
    help(
      'SLOWLOG',
      [
        'GET [<count>]',
        '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
        '    Entries are made of:',
        '    id, timestamp, time in microseconds, arguments array, client IP and port,',
        '    client name',
        'LEN',
        '    Return the length of the slowlog.',
        'RESET',
        '    Reset the slowlog.',
      ],
      { since: '6.2.0' },
    ),
  ],
});
