/** The basic functions and coroutines. */
import type { Coroutines } from '../coroutines.ts';
import { LEVELS_MAX, levelOf, WEIGHT } from '../depth.ts';
import { errorInHandling } from '../errors.ts';
import { heapUsed } from '../heap.ts';
import { chunkId } from '../lexer.ts';
import { cLength, textInBase } from '../number.ts';
import { first, isLongText, MORE, many, type Runtime, SUSPEND, text } from '../runtime.ts';
import {
  address,
  badArgument,
  fail,
  LuaError,
  LuaFunction,
  LuaTable,
  LuaThread,
  LuaUserdata,
  NONE,
  type Result,
  typeName,
  type Value,
} from '../value.ts';
import {
  anyArg,
  intArg,
  isNone,
  library,
  luaFunctionArg,
  type Native,
  native,
  numberArg,
  stringArg,
  tableArg,
  typeError,
} from './args.ts';

/** What the reference's C stack takes. */
const MAX_RESULTS = 8000;
const MAX_INT = 0x7fffffff;
/** What is charged for work that takes longer than the step of a program. */
const COMPILE_CHARGE = 2000;
const PIECE_CHARGE = 500;
const THROW_CHARGE = 50;
/** About what compiling takes for each byte of source. */
const COMPILE_BYTES = 64;

/** Compiles what is loaded at a level (depth.ts). */
export type Load = (source: string, name: string, level: number) => Generator<undefined, LuaFunction>;

/** Text of a value without metamethods. */
export function plainText(value: Value): string {
  const found = text(value);
  if (found !== undefined) return found;
  if (value === undefined) return 'nil';
  if (typeof value === 'boolean') return String(value);
  if (value instanceof LuaUserdata && value.name === 'null') return 'userdata: (nil)';
  return `${typeName(value)}: ${address(value as LuaTable)}`;
}

function succeeded(result: Result): Result {
  return [true, ...many(result)];
}

function protection(rt: Runtime): Record<string, Native> {
  const failed = (error: unknown, d: number): Result => afterError(rt, error, d);
  return {
    pcall(args, d) {
      // Without arguments the reference calls the place of its own result.
      const callee = args.length === 0 ? true : args[0];
      return rt.attempt(d, () => rt.call(rt.nest(d), callee, ...args.slice(1)), succeeded, failed);
    },
    xpcall(args, d) {
      const [callee, handler] = [args[0], args.length < 2 ? badHandler(args) : args[1]];
      const refused = (error: unknown, at: number): Result => handled(rt, handler, error, at);
      return rt.attempt(d, () => rt.call(rt.nest(d), callee), succeeded, refused);
    },
    error(args) {
      const level = isNone(args, 1) ? 1 : intArg(args, 1);
      const value = typeof args[0] === 'number' && level > 0 ? text(args[0]) : args[0];
      const error = new LuaError(value, Math.max(0, level));
      error.thrown = true;
      throw error;
    },
    assert(args) {
      const value = anyArg(args, 0);
      if (value !== undefined && value !== false) return args;
      const message = isNone(args, 1) ? 'assertion failed!' : stringArg(args, 1);
      throw fail(message.slice(0, cLength(message)));
    },
  };
}

/**
 * What xpcall gives for an error that was raised at `level` or above. The reference calls the handler where the error is
 * raised, on top of all that runs; so an error of the handler, which goes to the handler again, is a level further up,
 * until there is no more room.
 */
function handled(rt: Runtime, handler: Value, thrown: unknown, d: number, level = levelOf(d) + 1): Result {
  for (let error = rt.adopt(thrown); ; ) {
    const value = rt.caught(error);
    rt.charge(THROW_CHARGE);
    if (!(error instanceof LuaError) || error.final) return [false, value];
    const passing = error;
    if (error.level > 1 && typeof value === 'string') {
      return rt.inspect((frames) => {
        passing.value = rt.positioned(passing, frames);
        passing.level = 0;
        return handled(rt, handler, passing, d, level);
      });
    }
    level = Math.max(error.depth, level);
    try {
      if (!(handler instanceof LuaFunction)) throw errorInHandling();
      return [false, first(handler.call(rt.nest(d - levelOf(d) + level), value))];
    } catch (another) {
      const above = ++level;
      if (another === SUSPEND) {
        rt.captured.push({
          level: levelOf(d),
          resume: (result) => [false, first(result)],
          caught: (inner, at) => handled(rt, handler, inner, at, above),
        });
        throw another;
      }
      error = rt.adopt(another);
      if (error instanceof LuaError && error.line === 0 && level === LEVELS_MAX) place(error, passing);
    }
  }
}

