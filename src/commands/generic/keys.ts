/** Keys whatever they hold: removing, counting, typing and going through them. */
import { globMatch } from '../../base/glob.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { key, many, pattern } from '../../engine/grammar.ts';
import type { Database } from '../../keyspace/database.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { entryHasExpiry, entryKey, entryType, typeName } from '../../values/entry.ts';
import { fetchKeys } from '../fetch.ts';

const SHARDED = ['request_policy:multi_shard', 'response_policy:agg_sum'];
const STAR = 42;

const name = new Slice();

function removeKeys(c: Call, lazily: boolean): void {
  let removed = 0;
  for (let i = 1; i < c.argc; i++) {
    if (c.peek(i) === NULL) continue;
    c.remove(i, lazily);
    c.changed(i, 'del');
    removed++;
  }
  c.reply.int(removed);
}

export const del = command({
  name: 'DEL',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(N) in keys, and for each key O(M) in the elements of its value.',
  summary: 'Removes keys.',
  flags: ['write'],
  categories: ['keyspace'],
  tips: SHARDED,
  args: [many(key('key', 'RM DELETE'))],
  run(c) {
    removeKeys(c, c.engine.server.settings.lazyfreeLazyUserDel);
  },
});

export const unlink = command({
  name: 'UNLINK',
  group: 'generic',
  since: '4.0.0',
  complexity: 'O(1) for each key; its memory is given back later, in slices.',
  summary: 'Removes keys at once and gives back their memory in the background.',
  flags: ['write', 'fast'],
  categories: ['keyspace'],
  tips: SHARDED,
  args: [many(key('key', 'RM DELETE'))],
  run(c) {
    removeKeys(c, true);
  },
});

export const exists = command({
  name: 'EXISTS',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(N) in keys.',
  summary: 'Counts which of the keys there are; one that is named twice counts twice.',
  flags: ['readonly', 'fast'],
  categories: ['keyspace'],
  tips: SHARDED,
  history: [['3.0.3', 'Takes several keys.']],
  args: [many(key('key', 'RO'))],
  run(c) {
    let count = 0;
    for (let i = 1, next = 1; i < c.argc; i++) {
      if (i === next) next = fetchKeys(c, i);
      if (c.find(i, false) !== NULL) count++;
    }
    c.reply.int(count);
  },
});

export const touch = command({
  name: 'TOUCH',
  group: 'generic',
  since: '3.2.1',
  complexity: 'O(N) in keys.',
  summary: 'Marks keys as just used and counts those that there are.',
  flags: ['readonly', 'fast'],
  categories: ['keyspace'],
  tips: SHARDED,
  args: [many(key('key', 'RO'))],
  run(c) {
    let count = 0;
    for (let i = 1, next = 1; i < c.argc; i++) {
      if (i === next) next = fetchKeys(c, i);
      if (c.find(i) !== NULL) count++;
    }
    c.reply.int(count);
  },
});

export const type = command({
  name: 'TYPE',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Names the type of the value of a key.',
  flags: ['readonly', 'fast'],
  categories: ['keyspace'],
  args: [key('key', 'RO')],
  run(c) {
    const e = c.find(1, false);
    c.reply.status(e === NULL ? 'none' : typeName(entryType(c.memory, e)));
  },
});

export const keys = command({
  name: 'KEYS',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(N) in the keys of the database.',
  summary: 'Lists the keys that match a pattern.',
  flags: ['readonly'],
  categories: ['keyspace', 'dangerous'],
  tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
  args: [pattern('pattern')],
  run(c) {
    const { db, memory, reply } = c;
    const glob = c.arg(1);
    const all = glob.length === 1 && glob.at(0) === STAR;
    const handle = reply.deferArray();
    const cursor = db.keys.cursor();
    let count = 0;
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      entryKey(memory, e, name);
      if (!all && !globMatch(glob, name)) continue;
      if (entryHasExpiry(memory, e) && db.isExpired(e)) continue;
      reply.bulk(name);
      count++;
    }
    reply.settleArray(handle, count);
  },
});

/** Picks among keys that are all past their time and may not be removed: then one of them is as good as any. */
const TRIES = 100;

function randomEntry(c: Call, db: Database): Addr {
  const allExpire = db.size === db.expiring;
  for (let tries = 1; ; tries++) {
    const e = db.keys.random(c.random);
    if (e === NULL || !entryHasExpiry(c.memory, e) || !db.isExpired(e)) return e;
    if (!db.rules.removesExpired) {
      if (allExpire && tries >= TRIES) return e;
      continue;
    }
    db.expire(e, db.hash(entryKey(c.memory, e, name)));
  }
}

export const randomkey = command({
  name: 'RANDOMKEY',
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Picks a key at random.',
  flags: ['readonly'],
  traits: ['expires_apart'],
  categories: ['keyspace'],
  tips: ['request_policy:all_shards', 'nondeterministic_output'],
  args: [],
  run(c) {
    const e = randomEntry(c, c.db);
    if (e === NULL) c.reply.null();
    else c.reply.bulk(entryKey(c.memory, e, name));
  },
});
