/**
 * Settings that are taken, kept and written back for the sake of configuration files and tools, and that nothing obeys.
 * Whoever gives one another value than the usual is told in the log. test/unit/server/unread.test.ts knows all of them.
 */
import type { Config } from '../config/config.ts';
import type { OptionName } from '../config/settings.ts';
import type { Log } from '../engine/server-port.ts';

const RUNTIME = 'threads and their places are left to Node and the system';
const NO_REPORT = 'no report is written of a crash';
const NO_SYSLOG = 'there is no syslog';

/** Why each has no effect. */
export const UNREAD: Readonly<Partial<Record<OptionName, string>>> = {
  aof_rewrite_cpulist: RUNTIME,
  bgsave_cpulist: RUNTIME,
  bio_cpulist: RUNTIME,
  'crash-log-enabled': NO_REPORT,
  'crash-memcheck-enabled': NO_REPORT,
  'disable-thp': 'huge pages are left as the system has them',
  'ignore-warnings': 'no start is refused by a warning',
  'io-threads-do-reads': 'I/O threads, where there are some, always read as well',
  'jemalloc-bg-thread': 'there is no jemalloc',
  'lua-enable-deprecated-api': 'scripts never see the functions that were withdrawn',
  server_cpulist: RUNTIME,
  'socket-mark-id': 'sockets are not marked',
  'syslog-facility': NO_SYSLOG,
  'syslog-ident': NO_SYSLOG,
  'use-exit-on-panic': NO_REPORT,
};

/** Logs a warning of each that has, or is given, another value than the usual. */
export function warnOfUnread(config: Config, log: Log): void {
  for (const [name, reason] of Object.entries(UNREAD)) {
    const kind = config.option(name)?.kind;
    if (kind === undefined) continue;
    config.follow(name as OptionName, () => {
      if (config.text(name) !== kind.text(kind.initial)) log.warning(`The setting ${name} has no effect: ${reason}.`);
    });
  }
}
