/** SETBIT, GETBIT, BITCOUNT, BITPOS. */
import { parseInt64 } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { type Argument, block, integer, key, oneOf, optional, token } from '../../engine/grammar.ts';
import { NULL } from '../../memory/address.ts';
import { countBits, findBit } from '../../structures/bits.ts';
import { sdsByte, sdsSetByte } from '../../structures/sds.ts';
import { entryValue, TYPE_STRING } from '../../values/entry.ts';
import { stringBytes } from '../../values/string.ts';
import { bitOffset, opened, range, setRange, stringForBits, unitAt } from './common.ts';

const BAD_BIT = 'ERR bit is not an integer or out of range';

const shown = new Slice();

const indexUnit: Argument = {
  ...optional(oneOf('index_unit', token('byte', 'BYTE'), token('bit', 'BIT'))),
  since: '7.0.0',
};

export const setbit = command({
  name: 'SETBIT',
  group: 'bitmap',
  since: '2.2.0',
  complexity: 'O(1), and the lengthening of the string where the bit lies behind its end',
  summary: 'Sets or clears one bit of a string, which grows as needed.',
  flags: ['write', 'denyoom'],
  args: [key('key', 'RW ACCESS UPDATE'), integer('offset'), integer('value')],
  run(c) {
    const offset = bitOffset(c, 2);
    if (offset === undefined) return;
    const on = c.integerOr(3, BAD_BIT);
    if (on === undefined) return;
    if (on !== 0 && on !== 1) {
      c.reply.error(BAD_BIT);
      return;
    }
    const e = stringForBits(c, offset);
    if (e === undefined) return;
    const root = entryValue(c.memory, e);
    const at = Math.floor(offset / 8);
    const mask = 128 >>> (offset & 7);
    const byte = sdsByte(c.memory, root, at);
    const was = (byte & mask) !== 0 ? 1 : 0;
    if (opened.grown || was !== on) {
      sdsSetByte(c.memory, root, at, on === 1 ? byte | mask : byte & ~mask);
      c.changed(1, 'setbit');
    }
    c.reply.int(was);
  },
});

export const getbit = command({
  name: 'GETBIT',
  group: 'bitmap',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Answers one bit of a string; those behind its end are 0.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), integer('offset')],
  run(c) {
    const offset = bitOffset(c, 2);
    if (offset === undefined) return;
    const e = c.openFor(c.find(1), TYPE_STRING);
    if (e === undefined) return;
    const at = Math.floor(offset / 8);
    if (e === NULL || at >= stringBytes(c.memory, e, shown).length) c.reply.int(0);
    else c.reply.int((shown.at(at) >>> (7 - (offset & 7))) & 1);
  },
});

/** Whether both positions are negative and the first lies behind the second, compared exactly. */
function isBackwards(c: Call, start: number, end: number): boolean {
  if (start >= 0 || end >= 0) return false;
  if (start !== end || Number.isSafeInteger(start)) return start > end;
  return parseInt64(c.arg(2))! > parseInt64(c.arg(3))!;
}

function countIn(value: Slice, from: number, to: number): number {
  if (from > to) return 0;
  const first = Math.floor(from / 8);
  const last = Math.floor(to / 8);
  const { buffer, start } = value;
  const before = buffer[start + first] & ~(0xff >>> (from & 7)) & 0xff;
  const behind = buffer[start + last] & (0x7f >>> (to & 7));
  let count = countBits(buffer, start + first, start + last + 1);
  for (let rest = before; rest !== 0; rest &= rest - 1) count--;
  for (let rest = behind; rest !== 0; rest &= rest - 1) count--;
  return count;
}

export const bitcount = command({
  name: 'BITCOUNT',
  group: 'bitmap',
  since: '2.6.0',
  complexity: 'O(N) in the bytes that are looked at',
  summary: 'Counts the bits that are set in a string or in a part of it.',
  flags: ['readonly'],
  history: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  args: [key('key', 'RO ACCESS'), optional(block('index', integer('start'), integer('end'), indexUnit))],
  run(c) {
    const e = c.openFor(c.find(1), TYPE_STRING);
    if (e === undefined) return;
    if (e === NULL) {
      c.reply.int(0);
      return;
    }
    if (c.argc === 2) {
      const value = stringBytes(c.memory, e, shown);
      c.reply.int(countBits(value.buffer, value.start, value.start + value.length));
      return;
    }
    if (c.argc !== 4 && c.argc !== 5) {
      c.syntaxError();
      return;
    }
    const start = c.integer(2);
    if (start === undefined) return;
    const end = c.integer(3);
    if (end === undefined) return;
    if (isBackwards(c, start, end)) {
      c.reply.int(0);
      return;
    }
    const unit = c.argc === 5 ? unitAt(c, 4) : 0;
    if (unit === undefined) return;
    const value = stringBytes(c.memory, e, shown);
    setRange(start, end, value.length, unit === 1);
    c.reply.int(countIn(value, range.from, range.to));
  },
});

/** Leaves in `range` where BITPOS looks in a string of `length` bytes; false when an error has been replied. */
function readPosRange(c: Call, length: number): boolean {
  if (c.argc === 3) {
    setRange(0, length, length, false);
    return true;
  }
  if (c.argc > 6) {
    c.syntaxError();
    return false;
  }
  const start = c.integer(3);
  if (start === undefined) return false;
  const unit = c.argc === 6 ? unitAt(c, 5) : 0;
  if (unit === undefined) return false;
  const end = c.argc > 4 ? c.integer(4) : length - 1;
  if (end === undefined) return false;
  setRange(start, end, length, unit === 1);
  return true;
}

export const bitpos = command({
  name: 'BITPOS',
  group: 'bitmap',
  since: '2.8.7',
  complexity: 'O(N) in the bytes that are looked at',
  summary: 'Finds the first bit that is set, or clear, in a string or in a part of it.',
  flags: ['readonly'],
  history: [['7.0.0', 'Added the `BYTE|BIT` option.']],
  args: [
    key('key', 'RO ACCESS'),
    integer('bit'),
    optional(block('index', integer('start'), optional(block('end_index', integer('end'), indexUnit)))),
  ],
  run(c) {
    const bit = c.integer(2);
    if (bit === undefined) return;
    if (bit !== 0 && bit !== 1) {
      c.reply.error('ERR The bit argument must be 1 or 0.');
      return;
    }
    const e = c.openFor(c.find(1), TYPE_STRING);
    if (e === undefined) return;
    if (e === NULL) {
      c.reply.int(bit === 1 ? -1 : 0);
      return;
    }
    const value = stringBytes(c.memory, e, shown);
    if (!readPosRange(c, value.length)) return;
    const { from, to } = range;
    const found = from > to ? -1 : findBit(value.buffer, value.start, bit, from, to);
    // Without an end given the string goes on as zeroes for ever.
    const beyond = found < 0 && from <= to && bit === 0 && c.argc < 5;
    c.reply.int(beyond ? to + 1 : found);
  },
});

export const BITS_COMMANDS: readonly Command[] = [setbit, getbit, bitcount, bitpos];
