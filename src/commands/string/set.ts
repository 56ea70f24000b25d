/** Commands that store a string whole. */
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command, type KeyFinderInput, type KeySpec } from '../../engine/command.ts';
import { after, bytes, integer, key, manyOf, oneOf, optional, token, unixTime } from '../../engine/grammar.ts';
import { expiryOf, setString } from '../../keyspace/strings.ts';
import { NULL } from '../../memory/address.ts';
import { EX, expiryTime, KEEPTTL, NO_EXPIRY, PX, replyString, StringOptions } from './shared.ts';

const options = new StringOptions();

/** Stores argument `value` under argument 1 until `expiry`, tells, and propagates it with the time as an absolute one. */
function storeUntil(c: Call, value: Slice, expiry: number): void {
  const e = c.peek(1);
  setString(c.db, c.arg(1), c.hashOf(1), e, value, expiry);
  c.changed(1, 'set');
  if (c.propagates) c.rewrite('SET', c.arg(1), value, 'PXAT', expiry);
  c.changed(1, 'expire', 0);
}

function setWithOptions(c: Call): void {
  if (!options.read(c, 3, true)) return;
  const { nx, xx, get, expiry: kind } = options;
  const timed = kind > KEEPTTL;
  const until = timed ? expiryTime(c, options.numberAt, kind) : -1;
  if (until === undefined) return;
  if (get && !replyString(c, 1)) return;
  const e = c.findForWrite(1);
  if (e === NULL ? xx : nx) {
    if (!get) c.reply.null();
    return;
  }
  if (timed) {
    storeUntil(c, c.arg(2), until);
  } else {
    const kept = kind === NO_EXPIRY ? -1 : expiryOf(c.db, e);
    setString(c.db, c.arg(1), c.hashOf(1), e, c.arg(2), kept);
    c.changed(1, 'set');
    if (get) propagateWithoutGet(c);
  }
  if (!get) c.reply.ok();
}

function propagateWithoutGet(c: Call): void {
  if (!c.propagates) return;
  const parts: Slice[] = [];
  for (let i = 0; i < c.argc; i++) if (i < 3 || !isWord(c.arg(i), 'GET')) parts.push(c.arg(i));
  c.rewrite(...parts);
}

const SET_KEY: KeySpec = {
  access: 'RW ACCESS UPDATE VARIABLE_FLAGS',
  notes: 'RW and ACCESS due to the optional `GET` argument',
  begin: { type: 'index', index: 1 },
  find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
};

function setAccess(c: KeyFinderInput): string {
  for (let i = 3; i < c.argc; i++) if (isWord(c.arg(i), 'GET')) return 'RW ACCESS UPDATE';
  return 'OW UPDATE';
}

export const set = command({
  name: 'SET',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Stores a string under a key, whatever was there before.',
  flags: ['write', 'denyoom'],
  history: [
    ['2.6.12', 'Added the `EX`, `PX`, `NX` and `XX` options.'],
    ['6.0.0', 'Added the `KEEPTTL` option.'],
    ['6.2.0', 'Added the `GET`, `EXAT` and `PXAT` option.'],
    ['7.0.0', 'Allowed the `NX` and `GET` options to be used together.'],
  ],
  keySpecs: [SET_KEY],
  keyAccess: setAccess,
  args: [
    key('key', SET_KEY.access),
    bytes('value'),
    optional(oneOf('condition', token('nx', 'NX'), token('xx', 'XX')), { since: '2.6.12' }),
    optional(token('get', 'GET', { since: '6.2.0' })),
    optional(
      oneOf(
        'expiration',
        after('EX', integer('seconds', { since: '2.6.12' })),
        after('PX', integer('milliseconds', { since: '2.6.12' })),
        after('EXAT', unixTime('unix-time-seconds', { since: '6.2.0' })),
        after('PXAT', unixTime('unix-time-milliseconds', { since: '6.2.0' })),
        token('keepttl', 'KEEPTTL', { since: '6.0.0' }),
      ),
    ),
  ],
  run(c) {
    if (c.argc > 3) {
      setWithOptions(c);
      return;
    }
    const e = c.peek(1);
    setString(c.db, c.arg(1), c.hashOf(1), e, c.arg(2), -1);
    c.changed(1, 'set');
    c.reply.ok();
  },
});

