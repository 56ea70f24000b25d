/** Writing, counting up and deleting fields. */
import { addLongDouble, formatLongDouble, parseLongDouble } from '../../base/long-double.ts';
import { INT64_MAX, INT64_MIN, parseInt64, parseInteger, writeInteger } from '../../base/numbers.ts';
import { Slice, sliceOf } from '../../base/slice.ts';
import { type Call, NOT_A_FLOAT } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, double, integer, key, many, manyOf } from '../../engine/grammar.ts';

const value = new Slice();
const digits = new Slice(new Uint8Array(24));
const ZERO = sliceOf('0');

const NOT_AN_INTEGER_VALUE = 'ERR hash value is not an integer';
const OVERFLOW = 'ERR increment or decrement would overflow';

/** Writes the pairs of the arguments, and replies how many fields are new, or only that it is done. */
function putPairs(c: Call, counts: boolean): void {
  if (c.argc % 2 === 1) {
    c.wrongArity();
    return;
  }
  const hash = c.hashForWrite(1);
  if (!hash) return;
  let added = 0;
  for (let i = 2; i < c.argc; i += 2) if (hash.put(c.arg(i), c.arg(i + 1))) added++;
  if (counts) c.reply.int(added);
  else c.reply.ok();
  c.changed(1, 'hset', c.argc / 2 - 1);
}

const hset = command({
  name: 'HSET',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1) for each field.',
  summary: 'Writes fields of a hash, creating it when absent.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['4.0.0', 'Takes several fields with their values.']],
  args: [key('key', 'RW UPDATE'), manyOf('field_value', bytes('field'), bytes('value'))],
  run(c) {
    putPairs(c, true);
  },
});

const hmset = command({
  name: 'HMSET',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1) for each field.',
  summary: 'Writes fields of a hash.',
  flags: ['write', 'denyoom', 'fast'],
  docFlags: ['deprecated'],
  deprecatedSince: '4.0.0',
  replacedBy: '`HSET` with multiple field-value pairs',
  args: [key('key', 'RW UPDATE'), manyOf('field_value', bytes('field'), bytes('value'))],
  run(c) {
    putPairs(c, false);
  },
});

const hsetnx = command({
  name: 'HSETNX',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Writes a field that a hash does not have yet.',
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW INSERT'), bytes('field'), bytes('value')],
  run(c) {
    const hash = c.hashForWrite(1);
    if (!hash) return;
    if (hash.has(c.arg(2))) {
      c.reply.int(0);
      return;
    }
    hash.put(c.arg(2), c.arg(3));
    c.reply.int(1);
    c.changed(1, 'hset');
  },
});

const hincrby = command({
  name: 'HINCRBY',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: "Adds to a field's integer, which is 0 when absent.",
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), bytes('field'), integer('increment')],
  run(c) {
    const by = c.integer(3);
    if (by === undefined) return;
    const hash = c.hashForWrite(1);
    if (!hash) return;
    const text = hash.get(c.arg(2), value) ? value : ZERO;
    const old = parseInteger(text);
    if (Number.isNaN(old)) {
      c.reply.error(NOT_AN_INTEGER_VALUE);
      return;
    }
    const sum = old + by;
    if (!Number.isSafeInteger(old) || !Number.isSafeInteger(by) || !Number.isSafeInteger(sum)) {
      incrementExactly(c, text);
      return;
    }
    digits.length = writeInteger(digits.buffer, 0, sum);
    hash.put(c.arg(2), digits);
    c.reply.int(sum);
    c.changed(1, 'hincrby');
  },
});

/** HINCRBY where a number beyond 2^53 takes part. */
function incrementExactly(c: Call, text: Slice): void {
  const sum = parseInt64(text)! + parseInt64(c.arg(3))!;
  if (sum > INT64_MAX || sum < INT64_MIN) {
    c.reply.error(OVERFLOW);
    return;
  }
  c.hashForWrite(1)?.put(c.arg(2), sliceOf(sum.toString()));
  c.reply.bigint(sum);
  c.changed(1, 'hincrby');
}

const hincrbyfloat = command({
  name: 'HINCRBYFLOAT',
  group: 'hash',
  since: '2.6.0',
  complexity: 'O(1)',
  summary: "Adds to a field's number, which is 0 when absent.",
  flags: ['write', 'denyoom', 'fast'],
  args: [key('key', 'RW ACCESS UPDATE'), bytes('field'), double('increment')],
  run(c) {
    const by = parseLongDouble(c.arg(3));
    if (by === undefined) {
      c.reply.error(NOT_A_FLOAT);
      return;
    }
    if (by.kind !== 'finite') {
      c.reply.error('ERR value is NaN or Infinity');
      return;
    }
    const hash = c.hashForWrite(1);
    if (!hash) return;
    const old = parseLongDouble(hash.get(c.arg(2), value) ? value : ZERO);
    if (old === undefined) {
      c.reply.error('ERR hash value is not a float');
      return;
    }
    const sum = addLongDouble(old, by);
    if (sum.kind !== 'finite') {
      c.reply.error('ERR increment would produce NaN or Infinity');
      return;
    }
    const text = sliceOf(formatLongDouble(sum));
    hash.put(c.arg(2), text);
    c.reply.bulk(text);
    c.changed(1, 'hincrbyfloat');
    // Floating point may differ between machines: what is propagated is the result.
    if (c.propagates) c.rewrite('HSET', c.arg(1), c.arg(2), text);
  },
});

const hdel = command({
  name: 'HDEL',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1) for each field.',
  summary: 'Deletes fields of a hash, and the key with the last one.',
  flags: ['write', 'fast'],
  history: [['2.4.0', 'Takes several fields.']],
  args: [key('key', 'RW DELETE'), many(bytes('field'))],
  run(c) {
    const hash = c.hashForWrite(1, false);
    if (hash === undefined) return;
    let deleted = 0;
    if (hash !== null) {
      for (let i = 2; i < c.argc && hash.length > 0; i++) if (hash.remove(c.arg(i))) deleted++;
      if (deleted > 0) {
        c.changed(1, 'hdel', deleted);
        c.dropEmpty(1, hash);
      }
    }
    c.reply.int(deleted);
  },
});

export const WRITE_COMMANDS: readonly Command[] = [hset, hmset, hsetnx, hincrby, hincrbyfloat, hdel];
