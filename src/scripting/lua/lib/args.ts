/** Arguments of library functions, checked with the reference's messages. */

import { isLongText, number, type Runtime, text } from '../runtime.ts';
import {
  badArgument,
  type Callable,
  type LuaError,
  LuaFunction,
  LuaTable,
  type Result,
  typeName,
  type Value,
} from '../value.ts';
import { BYTES_SHIFT } from '../work.ts';

/** A library function: its arguments, and the weight of the stack in use. */
export type Native = (args: Value[], d: number) => Result;

/** From here on, arguments and results cost time that counts. */
const MANY_ARGUMENTS = 64;
const SOME_TEXT = 256;

/** What it is given and gives counts as time; the memory that it takes it has to reserve itself. */
function native(rt: Runtime, name: string, body: Native): LuaFunction {
  const call = (d: number, ...args: Value[]): Result => {
    weigh(rt, args);
    try {
      const result = body(args, d);
      if (typeof result === 'string' && result.length > SOME_TEXT) rt.charge(result.length >>> BYTES_SHIFT);
      return rt.settled(result);
    } catch (error) {
      if (error instanceof LongNumeral) return spelledOut(rt, call, d, args, error.index);
      throw error;
    }
  };
  return new LuaFunction(name, call, true);
}

/** The call once a long argument has been read. Apart, since what a closure uses is made for each call of its function. */
function spelledOut(rt: Runtime, call: Callable, d: number, args: Value[], index: number): Result {
  return rt.spelled(args[index], (value) => {
    if (value === undefined) throw typeError(args, index, 'number');
    return call(d, ...args.with(index, value));
  });
}

/** Thrown where a native wants a number and has a text that takes long to read: it is called again with the number. */
class LongNumeral {
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

/** Charges what a call is given: many arguments, long texts. */
export function weigh(rt: Runtime, args: readonly Value[]): void {
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
  if (!(value instanceof LuaFunction) || value.native) throw badArgument(i + 1, 'Lua function expected');
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
  if (isLongText(value)) throw new LongNumeral(i);
  const found = number(value);
  if (found === undefined) throw typeError(args, i, 'number');
  return found;
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
