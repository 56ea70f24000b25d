/** DBSIZE, FLUSHALL, FLUSHDB, SWAPDB. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { integer, oneOf, optional, token } from '../../engine/grammar.ts';
import { TO_ALL } from '../../engine/propagation.ts';
import type { Database } from '../../keyspace/database.ts';

export const dbsize = command({
  name: 'DBSIZE',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Counts the keys of the database.',
  flags: ['readonly', 'fast'],
  categories: ['keyspace'],
  tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
  run(c) {
    c.reply.int(c.db.size);
  },
});

const FLUSH = {
  group: 'server',
  since: '1.0.0',
  flags: ['write'],
  categories: ['keyspace', 'dangerous'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  history: [
    ['4.0.0', 'Can be told to free in the background.'],
    ['6.2.0', 'Can be told not to.'],
  ],
  args: [
    optional(oneOf('async', token('async', 'ASYNC', { since: '4.0.0' }), token('sync', 'SYNC', { since: '6.2.0' }))),
  ],
} as const satisfies Partial<Command>;

/** Whether to free in the background; undefined when a syntax error has been replied. */
function lazily(c: Call): boolean | undefined {
  if (c.argc === 1) return c.engine.server.settings.lazyfreeLazyUserFlush;
  if (c.argc === 2 && isWord(c.arg(1), 'SYNC')) return false;
  if (c.argc === 2 && isWord(c.arg(1), 'ASYNC')) return true;
  c.syntaxError();
  return undefined;
}

function flush(c: Call, databases: readonly Database[], lazy: boolean): void {
  for (const db of databases) {
    c.engine.watches.touchAll(db, null);
    c.dirty += db.clear(lazy);
    c.engine.blocking.signalAll(db);
  }
  c.engine.tracking.flushed();
  // It is propagated even when there was nothing to remove.
  c.propagateTo(TO_ALL);
  c.reply.ok();
}

export const flushall = command({
  ...FLUSH,
  name: 'FLUSHALL',
  complexity: 'O(N) in all keys',
  summary: 'Removes every key of every database.',
  run(c) {
    const lazy = lazily(c);
    if (lazy === undefined) return;
    // A snapshot of what goes is given up first: while its view is open, what is released is copied.
    c.engine.server.persistence.flushing();
    flush(c, c.engine.keyspaces.databases, lazy);
    c.engine.server.persistence.flushed();
    // Where snapshots are configured the empty data counts as saved: nothing is left that could be lost.
    if (c.engine.server.settings.save.length > 0) c.engine.stats.dirty = -c.dirty;
  },
});

export const flushdb = command({
  ...FLUSH,
  name: 'FLUSHDB',
  complexity: 'O(N) in the keys of the database',
  summary: 'Removes every key of the database.',
  run(c) {
    const lazy = lazily(c);
    if (lazy !== undefined) flush(c, [c.db], lazy);
  },
});

/** A number that C can hold in an int. */
function databaseIndex(c: Call, i: number, error: string): number | undefined {
  const index = c.integerOr(i, error);
  if (index === undefined || index === (index | 0)) return index;
  c.reply.error(error);
  return undefined;
}

export const swapdb = command({
  name: 'SWAPDB',
  group: 'server',
  since: '4.0.0',
  complexity: 'O(N) in the clients that watch or wait for keys of the two',
  summary: 'Lets two databases change places.',
  flags: ['write', 'fast'],
  categories: ['keyspace', 'dangerous'],
  args: [integer('index1'), integer('index2')],
  run(c) {
    if (c.engine.membership.joined) return c.reply.error('ERR SWAPDB is not allowed in cluster mode');
    const first = databaseIndex(c, 1, 'ERR invalid first DB index');
    if (first === undefined) return;
    const second = databaseIndex(c, 2, 'ERR invalid second DB index');
    if (second === undefined) return;
    const { databases } = c.engine.keyspaces;
    const a = databases[first];
    const b = databases[second];
    if (!a || !b) return c.reply.error('ERR DB index is out of range');
    if (a !== b) {
      c.engine.watches.touchAll(a, b);
      c.engine.watches.touchAll(b, a);
      a.swap(b);
      c.engine.blocking.signalAll(a);
      c.engine.blocking.signalAll(b);
    }
    c.dirty++;
    c.reply.ok();
  },
});
