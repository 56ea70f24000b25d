/** Replies of RESP2 and RESP3 as values, read from bytes that come in pieces. Texts have one character a byte. */

export type Reply =
  | { readonly kind: TextKind; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: ListKind; readonly items: readonly Reply[] };

type TextKind = 'status' | 'error' | 'integer' | 'double' | 'boolean' | 'big' | 'bulk' | 'verbatim';
/** A map's items are keys and values in turn. */
type ListKind = 'array' | 'set' | 'map' | 'push' | 'attribute';

/** What has come is no reply. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

const LINES: Readonly<Record<string, TextKind>> = {
  '+': 'status',
  '-': 'error',
  ':': 'integer',
  ',': 'double',
  '#': 'boolean',
  '(': 'big',
};
const LISTS: Readonly<Record<string, ListKind>> = {
  '*': 'array',
  '~': 'set',
  '%': 'map',
  '>': 'push',
  '|': 'attribute',
};
const CARRIAGE_RETURN = 13;
/** A kind and a number, or a status that is an error's text: more than this in one line is no reply. */
const LONGEST_LINE = 1024 * 1024;
/** `txt:` in front of the text of a verbatim string. */
const FORMAT_LENGTH = 4;

interface Open {
  readonly kind: ListKind;
  readonly items: Reply[];
  /** Items that are still to come. */
  left: number;
}

export class ReplyReader {
  private readonly arrived: (reply: Reply) => void;
  private bytes: Buffer = Buffer.alloc(0);
  /** What has come since `bytes`, not joined with it before there is enough to go on. */
  private readonly more: Buffer[] = [];
  private size = 0;
  /** So many bytes must be there before it is worth while to look again. */
  private needed = 0;
  private readonly open: Open[] = [];

  constructor(arrived: (reply: Reply) => void) {
    this.arrived = arrived;
  }

  /** Throws ProtocolError. */
  read(piece: Buffer): void {
    this.more.push(piece);
    this.size += piece.length;
    if (this.size < this.needed) return;
    this.bytes = Buffer.concat([this.bytes, ...this.more.splice(0)]);
    this.needed = 0;
    let at = 0;
    for (let next = this.readOne(at); next !== undefined; next = this.readOne(at)) at = next;
    this.bytes = this.bytes.subarray(at);
    this.size = this.bytes.length;
    this.needed = Math.max(0, this.needed - at);
  }

  /** The place behind the next value or the head of a list; undefined where it is not all there. */
  private readOne(at: number): number | undefined {
    const end = this.bytes.indexOf(CARRIAGE_RETURN, at);
    if (end < 0 || end + 1 >= this.bytes.length) {
      if (this.bytes.length - at > LONGEST_LINE) throw new ProtocolError('a line that is too long');
      return undefined;
    }
    const type = String.fromCharCode(this.bytes[at]);
    const line = this.bytes.toString('latin1', at + 1, end);
    const behind = end + 2;
    if (type in LINES) this.complete({ kind: LINES[type], text: line });
    else if (type === '_') this.complete({ kind: 'null' });
    else if (type in LISTS) this.begin(LISTS[type], this.count(line));
    else if (type === '$' || type === '=') return this.readBytes(type === '=', this.count(line), behind);
    else throw new ProtocolError(`got ${JSON.stringify(type)} as reply type byte`);
    return behind;
  }

  private readBytes(verbatim: boolean, length: number, at: number): number | undefined {
    if (length < 0) {
      this.complete({ kind: 'null' });
      return at;
    }
    const end = at + length + 2;
    if (end > this.bytes.length) {
      this.needed = end;
      return undefined;
    }
    const from = verbatim ? at + FORMAT_LENGTH : at;
    this.complete({ kind: verbatim ? 'verbatim' : 'bulk', text: this.bytes.toString('latin1', from, at + length) });
    return end;
  }

  private count(line: string): number {
    const count = /^-?\d{1,10}$/.test(line) ? Number(line) : Number.NaN;
    if (count >= -1) return count;
    throw new ProtocolError('a length that is none');
  }

  private begin(kind: ListKind, count: number): void {
    if (count < 0) this.complete({ kind: 'null' });
    else if (count === 0) this.close(kind, []);
    else this.open.push({ kind, items: [], left: kind === 'map' || kind === 'attribute' ? 2 * count : count });
  }

  /** Attributes are told beside a reply, and are nothing that anybody has asked for. */
  private close(kind: ListKind, items: Reply[]): void {
    if (kind !== 'attribute') this.complete({ kind, items });
  }

  private complete(reply: Reply): void {
    const inner = this.open.at(-1);
    if (inner === undefined) {
      this.arrived(reply);
      return;
    }
    inner.items.push(reply);
    if (--inner.left > 0) return;
    this.open.pop();
    this.close(inner.kind, inner.items);
  }
}

/** The text of a reply that has one; empty for others. */
export function textOf(reply: Reply | undefined): string {
  return reply !== undefined && 'text' in reply ? reply.text : '';
}

export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply !== undefined && 'items' in reply ? reply.items : [];
}

/** What a map says, or an array of names and values in turn, as RESP2 has it. */
export function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, Reply> {
  const items = itemsOf(reply);
  return new Map(Array.from({ length: items.length >> 1 }, (_, i) => [textOf(items[2 * i]), items[2 * i + 1]]));
}

/** Where a server refuses what a program can't go on without. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

/** The reply, unless it is an error. */
export function accepted(reply: Reply): Reply {
  if (reply.kind === 'error') throw new RefusedError(reply.text);
  return reply;
}
