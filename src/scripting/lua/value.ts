/**
 * Lua values as JavaScript values: nil is undefined; booleans, numbers and strings are themselves (a string has one
 * char a byte, 0 to 255); tables, functions, userdata and coroutines are the classes below.
 *
 * A call's result is one value, or an Array of any number of values: arrays are never Lua values, so one instanceof
 * tells. Result arrays are never modified by those who get them.
 */
import { identity } from './identity.ts';
import { LuaFunction, LuaTable, LuaThread, LuaUserdata, type Value } from './table.ts';

export type { Callable, Continuation, Result, Value } from './table.ts';
export { LuaFunction, LuaTable, LuaThread, LuaUserdata };

/** No values at all. */
export const NONE: readonly Value[] = Object.freeze([]);

/** The "0x..." that tostring shows. */
export function address(object: { id: number }): string {
  return '0x' + (0x7f3b00000000 + identity(object)).toString(16);
}

export function typeName(value: Value): string {
  if (value === undefined) return 'nil';
  if (value instanceof LuaTable) return 'table';
  if (value instanceof LuaFunction) return 'function';
  if (value instanceof LuaUserdata) return 'userdata';
  if (value instanceof LuaThread) return 'thread';
  return typeof value;
}

/** What a variable was called where an operation failed: "local 'x'". */
export interface Operand {
  kind: string;
  name: string;
}

/**
 * An error in flight. `level` counts the activations that it still has to pass before its message gets a position;
 * `shape` says that the message is to be completed with the names known at the failing place.
 */
export class LuaError {
  value: Value;
  level: number;
  /** For messages of the libraries: activations of library functions written in Lua don't count. */
  library: boolean;
  /** Given operands: [verb, which operand, its type] or ['argument', number, message]. */
  shape: readonly [string, number, string] | null = null;
  /** Where it was raised: the name of its chunk and the line in the innermost Lua function, and the level (depth.ts). */
  source = '';
  line = 0;
  depth = 0;
  /** The last activation that it passed was that of a Lua function. */
  inLua = false;
  /** It was raised by `error`. */
  thrown = false;
  /** The handlers of xpcall aren't asked about it. */
  final = false;

  constructor(value: Value, level = 0, library = false) {
    this.value = value;
    this.level = level;
    this.library = library;
  }
}

/** An error of a library function, with the position of its caller. */
export function fail(message: string): LuaError {
  return new LuaError(message, 1, true);
}

export function badArgument(index: number, message: string): LuaError {
  const error = fail(`bad argument #${index} to '?' (${message})`);
  error.shape = ['argument', index, message];
  return error;
}

export function badOperand(verb: string, which: number, value: Value): LuaError {
  const error = new LuaError(`attempt to ${verb} a ${typeName(value)} value`, 1);
  error.shape = [verb, which, typeName(value)];
  return error;
}
