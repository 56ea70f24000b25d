/**
 * BITFIELD: integers of any width at any bit of a string, the highest bit first.
 *
 * Fields of up to 48 bits with amounts below 2^52 are reckoned in numbers, where sums stay exact; wider ones in bigints.
 * All operations are read, and their errors found, before the first one runs.
 */
import { INT64_MAX, parseInt64, parseInteger } from '../../base/numbers.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command, type KeyFinderInput, type KeySpec } from '../../engine/command.ts';
import {
  type Argument,
  after,
  block,
  bytes,
  integer,
  key,
  many,
  oneOf,
  optional,
  repeated,
  token,
} from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { readField, writeField } from '../../structures/bits.ts';
import { sdsWritable } from '../../structures/sds.ts';
import { entryValue, TYPE_STRING } from '../../values/entry.ts';
import { stringBytes } from '../../values/string.ts';
import { bitOffset, opened, stringForBits } from './common.ts';

const BAD_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.';

const GET = 0;
const SET = 1;
const INCRBY = 2;

const WRAP = 0;
const SAT = 1;
const FAIL = 2;

/** What became of a SET or INCRBY. */
const REFUSED = 0;
const SAME = 1;
const CHANGED = 2;

const NARROW_BITS = 48;
const NARROW_AMOUNT = 2 ** 52;
const SMALL_I = 105;
const SMALL_U = 117;

class Operation {
  kind = GET;
  signed = false;
  bits = 0;
  offset = 0;
  overflow = WRAP;
  /** Argument of the value or increment. */
  amountAt = 0;
  /** The same as a number, rounded beyond 2^53. */
  amount = 0;
}

/** Operations are kept from call to call; `count` of them belong to the present one. */
const plan = { operations: [] as Operation[], count: 0, writes: false, lastBit: 0 };
const shown = new Slice();
const digits = new Slice();

function nextOperation(): Operation {
  if (plan.count === plan.operations.length) plan.operations.push(new Operation());
  return plan.operations[plan.count++];
}

/** Reads a type like i16 or u8; what stands behind a zero byte is not looked at. */
function readType(c: Call, i: number, operation: Operation): boolean {
  const type = c.arg(i);
  const letter = type.length > 0 ? type.at(0) : 0;
  let length = 1;
  while (length < type.length && type.at(length) !== 0) length++;
  const bits = parseInteger(digits.set(type.buffer, type.start + 1, length - 1));
  operation.signed = letter === SMALL_I;
  operation.bits = bits;
  if ((letter === SMALL_I || letter === SMALL_U) && bits >= 1 && bits <= (operation.signed ? 64 : 63)) return true;
  c.reply.error(BAD_TYPE);
  return false;
}

function overflowOf(word: Slice): number {
  if (isWord(word, 'WRAP')) return WRAP;
  if (isWord(word, 'SAT')) return SAT;
  return isWord(word, 'FAIL') ? FAIL : -1;
}

function kindOf(word: Slice, following: number): number {
  if (following >= 2 && isWord(word, 'GET')) return GET;
  if (following >= 3 && isWord(word, 'SET')) return SET;
  return following >= 3 && isWord(word, 'INCRBY') ? INCRBY : -1;
}

/** Reads the operation whose name is argument `i`; false when an error has been replied. */
function readOperation(c: Call, i: number, kind: number, overflow: number): boolean {
  const operation = nextOperation();
  operation.kind = kind;
  operation.overflow = overflow;
  if (!readType(c, i + 1, operation)) return false;
  const offset = bitOffset(c, i + 2, operation.bits);
  if (offset === undefined) return false;
  operation.offset = offset;
  if (kind === GET) return true;
  plan.writes = true;
  plan.lastBit = Math.max(plan.lastBit, offset + operation.bits - 1);
  const amount = c.integer(i + 3);
  if (amount === undefined) return false;
  operation.amount = amount;
  operation.amountAt = i + 3;
  return true;
}

function readPlan(c: Call): boolean {
  plan.count = 0;
  plan.writes = false;
  plan.lastBit = 0;
  let overflow = WRAP;
  for (let i = 2; i < c.argc; ) {
    const following = c.argc - i - 1;
    const kind = kindOf(c.arg(i), following);
    if (kind >= 0) {
      if (!readOperation(c, i, kind, overflow)) return false;
      i += kind === GET ? 3 : 4;
    } else if (following >= 1 && isWord(c.arg(i), 'OVERFLOW')) {
      overflow = overflowOf(c.arg(i + 1));
      if (overflow < 0) {
        c.reply.error('ERR Invalid OVERFLOW type specified');
        return false;
      }
      i += 2;
    } else {
      c.syntaxError();
      return false;
    }
  }
  return true;
}

