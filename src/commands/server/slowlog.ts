/** SLOWLOG. */
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { flagBit } from '../../engine/derive.ts';
import type { Engine } from '../../engine/engine.ts';
import { integer, optional } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { isSecret, REDACTED } from './redact.ts';

const MAX_ARGUMENTS = 32;
const MAX_LENGTH = 128;
const DEFAULT_COUNT = 10;
const BAD_COUNT = 'ERR count should be greater than or equal to -1';
const SKIPPED = flagBit('skip_slowlog');

/** The arguments as the log keeps them: long ones and the end of a long list cut. */
function keptArguments(c: Call): string[] {
  const shown = c.argc > MAX_ARGUMENTS ? MAX_ARGUMENTS - 1 : c.argc;
  const kept: string[] = [];
  for (let i = 0; i < shown; i++) {
    const arg = c.arg(i);
    if (isSecret(c.registered, c.args, i, c.engine.server.config)) kept.push(REDACTED);
    else if (arg.length > MAX_LENGTH)
      kept.push(`${arg.beginning(MAX_LENGTH)}... (${arg.length - MAX_LENGTH} more bytes)`);
    else kept.push(arg.latin1());
  }
  if (shown < c.argc) kept.push(`... (${c.argc - shown} more arguments)`);
  return kept;
}

/** Fills the slow log and the latency events of commands from the engine's durations. */
export function watchSlowCommands(engine: Engine): void {
  const { config, settings } = engine.server;
  config.follow(['slowlog-log-slower-than', 'latency-monitor-threshold', 'watchdog-period'], (s) => {
    const slow = s.slowlogLogSlowerThan < 0 ? Number.POSITIVE_INFINITY : s.slowlogLogSlowerThan;
    engine.latency.threshold = s.latencyMonitorThreshold;
    const spike = s.latencyMonitorThreshold > 0 ? s.latencyMonitorThreshold * 1000 : Number.POSITIVE_INFINITY;
    const held = s.watchdogPeriod > 0 ? s.watchdogPeriod * 500 : Number.POSITIVE_INFINITY;
    engine.slowThreshold = Math.min(slow, spike, held);
  });
  config.follow('slowlog-max-len', (s) => {
    engine.slowLog.max = s.slowlogMaxLen;
  });
  config.follow('latency-tracking', (s) => {
    engine.trackLatency = s.latencyTracking;
  });
  engine.onSlow = (c, microseconds) => {
    const { slowlogLogSlowerThan } = settings;
    engine.latency.observe(
      c.registered.has(FAST) ? 'fast-command' : 'command',
      microseconds / 1000,
      engine.clock.now(),
    );
    if (slowlogLogSlowerThan < 0 || microseconds < slowlogLogSlowerThan || c.registered.has(SKIPPED)) return;
    engine.slowLog.add({
      time: Math.floor(engine.clock.now() / 1000),
      microseconds: Math.round(microseconds),
      args: keptArguments(c),
      address: c.session.port.address,
      name: c.session.name,
    });
  };
}

const FAST = flagBit('fast');

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
    const entries = c.engine.slowLog.latest(count === -1 ? c.engine.slowLog.length : count);
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
    c.reply.int(c.engine.slowLog.length);
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
    c.engine.slowLog.reset();
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
