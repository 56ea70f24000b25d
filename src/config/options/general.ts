/** Settings of server/ and engine/: the process, its log, its clock, its commands. */
import { bool, flags, INT_MAX, integer, LONG_MAX, string, word } from '../kinds.ts';
import { option } from '../option.ts';
import { directory, notifyEvents, oomScores, percentiles } from '../special.ts';

const LOCALITY = ['no', 'yes', 'local'] as const;
const SHUTDOWN = ['default', 'save', 'nosave', 'now', 'force'] as const;
const FACILITIES = ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'] as const;
const TITLE_FIELDS: ReadonlySet<string> = new Set([
  'title',
  'listen-addr',
  'server-mode',
  'port',
  'tls-port',
  'unixsocket',
  'config-file',
]);

function checkTitle(template: string): string | undefined {
  const left = template.replace(/\{([^{}]*)\}/g, (whole, field: string) => (TITLE_FIELDS.has(field) ? '' : whole));
  return /[{}]/.test(left) ? 'template format is invalid or contains unknown variables' : undefined;
}

function checkShutdown(set: ReadonlySet<string>): string | undefined {
  return set.has('save') && set.has('nosave')
    ? "shutdown options SAVE and NOSAVE can't be used simultaneously"
    : undefined;
}

export const general = [
  option('daemonize', bool(false), 'Runs in the background and writes a PID file.', { immutable: true }),
  option(
    'supervised',
    word('no', ['upstart', 'systemd', 'auto', 'no']),
    'Who has started the program and waits to be told that it serves.',
    { immutable: true },
  ),
  option('pidfile', string('', { emptyIsNone: true }), "Where the process's number is written.", { immutable: true }),
  option('dir', directory, 'The working directory: files are kept there, and relative paths begin there.', {
    protected: true,
    denyLoading: true,
  }),
  option('databases', integer(16, 1n, INT_MAX), 'How many databases SELECT can choose from.', { immutable: true }),
  option('loglevel', word('notice', ['debug', 'verbose', 'notice', 'warning']), 'The least level that is logged.'),
  option('logfile', string(''), "The log's file; empty is the standard output.", { immutable: true }),
  option(
    'log-format',
    word('redis', ['redis', 'json']),
    "The log's lines: as Redis writes them, or one JSON object each. Of this server only.",
  ),
  option('syslog-enabled', bool(false), 'Not supported: the server refuses to start with yes.', { immutable: true }),
  option('syslog-ident', string('redis'), 'Kept for compatibility.', { immutable: true }),
  option('syslog-facility', word('local0', FACILITIES), 'Kept for compatibility.', { immutable: true }),
  option('always-show-logo', bool(false), 'Shows the banner also when the log is not a terminal.', { immutable: true }),
  option('set-proc-title', bool(true), "Whether the process's title tells what it serves.", { immutable: true }),
  option(
    'proc-title-template',
    string('{title} {listen-addr} {server-mode}', { check: checkTitle }),
    'That title: {title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} {config-file}.',
  ),
  option(
    'hz',
    integer(10, 0n, INT_MAX, (hz) => (hz < 1n ? 1n : hz > 500n ? 500n : hz)),
    'How often a second the background work is done.',
  ),
  option('dynamic-hz', bool(true), 'Does it more often when there are many clients.'),
  option('shutdown-timeout', integer(10, 0n, INT_MAX), 'Seconds that a shutdown waits for replicas that are behind.'),
  option(
    'shutdown-on-sigterm',
    flags(SHUTDOWN, checkShutdown),
    'How SIGTERM ends the server: save, nosave, now, force.',
  ),
  option('shutdown-on-sigint', flags(SHUTDOWN, checkShutdown), 'How SIGINT does.'),
  option('enable-protected-configs', word('no', LOCALITY), 'Lets clients set protected settings: no, yes, local.', {
    immutable: true,
  }),
  option('enable-debug-command', word('no', LOCALITY), 'Lets clients call DEBUG: no, yes, or local connections only.', {
    immutable: true,
  }),
  option(
    'enable-module-command',
    word('no', LOCALITY),
    'Lets clients load and unload modules (MODULE): no, yes, or local connections only.',
    {
      immutable: true,
    },
  ),
  option(
    'notify-keyspace-events',
    notifyEvents,
    'Publishes what happens to keys: K and E choose the channels, g $ l s h z x e t d m n (A is most of them) the events.',
  ),
  option(
    'slowlog-log-slower-than',
    integer(10000, -1n, LONG_MAX),
    'Microseconds from which a command is kept in the slow log; -1 is never, 0 always.',
  ),
  option('slowlog-max-len', integer(128, 0n, LONG_MAX), 'How many entries the slow log keeps.'),
  option(
    'latency-monitor-threshold',
    integer(0, 0n, LONG_MAX),
    'Milliseconds from which LATENCY keeps an event; 0 turns it off.',
  ),
  option('latency-tracking', bool(true), "Keeps a histogram of each command's time."),
  option('latency-tracking-info-percentiles', percentiles, 'The percentiles of it that INFO latencystats shows.'),
  option(
    'busy-reply-threshold',
    integer(5000, 0n, LONG_MAX),
    'Milliseconds after which a script that still runs makes others get a BUSY error.',
    { aliases: ['lua-time-limit'] },
  ),
  option('ignore-warnings', string(''), 'Kept for compatibility.'),
  option('crash-log-enabled', bool(true), 'Logs a report before a crash.'),
  option('crash-memcheck-enabled', bool(true), 'Kept for compatibility: memory is not tested after a crash.'),
  option('use-exit-on-panic', bool(false), 'Exits instead of aborting on an internal error.', { hidden: true }),
  option(
    'watchdog-period',
    integer(0, 0n, INT_MAX),
    'Milliseconds after which what holds the loop is logged; 0 is off.',
    {
      hidden: true,
    },
  ),
  option('disable-thp', bool(true), 'Kept for compatibility: huge pages are left as the system has them.', {
    immutable: true,
  }),
  option(
    'oom-score-adj',
    word('no', ['no', 'yes', 'relative', 'absolute']),
    "Sets the process's oom_score_adj, by its role.",
  ),
  option('oom-score-adj-values', oomScores, 'The scores of a master, a replica and a child.'),
  option(
    'io-threads',
    integer(1, 1n, 128n),
    'Threads for sockets, the main one among them: so many less one read and write.',
    {
      immutable: true,
    },
  ),
  option('io-threads-do-reads', bool(false), 'Kept for compatibility: I/O threads always read.', { immutable: true }),
  option('server_cpulist', string('', { emptyIsNone: true }), 'Kept for compatibility.', { immutable: true }),
  option('bio_cpulist', string('', { emptyIsNone: true }), 'Kept for compatibility.', { immutable: true }),
  option('aof_rewrite_cpulist', string('', { emptyIsNone: true }), 'Kept for compatibility.', { immutable: true }),
  option('bgsave_cpulist', string('', { emptyIsNone: true }), 'Kept for compatibility.', { immutable: true }),
] as const;
