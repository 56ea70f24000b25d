/** DUMP and RESTORE: one value, out of and into the keyspace, in the bytes of a snapshot. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, bytes, integer, key, optional, token } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { setEntryLru } from '../../values/entry.ts';

export const dump = command({
  name: 'DUMP',
  group: 'generic',
  since: '2.6.0',
  complexity: "O(1) to find the key, O(N) in the value's bytes",
  summary: "Tells a key's value in bytes that RESTORE takes.",
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  categories: ['keyspace'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    const e = c.find(1);
    if (e === NULL) {
      c.reply.null();
      return;
    }
    const payload = c.engine.server.persistence.dump(e);
    c.reply.bulk(new Slice(payload));
  },
});

const TWO_63 = 2 ** 63;

interface Options {
  replace: boolean;
  absolute: boolean;
  /** Seconds without use, -1 when not given. */
  idle: number;
  frequency: number;
}

/** The options behind the payload; undefined when an error has been replied. */
function readOptions(c: Call): Options | undefined {
  const options: Options = { replace: false, absolute: false, idle: -1, frequency: -1 };
  for (let i = 4; i < c.argc; i++) {
    const more = i + 1 < c.argc;
    if (isWord(c.arg(i), 'REPLACE')) options.replace = true;
    else if (isWord(c.arg(i), 'ABSTTL')) options.absolute = true;
    else if (isWord(c.arg(i), 'IDLETIME') && more && options.frequency === -1) {
      const idle = c.integer(++i);
      if (idle === undefined) return undefined;
      if (idle < 0) return fail(c, 'ERR Invalid IDLETIME value, must be >= 0');
      options.idle = idle;
    } else if (isWord(c.arg(i), 'FREQ') && more && options.idle === -1) {
      const frequency = c.integer(++i);
      if (frequency === undefined) return undefined;
      if (frequency < 0 || frequency > 255) return fail(c, 'ERR Invalid FREQ value, must be >= 0 and <= 255');
      options.frequency = frequency;
    } else {
      c.syntaxError();
      return undefined;
    }
  }
  return options;
}

function fail(c: Call, error: string): undefined {
  c.reply.error(error);
  return undefined;
}

function stamp(c: Call, e: Addr, { idle, frequency }: Options): void {
  const { usage } = c.engine.keyspaces;
  if (usage.policy.lfu) {
    if (frequency >= 0) setEntryLru(c.memory, e, usage.stampForFrequency(frequency));
  } else if (idle >= 0) setEntryLru(c.memory, e, usage.stampForIdle(idle));
}

/** Whether payloads of this client are tested deeply. */
function sanitizes(c: Call): boolean {
  const { persistence, settings } = c.engine.server;
  if (settings.sanitizeDumpPayload !== 'clients') return settings.sanitizeDumpPayload === 'yes';
  return !persistence.loading && c.session.user?.sanitizes !== false;
}

/** Reads the payload; what is wrong with it where it can't be. */
function decode(c: Call): string | undefined {
  const { persistence } = c.engine.server;
  if (!persistence.verify(c.arg(3))) return 'ERR DUMP payload version or checksum are wrong';
  return persistence.decode(c.arg(3), sanitizes(c)) ? undefined : 'ERR Bad data format';
}

function restoreKey(c: Call): void {
  const options = readOptions(c);
  if (options === undefined) return;
  const { persistence, settings } = c.engine.server;
  // What is to be replaced is not asked for its time.
  if (!options.replace && c.findForWrite(1) !== NULL) {
    c.reply.error('BUSYKEY Target key name already exists.');
    return;
  }
  const ttl = c.integer(2);
  if (ttl === undefined) return;
  const error = ttl < 0 ? 'ERR Invalid TTL value, must be >= 0' : decode(c);
  if (error !== undefined) {
    c.reply.error(error);
    return;
  }
  const removed = options.replace && c.remove(1, settings.lazyfreeLazyServerDel);
  const expiry = ttl === 0 ? -1 : options.absolute ? ttl : endOf(ttl, c.now);
  if (expiry >= 0 && expiry <= c.now && !c.engine.keyspaces.seesExpired) {
    persistence.dropDecoded();
    if (removed) {
      c.rewrite('DEL', c.arg(1));
      c.changed(1, 'del');
    }
    c.reply.ok();
    return;
  }
  const e = persistence.storeDecoded(c.db, c.arg(1), c.hashOf(1), expiry);
  stamp(c, e, options);
  if (ttl !== 0 && !options.absolute) propagateAbsolute(c, expiry);
  c.changed(1, 'restore');
  c.reply.ok();
}

/** The end of a time to live; one that runs over is, in Redis, long past. */
function endOf(ttl: number, now: number): number {
  return ttl + now < TWO_63 ? ttl + now : 0;
}

/** A time to live goes to logs and replicas as the moment at which it ends. */
function propagateAbsolute(c: Call, expiry: number): void {
  if (!c.propagates) return;
  const rest = [];
  for (let i = 3; i < c.argc; i++) rest.push(c.arg(i));
  c.rewrite(c.arg(0), c.arg(1), expiry, ...rest, 'ABSTTL');
}

const RESTORE = {
  group: 'generic',
  complexity: "O(1) to make the key, O(N) in the value's bytes; O(N*log(N)) for a sorted set",
  flags: ['write', 'denyoom'],
  categories: ['keyspace', 'dangerous'],
  history: [
    ['3.0.0', 'Takes REPLACE.'],
    ['5.0.0', 'Takes ABSTTL.'],
    ['5.0.0', 'Takes IDLETIME and FREQ.'],
  ],
  args: [
    key('key', 'OW UPDATE'),
    integer('ttl'),
    bytes('serialized-value'),
    optional(token('replace', 'REPLACE', { since: '3.0.0' })),
    optional(token('absttl', 'ABSTTL', { since: '5.0.0' })),
    optional(after('IDLETIME', integer('seconds', { since: '5.0.0' }))),
    optional(after('FREQ', integer('frequency', { since: '5.0.0' }))),
  ],
  run: restoreKey,
} as const satisfies Partial<Command>;

export const restore = command({
  ...RESTORE,
  name: 'RESTORE',
  since: '2.6.0',
  summary: 'Makes a key of bytes that DUMP has told.',
});

export const restoreAsking = command({
  ...RESTORE,
  name: 'RESTORE-ASKING',
  group: 'server',
  since: '3.0.0',
  summary: 'RESTORE within a migration of a cluster.',
  flags: ['write', 'denyoom', 'asking'],
  docFlags: ['syscmd'],
});
