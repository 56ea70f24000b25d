/** Redis's conversions: replies of commands to Lua values, and the value that a script returns to a reply. */
import { latin1, Slice } from '../base/slice.ts';
import type { Reply } from '../protocol/reply.ts';
import { cLength } from './lua/number.ts';
import { LuaTable, type Value } from './lua/value.ts';

const NONE = new Uint8Array(0);
const LF = 10;
const CR = 13;
const DOLLAR = 36;
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
  let end = cLength(message);
  if (message[end - 1] === '\n') end -= message[end - 2] === '\r' ? 2 : 1;
  const trimmed = message.slice(0, end);
  const coded = trimmed[0] === '-' && trimmed.includes(' ');
  return one('err', coded ? trimmed.slice(1) : `ERR ${trimmed[0] === '-' ? trimmed.slice(1) : trimmed}`);
}

/** A bulk string whose bytes have a chunk of their own, read where they lie; undefined where the reply is something else. */
function longText(reply: Reply): string | undefined {
  const parts: Uint8Array[] = [];
  if (reply.views(parts, Number.POSITIVE_INFINITY) === 0 || parts.length !== 3) return undefined;
  const [head, bytes, end] = parts;
  const whole = head[0] === DOLLAR && head.indexOf(LF) === head.length - 1 && end.length === 2;
  return whole ? latin1(bytes, 0, bytes.length) : undefined;
}

/** Reads what a command replied, the bytes that a client would get, where they lie. */
export class ReplyReader {
  private bytes: Uint8Array = NONE;
  private at = 0;
  private readonly shown = new Slice();

