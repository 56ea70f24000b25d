/**
 * Redis's conversion of the value that a script returned to a reply, and its errors as replies: step by step, as what
 * scripts make may be long, wide and deep.
 */
import type { Reply } from '../protocol/reply.ts';
import { cLength } from './lua/number.ts';
import { LuaTable, type Value } from './lua/value.ts';

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

/** From so many bytes, or items, in one table or in all, on it is looked first how many there are. */
const MANY_BYTES = 2 ** 20;
const MANY_ITEMS = 2 ** 16;
const MANY_IN_ALL = 2 ** 15;
/** What is visited in one step: bytes, of which an item counts for so many more. */
const STEP_BYTES = 2 ** 18;
const ITEM_WORK = 64;
/** Characters written in one go, and items counted. */
const PIECE = 2 ** 16;
const CR = 13;
const LF = 10;

/** A reply that is written as far as each step takes it. */
export interface ReplyWriter {
  /** Whether the reply is complete. */
  step(reply: Reply): boolean;
}

/** Sees an item, which lies there on the reference's stack, and gives its bytes. */
type Visit = (item: Value, slot: number) => number;

/** What is left to do of something that has been begun. */
interface Part {
  /** Does the next bit of it, and gives its weight; 0 when there is none. */
  next(visit: Visit): number;
}

/** Writes what a script returned; what may take long is left to a writer. `resp3` when the script had asked for RESP3 itself. */
export function writeValue(reply: Reply, value: Value, resp3: boolean): ReplyWriter | null {
  const short = typeof value !== 'string' || value.length <= MANY_BYTES;
  if (!short || value instanceof LuaTable) return new ValueWriter(value, resp3);
  if (typeof value === 'string') reply.bulkText(value);
  else writePlain(reply, value, resp3);
  return null;
}

/** Writes an error, which ends with `where`; a long one is left to a writer. */
export function writeError(reply: Reply, message: string, where: string, counted: boolean): ReplyWriter | null {
  if (message.length > STEP_BYTES) return new ErrorWriter(message, where, counted);
  reply.error(message + where, counted);
  return null;
}

/** Goes through a value and all that lies in it, as far as its steps take it. */
class Walk {
  private readonly value: Value;
  private readonly opened: Part[] = [];
  private begun = false;

  constructor(value: Value) {
    this.value = value;
  }

  /** Something is to follow. */
  open(part: Part | null): void {
    if (part !== null) this.opened.push(part);
  }

  /** Visits items of some weight in all, or of any without a limit. Whether it has seen all. */
  step(visit: Visit, most: number): boolean {
    const { opened } = this;
    let work = 0;
    if (!this.begun) {
      this.begun = true;
      work = visit(this.value, FIRST_SLOT);
    }
    for (let top = opened.at(-1); top !== undefined; top = opened.at(-1)) {
      if (work >= most) return false;
      const done = top.next(visit);
      work += done;
      if (done === 0 && opened.at(-1) === top) opened.pop();
    }
    return true;
  }
}

/** A table whose items are visited. */
class Items implements Part {
  readonly kind: 'array' | 'map' | 'set';
  readonly table: LuaTable;
  /** Where it lies on the reference's stack. */
  private readonly slot: number;
  private at = 0;
  /** Of a map, the value that comes next. */
  private inPair = false;

  constructor(kind: 'array' | 'map' | 'set', table: LuaTable, slot: number) {
    this.kind = kind;
    this.table = table;
    this.slot = slot;
  }

  next(visit: Visit): number {
    const { kind, table, slot } = this;
    if (kind === 'array') {
      const item = table.get(++this.at);
      return item === undefined ? 0 : ITEM_WORK + visit(item, slot + 1);
    }
    if (this.inPair) {
      this.inPair = false;
      return ITEM_WORK + visit(table.valueAt(this.at++), slot + 3);
    }
    const at = table.seek(this.at);
    if (at < 0) return 0;
    this.inPair = kind === 'map';
    this.at = this.inPair ? at : at + 1;
    return ITEM_WORK + visit(table.keyAt(at), slot + (this.inPair ? 4 : 3));
  }
}

/** Counts the items of a long array before the first nil; only then its head can be written. */
class Counting implements Part {
  private readonly table: LuaTable;
  private readonly counted: (length: number) => void;
  private length = 0;
  private done = false;

  constructor(table: LuaTable, counted: (length: number) => void) {
    this.table = table;
    this.counted = counted;
  }