/** An overflow in the place of a handler's call stands where the error does that the handler is called for. */
function place(error: LuaError, { source, line, thrown, library }: LuaError): void {
  if (line > 0 && !thrown && !library) error.value = `${chunkId(source)}:${line}: ${error.value}`;
}

/** What Redis's pcall gives: of an error table only its text, where it has one; metamethods are asked for it. */
function failure(rt: Runtime, value: Value, d: number): Result {
  if (!(value instanceof LuaTable)) return [false, value];
  const withText = (message: Value): Result =>
    typeof message === 'string' || typeof message === 'number' ? [false, message] : [false, value, message];
  if (value.meta === null) return withText(value.getStr('err'));
  const withResult = (result: Result): Result => withText(first(result));
  return rt.guarded(d, () => withResult(rt.index(d + WEIGHT, value, 'err')), withResult);
}

function afterError(rt: Runtime, thrown: unknown, d: number): Result {
  rt.charge(THROW_CHARGE);
  const value = rt.caught(thrown);
  if (thrown instanceof LuaError && thrown.level > 1 && typeof value === 'string') {
    return rt.inspect((frames) => failure(rt, rt.positioned(thrown, frames), d));
  }
  return failure(rt, value, d);
}

function badHandler(args: readonly Value[]): never {
  throw args.length < 2 ? badArgument(2, 'value expected') : typeError(args, 1, 'function');
}

function same(result: Result): Result {
  return result;
}

/** An error passes a library function: one that asks for the position of an activation counts it. */
function passed(error: unknown): never {
  if (error instanceof LuaError) {
    error.inLua = false;
    if (error.level > 0) error.level--;
  }
  throw error;
}

function metatables(rt: Runtime): Record<string, Native> {
  return {
    getmetatable(args) {
      const meta = rt.metatable(anyArg(args, 0));
      if (meta === null) return undefined;
      return meta.getStr('__metatable') ?? meta;
    },
    setmetatable(args) {
      const table = tableArg(args, 0);
      const meta = args[1];
      if (args.length < 2 || !(meta === undefined || meta instanceof LuaTable)) {
        throw badArgument(2, 'nil or table expected');
      }
      if (table.meta?.getStr('__metatable') !== undefined) throw fail('cannot change a protected metatable');
      if (table.readonly) throw new LuaError('Attempt to modify a readonly table');
      table.meta = meta ?? null;
      return table;
    },
    rawequal: (args) => anyArg(args, 0) === anyArg(args, 1),
    rawget(args) {
      const table = tableArg(args, 0);
      return table.get(anyArg(args, 1));
    },
    rawset(args) {
      const table = tableArg(args, 0);
      const key = anyArg(args, 1);
      const value = anyArg(args, 2);
      if (table.readonly) throw new LuaError('Attempt to modify a readonly table');
      if (key === undefined) throw new LuaError('table index is nil');
      if (key !== key) throw new LuaError('table index is NaN');
      table.set(key, value);
      return table;
    },
    tostring(args, d) {
      const value = anyArg(args, 0);
      const handler = rt.event(value, '__tostring');
      if (handler === undefined) return plainText(value);
      return rt.attempt(d, () => rt.call(rt.nest(d), handler, value), same, passed);
    },
  };
}

function toNumber(rt: Runtime, args: readonly Value[]): Result {
  const base = isNone(args, 1) ? 10 : intArg(args, 1);
  if (base === 10) return rt.spelled(anyArg(args, 0), (value) => value);
  const spelled = stringArg(args, 0);
  if (base < 2 || base > 36) throw badArgument(2, 'base out of range');
  return isLongText(spelled) ? rt.spelled(spelled, (value) => value, base) : textInBase(spelled, base);
}

function unpack(rt: Runtime, args: readonly Value[]): Result {
  const table = tableArg(args, 0);
  const from = isNone(args, 1) ? 1 : intArg(args, 1);
  const to = isNone(args, 2) ? table.length() : intArg(args, 2);
  if (from > to) return NONE;
  const count = to - from + 1;
  if (count > MAX_INT || count + args.length > MAX_RESULTS) throw fail('too many results to unpack');
  rt.charge(count >>> 2);
  if (from >= 1 && to <= table.array.length) return table.array.slice(from - 1, to);
  return Array.from({ length: count }, (_, i) => table.get(from + i));
}

