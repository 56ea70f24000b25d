/** Keys that change their name or database, and copies of them. */
import { parseInteger } from '../../base/numbers.ts';
import { isWord, Slice, sameBytes } from '../../base/slice.ts';
import { type Call, NOT_AN_INTEGER } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, integer, key, optional, token } from '../../engine/grammar.ts';
import type { Database } from '../../keyspace/database.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { copyValue } from '../../values/copy.ts';
import {
  entryEncoding,
  entryExpiry,
  entryType,
  entryValue,
  inlineString,
  isInline,
  TYPE_STRING,
} from '../../values/entry.ts';
import { freeValue } from '../../values/free.ts';

const NO_SUCH_KEY = 'ERR no such key';
const SAME_OBJECT = 'ERR source and destination objects are the same';
const NO_SUCH_DATABASE = 'ERR DB index is out of range';
const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

const scratch = new Slice();

/** Stores what `e` holds, with its expiry, under another key; a value that hangs off `e` then hangs off both. */
function storeAlso(c: Call, e: Addr, db: Database, name: Slice, hash: number, root: Addr): void {
  const m = c.memory;
  const encoding = entryEncoding(m, e);
  const old = db.peek(name, hash);
  if (isInline(encoding)) {
    const value = new Slice(inlineString(m, e, scratch).copy());
    db.storeInline(name, hash, old, encoding, value, entryExpiry(m, e));
  } else {
    db.store(name, hash, old, entryType(m, e), encoding, root, entryExpiry(m, e));
  }
  if (old !== NULL) c.engine.notify(db, 'new', name);
}

/** Takes the key at argument 1 out of its database, its value having gone elsewhere. */
function forget(c: Call): void {
  c.memory.release(c.db.unlink(c.arg(1), c.hashOf(1)));
}

function rename(c: Call, onlyIfAbsent: boolean): void {
  const same = sameBytes(c.arg(1), c.arg(2));
  if (c.findForWrite(1) === NULL) {
    c.reply.error(NO_SUCH_KEY);
    return;
  }
  if (!same) {
    const { db } = c;
    const target = c.findForWrite(2);
    if (target !== NULL && onlyIfAbsent) {
      c.reply.int(0);
      return;
    }
    const e = c.peek(1);
    storeAlso(c, e, db, c.arg(2), c.hashOf(2), entryValue(c.memory, e));
    forget(c);
    c.dirty++;
    const names = [c.arg(1), c.arg(2)];
    c.engine.touched(db, names[0], 'rename_from');
    c.engine.touched(db, names[1], 'rename_to');
    c.engine.notify(db, 'rename_from', names[0]);
    c.engine.notify(db, 'rename_to', names[1]);
  }
  if (onlyIfAbsent) c.reply.int(same ? 0 : 1);
  else c.reply.ok();
}

export const renameCommand = command({
  name: 'RENAME',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1), and O(M) in the elements of a value that is overwritten.',
  summary: 'Gives a key another name, in place of a key that has it.',
  flags: ['write'],
  categories: ['keyspace'],
  args: [key('key', 'RW ACCESS DELETE'), key('newkey', 'OW UPDATE')],
  run(c) {
    rename(c, false);
  },
});

export const renamenx = command({
  name: 'RENAMENX',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Gives a key another name unless some key has it.',
  flags: ['write', 'fast'],
  categories: ['keyspace'],
  history: [['3.2.0', 'No error any more when both names are the same.']],
  args: [key('key', 'RW ACCESS DELETE'), key('newkey', 'OW INSERT')],
  run(c) {
    rename(c, true);
  },
});

/** The database that argument `i` numbers; undefined when its error has been replied. */
function databaseOf(c: Call, i: number): Database | undefined {
  const index = parseInteger(c.arg(i));
  const { databases } = c.engine.keyspaces;
  if (Number.isNaN(index)) c.reply.error(NOT_AN_INTEGER);
  else if (index < INT_MIN || index > INT_MAX)
    c.reply.error(`ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`);
  else if (index < 0 || index >= databases.length) c.reply.error(NO_SUCH_DATABASE);
  else return databases[index];
  return undefined;
}

export const move = command({
  name: 'MOVE',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Moves a key into another database unless it is there already.',
  flags: ['write', 'fast'],
  categories: ['keyspace'],
  args: [key('key', 'RW ACCESS UPDATE'), integer('db')],
  run(c) {
    if (c.engine.membership.joined) {
      c.reply.error('ERR MOVE is not allowed in cluster mode');
      return;
    }
    const target = databaseOf(c, 2);
    if (target === undefined) return;
    if (target === c.db) {
      c.reply.error(SAME_OBJECT);
      return;
    }
    const name = c.arg(1);
    const hash = c.hashOf(1);
    if (c.findForWrite(1) === NULL || target.find(name, hash) !== NULL) {
      c.reply.int(0);
      return;
    }
    const e = c.peek(1);
    storeAlso(c, e, target, name, hash, entryValue(c.memory, e));
    forget(c);
    c.changed(1, 'move_from');
    c.changedKey(name, 'move_to', 0, target);
    c.reply.int(1);
  },
});

/** Reads DB and REPLACE; undefined when an error has been replied. */
function copyOptions(c: Call): { target: Database; replace: boolean } | undefined {
  let target = c.db;
  let replace = false;
  for (let i = 3; i < c.argc; i++) {
    if (isWord(c.arg(i), 'REPLACE')) {
      replace = true;
    } else if (isWord(c.arg(i), 'DB') && i + 1 < c.argc) {
      const database = databaseOf(c, ++i);
      if (database === undefined) return undefined;
      target = database;
    } else {
      c.syntaxError();
      return undefined;
    }
  }
  return { target, replace };
}

export const copy = command({
  name: 'COPY',
  group: 'generic',
  since: '6.2.0',
  complexity: 'O(N) in the elements of the value.',
  summary: 'Copies a key with its value and its expiry.',
  flags: ['write', 'denyoom'],
  categories: ['keyspace'],
  args: [
    key('source', 'RO ACCESS'),
    key('destination', 'OW UPDATE'),
    optional(after('DB', integer('destination-db'))),
    optional(token('replace', 'REPLACE')),
  ],
  run(c) {
    const options = copyOptions(c);
    if (options === undefined) return;
    const { target, replace } = options;
    if (target !== c.db && c.engine.membership.joined) {
      c.reply.error('ERR Copying to another database is not allowed in cluster mode');
      return;
    }
    const name = c.arg(2);
    if (target === c.db && sameBytes(c.arg(1), name)) {
      c.reply.error(SAME_OBJECT);
      return;
    }
    if (c.find(1) === NULL) {
      c.reply.int(0);
      return;
    }
    if (target.find(name, c.hashOf(2)) !== NULL && !replace) {
      c.reply.int(0);
      return;
    }
    storeCopy(c, c.peek(1), target, name, c.hashOf(2));
    c.changedKey(name, 'copy_to', 1, target);
    c.reply.int(1);
  },
});

function storeCopy(c: Call, e: Addr, target: Database, name: Slice, hash: number): void {
  const m = c.memory;
  const type = entryType(m, e);
  const encoding = entryEncoding(m, e);
  if (type === TYPE_STRING && isInline(encoding)) {
    storeAlso(c, e, target, name, hash, NULL);
    return;
  }
  const root = copyValue(m, type, encoding, entryValue(m, e));
  try {
    storeAlso(c, e, target, name, hash, root);
  } catch (error) {
    freeValue(m, type, encoding, root);
    throw error;
  }
}
