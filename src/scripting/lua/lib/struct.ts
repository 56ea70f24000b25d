/** The struct library: binary records by a format, with C's sizes and alignment. */
import { cLength } from '../number.ts';
import { type Runtime, number as toNumber } from '../runtime.ts';
import { badArgument, fail, type LuaTable, type Value } from '../value.ts';
import { isNone, library, longArg, numberArg, stringArg, unsignedBits } from './args.ts';

const MAX_INTEGER = 32;
const MAX_ALIGN = 8;
const MAX_SIZE = 2 ** 29;
const SIZES: Record<string, number> = { b: 1, B: 1, h: 2, H: 2, l: 8, L: 8, T: 8, f: 4, d: 8, x: 1, c: 1 };

/** Walks a format; `little` and `align` are its state. */
class Format {
  private readonly text: string;
  at = 0;
  little = true;
  align = 1;
  letter = '';
  size = 0;

  constructor(text: string) {
    this.text = text.slice(0, cLength(text));
  }

  private number(otherwise: number): number {
    const from = this.at;
    while (this.text[this.at] >= '0' && this.text[this.at] <= '9') this.at++;
    if (this.at === from) return otherwise;
    const value = Number(this.text.slice(from, this.at));
    if (value > 0x7fffffff) throw fail('integral size overflow');
    return value;
  }

  /** The next letter with its size; false at the end. */
  next(): boolean {
    if (this.at >= this.text.length) return false;
    this.letter = this.text[this.at++];
    this.size = Object.hasOwn(SIZES, this.letter) ? SIZES[this.letter] : 0;
    if (this.letter === 'c') this.size = this.number(1);
    if (this.letter === 'i' || this.letter === 'I') {
      this.size = this.number(4);
      if (this.size > MAX_INTEGER) throw fail(`integral size ${this.size} is larger than limit of ${MAX_INTEGER}`);
    }
    return true;
  }

  /** Bytes of padding before this item at `total`. */
  padding(total: number): number {
    if (this.size === 0 || this.letter === 'c') return 0;
    const align = Math.min(this.size, this.align);
    return align > 1 ? (align - (total & (align - 1))) & (align - 1) : 0;
  }

  /** Letters that change the state; others are refused. */
  control(): void {
    switch (this.letter) {
      case ' ':
        return;
      case '>':
        this.little = false;
        return;
      case '<':
        this.little = true;
        return;
      case '!': {
        const align = this.number(MAX_ALIGN);
        if (align === 0 || (align & (align - 1)) !== 0) throw fail(`alignment ${align} is not a power of 2`);
        this.align = align;
        return;
      }
      default:
        throw badArgument(1, `invalid format option '${this.letter}'`);
    }
  }
}

function integerBytes(value: number, size: number, little: boolean): string {
  let bits = unsignedBits(value);
  let out = '';
  for (let i = 0; i < size; i++) {
    const char = String.fromCharCode(Number(bits & 255n));
    out = little ? out + char : char + out;
    bits >>= 8n;
  }
  return out;
}

function floatBytes(value: number, { size, little }: Format): string {
  const bytes = Buffer.alloc(size);
  if (size === 4) little ? bytes.writeFloatLE(value) : bytes.writeFloatBE(value);
  else little ? bytes.writeDoubleLE(value) : bytes.writeDoubleBE(value);
  // What comes of arithmetic that gives no number has a sign.
  if (value !== value) bytes[little ? size - 1 : 0] = 0xff;
  return bytes.toString('latin1');
}

function pack(given: readonly Value[]): string {
  // A nil stands after the arguments, and is what a missing one is said to be.
  const args = given.length > 0 ? [...given, undefined] : given;
  const format = new Format(stringArg(args, 0));
  let out = '';
  let arg = 0;
  while (format.next()) {
    out += '\0'.repeat(format.padding(out.length));
    const { letter, size } = format;
    if ('bBhHlLTiI'.includes(letter)) out += integerBytes(numberArg(args, ++arg), size, format.little);
    else if (letter === 'x') out += '\0';
    else if (letter === 'f' || letter === 'd') out += floatBytes(numberArg(args, ++arg), format);
    else if (letter === 'c' || letter === 's') {
      const text = stringArg(args, ++arg);
      const length = letter === 's' || size === 0 ? text.length : size;
      if (text.length < length) throw badArgument(arg + 2, 'string too short');
      out += text.slice(0, length) + (letter === 's' ? '\0' : '');
    } else format.control();
    if (out.length > MAX_SIZE) throw fail('not enough memory');
  }
  return out;
}

function readInteger(text: string, at: number, { letter, size, little }: Format): number {
  let bits = 0n;
  for (let i = 0; i < size; i++) {
    const byte = text.charCodeAt(little ? at + size - 1 - i : at + i);
    bits = (bits << 8n) | BigInt(byte);
  }
  bits &= 0xffffffffffffffffn;
  if (letter !== letter.toLowerCase()) return Number(bits);
  // Of a size that has no register the processor takes the rest.
  const mask = BigInt.asUintN(64, -1n << BigInt((size * 8 - 1) % 64));
  return Number(BigInt.asIntN(64, (bits & mask) === 0n ? bits : bits | mask));
}

function readFloat(text: string, at: number, { size, little }: Format): number {
  const bytes = Buffer.from(text.slice(at, at + size), 'latin1');
  if (size === 4) return little ? bytes.readFloatLE() : bytes.readFloatBE();
  return little ? bytes.readDoubleLE() : bytes.readDoubleBE();
}

function unpack(args: readonly Value[]): Value[] {
  const format = new Format(stringArg(args, 0));
  const text = stringArg(args, 1);
  const offset = isNone(args, 2) ? 1 : longArg(args, 2);
  if (offset === 0) throw badArgument(3, 'offset must be 1 or greater');
  // The reference takes it as unsigned: what is negative lies behind every string.
  let at = offset < 0 ? offset + 2 ** 64 : offset - 1;
  const values: Value[] = [];
  while (format.next()) {
    at += format.padding(at);
    const { letter } = format;
    let { size } = format;
    if (at > text.length || size > text.length - at) throw badArgument(2, 'data string too short');
    if ('bBhHlLTiI'.includes(letter)) values.push(readInteger(text, at, format));
    else if (letter === 'f' || letter === 'd') values.push(readFloat(text, at, format));
    else if (letter === 'c') {
      if (size === 0) {
        const last = toNumber(values.pop());
        if (last === undefined) throw fail("format 'c0' needs a previous size");
        size = Number(unsignedBits(last));
        if (size > text.length - at) throw badArgument(2, 'data string too short');
      }
      values.push(text.slice(at, at + size));
    } else if (letter === 's') {
      const end = text.indexOf('\0', at);
      if (end < 0) throw fail('unfinished string in data');
      values.push(text.slice(at, end));
      size = end - at + 1;
    } else if (letter !== 'x') format.control();
    at += size;
  }
  values.push(at >= 2 ** 63 ? offset : at + 1);
  return values;
}

function size(args: readonly Value[]): number {
  const format = new Format(stringArg(args, 0));
  let total = 0;
  while (format.next()) {
    const { letter } = format;
    if (letter === 's') throw badArgument(1, "option 's' has no fixed size");
    if (letter === 'c' && format.size === 0) throw badArgument(1, "option 'c0' has no fixed size");
    total += format.padding(total);
    if (!/[0-9A-Za-z]/.test(letter)) format.control();
    total += format.size;
  }
  return total;
}

export function openStruct(rt: Runtime, globals: LuaTable): void {
  globals.set('struct', library(rt, { pack, unpack, size }));
}
