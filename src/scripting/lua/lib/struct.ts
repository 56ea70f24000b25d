/** The struct library: binary records by a format, with C's sizes and alignment. */
import { cLength } from '../number.ts';
import type { Numeral } from '../numeral.ts';
import { isLongText, MORE, type Runtime, number as toNumber } from '../runtime.ts';
import { badArgument, fail, type LuaTable, type Result, type Value } from '../value.ts';
import { isNone, library, longArg, type Native, numberArg, stringArg, unsignedBits } from './args.ts';
import { Output } from './output.ts';

const MAX_INTEGER = 32;
const MAX_ALIGN = 8;
const MAX_SIZE = 2 ** 29;
const ZEROS = '\0'.repeat(MAX_ALIGN * 4);
/** What the reference's stack takes, and what it asks for with each option. */
const STACK_SLOTS = 8000;
const STEP_SLOTS = 2;
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

const OPTION_CHARGE = 4;

/** Goes through a format in pieces: `step` sees each option, again where it gives false; `end` gives the result. */
function options(rt: Runtime, format: Format, step: () => boolean, end: () => Result): Result {
  let done = true;
  return rt.inPieces(() => {
    while (rt.budget >= 0) {
      if (done && !format.next()) return end();
      done = step();
      rt.charge(OPTION_CHARGE);
    }
    return MORE;
  });
}

function pack(rt: Runtime, given: readonly Value[]): Result {
  // A nil stands after the arguments, and is what a missing one is said to be.
  const args = given.length > 0 ? [...given, undefined] : given;
  const format = new Format(stringArg(args, 0));
  const out = new Output(rt);
  let arg = 0;
  const step = (): boolean => {
    out.add(ZEROS.slice(0, format.padding(out.length)));
    const { letter, size } = format;
    if ('bBhHlLTiI'.includes(letter)) out.add(integerBytes(numberArg(args, ++arg), size, format.little));
    else if (letter === 'x') out.add('\0');
    else if (letter === 'f' || letter === 'd') out.add(floatBytes(numberArg(args, ++arg), format));
    else if (letter === 'c' || letter === 's') {
      const text = stringArg(args, ++arg);
      const length = letter === 's' || size === 0 ? text.length : size;
      if (text.length < length) throw badArgument(arg + 2, 'string too short');
      out.add(text.slice(0, length));
      if (letter === 's') out.add('\0');
    } else format.control();
    if (out.length > MAX_SIZE) throw fail('not enough memory');
    return true;
  };
  return options(rt, format, step, () => out.result());
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

/** One unpack under way. */
class Unpacking {
  readonly format: Format;
  private readonly text: string;
  private readonly offset: number;
  private readonly given: number;
  private readonly values: Value[] = [];
  private at: number;
  /** How many characters follow, where that takes long to read. */
  private count: Numeral | null = null;
  private readonly rt: Runtime;

  constructor(rt: Runtime, args: readonly Value[]) {
    this.rt = rt;
    this.format = new Format(stringArg(args, 0));
    this.text = stringArg(args, 1);
    this.offset = isNone(args, 2) ? 1 : longArg(args, 2);
    this.given = args.length;
    if (this.offset === 0) throw badArgument(3, 'offset must be 1 or greater');
    // The reference takes it as unsigned: what is negative lies behind every string.
    this.at = this.offset < 0 ? this.offset + 2 ** 64 : this.offset - 1;
  }

  /** Unpacks an option; false where it takes longer. */
  step(): boolean {
    if (this.count !== null) return this.counted(this.count);
    const { format, text, values } = this;
    this.at += format.padding(this.at);
    const { at } = this;
    const { letter, size } = format;
    if (at > text.length || size > text.length - at) throw badArgument(2, 'data string too short');
    if (this.given + values.length + STEP_SLOTS > STACK_SLOTS) throw fail('stack overflow (too many results)');
    this.at += size;
    if ('bBhHlLTiI'.includes(letter)) values.push(readInteger(text, at, format));
    else if (letter === 'f' || letter === 'd') values.push(readFloat(text, at, format));
    else if (letter === 'c') {
      if (size === 0) return this.sized(values.pop());
      values.push(text.slice(at, at + size));
    } else if (letter === 's') this.terminated(at);
    else if (letter !== 'x') format.control();
    return true;
  }

  /** As many characters as the value before says, which may be a text. */
  private sized(last: Value): boolean {
    if (isLongText(last)) {
      this.count = this.rt.numeral(last);
      return false;
    }
    const { at, text, values } = this;
    const count = toNumber(last);
    if (count === undefined) throw fail("format 'c0' needs a previous size");
    const size = Number(unsignedBits(count));
    if (size > text.length - at) throw badArgument(2, 'data string too short');
    this.at += size;
    values.push(text.slice(at, at + size));
    return true;
  }

  private counted(count: Numeral): boolean {
    if (!this.rt.readOn(count)) return false;
    this.count = null;
    return this.sized(count.value);
  }

  private terminated(at: number): void {
    const { text } = this;
    const end = text.indexOf('\0', at);
    if (end < 0) throw fail('unfinished string in data');
    this.values.push(text.slice(at, end));
    this.at += end - at + 1;
  }

  result(): Value[] {
    this.values.push(this.at >= 2 ** 63 ? this.offset : this.at + 1);
    return this.values;
  }
}

function unpack(rt: Runtime, args: readonly Value[]): Result {
  const work = new Unpacking(rt, args);
  return options(
    rt,
    work.format,
    () => work.step(),
    () => work.result(),
  );
}

function size(rt: Runtime, args: readonly Value[]): Result {
  const format = new Format(stringArg(args, 0));
  let total = 0;
  const step = (): boolean => {
    const { letter } = format;
    if (letter === 's') throw badArgument(1, "option 's' has no fixed size");
    if (letter === 'c' && format.size === 0) throw badArgument(1, "option 'c0' has no fixed size");
    total += format.padding(total);
    if (!/[0-9A-Za-z]/.test(letter)) format.control();
    total += format.size;
    return true;
  };
  return options(rt, format, step, () => total);
}

export function openStruct(rt: Runtime, globals: LuaTable): void {
  const functions: Record<string, Native> = {
    pack: (args) => pack(rt, args),
    unpack: (args) => unpack(rt, args),
    size: (args) => size(rt, args),
  };
  globals.set('struct', library(rt, functions));
}
