/** LATENCY. */
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, many, optional } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import type { LatencySample, LatencySeries } from '../../engine/latency.ts';
import type { Registered } from '../../engine/table.ts';

const COMMON = {
  group: 'server',
  since: '2.8.13',
  complexity: 'O(1)',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  tips: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
} as const satisfies Partial<Command>;

const GRAPH_COLUMNS = 80;
const GRAPH_ROWS = 4;

const history = command({
  ...COMMON,
  name: 'HISTORY',
  summary: 'Tells the spikes of one kind of event.',
  args: [bytes('event')],
  run(c) {
    const samples = c.engine.latency.series(c.arg(2).keyword())?.samples ?? [];
    c.reply.array(samples.length);
    for (const { time, milliseconds } of samples) {
      c.reply.array(2);
      c.reply.int(time);
      c.reply.int(milliseconds);
    }
  },
});

const latest = command({
  ...COMMON,
  name: 'LATEST',
  summary: 'Tells the latest spike of each kind of event.',
  run(c) {
    const { latency } = c.engine;
    const names = latency.names();
    c.reply.array(names.length);
    for (const name of names) {
      const series = latency.series(name);
      const last = series?.samples.at(-1);
      c.reply.array(4);
      c.reply.bulkText(name);
      c.reply.int(last?.time ?? 0);
      c.reply.int(last?.milliseconds ?? 0);
      c.reply.int(series?.max ?? 0);
    }
  },
});

const reset = command({
  ...COMMON,
  name: 'RESET',
  summary: 'Forgets spikes: of all kinds of event, or of some.',
  tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  args: [optional(many(bytes('event')))],
  run(c) {
    const { latency } = c.engine;
    const names = c.argc === 2 ? latency.names() : c.args.slice(2, c.argc).map((arg) => arg.keyword());
    c.reply.int(names.filter((name) => latency.reset(name)).length);
  },
});

function mapOfHistograms(c: Call, commands: readonly Registered[]): void {
  const called = commands.filter(({ histogram }) => histogram !== null && histogram.total > 0);
  c.reply.map(called.length);
  for (const { name, histogram } of called) {
    const rows = histogram?.cumulative() ?? [];
    c.reply.bulkText(name);
    c.reply.map(2);
    c.reply.bulkText('calls');
    c.reply.int(histogram?.total ?? 0);
    c.reply.bulkText('histogram_usec');
    c.reply.map(rows.length);
    for (const [microseconds, calls] of rows) {
      c.reply.int(microseconds);
      c.reply.int(calls);
    }
  }
}

const histogram = command({
  ...COMMON,
  name: 'HISTOGRAM',
  since: '7.0.0',
  complexity: 'O(N) in the commands told',
  summary: 'Tells how the durations of commands are distributed.',
  args: [optional(many(bytes('command')))],
  run(c) {
    const { table } = c.engine;
    if (c.argc === 2) {
      mapOfHistograms(c, table.seen());
      return;
    }
    const chosen = new Set<Registered>();
    for (let i = 2; i < c.argc; i++) {
      const found = table.findByName(c.arg(i));
      if (found === undefined) continue;
      if (found.subcommands) for (const sub of found.subcommands.all()) chosen.add(sub);
      chosen.add(found);
    }
    mapOfHistograms(c, [...chosen]);
  },
});

/** Spikes as columns of # over four rows, with their age below. */
function graph(series: LatencySeries, event: string, now: number): string {
  const samples = series.samples.slice(-GRAPH_COLUMNS);
  const values = samples.map((s) => s.milliseconds);
  const high = Math.max(...values);
  const low = Math.min(...values);
  const heights = values.map((v) => (high === low ? 1 : 1 + Math.round(((v - low) / (high - low)) * (GRAPH_ROWS - 1))));
  const rows: string[] = [];
  for (let row = GRAPH_ROWS; row > 0; row--)
    rows.push(heights.map((h) => (h === row ? '_' : h > row ? '|' : ' ')).join(''));
  const ages = samples.map((s) => age(s, now));
  const width = Math.max(...ages.map((a) => a.length));
  for (let i = 0; i < width; i++) rows.push(ages.map((a) => a[i] ?? ' ').join(''));
  const line = '-'.repeat(GRAPH_COLUMNS);
  return `${event} - high ${high} ms, low ${low} ms (all time high ${series.max} ms)\n${line}\n${rows.join('\n')}\n`;
}

function age(sample: LatencySample, now: number): string {
  const seconds = Math.max(0, Math.floor(now / 1000) - sample.time);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

const graphCommand = command({
  ...COMMON,
  name: 'GRAPH',
  summary: 'Draws the spikes of one kind of event.',
  args: [bytes('event')],
  run(c) {
    const event = c.arg(2).keyword();
    const series = c.engine.latency.series(event);
    if (!series || series.samples.length === 0) c.reply.error(`ERR No samples available for event '${event}'`);
    else c.reply.verbatim(graph(series, event, c.engine.clock.now()));
  },
});

function report(c: Call): string {
  const { latency, server } = c.engine;
  const names = latency.names();
  if (server.settings.latencyMonitorThreshold === 0 && names.length === 0)
    return 'I\'m sorry, Dave, I can\'t do that. Latency monitoring is disabled in this server. You may use "CONFIG SET latency-monitor-threshold <milliseconds>." in order to enable it.\n';
  if (names.length === 0)
    return 'Dave, no latency spike was observed during the lifetime of this server, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n';
  const lines = names.map((name, i) => {
    const series = latency.series(name);
    const values = series?.samples.map((s) => s.milliseconds) ?? [];
    const mean = values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);
    return `${i + 1}. ${name}: ${values.length} latency spikes (average ${mean.toFixed(0)}ms). Worst all time event ${series?.max ?? 0}ms.`;
  });
  return `Dave, I have observed latency spikes in this server:\n\n${lines.join('\n')}\n\nWhile there are latency events logged, look at SLOWLOG for the commands behind them, and at what else the machine does.\n`;
}

const doctor = command({
  ...COMMON,
  name: 'DOCTOR',
  summary: 'Says in words what the spikes tell.',
  run(c) {
    c.reply.verbatim(report(c));
  },
});

export const latency = command({
  name: 'LATENCY',
  group: 'server',
  since: '2.8.13',
  complexity: 'Depends on the subcommand.',
  summary: 'Spikes of latency.',
  flags: [],
  subcommands: [
    doctor,
    graphCommand,
    histogram,
    history,
    latest,
    reset,
    help(
      'LATENCY',
      [
        'DOCTOR',
        '    Return a human readable latency analysis report.',
        'GRAPH <event>',
        '    Return an ASCII latency graph for the <event> class.',
        'HISTORY <event>',
        '    Return time-latency samples for the <event> class.',
        'LATEST',
        '    Return the latest latency samples for all events.',
        'RESET [<event> ...]',
        '    Reset latency data of one or more <event> classes.',
        '    (default: reset all data for all event classes)',
        'HISTOGRAM [COMMAND ...]',
        '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
        '    If no commands are specified then all histograms are replied.',
      ],
      { since: '2.8.13' },
    ),
  ],
});
