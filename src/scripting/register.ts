/** redis.register_function: what a library says of a function, by position or by name. */
import { scriptFlag } from './flags.ts';
import { text } from './lua/runtime.ts';
import { LuaError, LuaFunction, LuaTable, type Value } from './lua/value.ts';
import { errorTable } from './replies.ts';

export interface Registration {
  readonly name: string;
  readonly callee: LuaFunction;
  readonly description: string | null;
  /** Bits of flags.ts. */
  readonly flags: number;
}

export const NAME_RULE =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long';
const NAME_BYTES = new Set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_');

/** Whether a library or a function may have this name. */
export function isName(name: string): boolean {
  for (const byte of name) if (!NAME_BYTES.has(byte)) return false;
  return name !== '';
}

export function refuse(message: string): LuaError {
  return new LuaError(errorTable(message));
}

/** Reads the arguments of redis.register_function; throws the error for the library. */
export function registration(args: readonly Value[]): Registration {
  if (args.length < 1 || args.length > 2) throw refuse('wrong number of arguments to redis.register_function');
  const read = args.length === 2 ? byPosition(args) : byName(args[0]);
  if (!isName(read.name)) throw refuse(NAME_RULE);
  return read;
}

function byPosition([named, callee]: readonly Value[]): Registration {
  if (!(callee instanceof LuaFunction)) throw refuse('second argument to redis.register_function must be a function');
  const name = text(named);
  if (name === undefined) throw refuse('first argument to redis.register_function must be a string');
  return { name, callee, description: null, flags: 0 };
}

function byName(options: Value): Registration {
  if (!(options instanceof LuaTable)) {
    throw refuse(
      'calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).',
    );
  }
  let name: string | null = null;
  let callee: LuaFunction | null = null;
  let description: string | null = null;
  let flags = 0;
  for (let at = options.seek(0); at >= 0; at = options.seek(at + 1)) {
    const value = options.valueAt(at);
    switch (optionName(options.keyAt(at))) {
      case 'function_name':
        name = stringOption('function_name', value);
        break;
      case 'description':
        description = stringOption('description', value);
        break;
      case 'callback':
        if (!(value instanceof LuaFunction))
          throw refuse('callback argument given to redis.register_function must be a function');
        callee = value;
        break;
      case 'flags':
        flags = flagList(value);
        break;
      default:
        throw refuse('unknown argument given to redis.register_function');
    }
  }
  if (name === null) throw refuse('redis.register_function must get a function name argument');
  if (callee === null) throw refuse('redis.register_function must get a callback argument');
  return { name, callee, description, flags };
}

function optionName(key: Value): string {
  const name = text(key);
  if (name === undefined) throw refuse('named argument key given to redis.register_function is not a string');
  return name.toLowerCase();
}

function stringOption(option: string, value: Value): string {
  const given = text(value);
  if (given === undefined) throw refuse(`${option} argument given to redis.register_function must be a string`);
  return given;
}

function flagList(value: Value): number {
  if (!(value instanceof LuaTable))
    throw refuse('flags argument to redis.register_function must be a table representing function flags');
  let flags = 0;
  for (let i = 1; value.get(i) !== undefined; i++) {
    const name = value.get(i);
    const flag = typeof name === 'string' ? scriptFlag(name.toLowerCase()) : 0;
    if (flag === 0) throw refuse('unknown flag given');
    flags |= flag;
  }
  return flags;
}
