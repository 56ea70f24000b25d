/** Redis's conversions: replies of commands to Lua values, and the value that a script returns to a reply. */
import { latin1, Slice } from '../base/slice.ts';
import type { Reply } from '../protocol/reply.ts';
import { cLength } from './lua/number.ts';
import { LuaTable, type Value } from './lua/value.ts';

const NONE = new Uint8Array(0);
const LF = 10;
const CR = 13;
const MINUS = 45;
const ZERO = 48;
/** So many digits make no number that needs rounding. */
const EXACT_DIGITS = 15;

function one(name: string, value: Value): LuaTable {
  const table = new LuaTable();
  table.setHash(name, value);
  return table;
}

/** An error table from a message, which ends at a NUL: what follows a '-' begins with its code; without one it is ERR. */
export function errorTable(message: string): LuaTable {
  const trimmed = message.slice(0, cLength(message)).replace(/\r?\n$/, '');
  const coded = trimmed[0] === '-' && trimmed.includes(' ');
  return one('err', coded ? trimmed.slice(1) : `ERR ${trimmed[0] === '-' ? trimmed.slice(1) : trimmed}`);
}

/** Reads what a command replied, the bytes that a client would get, where they lie. */
export class ReplyReader {
  private bytes: Uint8Array = NONE;
  private at = 0;
  private readonly shown = new Slice();

  /** Takes the reply to one command out of `reply`. */
  read(reply: Reply): Value {
    const { shown } = this;
    if (!reply.showOnly(shown)) shown.set(reply.take(), 0, 0);
    this.bytes = shown.buffer;
    this.at = shown.start;
    const value = this.value();
    reply.clear();
    this.bytes = NONE;
    shown.set(NONE, 0, 0);
    return value;
  }

  /** The rest of the line, without its end. */
  private line(): string {
    const from = this.at;
    const end = this.bytes.indexOf(LF, from);
    this.at = end + 1;
    return latin1(this.bytes, from, end - 1 - from);
  }

  /** The rest of the line as a whole number. */
  private count(): number {
    const { bytes } = this;
    const from = this.at;
    let at = from;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let value = 0;
    for (let byte = bytes[at]; byte !== CR; byte = bytes[++at]) value = value * 10 + (byte - ZERO);
    if (at - from > EXACT_DIGITS) return Number(this.line());
    this.at = at + 2;
    return negative ? -value : value;
  }

  private value(): Value {
    switch (this.bytes[this.at++]) {
      case 43: // +
        return one('ok', this.line());
      case MINUS: {
        const table = one('err', this.line());
        table.setHash('ignore_error_stats_update', true);
        return table;
      }
      case 58: // :
        return this.count();
      case 36: // $
        return this.bulk();
      case 42: // *
      case 62: // >
        return this.array();
      default:
        this.at--;
        return this.resp3();
    }
  }

  private resp3(): Value {
    switch (String.fromCharCode(this.bytes[this.at++])) {
      case '%':
        return this.map();
      case '~':
        return this.set();
      case '|':
        // Attributes are dropped; what they belong to follows.
        for (let left = 2 * this.count(); left > 0; left--) this.value();
        return this.value();
      case '#':
        return this.line() === 't';
      case ',':
        return one('double', Number(this.line().replace('inf', 'Infinity')));
      case '(':
        return one('big_number', this.line());
      case '=': {
        const text = this.bulk() as string;
        const table = new LuaTable();
        table.setHash('format', text.slice(0, 3));
        table.setHash('string', text.slice(4));
        return one('verbatim_string', table);
      }
      default:
        this.line();
        return undefined;
    }
  }

  private bulk(): Value {
    const length = this.count();
    if (length < 0) return false;
    const from = this.at;
    this.at += length + 2;
    return latin1(this.bytes, from, length);
  }

  private array(): Value {
    const length = this.count();
    if (length < 0) return false;
    const values: Value[] = [];
    for (let i = 0; i < length; i++) values.push(this.value());
    return LuaTable.sequence(values);
  }

  private map(): Value {
    const table = new LuaTable();
    for (let left = this.count(); left > 0; left--) {
      const key = this.value();
      const value = this.value();
      if (key !== undefined) table.set(key, value);
    }
    return one('map', table);
  }

  private set(): Value {
    const table = new LuaTable();
    for (let left = this.count(); left > 0; left--) {
      const key = this.value();
      if (key !== undefined) table.set(key, true);
    }
    return one('set', table);
  }
}

const MAX_DEPTH = 1000;

/** Writes what a script returned; `resp3` when the script had asked for RESP3 itself. */
export function writeValue(reply: Reply, value: Value, resp3: boolean, depth = 0): void {
  if (depth > MAX_DEPTH) reply.error('ERR reached lua stack limit');
  else if (typeof value === 'string') reply.bulkText(value);
  else if (typeof value === 'number') writeInteger(reply, value);
  else if (typeof value === 'boolean') {
    if (resp3) reply.bool(value);
    else if (value) reply.int(1);
    else reply.null();
  } else if (value instanceof LuaTable) writeTable(reply, value, resp3, depth);
  else reply.null();
}

function writeInteger(reply: Reply, value: number): void {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) reply.int(whole + 0);
  else reply.bigint(whole > -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : -(2n ** 63n));
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

function writeTable(reply: Reply, table: LuaTable, resp3: boolean, depth: number): void {
  const err = table.getStr('err');
  if (typeof err === 'string') {
    reply.error(err[0] === '-' ? err.slice(1) : err, table.getStr('ignore_error_stats_update') !== true);
    return;
  }
  const ok = table.getStr('ok');
  if (typeof ok === 'string') {
    reply.status(oneLine(ok));
    return;
  }
  const double = table.getStr('double');
  if (typeof double === 'number') {
    reply.double(double);
    return;
  }
  if (writeNested(reply, table, resp3, depth)) return;
  let length = 0;
  while (table.get(length + 1) !== undefined) length++;
  reply.array(length);
  for (let i = 1; i <= length; i++) writeValue(reply, table.get(i), resp3, depth + 1);
}

/** Maps, sets, big numbers and verbatim strings. */
function writeNested(reply: Reply, table: LuaTable, resp3: boolean, depth: number): boolean {
  const map = table.getStr('map');
  if (map instanceof LuaTable) {
    reply.map(map.count());
    for (let at = map.seek(0); at >= 0; at = map.seek(at + 1)) {
      writeValue(reply, map.keyAt(at), resp3, depth + 1);
      writeValue(reply, map.valueAt(at), resp3, depth + 1);
    }
    return true;
  }
  const set = table.getStr('set');
  if (set instanceof LuaTable) {
    reply.set(set.count());
    for (let at = set.seek(0); at >= 0; at = set.seek(at + 1)) writeValue(reply, set.keyAt(at), resp3, depth + 1);
    return true;
  }
  const big = table.getStr('big_number');
  if (typeof big === 'string') {
    reply.bigNumber(oneLine(big));
    return true;
  }
  const verbatim = table.getStr('verbatim_string');
  if (!(verbatim instanceof LuaTable)) return false;
  const format = verbatim.getStr('format');
  const text = verbatim.getStr('string');
  if (typeof format !== 'string' || typeof text !== 'string') return false;
  reply.verbatim(text, (format + '   ').slice(0, 3));
  return true;
}
