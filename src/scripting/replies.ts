/** Redis's conversions: replies of commands to Lua values, and the value that a script returns to a reply. */
import type { Reply } from '../protocol/reply.ts';
import { LuaTable, type Value } from './lua/value.ts';

const LF = 10;

function one(name: string, value: Value): LuaTable {
  const table = new LuaTable();
  table.setHash(name, value);
  return table;
}

/** Reads a reply as the bytes that a client would get. */
export class ReplyReader {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;

  read(bytes: Uint8Array): Value {
    this.bytes = bytes;
    this.at = 0;
    return this.value();
  }

  private text(from: number, to: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, to - from).toString('latin1');
  }

  /** The rest of the line, without its end. */
  private line(): string {
    const from = this.at;
    const end = this.bytes.indexOf(LF, from);
    this.at = end + 1;
    return this.text(from, end - 1);
  }

  private count(): number {
    return Number(this.line());
  }

  private value(): Value {
    const kind = String.fromCharCode(this.bytes[this.at++]);
    switch (kind) {
      case '+':
        return one('ok', this.line());
      case '-': {
        const table = one('err', this.line());
        table.setHash('ignore_error_stats_update', true);
        return table;
      }
      case ':':
        return this.count();
      case '$':
        return this.bulk();
      case '*':
      case '>':
        return this.array();
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
    return this.text(from, from + length);
  }

  private array(): Value {
    const length = this.count();
    if (length < 0) return false;
    const table = new LuaTable();
    for (let i = 1; i <= length; i++) table.set(i, this.value());
    return table;
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
    reply.error(err[0] === '-' ? err.slice(1) : err);
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
    reply.map(map.live + map.array.filter((value) => value !== undefined).length);
    for (let at = map.seek(0); at >= 0; at = map.seek(at + 1)) {
      writeValue(reply, map.keyAt(at), resp3, depth + 1);
      writeValue(reply, map.valueAt(at), resp3, depth + 1);
    }
    return true;
  }
  const set = table.getStr('set');
  if (set instanceof LuaTable) {
    reply.set(set.live + set.array.filter((value) => value !== undefined).length);
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