  next(): number {
    if (this.done) return 0;
    const { table } = this;
    const end = this.length + PIECE;
    while (this.length < end && table.get(this.length + 1) !== undefined) this.length++;
    if (this.length < end) {
      this.done = true;
      this.counted(this.length);
    }
    return PIECE;
  }
}

/** A long text that is written piece by piece: as it is, or as the rest of a line, without line breaks. */
class LongText implements Part {
  private readonly reply: Reply;
  private readonly text: string;
  private readonly line: boolean;
  /** What stands behind it. */
  private readonly tail: string;
  private at = 0;
  private to: number;
  /** Line breaks at its ends are still to be left out. */
  private trims: boolean;
  private done = false;

  constructor(reply: Reply, text: string, as: 'bulk' | 'line' | 'error', tail = '') {
    this.reply = reply;
    this.text = text;
    this.line = as !== 'bulk';
    this.trims = as === 'error';
    this.to = text.length;
    this.tail = tail;
  }

  next(): number {
    const { reply, text } = this;
    if (this.done) return 0;
    if (this.trims) this.trim();
    else if (this.at < this.to) {
      const end = Math.min(this.to, this.at + PIECE);
      if (this.line) reply.lineText(text, this.at, end);
      else reply.rawText(text.slice(this.at, end));
      this.at = end;
    } else {
      reply.lineText(this.tail, 0, this.tail.length);
      reply.line();
      this.done = true;
    }
    return PIECE;
  }

  private trim(): void {
    const { text } = this;
    for (let left = PIECE; left > 0 && this.trims; left--) {
      if (this.at < this.to && isLineBreak(text.charCodeAt(this.at))) this.at++;
      else if (this.at < this.to && this.tail === '' && isLineBreak(text.charCodeAt(this.to - 1))) this.to--;
      else this.trims = false;
    }
  }
}

class ErrorWriter implements ReplyWriter {
  private readonly message: string;
  private readonly where: string;
  private readonly counted: boolean;
  private rest: LongText | null = null;

  constructor(message: string, where: string, counted: boolean) {
    this.message = message;
    this.where = where;
    this.counted = counted;
  }

  step(reply: Reply): boolean {
    if (this.rest === null) {
      reply.beginError(this.message, this.counted);
      this.rest = new LongText(reply, this.message, 'error', this.where);
    }
    for (let work = 0; work < STEP_BYTES; ) {
      const done = this.rest.next();
      if (done === 0) return true;
      work += done;
    }
    return false;
  }
}

/**
 * Writes a table or a long string, step by step. Most are written by the first one. What turns out to be large is taken
 * back at once, measured, and then written, or an error in its place: nothing is taken back once a step has ended.
 */
