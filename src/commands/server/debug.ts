/**
 * DEBUG. What needs a new process answers that it isn't there yet; the rest of Redis's list is here. Only clients that enable-debug-command lets may call it.
 */
import { sleepThread } from '../../base/sleep.ts';
import { isWord, sliceOf } from '../../base/slice.ts';
import { parseMemory } from '../../config/kinds.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { replyHelp } from '../../engine/help.ts';
import { setString } from '../../keyspace/strings.ts';
import { NULL } from '../../memory/address.ts';
import { PEAK_MILLISECONDS } from '../../protocol/chunk.ts';
import { dictStats } from '../../structures/dict.ts';
import { QL_PLAIN_FROM } from '../../structures/quicklist.ts';
import {
  ENC_HASHTABLE,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  encodingName,
  entryEncoding,
  entryLru,
  entryType,
  TYPE_LIST,
  TYPE_STRING,
} from '../../values/entry.ts';
import { listDebugText } from '../../values/list.ts';
import { stringLength } from '../../values/string.ts';
import { references } from '../generic/object.ts';
import { rewrite } from './config.ts';
import { dropClusterPackets, killClusterLink } from './debug-cluster.ts';
import { DEBUG_HELP } from './debug-help.ts';
import { replySample } from './debug-protocol.ts';
import { Digest, digestAll, digestValue } from './digest.ts';
import { loadAof } from './load-aof.ts';
import { isLocal } from './local.ts';

const REFUSED =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
const NOT_POSITIVE = 'ERR value is out of range, must be positive';
const NO_KEY = 'ERR no such key';
const PACKED_MAX = 4294967296n;

/** Arguments that a subcommand takes, and what it does; anything else is an unknown subcommand. */
interface Subcommand {
  readonly least: number;
  readonly most: number;
  run(c: Call): void;
}

function take(least: number, most: number, run: (c: Call) => void): Subcommand {
  return { least, most, run };
}

function ok(c: Call): void {
  c.reply.ok();
}

function notYet(c: Call): void {
  c.reply.error(`ERR DEBUG ${c.arg(1).shown().toUpperCase()} is not supported by this version yet`);
}

/** The entry of the key at argument `i`; NULL when the error has been replied. */
function present(c: Call, i: number): number {
  const e = c.peek(i);
  if (e === NULL) c.reply.error(NO_KEY);
  return e;
}

function sleep(c: Call): void {
  sleepThread(Number.parseFloat(c.arg(2).keyword()) * 1000);
  c.reply.ok();
}

function positive(c: Call, i: number): number | undefined {
  const value = c.integerOr(i, NOT_POSITIVE);
  if (value === undefined || value >= 0) return value;
  c.reply.error(NOT_POSITIVE);
  return undefined;
}

function populate(c: Call): void {
  const count = positive(c, 2);
  if (count === undefined) return;
  const size = c.argc > 4 ? positive(c, 4) : 0;
  if (size === undefined) return;
  const prefix = c.argc > 3 ? c.arg(3).shown() : 'key';
  const { db } = c;
  db.expand(count, 0);
  for (let i = 0; i < count; i++) {
    const key = sliceOf(`${prefix}:${i}`);
    const hash = db.hash(key);
    if (db.peek(key, hash) !== NULL) continue;
    const text = `value:${i}`;
    const value = size === 0 ? text : text.slice(0, size).padEnd(size, '\0');
    setString(db, key, hash, NULL, sliceOf(value), -1);
  }
  c.reply.ok();
}

/** `Value at:0x10 refcount:1 encoding:embstr serializedlength:4 lru:50851 lru_seconds_idle:0` */
function object(c: Call): void {
  // Keys past their time are shown, and stay.
  const e = c.db.peek(c.arg(2), c.hashOf(2));
  if (e === NULL) {
    c.reply.error(NO_KEY);
    return;
  }
  const { memory } = c;
  const encoding = entryEncoding(memory, e);
  const type = entryType(memory, e);
  const length = type === TYPE_STRING ? stringLength(memory, e) + 1 : memory.sizeOf(e);
  const lru = entryLru(memory, e);
  const idle = Math.max(0, (Math.floor(c.now / 1000) & 0xffffff) - lru);
  const address = `0x${(e * 16).toString(16)}`;
  let text = `Value at:${address} refcount:${references(c, 2, e)} encoding:${encodingName(encoding)}`;
  text += ` serializedlength:${length} lru:${lru} lru_seconds_idle:${idle}`;
  if (type === TYPE_LIST) text += listDebugText(memory, c.engine.accessors.list(e, 1).root);
  c.reply.status(text);
}

function htstats(c: Call): void {
  const index = c.integer(2);
  if (index === undefined) return;
  const db = c.engine.keyspaces.databases[index];
  if (!db) {
    c.reply.error('ERR Out of range database');
    return;
  }
  c.reply.verbatim(`[Dictionary HT]\n${db.keys.statistics()}[Expires HT]\n${db.expires.statistics()}`);
}

