/** SCAN: going through the keys of a database a few at a time. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, bytes, optional } from '../../engine/grammar.ts';
import type { Addr } from '../../memory/address.ts';
import { entryHasExpiry, entryKey, entryType, typeName } from '../../values/entry.ts';
import { readCursor, replyScan, ScanOptions, scanArguments, scanEntries } from '../scan.ts';

const name = new Slice();

/** Whether SCAN names the key of `e`; one past its time is removed instead. */
function wanted(c: Call, e: Addr, options: ScanOptions): boolean {
  const { db, memory } = c;
  if (!options.matches(entryKey(memory, e, name))) return false;
  if (entryHasExpiry(memory, e) && db.isExpired(e)) {
    if (db.rules.removesExpired) db.expire(e, db.hash(name));
    return false;
  }
  if (options.type === null) return true;
  c.engine.stats.keyspaceHits++;
  return isWord(options.type, typeName(entryType(memory, e)).toUpperCase());
}

export const scan = command({
  name: 'SCAN',
  group: 'generic',
  since: '2.8.0',
  complexity: 'O(1) a call, O(N) in the keys of the database for a whole pass.',
  summary: 'Goes through the keys of a database a few at a time.',
  flags: ['readonly'],
  traits: ['expires_apart'],
  categories: ['keyspace'],
  tips: ['nondeterministic_output', 'request_policy:special'],
  history: [['6.0.0', 'The option `TYPE`.']],
  args: [...scanArguments, optional(after('TYPE', bytes('type')), { since: '6.0.0' })],
  run(c) {
    const cursor = readCursor(c, 1);
    if (cursor === undefined) return;
    const options = new ScanOptions();
    if (!options.read(c, 2, true)) return;
    const { db, memory } = c;
    const found: Addr[] = [];
    const next = scanEntries((from, visit) => db.keys.scan(from, visit), cursor, options.count, found);
    const named = found.filter((e) => wanted(c, e, options));
    replyScan(c, next, named.length);
    for (const e of named) c.reply.bulk(entryKey(memory, e, name));
  },
});
