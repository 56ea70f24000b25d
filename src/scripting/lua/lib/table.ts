/** The table library. */
import { MORE, type Runtime, text } from '../runtime.ts';
import { fail, LuaError, type LuaFunction, type LuaTable, NONE, type Result, typeName, type Value } from '../value.ts';
import { functionArg, intArg, isNone, library, type Native, stringArg, tableArg } from './args.ts';
import { Output } from './output.ts';

/** More elements than one call may move. */
const MAX_MOVES = 50_000_000;
/** Elements between two looks at the clock. */
const PIECE = 4096;
/** More are sorted in Lua, which can be suspended. */
const SORTED_AT_ONCE = 20_000;
const TEXT_AT_ONCE = 1 << 20;

function writable(table: LuaTable): void {
  if (table.readonly) throw new LuaError('Attempt to modify a readonly table');
}

/** Does something for `from`, `from + step` .. before `to`, in pieces. */
function steps(
  rt: Runtime,
  from: number,
  to: number,
  step: number,
  work: (i: number) => void,
  rest: () => Result,
): Result {
  let i = from;
  return rt.inPieces(() => {
    const end = step > 0 ? Math.min(to, i + PIECE) : Math.max(to, i - PIECE);
    rt.charge(Math.abs(end - i) >>> 3);
    for (; i !== end; i += step) work(i);
    return i === to ? rest() : MORE;
  });
}

function insert(rt: Runtime, args: readonly Value[]): Result {
  const table = tableArg(args, 0);
  let end = table.length() + 1;
  if (args.length === 2) {
    writable(table);
    table.set(end, args[1]);
    return NONE;
  }
  if (args.length !== 3) throw fail("wrong number of arguments to 'insert'");
  const at = intArg(args, 1);
  if (at > end) end = at;
  if (end - at > MAX_MOVES) throw fail('not enough memory');
  writable(table);
  const move = (i: number): void => table.set(i, table.get(i - 1));
  return steps(rt, end, at, -1, move, () => {
    table.set(at, args[2]);
    return NONE;
  });
}

function remove(rt: Runtime, args: readonly Value[]): Result {
  const table = tableArg(args, 0);
  const end = table.length();
  const at = isNone(args, 1) ? end : intArg(args, 1);
  if (at < 1 || at > end) return [];
  const value = table.get(at);
  writable(table);
  const move = (i: number): void => table.set(i, table.get(i + 1));
  return steps(rt, at, end, 1, move, () => {
    table.set(end, undefined);
    return value;
  });
}

function concat(rt: Runtime, args: readonly Value[]): Result {
  // The reference looks at the separator first.
  const separator = isNone(args, 1) ? '' : stringArg(args, 1);
  const table = tableArg(args, 0);
  const from = isNone(args, 2) ? 1 : intArg(args, 2);
  const to = isNone(args, 3) ? table.length() : intArg(args, 3);
  if (from > to) return '';
  const out = new Output(rt);
  const add = (i: number): void => {
    const value = table.get(i);
    const piece = text(value);
    if (piece === undefined) {
      throw fail(`invalid value (${typeName(value)}) at index ${i} in table for 'concat'`);
    }
    out.add(piece);
    if (i < to) out.add(separator);
  };
  return steps(rt, from, to + 1, 1, add, () => out.result());
}

function maxn(rt: Runtime, args: readonly Value[]): Result {
  const table = tableArg(args, 0);
  let most = 0;
  let at = 0;
  return rt.inPieces(() => {
    for (let left = PIECE; left > 0; left--) {
      at = table.seek(at);
      if (at < 0) {
        rt.charge(PIECE - left);
        return most;
      }
      const key = table.keyAt(at++);
      if (typeof key === 'number' && key > most) most = key;
    }
    rt.charge(PIECE);
    return MORE;
  });
}

/** Whether all elements are numbers or all are strings, not too many and not too long to be sorted at once. */
function isPlain(array: readonly Value[], count: number): boolean {
  if (array.length < count || count > SORTED_AT_ONCE) return false;
  const type = typeof array[0];
  if (type !== 'number' && type !== 'string') return false;
  let characters = 0;
  for (let i = 0; i < count; i++) {
    const item = array[i];
    if (typeof item !== type || item !== item) return false;
    if (typeof item === 'string') characters += item.length;
  }
  return characters < TEXT_AT_ONCE;
}

/** Sorts plain numbers or strings at once; false where elements are others. */
function sortPlain(rt: Runtime, table: LuaTable, count: number): boolean {
  const { array } = table;
  if (!isPlain(array, count)) return false;
  writable(table);
  rt.charge(count * 2);
  const sorted = (count === array.length ? array : array.slice(0, count)).sort(
    compare as (a: Value, b: Value) => number,
  );
  for (let i = 0; i < count; i++) array[i] = sorted[i];
  return true;
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function openTable(rt: Runtime, globals: LuaTable, prelude: LuaTable): void {
  const inLua = (name: string): LuaFunction => prelude.getStr(name) as LuaFunction;
  const functions: Record<string, Native> = {
    concat: (args) => concat(rt, args),
    foreach: (args, d) => inLua('foreach').call(d, tableArg(args, 0), rt.nested(functionArg(args, 1))),
    foreachi(args, d) {
      const table = tableArg(args, 0);
      return inLua('foreachi').call(d, table, rt.nested(functionArg(args, 1)), table.length());
    },
    getn: (args) => tableArg(args, 0).length(),
    maxn: (args) => maxn(rt, args),
    insert: (args) => insert(rt, args),
    remove: (args) => remove(rt, args),
    setn(args) {
      tableArg(args, 0);
      throw fail("'setn' is obsolete");
    },
    sort(args, d) {
      const table = tableArg(args, 0);
      const count = table.length();
      const less = isNone(args, 1) ? undefined : functionArg(args, 1);
      if (count < 2 || (less === undefined && sortPlain(rt, table, count))) return [];
      return inLua('sort').call(d, table, count, less === undefined ? undefined : rt.nested(less));
    },
  };
  globals.set('table', library(rt, functions, true));
}