function htstatsKey(c: Call): void {
  const e = c.peek(2);
  if (e === NULL) {
    c.reply.error(NO_KEY);
    return;
  }
  const encoding = entryEncoding(c.memory, e);
  const { accessors } = c.engine;
  if (encoding === ENC_SKIPLIST) c.reply.verbatim(dictStats(c.memory, accessors.zset(e, 1).dict));
  else if (encoding === ENC_HASHTABLE) {
    const accessor = entryType(c.memory, e) === 2 ? accessors.set(e, 1) : accessors.hash(e, 1);
    c.reply.verbatim(dictStats(c.memory, accessor.dict));
  } else c.reply.error('ERR The value stored at the specified key is not represented using an hash table');
}

function digestValues(c: Call): void {
  c.reply.array(c.argc - 2);
  for (let i = 2; i < c.argc; i++) {
    const digest = new Digest();
    const e = c.db.peek(c.arg(i), c.db.hash(c.arg(i)));
    if (e !== NULL) digestValue(c.engine, c.db, e, digest);
    c.reply.status(digest.hex);
  }
}

function packedThreshold(c: Call): void {
  const bytes = parseMemory(c.arg(2).keyword());
  if (bytes === undefined || bytes > PACKED_MAX) {
    c.reply.error('ERR argument must be a memory value bigger than 1 and smaller than 4gb');
    return;
  }
  c.engine.accessors.limits.list.plainFrom = bytes === 0n ? QL_PLAIN_FROM : Number(bytes);
  c.reply.ok();
}

function encodingOf(encoding: number, message: string, what: string): (c: Call) => void {
  return (c) => {
    const e = c.peek(2);
    if (e === NULL) c.reply.error(NO_KEY);
    else if (entryEncoding(c.memory, e) !== encoding) c.reply.error(message);
    else c.reply.status(`${what} structure has nothing more to show here`);
  };
}

function sdslen(c: Call): void {
  const e = present(c, 2);
  if (e === NULL) return;
  const entry = c.peek(2);
  if (entryType(c.memory, entry) !== TYPE_STRING) {
    c.reply.error('ERR Not an sds encoded string.');
    return;
  }
  const length = stringLength(c.memory, entry);
  const size = c.memory.sizeOf(entry);
  c.reply.status(
    `key_sds_len:${c.arg(2).length}, key_sds_avail:0, key_zmalloc: ${size}, val_sds_len:${length}, val_sds_avail:0, val_zmalloc: ${size}`,
  );
}

function replyBuffer(c: Call): void {
  const { figures } = c.reply.pool;
  const value = c.arg(3);
  if (isWord(c.arg(2), 'PEAK-RESET-TIME')) {
    if (isWord(value, 'NEVER')) figures.peakMilliseconds = -1;
    else if (isWord(value, 'RESET')) figures.peakMilliseconds = PEAK_MILLISECONDS;
    else {
      const milliseconds = c.integer(3);
      if (milliseconds === undefined) return;
      figures.peakMilliseconds = milliseconds;
    }
  } else if (isWord(c.arg(2), 'RESIZING')) {
    figures.resizing = Number.parseInt(value.keyword(), 10) > 0;
  } else {
    c.unknownSubcommand(1);
    return;
  }
  c.reply.ok();
}

function clientEviction(c: Call): void {
  const { clientMemory } = c.engine;
  if (clientMemory.active) c.reply.verbatim(clientMemory.describe());
  else c.reply.error('ERR maxmemory-clients is disabled.');
}

function log(c: Call): void {
  c.engine.server.log.warning(`DEBUG LOG: ${c.arg(2).shown()}`);
  c.reply.ok();
}

/** Saves and loads again; MERGE lets loaded keys replace others, NOFLUSH keeps what is there, NOSAVE loads an older file. */
function reload(c: Call): void {
  const given = new Set<string>();
  for (let i = 2; i < c.argc; i++) {
    const option = ['MERGE', 'NOFLUSH', 'NOSAVE'].find((each) => isWord(c.arg(i), each));
    if (option === undefined) {
      c.reply.error('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.');
      return;
    }
    given.add(option);
  }
  const { persistence } = c.engine.server;
  const error = persistence.reload({
    save: !given.has('NOSAVE'),
    flush: !given.has('NOFLUSH'),
    merge: given.has('MERGE'),
  });
  if (error === undefined) c.reply.ok();
  else c.reply.error(error === '' ? 'ERR' : error);
}

function replicate(c: Call): void {
  c.engine.replication.feed(Array.from({ length: c.argc - 2 }, (_, i) => c.arg(i + 2)));
  c.reply.ok();
}

function changeReplicationId(c: Call): void {
  c.engine.server.log.notice('Changing replication IDs after receiving change-repl-id');
  c.engine.replication.renewId();
  c.reply.ok();
}

function aofFlushSleep(c: Call): void {
  c.engine.server.persistence.flushSleep = Number.parseInt(c.arg(2).keyword(), 10) || 0;
  c.reply.ok();
}

