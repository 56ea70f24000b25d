/** Commands that change a string where it lies: counters, APPEND, SETRANGE. */
import { addLongDouble, formatLongDouble, LongDouble, parseLongDouble } from '../../base/long-double.ts';
import { INT64_MAX, INT64_MIN, parseInt64, parseInteger, writeInteger } from '../../base/numbers.ts';
import { bytesOf, Slice } from '../../base/slice.ts';
import { type Call, NOT_A_FLOAT, NOT_AN_INTEGER } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, double, integer, key } from '../../engine/grammar.ts';
import {
  appendString,
  expiryOf,
  overwriteString,
  setString,
  storeString,
  storeZeroes,
} from '../../keyspace/strings.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { ENC_INT, TYPE_STRING } from '../../values/entry.ts';
import { plainEncoding, stringBytes, stringLength } from '../../values/string.ts';
import { allowedSize } from './shared.ts';

const OVERFLOW = 'ERR increment or decrement would overflow';

const scratch = new Slice();
const digits = new Uint8Array(24);
const text = new Slice(digits);

/** Adds `by`, a safe integer, to the number under argument 1. */
function increment(c: Call, by: number): void {
  const e = c.openFor(c.findForWrite(1), TYPE_STRING);
  if (e === undefined) return;
  const value = e === NULL ? 0 : parseInteger(stringBytes(c.memory, e, scratch));
  const sum = value + by;
  if (!Number.isSafeInteger(sum) || !Number.isSafeInteger(value)) {
    if (Number.isNaN(value)) c.reply.error(NOT_AN_INTEGER);
    else incrementExactly(c, e, BigInt(by));
    return;
  }
  text.set(digits, 0, writeInteger(digits, 0, sum));
  c.db.storeInline(c.arg(1), c.hashOf(1), e, ENC_INT, text, expiryOf(c.db, e));
  c.changed(1, 'incrby');
  c.reply.int(sum);
}

/** The same over the whole range of 64 bits; `e` has been found to hold an integer. */
function incrementExactly(c: Call, e: Addr, by: bigint): void {
  const value = e === NULL ? 0n : parseInt64(stringBytes(c.memory, e, scratch));
  if (value === undefined) {
    c.reply.error(NOT_AN_INTEGER);
    return;
  }
  const sum = value + by;
  if (sum > INT64_MAX || sum < INT64_MIN) {
    c.reply.error(OVERFLOW);
    return;
  }
  const written = new Slice(bytesOf(sum.toString()));
  c.db.storeInline(c.arg(1), c.hashOf(1), e, ENC_INT, written, expiryOf(c.db, e));
  c.changed(1, 'incrby');
  c.reply.bigint(sum);
}

/** The same with an amount from argument 2, taken `times` 1 or -1. */
function incrementBy(c: Call, times: number): void {
  const by = c.integer(2);
  if (by === undefined) return;
  if (Number.isSafeInteger(by)) {
    increment(c, by * times);
    return;
  }
  const exact = parseInt64(c.arg(2))!;
  if (times < 0 && exact === INT64_MIN) {
    c.reply.error('ERR decrement would overflow');
    return;
  }
  const e = c.openFor(c.findForWrite(1), TYPE_STRING);
  if (e !== undefined) incrementExactly(c, e, exact * BigInt(times));
}

export const incr = command({
  name: 'INCR',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Adds one to the integer under a key.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE')],
  run(c) {
    increment(c, 1);
  },
});

export const decr = command({
  name: 'DECR',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Takes one from the integer under a key.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE')],
  run(c) {
    increment(c, -1);
  },
});

export const incrby = command({
  name: 'INCRBY',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Adds an amount to the integer under a key.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), integer('increment')],
  run(c) {
    incrementBy(c, 1);
  },
});

export const decrby = command({
  name: 'DECRBY',
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Takes an amount from the integer under a key.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), integer('decrement')],
  run(c) {
    incrementBy(c, -1);
  },
});

export const incrbyfloat = command({
  name: 'INCRBYFLOAT',
  group: 'string',
  since: '2.6.0',
  complexity: 'O(1)',
  summary: 'Adds an amount to the decimal number under a key.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), double('increment')],
  run(c) {
    const e = c.openFor(c.findForWrite(1), TYPE_STRING);
    if (e === undefined) return;
    const value = e === NULL ? LongDouble.zero(false) : parseLongDouble(stringBytes(c.memory, e, scratch));
    const by = value && parseLongDouble(c.arg(2));
    if (value === undefined || by === undefined) {
      c.reply.error(NOT_A_FLOAT);
      return;
    }
    const sum = addLongDouble(value, by);
    if (sum.isNaN() || sum.isInfinite()) {
      c.reply.error('ERR increment would produce NaN or Infinity');
      return;
    }
    const written = new Slice(bytesOf(formatLongDouble(sum)));
    // The result is never encoded as an integer, even if it is one.
    storeString(c.db, c.arg(1), c.hashOf(1), e, plainEncoding(written.length), written, expiryOf(c.db, e));
    c.changed(1, 'incrbyfloat');
    c.reply.bulk(written);
    // A copy may compute with other floats: it is told the result.
    if (c.propagates) c.rewrite('SET', c.arg(1), written, 'KEEPTTL');
  },
});

export const append = command({
  name: 'APPEND',
  group: 'string',
  since: '2.0.0',
  complexity: 'O(1) amortized, as the room of a string doubles when it is used up',
  summary: 'Adds bytes to the end of a string, which is created when absent.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW INSERT'), bytes('value')],
  run(c) {
    const value = c.arg(2);
    const e = c.openFor(c.findForWrite(1), TYPE_STRING);
    if (e === undefined) return;
    let length = 0;
    if (e === NULL) {
      setString(c.db, c.arg(1), c.hashOf(1), NULL, value, -1);
    } else {
      length = stringLength(c.memory, e);
      if (!allowedSize(c, length, value.length)) return;
      appendString(c.db, c.arg(1), c.hashOf(1), e, value);
    }
    c.changed(1, 'append');
    c.reply.int(length + value.length);
  },
});

export const setrange = command({
  name: 'SETRANGE',
  group: 'string',
  since: '2.2.0',
  complexity: 'O(N) in the length of the value',
  summary: 'Overwrites bytes of a string from an offset on; what lies between its old end and there becomes zero.',
  flags: ['write', 'denyoom'],
  args: [key('key', 'RW UPDATE'), integer('offset'), bytes('value')],
  run(c) {
    const offset = c.integer(2);
    if (offset === undefined) return;
    if (offset < 0) {
      c.reply.error('ERR offset is out of range');
      return;
    }
    const value = c.arg(3);
    let e = c.openFor(c.findForWrite(1), TYPE_STRING);
    if (e === undefined) return;
    const length = e === NULL ? 0 : stringLength(c.memory, e);
    if (value.length === 0) {
      c.reply.int(length);
      return;
    }
    const end = offset + value.length;
    if (!allowedSize(c, offset, value.length)) return;
    if (e === NULL) e = storeZeroes(c.db, c.arg(1), c.hashOf(1), end);
    overwriteString(c.db, c.arg(1), c.hashOf(1), e, offset, value);
    c.changed(1, 'setrange');
    c.reply.int(Math.max(length, end));
  },
});

export const CHANGE_COMMANDS: readonly Command[] = [incr, decr, incrby, decrby, incrbyfloat, append, setrange];