/** A field's bits taken as a number with or without a sign. */
function signedOf(raw: number, { signed, bits }: Operation): number {
  return signed && raw >= 2 ** (bits - 1) ? raw - 2 ** bits : raw;
}

/** All 64 bits of a field. */
function readWide(value: Slice, { signed, bits, offset }: Operation): bigint {
  const low = BigInt(readField(value, offset + bits - 32, 32));
  const raw = (BigInt(readField(value, offset, bits - 32)) << 32n) | low;
  return signed ? BigInt.asIntN(bits, raw) : raw;
}

function writeWide(value: Slice, { bits, offset }: Operation, field: bigint): void {
  writeField(value, offset, bits - 32, Number(BigInt.asUintN(bits - 32, field >> 32n)));
  writeField(value, offset + bits - 32, 32, Number(BigInt.asUintN(32, field)));
}

function replyField(c: Call, value: Slice, operation: Operation): void {
  if (operation.bits <= NARROW_BITS)
    c.reply.int(signedOf(readField(value, operation.offset, operation.bits), operation));
  else c.reply.bigint(readWide(value, operation));
}

/** Runs SET or INCRBY in numbers and replies; answers REFUSED, SAME or CHANGED. */
function changeNarrow(c: Call, value: Slice, operation: Operation): number {
  const { kind, signed, bits, offset, overflow, amount } = operation;
  const old = signedOf(readField(value, offset, bits), operation);
  const least = signed ? -(2 ** (bits - 1)) : 0;
  const most = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  let field = kind === SET ? amount : old + amount;
  if (field < least || field > most) {
    if (overflow === FAIL) {
      c.reply.null();
      return REFUSED;
    }
    // A negative value for an unsigned field counts as one beyond its upper end.
    if (overflow === SAT) field = field > most || (kind === SET && !signed) ? most : least;
    else field = signedOf(field - Math.floor(field / 2 ** bits) * 2 ** bits, operation);
  }
  c.reply.int(kind === SET ? old : field);
  if (field === old) return SAME;
  writeField(value, offset, bits, field < 0 ? field + 2 ** bits : field);
  return CHANGED;
}

/** Where the 64-bit sum leaves the field's range: 1 above, -1 below, 0 nowhere. Differences wrap, as Redis's do. */
function overflowSide({ signed, bits }: Operation, value: bigint, by: bigint): number {
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  const least = signed ? -most - 1n : 0n;
  const up = BigInt.asIntN(64, most - value);
  const down = BigInt.asIntN(64, least - value);
  if (!signed) {
    if (value > most || (by > 0n && by > up)) return 1;
    return by < 0n && by < down ? -1 : 0;
  }
  if (value > most || (bits !== 64 && by > up) || (value >= 0n && by > 0n && by > up)) return 1;
  return value < least || (bits !== 64 && by < down) || (value < 0n && by < 0n && by < down) ? -1 : 0;
}

/** The same in 64 bits. */
function changeWide(c: Call, value: Slice, operation: Operation): number {
  const { kind, signed, bits, offset, overflow } = operation;
  const amount = parseInt64(c.arg(operation.amountAt))!;
  const narrow = bits <= NARROW_BITS;
  const old = narrow ? BigInt(signedOf(readField(value, offset, bits), operation)) : readWide(value, operation);
  const start = kind === INCRBY ? old : signed ? amount : BigInt.asUintN(64, amount);
  const by = kind === INCRBY ? amount : 0n;
  const side = overflowSide(operation, start, by);
  if (side !== 0 && overflow === FAIL) {
    c.reply.null();
    return REFUSED;
  }
  const most = signed ? INT64_MAX >> BigInt(64 - bits) : (1n << BigInt(bits)) - 1n;
  let field = signed ? BigInt.asIntN(bits, start + by) : BigInt.asUintN(bits, start + by);
  if (side !== 0 && overflow === SAT) field = side > 0 ? most : signed ? -most - 1n : 0n;
  c.reply.bigint(kind === SET ? old : field);
  if (field === old) return SAME;
  if (narrow) writeField(value, offset, bits, Number(BigInt.asUintN(bits, field)));
  else writeWide(value, operation, field);
  return CHANGED;
}

