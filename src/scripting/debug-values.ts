/** Values and replies as the debugger shows them. */
import { quoted } from '../base/quoting.ts';
import { formatG } from './lua/number.ts';
import { address, LuaFunction, LuaTable, LuaThread, type LuaUserdata, type Value } from './lua/value.ts';

const MAX_LEVELS = 10;
const TOO_DEEP = '<max recursion level reached! Nested table?>';

/** A value as a script would write it, as far as that is possible. */
export function shownValue(value: Value, level = 0): string {
  if (level === MAX_LEVELS) return TOO_DEEP;
  if (value === undefined) return 'nil';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') return formatG(value, 17);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value instanceof LuaTable) return shownTable(value, level);
  return `"${kindOf(value)}@${address(value)}"`;
}

function kindOf(value: LuaFunction | LuaThread | LuaUserdata): string {
  if (value instanceof LuaFunction) return 'function';
  return value instanceof LuaThread ? 'thread' : 'userdata';
}

function shownTable(table: LuaTable, level: number): string {
  const values: string[] = [];
  const pairs: string[] = [];
  let expected = 1;
  let isList = true;
  for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
    const key = table.keyAt(at);
    if (key !== expected++) isList = false;
    const value = shownValue(table.valueAt(at), level + 1);
    values.push(value);
    pairs.push(`[${shownValue(key, level + 1)}]=${value}`);
  }
  return `{${(isList ? values : pairs).join('; ')}}`;
}

/** The reply of a command, given as the value that the script gets. */
export function shownReply(value: Value): string {
  if (value === undefined) return '(null)';
  if (value === false) return 'NULL';
  if (value === true) return '#true';
  if (typeof value === 'string') return quoted(value);
  if (!(value instanceof LuaTable)) return shownValue(value);
  const ok = value.getStr('ok');
  if (typeof ok === 'string') return quoted(`+${ok}`);
  const err = value.getStr('err');
  if (typeof err === 'string') return quoted(`-${err}`);
  const double = value.getStr('double');
  if (typeof double === 'number') return `(double) ${double}`;
  const map = value.getStr('map');
  if (map instanceof LuaTable) return `{${entries(map, (k, v) => `${shownReply(k)} => ${shownReply(v)}`)}}`;
  const set = value.getStr('set');
  if (set instanceof LuaTable) return `~(${entries(set, (k) => shownReply(k))})`;
  return `[${entries(value, (_, v) => shownReply(v))}]`;
}

function entries(table: LuaTable, show: (key: Value, value: Value) => string): string {
  const shown: string[] = [];
  for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) shown.push(show(table.keyAt(at), table.valueAt(at)));
  return shown.join(',');
}
