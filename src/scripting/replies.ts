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
/** What is visited in one step: bytes, of which an item counts for so many more. */
const STEP_BYTES = 2 ** 18;
const ITEM_WORK = 64;

/** Writes what a script returned; what may take long is left to a writer. `resp3` when the script had asked for RESP3 itself. */
export function writeValue(reply: Reply, value: Value, resp3: boolean): ValueWriter | null {
  const short = typeof value !== 'string' || value.length <= MANY_BYTES;
  if (!short || value instanceof LuaTable) return new ValueWriter(value, resp3);
  writePlain(reply, value, resp3);
  return null;
}

/** Goes through a value and all that lies in it, as far as its steps take it. */
class Walk {
  private readonly value: Value;
  private readonly opened: Opened[] = [];
  private begun = false;

  constructor(value: Value) {
    this.value = value;
  }

  /** The items of a table are to follow. */
  open(table: Opened | null): void {
    if (table !== null) this.opened.push(table);
  }

  /** Visits items of some weight in all, or of any without a limit; `visit` gives an item's bytes. Whether it has seen all. */
  step(visit: (item: Value, slot: number) => number, most: number): boolean {
    const { opened } = this;
    let work = 0;
    const weigh = (item: Value, slot: number): void => {
      work += ITEM_WORK + visit(item, slot);
    };
    if (!this.begun) {
      this.begun = true;
      weigh(this.value, FIRST_SLOT);
    }
    for (let top = opened.at(-1); top !== undefined; top = opened.at(-1)) {
      if (work >= most) return false;
      if (!visitNext(top, weigh) && opened.at(-1) === top) opened.pop();
    }
    return true;
  }
}

/**
 * Writes a table or a long string, step by step. Most are written by the first one. What turns out to be large is taken
 * back at once, measured, and then written, or an error in its place: nothing is taken back once a step has ended.
 */
export class ValueWriter {
  private readonly value: Value;
  private readonly resp3: boolean;
  private phase: 'try' | 'measure' | 'write' = 'try';
  private walk: Walk;
  private bytes = 0;
  private items = 0;
  /** Errors that were written before all was taken back: they have been counted. */
  private counted = 0;

  constructor(value: Value, resp3: boolean) {
    this.value = value;
    this.resp3 = resp3;
    this.walk = new Walk(value);
  }

  /** Whether the reply is complete. */
  step(reply: Reply): boolean {
    if (this.phase === 'write') return this.write(reply, STEP_BYTES);
    if (this.phase === 'measure') return this.measure(reply);
    const { markChunk, markAt } = reply;
    const before = reply.errorCount;
    if (this.write(reply, Number.POSITIVE_INFINITY)) return true;
    reply.rewind(markChunk, markAt);
    this.counted = reply.errorCount - before;
    this.turnTo('measure');
    return false;
  }

  private turnTo(phase: 'measure' | 'write'): void {
    this.phase = phase;
    this.walk = new Walk(this.value);
    this.bytes = 0;
  }

  private measure(reply: Reply): boolean {
    const all = this.walk.step((item, slot) => {
      const deep = slot + STEP_SLOTS > STACK_SLOTS;
      const bytes = bytesOf(item);
      this.items += deep ? ERROR_ITEMS : 1;
      this.bytes += bytes;
      if (!deep && item instanceof LuaTable) this.walk.open(contentOf(item, slot));
      return this.isTooLarge ? Number.POSITIVE_INFINITY : bytes;
    }, STEP_BYTES);
    if (this.isTooLarge) {
      reply.error("ERR the script's reply is too large");
      return true;
    }
    if (all) this.turnTo('write');
    return false;
  }

  private get isTooLarge(): boolean {
    return this.bytes > MOST_BYTES || this.items > MOST_ITEMS;
  }

  /** False also where a first try has seen that there is much. */
  private write(reply: Reply, most: number): boolean {
    let seen = false;
    const all = this.walk.step((item, slot) => {
      const bytes = bytesOf(item);
      this.bytes += bytes;
      if (this.phase === 'try' && this.bytes > MANY_BYTES) {
        seen = true;
        return Number.POSITIVE_INFINITY;
      }
      this.item(reply, item, slot);
      return bytes;
    }, most);
    return all && !seen;
  }

  private item(reply: Reply, item: Value, slot: number): void {
    if (slot + STEP_SLOTS > STACK_SLOTS) reply.error('ERR reached lua stack limit', this.counts());
    else if (item instanceof LuaTable) {
      const inner = contentOf(item, slot);
      writeHead(reply, item, inner, this);
      this.walk.open(inner);
    } else writePlain(reply, item, this.resp3);
  }

  /** Whether the error to be written now is to be counted. */
  counts(): boolean {
    return this.phase === 'try' || --this.counted < 0;
  }
}

function bytesOf(item: Value): number {
  return typeof item === 'string' ? item.length : ITEM_BYTES;
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
function writeHead(reply: Reply, table: LuaTable, content: Opened | null, writer: ValueWriter): void {
  if (content === null) {
    writeOne(reply, table, writer);
    return;
  }
  if (content.kind === 'map') reply.map(content.table.count());
  else if (content.kind === 'set') reply.set(content.table.count());
  else {
    reply.array(lengthOf(table));
  }
}

/** How many items there are before the first nil. */
function lengthOf(table: LuaTable): number {
  const { array } = table;
  let length = 0;
  while (length < array.length && array[length] !== undefined) length++;
  if (length === array.length) while (table.get(length + 1) !== undefined) length++;
  return length;
}

/** The value that a table stands for. */
function writeOne(reply: Reply, table: LuaTable, writer: ValueWriter): void {
  const err = table.getStr('err');
  if (typeof err === 'string') {
    const counted = writer.counts();
    reply.error(cString(err), counted && table.getStr('ignore_error_stats_update') !== true);
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
