/**
 * The `redis` table: the one that running scripts see, and the smaller one that the source of a library sees while it is
 * loaded. redis.call and its kin are in redis-call.ts.
 */
import { createHash } from 'node:crypto';
import type { Version } from '../base/version.ts';
import { TO_ALL, TO_AOF, TO_NOBODY, TO_REPLICAS } from '../engine/propagation.ts';
import { numberOf } from './lua/lib/args.ts';
import type { Lua } from './lua/lua.ts';
import { MORE, text } from './lua/runtime.ts';
import { fail, LuaError, LuaTable, type Result, type Value } from './lua/value.ts';
import type { RedisCall } from './redis-call.ts';
import { errorTable } from './replies.ts';

/** What the functions of the table ask of whoever runs the script. */
export interface Caller {
  readonly version: Version;
  /** Whether a script runs: a library that is loaded is none. */
  running(): boolean;
  setResp(version: number): void;
  /** Who hears of the effects from now on; bits of engine/propagation.ts. */
  setTargets(mask: number): void;
  log(level: number, message: string): void;
}

const LEVELS: ReadonlyArray<readonly [name: string, value: Value]> = [
  ['LOG_DEBUG', 0],
  ['LOG_VERBOSE', 1],
  ['LOG_NOTICE', 2],
  ['LOG_WARNING', 3],
];
const TARGETS: ReadonlyArray<readonly [name: string, value: Value]> = [
  ['REPL_NONE', TO_NOBODY],
  ['REPL_AOF', TO_AOF],
  ['REPL_SLAVE', TO_REPLICAS],
  ['REPL_REPLICA', TO_REPLICAS],
  ['REPL_ALL', TO_ALL],
];

type Add = (name: string, body: (args: Value[]) => Result) => void;

function adder(lua: Lua, table: LuaTable): Add {
  return (name, body) => table.set(name, lua.host(name, body));
}

function raised(message: string): LuaError {
  return new LuaError(errorTable(message));
}

function setConstants(redis: LuaTable, version: Version): void {
  for (const [name, value] of LEVELS) redis.set(name, value);
  redis.set('REDIS_VERSION', version.text);
  redis.set('REDIS_VERSION_NUM', version.number);
}

/** Puts the table into the globals of a sandbox, in the reference's order, which next() shows. */
export function openRedis(lua: Lua, calls: RedisCall, caller: Caller): void {
  const redis = new LuaTable();
  const add = adder(lua, redis);
  calls.open(lua, redis);
  addLog(lua, add, caller);
  setConstants(redis, caller.version);
  addSetResp(add, caller);
  addReplies(lua, add);
  addSetRepl(add, caller);
  for (const [name, value] of TARGETS) redis.set(name, value);
  calls.openPermissions(lua, redis);
  lua.globals.set('redis', redis);
}

/** What scripts have in their table and functions don't. */
export function openForScripts(lua: Lua): void {
  const add = adder(lua, lua.globals.getStr('redis') as LuaTable);
  add('breakpoint', () => false);
  add('debug', () => []);
  add('replicate_commands', () => true);
}

/** The globals that a library sees while it is loaded: a `redis` table, and nothing else. */
export function libraryGlobals(
  lua: Lua,
  version: Version,
  log: (level: number, message: string) => void,
  register: (args: readonly Value[]) => [],
): LuaTable {
  const redis = new LuaTable();
  const add = adder(lua, redis);
  add('register_function', register);
  addLog(lua, add, { log });
  setConstants(redis, version);
  const globals = new LuaTable();
  globals.set('redis', redis);
  forbidUnknown(lua, redis);
  forbidUnknown(lua, globals);
  lua.protect(globals);
  return globals;
}

function oneString(args: readonly Value[]): string | undefined {
  return args.length === 1 && typeof args[0] === 'string' ? args[0] : undefined;
}

/** Bytes that are hashed in one go. */
const HASHED = 65_536;

function sha1hex({ runtime }: Lua, args: readonly Value[]): Result {
  if (args.length !== 1) throw raised('wrong number of arguments');
  const words = text(args[0]) ?? '';
  const hash = createHash('sha1');
  let at = 0;
  return runtime.inPieces(() => {
    const piece = Buffer.from(words.slice(at, at + HASHED), 'latin1');
    hash.update(piece);
    runtime.charge(piece.length >>> 4);
    at += HASHED;
    return at >= words.length ? hash.digest('hex') : MORE;
  });
}

function addReplies(lua: Lua, add: Add): void {
  add('sha1hex', (args) => sha1hex(lua, args));
  const wrong = (): LuaTable => errorTable('wrong number or type of arguments');
  add('error_reply', (args) => {
    const message = oneString(args);
    if (message === undefined) return wrong();
    return errorTable(message[0] === '-' ? message : `-${message}`);
  });
  add('status_reply', (args) => {
    const message = oneString(args);
    if (message === undefined) return wrong();
    const table = new LuaTable();
    table.setHash('ok', message);
    return table;
  });
}

/** Longer messages are cut: a line is written at one go. */
const MOST_LOGGED = 2 ** 20;
const LOG_CHARGE = 1000;

function addLog({ runtime }: Lua, add: Add, caller: Pick<Caller, 'log'>): void {
  add('log', (args) => {
    if (args.length < 2) throw raised('redis.log() requires two arguments or more.');
    const level = numberOf(args, 0);
    if (level === undefined) throw raised('First argument must be a number (log level).');
    const whole = Math.trunc(level);
    if (!(whole >= 0 && whole <= 3)) throw raised('Invalid debug level.');
    let message = '';
    for (let i = 1; i < args.length; i++) {
      const part = text(args[i]);
      if (part === undefined) continue;
      if (i > 1) message += ' ';
      message += part.slice(0, MOST_LOGGED - message.length);
      if (message.length >= MOST_LOGGED) break;
    }
    runtime.charge(LOG_CHARGE + message.length);
    caller.log(whole, message);
    return [];
  });
}

function inScript(caller: Caller, name: string): void {
  if (!caller.running()) throw raised(`redis.${name} can only be called inside a script invocation`);
}

function addSetResp(add: Add, caller: Caller): void {
  add('setresp', (args) => {
    inScript(caller, 'setresp');
    if (args.length !== 1) throw raised('redis.setresp() requires one argument.');
    const version = Math.trunc(numberOf(args, 0) ?? 0);
    if (version !== 2 && version !== 3) throw raised('RESP version must be 2 or 3.');
    caller.setResp(version);
    return [];
  });
}

function addSetRepl(add: Add, caller: Caller): void {
  add('set_repl', (args) => {
    inScript(caller, 'set_repl');
    if (args.length !== 1) throw raised('redis.set_repl() requires two arguments.');
    const mask = Math.trunc(numberOf(args, 0) ?? 0);
    if (!(mask >= TO_NOBODY && mask <= TO_ALL))
      throw raised('Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.');
    caller.setTargets(mask);
    return [];
  });
}

/** Reading what isn't there is an error. */
function forbidUnknown(lua: Lua, table: LuaTable): void {
  table.meta = new LuaTable();
  table.meta.set(
    '__index',
    lua.host('__index', (args) => {
      throw fail(`Script attempted to access nonexistent global variable '${text(args[1]) ?? ''}'`);
    }),
  );
}

/** Reading a global that isn't there is an error; the globals can't be changed. */
export function guardGlobals(lua: Lua): void {
  forbidUnknown(lua, lua.globals);
  lua.seal();
}