  /** Takes the reply to one command out of `reply`. Throws TextTooLong where it holds what no string can. */
  read(reply: Reply): Value {
    const { shown } = this;
    if (!reply.showOnly(shown)) {
      const text = longText(reply);
      if (text !== undefined) {
        reply.clear();
        return text;
      }
      shown.set(reply.take(), 0, 0);
    }
    this.bytes = shown.buffer;
    this.at = shown.start;
    try {
      return this.value();
    } finally {
      reply.clear();
      this.bytes = NONE;
      shown.set(NONE, 0, 0);
    }
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

/** What the reference's stack takes; each table that a value lies in has its place there. */
const STACK_SLOTS = 8000;
/** What is below the value that a script returned, and what one step needs. */
const FIRST_SLOT = 2;
const STEP_SLOTS = 4;

/** What a script may reply: its values may be shared, and their copies take more than all that it may have. */
const MOST_BYTES = 2 ** 29 + 2 ** 20;
const MOST_ITEMS = 2 ** 23;
const ITEM_BYTES = 4;
/** An error costs as much as so many items. */
const ERROR_ITEMS = 64;

/** A table whose items are being written. */
interface Opened {
  readonly kind: 'array' | 'map' | 'set';
  readonly table: LuaTable;
  /** Where it lies on the reference's stack. */
  readonly slot: number;
  at: number;
  /** Of a map, the value that comes next. */
  inPair: boolean;
}

/** From so many bytes on it is looked first how many there are in all. */
const MANY_BYTES = 2 ** 20;

/** Writes what a script returned, or an error where that is too much; `resp3` when the script had asked for RESP3 itself. */
export function writeValue(reply: Reply, value: Value, resp3: boolean): void {
  const short = typeof value !== 'string' || value.length <= MANY_BYTES;
  if (short && !(value instanceof LuaTable)) writePlain(reply, value, resp3);
  else writeLarge(reply, value, resp3);
}

/** The same of a table or a long string. */
function writeLarge(reply: Reply, value: Value, resp3: boolean): void {
  const opened: Opened[] = [];
  const { markChunk, markAt } = reply;
  let bytes = 0;
  let measured = false;
  const write = (item: Value, slot: number): void => {
    bytes += typeof item === 'string' ? item.length : ITEM_BYTES;
    if (bytes > MANY_BYTES && !measured) {
      measured = true;
      if (isTooLarge(value)) {
        opened.length = 0;
        reply.rewind(markChunk, markAt);
        reply.error("ERR the script's reply is too large");
        return;
      }
    }
    if (slot + STEP_SLOTS > STACK_SLOTS) reply.error('ERR reached lua stack limit');
    else if (item instanceof LuaTable) {
      const inner = contentOf(item, slot);
      writeHead(reply, item, inner);
      if (inner !== null) opened.push(inner);
    } else writePlain(reply, item, resp3);
  };
  walk(value, opened, write);
}

/** Whether a value's reply would pass the bounds; nothing is written for it. */
function isTooLarge(value: Value): boolean {
  const opened: Opened[] = [];
  let bytes = 0;
  let items = 0;
  walk(value, opened, (item, slot) => {
    const deep = slot + STEP_SLOTS > STACK_SLOTS;
    items += deep ? ERROR_ITEMS : 1;
    bytes += typeof item === 'string' ? item.length : ITEM_BYTES;
    const inner = !deep && item instanceof LuaTable ? contentOf(item, slot) : null;
    if (bytes > MOST_BYTES || items > MOST_ITEMS) opened.length = 0;
    else if (inner !== null) opened.push(inner);
  });
  return bytes > MOST_BYTES || items > MOST_ITEMS;
}

/** Visits a value and all that lies in it; `visit` adds to `opened` the tables whose items are to follow. */
function walk(value: Value, opened: Opened[], visit: (item: Value, slot: number) => void): void {
  visit(value, FIRST_SLOT);
  for (let top = opened.at(-1); top !== undefined; top = opened.at(-1)) {
    if (!visitNext(top, visit) && opened.at(-1) === top) opened.pop();
  }
}

/** Visits the next item of a table; false when there is none. */
function visitNext(opened: Opened, visit: (item: Value, slot: number) => void): boolean {
  const { kind, table, slot } = opened;
  if (kind === 'array') {
    const item = table.get(++opened.at);
    if (item === undefined) return false;
    visit(item, slot + 1);
    return true;
  }
  if (opened.inPair) {
    opened.inPair = false;
    visit(table.valueAt(opened.at++), slot + 3);
    return true;
  }
  const at = table.seek(opened.at);
  if (at < 0) return false;
  opened.inPair = kind === 'map';
  opened.at = opened.inPair ? at : at + 1;
  visit(table.keyAt(at), slot + (opened.inPair ? 4 : 3));
  return true;
}

function writePlain(reply: Reply, value: Value, resp3: boolean): void {
  if (typeof value === 'string') reply.bulkText(value);
  else if (typeof value === 'number') writeInteger(reply, value);
  else if (typeof value === 'boolean') {
    if (resp3) reply.bool(value);
    else if (value) reply.int(1);
    else reply.null();
  } else reply.null();
}

function writeInteger(reply: Reply, value: number): void {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) reply.int(whole + 0);
  else reply.bigint(whole > -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : -(2n ** 63n));
}

/** A C string. */
function cString(text: string): string {
  return text.slice(0, cLength(text));
}

/** What is to be written of a table behind its head; null where it stands for one value. */
function contentOf(table: LuaTable, slot: number): Opened | null {
  if (typeof table.getStr('err') === 'string' || typeof table.getStr('ok') === 'string') return null;
  if (typeof table.getStr('double') === 'number') return null;
  const map = table.getStr('map');
  if (map instanceof LuaTable) return { kind: 'map', table: map, slot, at: 0, inPair: false };
  const set = table.getStr('set');
  if (set instanceof LuaTable) return { kind: 'set', table: set, slot, at: 0, inPair: false };
  if (typeof table.getStr('big_number') === 'string' || verbatimOf(table) !== null) return null;
  return { kind: 'array', table, slot, at: 0, inPair: false };
}

/** Writes the head of a table's content, or the one value that it stands for. */
function writeHead(reply: Reply, table: LuaTable, content: Opened | null): void {
  if (content === null) {
    writeOne(reply, table);
    return;
  }
  if (content.kind === 'map') reply.map(content.table.count());
  else if (content.kind === 'set') reply.set(content.table.count());
  else {
    let length = 0;
    while (table.get(length + 1) !== undefined) length++;
    reply.array(length);
  }
}

/** The value that a table stands for. */
function writeOne(reply: Reply, table: LuaTable): void {
  const err = table.getStr('err');
  if (typeof err === 'string') {
    reply.error(cString(err), table.getStr('ignore_error_stats_update') !== true);
    return;
  }
  const ok = table.getStr('ok');
  if (typeof ok === 'string') {
    reply.status(cString(ok));
    return;
  }
  const double = table.getStr('double');
  if (typeof double === 'number') {
    // What isn't a number is a negative one where it comes from arithmetic.
    if (double === double) reply.double(double);
    else reply.decimal('-nan');
    return;
  }
  const big = table.getStr('big_number');
  if (typeof big === 'string') {
    reply.bigNumber(big);
    return;
  }
  const verbatim = verbatimOf(table);
  if (verbatim !== null) reply.verbatim(verbatim.text, (verbatim.format + '   ').slice(0, 3));
}

function verbatimOf(table: LuaTable): { readonly format: string; readonly text: string } | null {
  const verbatim = table.getStr('verbatim_string');
  if (!(verbatim instanceof LuaTable)) return null;
  const format = verbatim.getStr('format');
  const text = verbatim.getStr('string');
  return typeof format === 'string' && typeof text === 'string' ? { format, text } : null;
}