export const setnx = command({
  name: 'SETNX',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Stores a string under a key that does not exist yet.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'OW INSERT'), bytes('value')],
  run(c) {
    if (c.findForWrite(1) !== NULL) {
      c.reply.int(0);
      return;
    }
    setString(c.db, c.arg(1), c.hashOf(1), NULL, c.arg(2), -1);
    c.changed(1, 'set');
    c.reply.int(1);
  },
});

function setFor(c: Call, kind: number): void {
  const until = expiryTime(c, 2, kind);
  if (until === undefined) return;
  storeUntil(c, c.arg(3), until);
  c.reply.ok();
}

export const setex = command({
  name: 'SETEX',
  group: 'string',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Stores a string that lives for so many seconds.',
  flags: ['write', 'denyoom'],
  args: [key('key', 'OW UPDATE'), integer('seconds'), bytes('value')],
  run(c) {
    setFor(c, EX);
  },
});

export const psetex = command({
  name: 'PSETEX',
  group: 'string',
  since: '2.6.0',
  complexity: 'O(1)',
  summary: 'Stores a string that lives for so many milliseconds.',
  flags: ['write', 'denyoom'],
  args: [key('key', 'OW UPDATE'), integer('milliseconds'), bytes('value')],
  run(c) {
    setFor(c, PX);
  },
});

export const getset = command({
  name: 'GETSET',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Stores a string and answers the one that was there.',
  flags: ['write', 'denyoom', 'fast'],
  deprecatedSince: '6.2.0',
  replacedBy: '`SET` with the `!GET` argument',
  docFlags: ['deprecated'],
  args: [key('key', 'RW ACCESS UPDATE'), bytes('value')],
  run(c) {
    if (!replyString(c, 1)) return;
    const e = c.peek(1);
    setString(c.db, c.arg(1), c.hashOf(1), e, c.arg(2), -1);
    c.changed(1, 'set');
    if (c.propagates) c.rewrite('SET', c.arg(1), c.arg(2));
  },
});

function setPairs(c: Call): void {
  for (let i = 1; i < c.argc; i += 2) {
    const e = c.peek(i);
    setString(c.db, c.arg(i), c.hashOf(i), e, c.arg(i + 1), -1);
    c.changed(i, 'set');
  }
}

export const mset = command({
  name: 'MSET',
  group: 'string',
  since: '1.0.1',
  complexity: 'O(N) in the number of keys',
  summary: 'Stores several strings at once.',
  flags: ['write', 'denyoom'],
  tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  args: [manyOf('key_value', key('key', 'OW UPDATE'), bytes('value'))],
  run(c) {
    if ((c.argc & 1) === 0) {
      c.wrongArity();
      return;
    }
    setPairs(c);
    c.reply.ok();
  },
});

export const msetnx = command({
  name: 'MSETNX',
  group: 'string',
  since: '1.0.1',
  complexity: 'O(N) in the number of keys',
  summary: 'Stores several strings at once, if none of the keys exists.',
  flags: ['write', 'denyoom'],
  tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
  args: [manyOf('key_value', key('key', 'OW INSERT'), bytes('value'))],
  run(c) {
    if ((c.argc & 1) === 0) {
      c.wrongArity();
      return;
    }
    for (let i = 1; i < c.argc; i += 2) {
      if (c.findForWrite(i) !== NULL) {
        c.reply.int(0);
        return;
      }
    }
    setPairs(c);
    c.reply.int(1);
  },
});

export const SET_COMMANDS: readonly Command[] = [set, setnx, setex, psetex, getset, mset, msetnx];
