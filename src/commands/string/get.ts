/** Commands that read strings, and those that read one and see to its end. */
import { parseInt64 } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command, type KeySpec } from '../../engine/command.ts';
import { after, integer, key, many, oneOf, optional, token, unixTime } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { entryHasExpiry, entryType, TYPE_STRING } from '../../values/entry.ts';
import { stringBytes, stringLength } from '../../values/string.ts';
import { fetchKeys } from '../fetch.ts';
import { EXAT, expiryTime, PERSIST, replyString, StringOptions } from './shared.ts';

const scratch = new Slice();
const options = new StringOptions();

export const get = command({
  name: 'GET',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers the string under a key.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    replyString(c, 1);
  },
});

export const mget = command({
  name: 'MGET',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(N) in the number of keys',
  summary: 'Answers the strings under several keys, null for what is absent or no string.',
  flags: ['readonly', 'fast'],
  tips: ['request_policy:multi_shard'],
  args: [many(key('key', 'RO ACCESS'))],
  run(c) {
    c.reply.array(c.argc - 1);
    for (let i = 1, next = 1; i < c.argc; i++) {
      if (i === next) next = fetchKeys(c, i);
      const e = c.find(i);
      if (e === NULL || entryType(c.memory, e) !== TYPE_STRING) c.reply.null();
      else c.reply.bulk(stringBytes(c.memory, e, scratch));
    }
  },
});

export const strlen = command({
  name: 'STRLEN',
  group: 'string',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Answers the length of a string in bytes.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const e = c.openFor(c.find(1), TYPE_STRING);
    if (e === undefined) return;
    c.reply.int(e === NULL ? 0 : stringLength(c.memory, e));
  },
});

/** Whether the start given lies behind the end; what is rounded beyond 2^53 is compared exactly. */
function isBehind(c: Call, start: number, end: number): boolean {
  if (start !== end || Number.isSafeInteger(start)) return start > end;
  return (parseInt64(c.arg(2)) ?? 0n) > (parseInt64(c.arg(3)) ?? 0n);
}

function replyRange(c: Call): void {
  let start = c.integer(2);
  if (start === undefined) return;
  let end = c.integer(3);
  if (end === undefined) return;
  const e = c.openFor(c.find(1), TYPE_STRING);
  if (e === undefined) return;
  if (e === NULL || (start < 0 && end < 0 && isBehind(c, start, end))) {
    c.reply.bulkText('');
    return;
  }
  const value = stringBytes(c.memory, e, scratch);
  if (start < 0) start = Math.max(0, start + value.length);
  if (end < 0) end = Math.max(0, end + value.length);
  if (end >= value.length) end = value.length - 1;
  if (start > end) c.reply.bulkText('');
  else c.reply.bulkBytes(value.buffer, value.start + start, end - start + 1);
}

export const getrange = command({
  name: 'GETRANGE',
  group: 'string',
  since: '2.4.0',
  complexity: 'O(N) in the length of the answer',
  summary: 'Answers the bytes of a string from one position to another, both included.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), integer('start'), integer('end')],
  run: replyRange,
});

export const substr = command({
  name: 'SUBSTR',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(N) in the length of the answer',
  summary: 'The old name of GETRANGE.',
  flags: ['readonly'],
  deprecatedSince: '2.0.0',
  replacedBy: '`GETRANGE`',
  docFlags: ['deprecated'],
  args: [key('key', 'RO ACCESS'), integer('start'), integer('end')],
  run: replyRange,
});

export const getdel = command({
  name: 'GETDEL',
  group: 'string',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Answers a string and removes its key.',
  flags: ['write', 'fast'],
  args: [key('key', 'RW ACCESS DELETE')],
  run(c) {
    const lazily = c.engine.server.settings.lazyfreeLazyUserDel;
    if (!replyString(c, 1) || !c.remove(1, lazily)) return;
    c.changed(1, 'del');
    if (c.propagates) c.rewrite(lazily ? 'UNLINK' : 'DEL', c.arg(1));
  },
});

/** Removes a key for which GETEX named a time that has passed. */
function expireAtOnce(c: Call): void {
  const lazily = c.engine.server.settings.lazyfreeLazyExpire;
  c.remove(1, lazily);
  c.changed(1, 'del');
  if (c.propagates) c.rewrite(lazily ? 'UNLINK' : 'DEL', c.arg(1));
}

function changeExpiry(c: Call, e: Addr, until: number): void {
  if (options.expiry === PERSIST) {
    if (!entryHasExpiry(c.memory, e)) return;
    c.db.clearExpiry(c.arg(1), c.hashOf(1), e);
    c.changed(1, 'persist');
    if (c.propagates) c.rewrite('PERSIST', c.arg(1));
    return;
  }
  const { removesExpired, seesExpired } = c.engine.keyspaces;
  if (options.expiry >= EXAT && until <= c.now && removesExpired && !seesExpired) {
    expireAtOnce(c);
    return;
  }
  c.db.setExpiry(c.arg(1), c.hashOf(1), e, until);
  c.changed(1, 'expire');
  if (c.propagates) c.rewrite('PEXPIREAT', c.arg(1), until);
}

const GETEX_KEY: KeySpec = {
  access: 'RW ACCESS UPDATE',
  notes: 'RW and UPDATE because it changes the TTL',
  begin: { type: 'index', index: 1 },
  find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
};

export const getex = command({
  name: 'GETEX',
  group: 'string',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Answers a string and sets or removes its time to live.',
  flags: ['write', 'fast'],
  keySpecs: [GETEX_KEY],
  args: [
    key('key', GETEX_KEY.access),
    optional(
      oneOf(
        'expiration',
        after('EX', integer('seconds')),
        after('PX', integer('milliseconds')),
        after('EXAT', unixTime('unix-time-seconds')),
        after('PXAT', unixTime('unix-time-milliseconds')),
        token('persist', 'PERSIST'),
      ),
    ),
  ],
  run(c) {
    if (!options.read(c, 2, false)) return;
    const e = c.openFor(c.find(1), TYPE_STRING);
    if (e === undefined) return;
    if (e === NULL) {
      c.reply.null();
      return;
    }
    const until = options.expiry > PERSIST ? expiryTime(c, options.numberAt, options.expiry) : -1;
    if (until === undefined) return;
    c.reply.bulk(stringBytes(c.memory, e, scratch));
    if (options.expiry !== 0) changeExpiry(c, e, until);
  },
});

export const GET_COMMANDS: readonly Command[] = [get, mget, strlen, getrange, substr, getdel, getex];