class ValueWriter implements ReplyWriter {
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
    this.items = 0;
  }

  private measure(reply: Reply): boolean {
    const all = this.walk.step((item, slot) => {
      const deep = slot + STEP_SLOTS > STACK_SLOTS;
      const content = item instanceof LuaTable && !deep ? contentOf(item, slot) : null;
      const bytes = deep ? ITEM_BYTES : bytesOf(item, content);
      this.items += deep ? ERROR_ITEMS : 1;
      this.bytes += bytes;
      this.walk.open(content);
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
      if (slot + STEP_SLOTS > STACK_SLOTS) {
        reply.error('ERR reached lua stack limit', this.counts());
        return ITEM_BYTES;
      }
      const content = item instanceof LuaTable ? contentOf(item, slot) : null;
      const bytes = bytesOf(item, content);
      if (this.phase === 'try' && this.isMuch(bytes, content)) {
        seen = true;
        return Number.POSITIVE_INFINITY;
      }
      this.item(reply, item, content);
      return bytes;
    }, most);
    return all && !seen;
  }

  /** Whether a first try has come to one item, or to more in all, that may take long. */
  private isMuch(bytes: number, content: Items | null): boolean {
    this.bytes += bytes;
    this.items++;
    return this.bytes > MANY_BYTES || this.items > MANY_IN_ALL || isLong(content);
  }

  private item(reply: Reply, item: Value, content: Items | null): void {
    if (content !== null) this.head(reply, content);
    else if (item instanceof LuaTable) this.one(reply, item);
    else if (typeof item === 'string') this.bulk(reply, item);
    else writePlain(reply, item, this.resp3);
  }

  /** Writes the head of a table's content, which follows. */
  private head(reply: Reply, content: Items): void {
    const { kind, table } = content;
    if (isLong(content)) {
      const counted = (length: number): void => {
        reply.array(length);
        this.walk.open(content);
      };
      this.walk.open(new Counting(table, counted));
      return;
    }
    if (kind === 'map') reply.map(table.count());
    else if (kind === 'set') reply.set(table.count());
    else reply.array(lengthOf(table));
    this.walk.open(content);
  }

  private bulk(reply: Reply, text: string): void {
    if (text.length <= STEP_BYTES) {
      reply.bulkText(text);
      return;
    }
    reply.bulkLength(text.length);
    this.walk.open(new LongText(reply, text, 'bulk'));
  }

  /** Writes the value that a table stands for. */
  private one(reply: Reply, table: LuaTable): void {
    const err = table.getStr('err');
    const ok = table.getStr('ok');
    const double = table.getStr('double');
    const big = table.getStr('big_number');
    if (typeof err === 'string') this.error(reply, cString(err), table.getStr('ignore_error_stats_update') !== true);
    else if (typeof ok === 'string') {
      reply.beginStatus();
      this.line(reply, cString(ok));
    } else if (typeof double === 'number') {
      // What isn't a number is a negative one where it comes from arithmetic.
      if (double === double) reply.double(double);
      else reply.decimal('-nan');
    } else if (typeof big === 'string') {
      reply.beginBigNumber(big.length);
      this.line(reply, big);
    } else this.verbatim(reply, table);
  }

  private verbatim(reply: Reply, table: LuaTable): void {
    const verbatim = verbatimOf(table);
    if (verbatim === null) return;
    const { text, format } = verbatim;
    if (text.length <= STEP_BYTES) {
      reply.verbatim(text, format);
      return;
    }
    reply.beginVerbatim(text.length, format);
    this.walk.open(new LongText(reply, text, 'bulk'));
  }

  private error(reply: Reply, text: string, toBeCounted: boolean): void {
    const counted = this.counts() && toBeCounted;
    if (text.length <= STEP_BYTES) {
      reply.error(text, counted);
      return;
    }
    reply.beginError(text, counted);
    this.walk.open(new LongText(reply, text, 'error'));
  }

  /** The rest of a line. */
  private line(reply: Reply, text: string): void {
    if (text.length > STEP_BYTES) {
      this.walk.open(new LongText(reply, text, 'line'));
      return;
    }
    reply.lineText(text, 0, text.length);
    reply.line();
  }

  /** Whether the error to be written now is to be counted. */
  private counts(): boolean {
    return this.phase === 'try' || --this.counted < 0;
  }
}

/** Whether the items of an array take long to be counted. */
function isLong(content: Items | null): boolean {
  return content !== null && content.kind === 'array' && content.table.array.length > MANY_ITEMS;
}

/** What is written of an item before its content. */
function bytesOf(item: Value, content: Items | null): number {
  if (typeof item === 'string') return item.length;
  return item instanceof LuaTable && content === null ? ITEM_BYTES + textOf(item).length : ITEM_BYTES;
}

/** The text that a table stands for, if it does. */
function textOf(table: LuaTable): string {
  for (const field of ['err', 'ok', 'big_number']) {
    const text = table.getStr(field);
    if (typeof text === 'string') return text;
  }
  return verbatimOf(table)?.text ?? '';
}

function writePlain(reply: Reply, value: Value, resp3: boolean): void {
  if (typeof value === 'number') writeInteger(reply, value);
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
function contentOf(table: LuaTable, slot: number): Items | null {
  if (typeof table.getStr('err') === 'string' || typeof table.getStr('ok') === 'string') return null;
  if (typeof table.getStr('double') === 'number') return null;
  const map = table.getStr('map');
  if (map instanceof LuaTable) return new Items('map', map, slot);
  const set = table.getStr('set');
  if (set instanceof LuaTable) return new Items('set', set, slot);
  if (typeof table.getStr('big_number') === 'string' || verbatimOf(table) !== null) return null;
  return new Items('array', table, slot);
}

/** How many items there are before the first nil. */
function lengthOf(table: LuaTable): number {
  const { array } = table;
  let length = 0;
  while (length < array.length && array[length] !== undefined) length++;
  if (length === array.length) while (table.get(length + 1) !== undefined) length++;
  return length;
}

function verbatimOf(table: LuaTable): { readonly format: string; readonly text: string } | null {
  const verbatim = table.getStr('verbatim_string');
  if (!(verbatim instanceof LuaTable)) return null;
  const format = verbatim.getStr('format');
  const text = verbatim.getStr('string');
  if (typeof format !== 'string' || typeof text !== 'string') return null;
  return { format: `${format.slice(0, 3)}   `.slice(0, 3), text };
}

function isLineBreak(code: number): boolean {
  return code === CR || code === LF;
}
