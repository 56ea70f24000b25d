/** Arguments of library functions, checked with the reference's messages. */

import { levelOf } from '../depth.ts';
import { isLongText, MORE, number, Pieces, type Runtime, SUSPEND, text } from '../runtime.ts';
import { badArgument, type LuaError, LuaFunction, LuaTable, type Result, typeName, type Value } from '../value.ts';
import { BYTES_SHIFT } from '../work.ts';

/** A library function: its arguments, and the weight of the stack in use. */
export type Native = (args: Value[], d: number) => Result;

/** From here on, arguments and results cost time that counts. */
const MANY_ARGUMENTS = 64;
const SOME_TEXT = 256;

/**
 * A library function that scripts can call. What it is given and gives counts as time; the memory that it takes it has to
 * reserve itself. It may be begun again from the start with a number in the place of a text, in whichever of its pieces
 * it asks for that: until then it must not have changed anything.
 */
export function native(rt: Runtime, name: string, body: Native): LuaFunction {
  return new LuaFunction(name, (d, ...args) => {
    weigh(rt, args);
    try {
      const result = body(args, d);
      if (typeof result === 'string' && result.length > SOME_TEXT) rt.charge(result.length >>> BYTES_SHIFT);
      return rt.settled(result);
    } catch (error) {
      if (error instanceof LongNumeral) return spelledOut(rt, body, d, args, error);
      throw left(rt, body, d, args, error);
    }
  });
}

/** Reads the numeral that was asked for, and begins again; so for all that are asked for then. */
function spelledOut(rt: Runtime, body: Native, d: number, args: Value[], asked: LongNumeral): Result {
  let { index } = asked;
  let numeral = rt.numeral(asked.text);
  return rt.inPieces(() => {
    if (!rt.readOn(numeral)) return MORE;
    // What spells no number is as good as a short text that doesn't, which the body refuses as it sees fit.
    args[index] = numeral.value ?? '';
    try {
      return body(args, d);
    } catch (error) {
      if (!(error instanceof LongNumeral)) throw left(rt, body, d, args, error);
      index = error.index;
      numeral = rt.numeral(error.text);
      return MORE;
    }
  });
}

/** An error that leaves a body; where it was left between two pieces, the later ones may ask for numbers as well. */
function left(rt: Runtime, body: Native, d: number, args: Value[], error: unknown): unknown {
  if (error !== SUSPEND || !(rt.captured.at(-1) instanceof Pieces)) return error;
  rt.captured.push({
    level: levelOf(d),
    resume: (result) => result,
    caught(thrown) {
      if (thrown instanceof LongNumeral) return spelledOut(rt, body, d, args, thrown);
      throw thrown;
    },
  });
  return error;
}

/** Thrown where a native wants a number and has a text that takes long to read. */
class LongNumeral {
  readonly index: number;
  readonly text: string;

  constructor(index: number, text: string) {
    this.index = index;
    this.text = text;
  }
}

/** Charges what a call is given: many arguments, long texts. */
function weigh(rt: Runtime, args: readonly Value[]): void {
  if (args.length > MANY_ARGUMENTS) rt.charge(args.length >>> 2);
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg === 'string' && arg.length > SOME_TEXT) rt.charge(arg.length >>> BYTES_SHIFT);
  }
}

/** A table of functions, in the order in which they came into the reference's when `sized`, where scripts can tell. */
export function library(rt: Runtime, functions: Record<string, Native>, sized = false): LuaTable {
  const names = Object.keys(functions);
  const table = new LuaTable(0, sized ? names.length : 0);
  for (const name of names) table.setHash(name, native(rt, name, functions[name]));
  return table;
}

export function typeError(args: readonly Value[], i: number, wanted: string): LuaError {
  const got = i < args.length ? typeName(args[i]) : 'no value';
  return badArgument(i + 1, `${wanted} expected, got ${got}`);
}

export function anyArg(args: readonly Value[], i: number): Value {
  if (i >= args.length) throw badArgument(i + 1, 'value expected');
  return args[i];
}

export function tableArg(args: readonly Value[], i: number): LuaTable {
  const value = args[i];
  if (!(value instanceof LuaTable)) throw typeError(args, i, 'table');
  return value;
}

export function functionArg(args: readonly Value[], i: number): LuaFunction {
  const value = args[i];
  if (!(value instanceof LuaFunction)) throw typeError(args, i, 'function');
  return value;
}

/** A function that can be the body of a coroutine. */
export function luaFunctionArg(args: readonly Value[], i: number): LuaFunction {
  const value = args[i];
  if (!(value instanceof LuaFunction) || !value.compiled) throw badArgument(i + 1, 'Lua function expected');
  return value;
}

export function stringArg(args: readonly Value[], i: number): string {
  const value = args[i];
  if (typeof value === 'string') return value;
  const found = text(value);
  if (found === undefined) throw typeError(args, i, 'string');
  return found;
}

export function numberArg(args: readonly Value[], i: number): number {
  const value = args[i];
  if (typeof value === 'number') return value;
  const found = numberOf(args, i);
  if (found === undefined) throw typeError(args, i, 'number');
  return found;
}

/** A number, or what spells one; undefined for anything else. */
export function numberOf(args: readonly Value[], i: number): number | undefined {
  const value = args[i];
  if (isLongText(value)) throw new LongNumeral(i, value);
  return number(value);
}

/** Truncated towards zero; what is no integer of 64 bits is the least of them, as the processor says. */
export function truncate(value: number): number {
  if (!(value > -(2 ** 63) && value < 2 ** 63)) return -(2 ** 63);
  return Math.trunc(value) + 0;
}

/** The 64 bits that C makes of a number where it wants no sign. */
export function unsignedBits(value: number): bigint {
  if (value >= 2 ** 63) return value < 2 ** 64 ? BigInt(value) : 0n;
  return BigInt.asUintN(64, BigInt(truncate(value)));
}

/** A C int: the low 32 bits. */
export function intArg(args: readonly Value[], i: number): number {
  const value = truncate(numberArg(args, i));
  return value === (value | 0) ? value : Number(BigInt.asIntN(32, BigInt(value)));
}

export function longArg(args: readonly Value[], i: number): number {
  return truncate(numberArg(args, i));
}

export function isNone(args: readonly Value[], i: number): boolean {
  return args[i] === undefined;
}