function change(c: Call, value: Slice, operation: Operation): number {
  const { bits, amount } = operation;
  const narrow = bits <= NARROW_BITS && amount < NARROW_AMOUNT && amount > -NARROW_AMOUNT;
  return narrow ? changeNarrow(c, value, operation) : changeWide(c, value, operation);
}

const NONE = new Uint8Array(0);

function runReads(c: Call): void {
  const e = c.openFor(c.find(1), TYPE_STRING);
  if (e === undefined) return;
  if (e === NULL) shown.set(NONE, 0, 0);
  else stringBytes(c.memory, e, shown);
  c.reply.array(plan.count);
  for (let i = 0; i < plan.count; i++) replyField(c, shown, plan.operations[i]);
}

/** Shows for writing the bytes that an operation's field takes, and makes its offset one within them. */
function showField(c: Call, e: Addr, operation: Operation): void {
  const first = Math.floor(operation.offset / 8);
  const last = Math.floor((operation.offset + operation.bits - 1) / 8);
  sdsWritable(c.memory, entryValue(c.memory, e), first, last + 1 - first, shown);
  operation.offset -= first * 8;
}

function runWrites(c: Call): void {
  const e = stringForBits(c, plan.lastBit);
  if (e === undefined) return;
  let changes = 0;
  c.reply.array(plan.count);
  for (let i = 0; i < plan.count; i++) {
    const operation = plan.operations[i];
    if (operation.kind === GET) {
      replyField(c, stringBytes(c.memory, e, shown), operation);
      continue;
    }
    showField(c, e, operation);
    const outcome = change(c, shown, operation);
    if (outcome === CHANGED || (outcome === SAME && opened.grown)) changes++;
  }
  if (changes > 0) c.changed(1, 'setbit', changes);
}

const BITFIELD_KEY: KeySpec = {
  access: 'RW ACCESS UPDATE VARIABLE_FLAGS',
  notes: 'This command allows both access and modification of the key',
  begin: { type: 'index', index: 1 },
  find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
};

/** Reads only where nothing but GET is asked for; what can't be read counts as a write. */
function fieldAccess(c: KeyFinderInput): string {
  for (let i = 2; i < c.argc; ) {
    const following = c.argc - i - 1;
    if (kindOf(c.arg(i), following) === GET) i += 3;
    else if (following >= 1 && isWord(c.arg(i), 'OVERFLOW')) i += 2;
    else return 'RW ACCESS UPDATE';
  }
  return 'RO ACCESS';
}

const field = (name: string, word: string, ...more: Argument[]): Argument =>
  after(word, block(name, bytes('encoding'), integer('offset'), ...more));

export const bitfield = command({
  name: 'BITFIELD',
  group: 'bitmap',
  since: '3.2.0',
  complexity: 'O(1) for each operation',
  summary: 'Reads, sets and increments integers of any width within a string.',
  flags: ['write', 'denyoom'],
  keySpecs: [BITFIELD_KEY],
  keyAccess: fieldAccess,
  args: [
    key('key', BITFIELD_KEY.access),
    {
      ...many(
        oneOf(
          'operation',
          field('encoding_offset', 'GET'),
          block(
            'write',
            optional(
              after(
                'OVERFLOW',
                oneOf('wrap_sat_fail', token('wrap', 'WRAP'), token('sat', 'SAT'), token('fail', 'FAIL')),
              ),
            ),
            oneOf(
              'write_operation',
              field('encoding_offset_value', 'SET', integer('value')),
              field('encoding_offset_increment', 'INCRBY', integer('increment')),
            ),
          ),
        ),
      ),
      optional: true,
    },
  ],
  run(c) {
    if (!readPlan(c)) return;
    if (plan.writes) runWrites(c);
    else runReads(c);
  },
});

export const bitfieldRo = command({
  name: 'BITFIELD_RO',
  group: 'bitmap',
  since: '6.0.0',
  complexity: 'O(1) for each operation',
  summary: 'Reads integers of any width within a string.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), optional(repeated(field('encoding_offset', 'GET')))],
  run(c) {
    if (!readPlan(c)) return;
    if (plan.writes) c.reply.error('ERR BITFIELD_RO only supports the GET subcommand');
    else runReads(c);
  },
});

export const BITFIELD_COMMANDS: readonly Command[] = [bitfield, bitfieldRo];