function select(args: readonly Value[]): Result {
  if (args[0] === '#') return args.length - 1;
  let index = intArg(args, 0);
  if (index < 0) index = args.length + index;
  else if (index > args.length) index = args.length;
  if (index < 1) throw badArgument(1, 'index out of range');
  return args.slice(index);
}

function collect(args: readonly Value[]): Result {
  const option = isNone(args, 0) ? 'collect' : stringArg(args, 0);
  if (!isNone(args, 1)) numberArg(args, 1);
  switch (option) {
    case 'count':
      return heapUsed() / 1024;
    case 'step':
      return true;
    case 'setpause':
    case 'setstepmul':
      return 200;
    case 'collect':
    case 'stop':
    case 'restart':
      return 0;
    default:
      throw badArgument(1, `invalid option '${option}'`);
  }
}

function loading(rt: Runtime, load: Load): Record<string, Native> {
  return {
    loadstring(args, d) {
      const source = stringArg(args, 0);
      const name = isNone(args, 1) ? source : stringArg(args, 1);
      rt.charge(COMPILE_CHARGE);
      rt.reserve(source.length * COMPILE_BYTES);
      const steps = load(source, name, levelOf(d));
      return rt.inPieces(() => {
        try {
          const step = steps.next();
          if (step.done) return step.value;
        } catch (error) {
          if (error instanceof LuaError) return [undefined, error.value];
          throw error;
        }
        rt.charge(PIECE_CHARGE);
        return MORE;
      });
    },
  };
}

function iteration(rt: Runtime): Record<string, Native> {
  const inext = native(rt, 'inext', (args) => {
    // A script can get hold of it and call it with anything.
    const next = intArg(args, 1) + 1;
    const value = tableArg(args, 0).get(next);
    return value === undefined ? undefined : [next, value];
  });
  rt.inext = inext;
  return {
    next(args) {
      const table = tableArg(args, 0);
      const after = table.after(args[1]);
      if (after < 0) throw new LuaError("invalid key to 'next'");
      const at = table.seek(after);
      return at < 0 ? undefined : [table.keyAt(at), table.valueAt(at)];
    },
    pairs: (args) => [rt.next, tableArg(args, 0), undefined],
    ipairs: (args) => [inext, tableArg(args, 0), 0],
  };
}

function openCoroutines(rt: Runtime, coroutines: Coroutines): LuaTable {
  const threadArg = (args: Value[]): LuaThread => {
    const thread = args[0];
    if (!(thread instanceof LuaThread)) throw badArgument(1, 'coroutine expected');
    return thread;
  };
  const wrapLater: Native = () => undefined;
  const functions: Record<string, Native> = {
    create: (args) => new LuaThread(luaFunctionArg(args, 0)),
    resume: (args, d) => coroutines.resume(threadArg(args), args.slice(1), d),
    running: () => coroutines.current ?? undefined,
    status: (args) => threadArg(args).status,
    wrap: wrapLater,
    yield: (args, d) => coroutines.yield(args, d),
  };
  const table = library(rt, functions, true);
  const wrapped = (result: Result): Result => {
    const [ended, ...values] = many(result);
    if (ended === true) return values;
    throw new LuaError(values[0], typeof values[0] === 'string' ? 1 : 0, true);
  };
  const wrap = new LuaFunction('wrap', (_d, ...args) => {
    const thread = new LuaThread(luaFunctionArg(args, 0));
    return new LuaFunction('wrapped', (d, ...values) => {
      return rt.guarded(d, () => wrapped(coroutines.resume(thread, values, d)), wrapped);
    });
  });
  table.setHash('wrap', wrap);
  return table;
}

export function openBase(rt: Runtime, globals: LuaTable, load: Load, coroutines: Coroutines): void {
  const functions = library(rt, {
    ...protection(rt),
    ...metatables(rt),
    ...iteration(rt),
    ...loading(rt, load),
    tonumber: (args) => toNumber(rt, args),
    unpack: (args) => unpack(rt, args),
    select,
    collectgarbage: collect,
    gcinfo: () => Math.floor(heapUsed() / 1024),
    type: (args) => typeName(anyArg(args, 0)),
  });
  rt.next = functions.getStr('next') as LuaFunction;
  for (let at = functions.seek(0); at >= 0; at = functions.seek(at + 1)) {
    globals.set(functions.keyAt(at), functions.valueAt(at));
  }
  globals.set('coroutine', openCoroutines(rt, coroutines));
  globals.set('_G', globals);
  globals.set('_VERSION', 'Lua 5.1');
}