function flag(set: (c: Call, on: boolean) => void): Subcommand {
  return take(3, 3, (c) => {
    set(c, Number.parseInt(c.arg(2).keyword(), 10) > 0);
    c.reply.ok();
  });
}

/** Ends the process as a crash would. */
function crash(reason: string): (c: Call) => void {
  return (c) => {
    c.engine.server.log.warning(`=== BUG REPORT: ${reason} by DEBUG ===`);
    process.abort();
  };
}

const SUBCOMMANDS: ReadonlyMap<string, Subcommand> = new Map([
  ['HELP', take(2, 2, (c) => replyHelp(c, 'DEBUG', DEBUG_HELP))],
  ['SEGFAULT', take(2, 2, (c) => process.kill(process.pid, 'SIGSEGV') && ok(c))],
  ['PANIC', take(2, 2, crash('panic'))],
  ['ASSERT', take(2, 2, crash('assertion failed'))],
  ['OOM', take(2, 2, crash('out of memory'))],
  ['SLEEP', take(3, 3, sleep)],
  ['LOG', take(3, 3, log)],
  ['ERROR', take(3, 3, (c) => c.reply.error(c.arg(2).shown()))],
  ['LEAK', take(3, 3, ok)],
  ['POPULATE', take(3, 5, populate)],
  ['PROTOCOL', take(3, 3, (c) => replySample(c, c.arg(2).keyword().toLowerCase()))],
  ['OBJECT', take(3, 4, object)],
  ['SDSLEN', take(3, 3, sdslen)],
  ['HTSTATS', take(3, 4, htstats)],
  ['HTSTATS-KEY', take(3, 4, htstatsKey)],
  ['DIGEST', take(2, 2, (c) => c.reply.status(digestAll(c.engine)))],
  ['DIGEST-VALUE', take(2, Number.POSITIVE_INFINITY, digestValues)],
  ['LISTPACK', take(3, 3, encodingOf(ENC_LISTPACK, 'ERR Not a listpack encoded object.', 'Listpack'))],
  ['QUICKLIST', take(3, 4, encodingOf(ENC_QUICKLIST, 'ERR Not a quicklist encoded object.', 'Quicklist'))],
  ['QUICKLIST-PACKED-THRESHOLD', take(3, 3, packedThreshold)],
  ['REPLYBUFFER', take(4, 4, replyBuffer)],
  ['CONFIG-REWRITE-FORCE-ALL', take(2, 2, (c) => rewrite(c, true))],
  ['REPLICATE', take(3, Number.POSITIVE_INFINITY, replicate)],
  ['CHANGE-REPL-ID', take(2, 2, changeReplicationId)],
  ['STRINGMATCH-TEST', take(2, 2, ok)],
  ['STRUCTSIZE', take(2, 2, (c) => c.reply.status('bits:64 granule:16 address:4 '))],
  ['CLIENT-EVICTION', take(2, 2, clientEviction)],
  ['AOF-FLUSH-SLEEP', take(3, 3, aofFlushSleep)],
  ['LOADAOF', take(2, 2, loadAof)],
  ['RELOAD', take(2, Number.POSITIVE_INFINITY, reload)],
  [
    'SET-SKIP-CHECKSUM-VALIDATION',
    flag((c, on) => {
      c.engine.server.persistence.skipChecksum = on;
    }),
  ],
  [
    'SET-DISABLE-DENY-SCRIPTS',
    flag((c, on) => {
      c.engine.scriptsMayAll = on;
    }),
  ],
  [
    'SET-ACTIVE-EXPIRE',
    flag((c, on) => {
      c.engine.keyspaces.activeExpire = on;
    }),
  ],
  [
    'PAUSE-CRON',
    flag((c, on) => {
      c.engine.keyspaces.cronPaused = on;
    }),
  ],
  ['CLUSTERLINK', take(5, 5, killClusterLink)],
  ['DROP-CLUSTER-PACKET-FILTER', take(3, 3, dropClusterPackets)],
  ...['RESTART', 'CRASH-AND-RECOVER'].map((name) => [name, take(2, Number.POSITIVE_INFINITY, notYet)] as const),
]);

export const debug = command({
  name: 'DEBUG',
  group: 'server',
  since: '1.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'For tests: looks into the server and makes it misbehave.',
  flags: ['admin', 'noscript', 'loading', 'stale', 'protected'],
  docFlags: ['syscmd'],
  arity: -2,
  run(c) {
    const rule = c.engine.server.settings.enableDebugCommand;
    if (rule === 'no' || (rule === 'local' && !isLocal(c.session))) {
      c.reply.error(REFUSED);
      return;
    }
    const found = SUBCOMMANDS.get(c.arg(1).keyword().toUpperCase());
    if (found && c.argc >= found.least && c.argc <= found.most) found.run(c);
    else c.unknownSubcommand(1);
  },
});
