/** Redis's conversions of commands' replies to Lua values; the other way is value-writer.ts. */
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

type ListKind = 'array' | 'set' | 'map' | 'attribute';

/** What kind of list begins with this byte; null where it is no list. */
function kindOf(byte: number): ListKind | null {
  switch (byte) {
    case 42: // *
    case 62: // >
      return 'array';
    case 126: // ~
      return 'set';
    case 37: // %
      return 'map';
    case 124: // |
      return 'attribute';
    default:
      return null;
  }
}

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

/** Values read in one go. */
const PIECE = 2048;

/** A list or a table whose values are being read: as an array, as keys that are true, or as keys and values. */
interface Opened {
  readonly kind: ListKind;
  /** Values still to come. */
  left: number;
  readonly values: Value[];
  readonly table: LuaTable;
  /** Of a map, the key whose value comes next. */
  key: Value;
}

/** Reads what a command replied, the bytes that a client would get, where they lie. */
export class ReplyReader {
  private bytes: Uint8Array = NONE;
  private at = 0;
  private readonly shown = new Slice();
  private readonly opened: Opened[] = [];
  /** What is read is this one text. */
  private text: string | undefined;

  /** Takes the reply to one command out of `reply`. Throws TextTooLong where it holds what no string can. */
  read(reply: Reply): Value {
    try {
      this.begin(reply);
      let whole = this.readOn();
      while (whole === null) whole = this.readOn();
      return whole[0];
    } finally {
      this.abandon(reply);
    }
  }

  /** Whether a reply is being read in pieces. */
  get begun(): boolean {
    return this.text !== undefined || this.bytes !== NONE;
  }

  /** Begins to read a long reply, which stays where it is until `readOn()` has it all, or until it is `abandon`ed. */
  begin(reply: Reply): void {
    const { shown } = this;
    if (!reply.showOnly(shown)) {
      this.text = longText(reply);
      if (this.text !== undefined) return;
      shown.set(reply.take(), 0, 0);
    }
    this.bytes = shown.buffer;
    this.at = shown.start;
  }

  /** Reads some values more. Once all are read it gives what they make, in a list of one. */
  readOn(): readonly [Value] | null {
    if (this.text !== undefined) return [this.text];
    for (let left = PIECE; left > 0; left--) {
      const kind = kindOf(this.bytes[this.at]);
      const whole = kind === null ? this.complete(this.value()) : this.open(kind);
      if (whole !== null) return whole;
    }
    return null;
  }

  abandon(reply: Reply): void {
    reply.clear();
    this.opened.length = 0;
    this.text = undefined;
    this.bytes = NONE;
    this.shown.set(NONE, 0, 0);
  }

  /** Reads the head of a list, whose values follow; all of it where it has none. */
  private open(kind: ListKind): readonly [Value] | null {
    this.at++;
    const count = this.count();
    if (count > 0) {
      const left = kind === 'map' || kind === 'attribute' ? 2 * count : count;
      this.opened.push({ kind, left, values: [], table: new LuaTable(), key: undefined });
      return null;
    }
    // What an attribute belongs to follows.
    if (kind === 'attribute') return null;
    if (kind !== 'array') return this.complete(one(kind, new LuaTable()));
    return this.complete(count < 0 ? false : new LuaTable());
  }

  /** A value has been read: it goes where it belongs; all of it, where that was the last one. */
  private complete(value: Value): readonly [Value] | null {
    const { opened } = this;
    for (let top = opened.at(-1); top !== undefined; top = opened.at(-1)) {
      top.left--;
      if (top.kind === 'array') top.values.push(value);
      else if (top.kind === 'set') {
        if (value !== undefined) top.table.set(value, true);
      } else if (top.kind === 'map') {
        if (top.left % 2 === 1) top.key = value;
        else if (top.key !== undefined) top.table.set(top.key, value);
      }
      if (top.left > 0) return null;
      opened.pop();
      if (top.kind === 'attribute') return null;
      value = top.kind === 'array' ? LuaTable.sequence(top.values) : one(top.kind, top.table);
    }
    return [value];
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

  /** Reads a value that is no list. */
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
      default:
        this.at--;
        return this.resp3();
    }
  }

  private resp3(): Value {
    switch (String.fromCharCode(this.bytes[this.at++])) {
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
}
