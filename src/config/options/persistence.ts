/** Settings of persistence/: snapshots and the append-only file. */
import { bool, INT_MAX, integer, memory, string, word } from '../kinds.ts';
import { option } from '../option.ts';
import { save } from '../special.ts';

/** A name without a folder. */
export function plainName(name: string, what: string, empty: boolean): (value: string) => string | undefined {
  return (value) => {
    if (!empty && value === '') return `${name} can't be empty`;
    return value.includes('/') ? `${name} can't be a path, just a ${what}` : undefined;
  };
}

export const snapshots = [
  option('save', save, 'When a snapshot is taken: pairs of seconds and changes; "" is never.'),
  option(
    'dbfilename',
    string('dump.rdb', { check: plainName('dbfilename', 'filename', true) }),
    "The snapshot's file.",
    {
      protected: true,
    },
  ),
  option('rdbcompression', bool(true), 'Compresses strings in snapshots.'),
  option('rdbchecksum', bool(true), 'Ends snapshots with a checksum and tests it.', { immutable: true }),
  option('rdb-del-sync-files', bool(false), 'Removes snapshots that were made for replicas only.'),
  option('rdb-save-incremental-fsync', bool(true), 'Syncs a snapshot while it is written.'),
  option('stop-writes-on-bgsave-error', bool(true), 'Refuses writes after a snapshot has failed.'),
  option(
    'sanitize-dump-payload',
    word('no', ['no', 'yes', 'clients']),
    'Checks what RESTORE and snapshots bring in more deeply.',
  ),
  option('key-load-delay', integer(0, INT_MAX * -1n - 1n, INT_MAX), 'For tests: microseconds per key loaded.', {
    hidden: true,
  }),
  option('rdb-key-save-delay', integer(0, INT_MAX * -1n - 1n, INT_MAX), 'For tests: microseconds per key saved.', {
    hidden: true,
  }),
  option(
    'loading-process-events-interval-bytes',
    memory(2097152, { min: 1024n, max: INT_MAX }),
    'For tests: bytes loaded between two looks at the clients.',
    { hidden: true },
  ),
] as const;

export const appendOnly = [
  option('appendonly', bool(false), 'Logs every write to an append-only file.', { denyLoading: true }),
  option(
    'appendfilename',
    string('appendonly.aof', { check: plainName('appendfilename', 'filename', false) }),
    'The first part of the names of its files.',
    { immutable: true },
  ),
  option(
    'appenddirname',
    string('appendonlydir', { check: plainName('appenddirname', 'dirname', false) }),
    'The directory of those files.',
    { immutable: true },
  ),
  option(
    'appendfsync',
    word('everysec', ['everysec', 'always', 'no']),
    'When that log is synced: always, everysec, no.',
  ),
  option('no-appendfsync-on-rewrite', bool(false), 'Leaves syncing to the system while it is rewritten.'),
  option('auto-aof-rewrite-percentage', integer(100, 0n, INT_MAX), 'Rewrites it when it has grown by so much.'),
  option('auto-aof-rewrite-min-size', memory(67108864), 'But never while it is smaller than this.'),
  option('aof-load-truncated', bool(true), 'Starts with a log whose end is cut off.'),
  option('aof-use-rdb-preamble', bool(true), 'Begins a rewritten log with a snapshot.'),
  option('aof-timestamp-enabled', bool(false), 'Notes times in the log.'),
  option('aof-rewrite-incremental-fsync', bool(true), 'Syncs a rewritten log while it is written.'),
  option('aof-disable-auto-gc', bool(false), 'Keeps old files of the log.'),
] as const;
