/** The `redis` table that scripts see. */
import { createHash } from 'node:crypto';
import type { Lua } from './lua/lua.ts';
import { number, text } from './lua/runtime.ts';
import { fail, LuaError, LuaTable, type Value } from './lua/value.ts';

export interface Caller {
  /** Runs a command; an error comes as a table with `err`. */
  command(args: string[]): Value;
  /** Undefined where there is no such command. */
  permitted(args: string[]): boolean | undefined;
  setResp(version: number): void;
  log(level: number, message: string): void;
}

export const VERSION = '7.0.15';
const VERSION_NUMBER = 0x0007000f;

/** An error table from a message: what follows a '-' begins with its code; without one it is ERR. */
export function errorTable(message: string): LuaTable {
  const table = new LuaTable();
  const trimmed = message.replace(/\r?\n$/, '');
  const coded = trimmed[0] === '-' && trimmed.includes(' ');
  table.setHash('err', coded ? trimmed.slice(1) : `ERR ${trimmed[0] === '-' ? trimmed.slice(1) : trimmed}`);
  return table;
}

function commandArgs(args: readonly Value[]): string[] | string {
  if (args.length === 0) return 'Please specify at least one argument for this redis.call() call';
  const words: string[] = [];
  for (const arg of args) {
    // Whole numbers as such: the reference prints %.17g.
    const word = typeof arg === 'number' && Number.isInteger(arg) && Math.abs(arg) < 1e17 ? String(arg) : argText(arg);
    if (word === undefined) return 'Lua redis lib command arguments must be strings or integers';
    words.push(word);
  }
  return words;
}

function argText(arg: Value): string | undefined {
  return typeof arg === 'number' ? arg.toPrecision(17).replace(/\.?0+$/, '') : text(arg);
}

function stringOnly(args: readonly Value[]): string | undefined {
  return args.length === 1 ? text(args[0]) : undefined;
}

type Add = (name: string, body: (args: Value[]) => Value | []) => void;

export function openRedis(lua: Lua, caller: Caller): void {
  const redis = new LuaTable();
  const add: Add = (name, body) => redis.set(name, lua.host(name, body));
  commands(add, caller);
  replies(add);
  switches(add, caller);
  constants(redis);
  lua.globals.set('redis', redis);
}

/** call, pcall and what else asks about commands. */
function commands(add: Add, caller: Caller): void {
  const run = (args: Value[]): Value => {
    const words = commandArgs(args);
    return typeof words === 'string' ? errorTable(words) : caller.command(words);
  };
  const isError = (value: Value): boolean => value instanceof LuaTable && value.getStr('err') !== undefined;
  add('call', (args) => {
    const value = run(args);
    if (isError(value)) throw new LuaError(value);
    return value;
  });
  add('pcall', run);
  add('acl_check_cmd', (args) => {
    if (args.length === 0)
      throw new LuaError(errorTable('Please specify at least one argument for this redis.acl_check_cmd() call'));
    const words = commandArgs(args);
    const permitted = typeof words === 'string' ? undefined : caller.permitted(words);
    if (typeof words === 'string') throw new LuaError(errorTable(words));
    if (permitted === undefined) throw new LuaError(errorTable('Invalid command passed to redis.acl_check_cmd()'));
    return permitted;
  });
}

function replies(add: Add): void {
  add('error_reply', (args) => {
    const message = stringOnly(args);
    if (message === undefined) return errorTable('wrong number or type of arguments');
    return errorTable(message[0] === '-' ? message : `-${message}`);
  });
  add('status_reply', (args) => {
    const message = stringOnly(args);
    if (message === undefined) return errorTable('wrong number or type of arguments');
    const table = new LuaTable();
    table.setHash('ok', message);
    return table;
  });
  add('sha1hex', (args) => {
    if (args.length !== 1) throw new LuaError(errorTable('wrong number of arguments'));
    return createHash('sha1')
      .update(Buffer.from(text(args[0]) ?? '', 'latin1'))
      .digest('hex');
  });
}

function switches(add: Add, caller: Caller): void {
  add('log', (args) => {
    const level = number(args[0]);
    if (args.length < 2) throw new LuaError(errorTable('redis.log() requires two arguments or more.'));
    if (level === undefined) throw new LuaError(errorTable('First argument must be a number (log level).'));
    if (level < 0 || level > 3) throw new LuaError(errorTable('Invalid debug level.'));
    caller.log(
      level,
      args
        .slice(1)
        .map((part) => text(part) ?? '')
        .join(' '),
    );
    return [];
  });
  add('setresp', (args) => {
    const version = number(args[0]);
    if (args.length !== 1) throw new LuaError(errorTable('redis.setresp() requires one argument.'));
    if (version !== 2 && version !== 3) throw new LuaError(errorTable('RESP version must be 2 or 3.'));
    caller.setResp(version);
    return [];
  });
  add('set_repl', (args) => {
    const flags = number(args[0]);
    if (args.length !== 1) throw new LuaError(errorTable('redis.set_repl() requires one argument.'));
    if (flags === undefined || (flags & ~3) !== 0) {
      throw new LuaError(
        errorTable('Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.'),
      );
    }
    return [];
  });
  add('replicate_commands', () => true);
  add('breakpoint', () => false);
  add('debug', () => []);
}

function constants(redis: LuaTable): void {
  const values: Record<string, Value> = {
    LOG_DEBUG: 0,
    LOG_VERBOSE: 1,
    LOG_NOTICE: 2,
    LOG_WARNING: 3,
    REPL_NONE: 0,
    REPL_AOF: 1,
    REPL_SLAVE: 2,
    REPL_REPLICA: 2,
    REPL_ALL: 3,
    REDIS_VERSION: VERSION,
    REDIS_VERSION_NUM: VERSION_NUMBER,
  };
  for (const name of Object.keys(values)) redis.set(name, values[name]);
}

/** Reading a global that isn't there is an error; the globals can't be changed. */
export function guardGlobals(lua: Lua): void {
  const { globals } = lua;
  globals.meta = new LuaTable();
  globals.meta.set(
    '__index',
    lua.host('__index', (args) => {
      throw fail(`Script attempted to access nonexistent global variable '${text(args[1]) ?? ''}'`);
    }),
  );
  lua.seal();
}
