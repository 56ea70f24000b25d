/**
 * Lua values as JavaScript values: nil is undefined; booleans, numbers and strings are themselves (a string has one
 * char a byte, 0 to 255); tables, functions, userdata and coroutines are the classes below.
 *
 * A call's result is one value, or an Array of any number of values: arrays are never Lua values, so one instanceof
 * tells. Result arrays are never modified by those who get them.
 */
import { identity, LuaTable } from './table.ts';

export { LuaTable };

export type Value = undefined | boolean | number | string | LuaTable | LuaFunction | LuaUserdata | LuaThread;
export type Result = Value | readonly Value[];
/** `d` tells where the call stands: see depth.ts. */
export type Callable = (d: number, ...args: Value[]) => Result;

/** No values at all. */
export const NONE: readonly Value[] = Object.freeze([]);

/** The "0x..." that tostring shows. */
export function address(object: { id: number }): string {
  return '0x' + (0x7f3b00000000 + identity(object)).toString(16);
}

export class LuaFunction {
  call: Callable;
  readonly name: string;
  /** Not compiled from Lua. */
  readonly native: boolean;
  id = 0;

  constructor(name: string, call: Callable, native = false) {
    this.name = name;
    this.call = call;
    this.native = native;
  }
}

export class LuaUserdata {
  readonly name: string;
  meta: LuaTable | null = null;
  id = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** A coroutine; `frames` are its captured frames, outermost first. */
export class LuaThread {
  status: 'suspended' | 'running' | 'normal' | 'dead' = 'suspended';
  readonly frames: Continuation[];
  /** The level at which its function runs (depth.ts). */
  level = 0;
  /** The coroutine that resumed this one. */
  previous: LuaThread | null = null;
  id = 0;

  constructor(start: LuaFunction) {
    this.frames = [{ level: 0, resume: (args, d) => start.call(d, ...(args as readonly Value[])) }];
  }

  /** Puts it on another level. */
  move(level: number): void {
    if (level === this.level) return;
    this.level = level;
    for (const frame of this.frames) frame.level = level;
  }
}

/** A captured activation: it goes on when what it called has a result. */
export interface Continuation {
  /** That of the `d` at which it goes on (depth.ts). */
  level: number;
  resume(result: Result, d: number): Result;
  /** Where set, errors of what it called end here. */
  caught?(error: unknown, d: number): Result;
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
