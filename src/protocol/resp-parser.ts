/**
 * Replies of RESP2 and RESP3, cut out of bytes that come in pieces. What values they become is for those who extend it. How
 * deep a reply nests is no matter: what is begun lies in a stack of frames.
 *
 *   *3 ── frame {array, 3 left}
 *     $1 a            2 left
 *     %1 ── frame {map, 2 left}  ...  list('map') ─> 1 left
 */

/** What has come is no reply. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

export type LineKind = 'status' | 'error' | 'integer' | 'double' | 'boolean' | 'big';
/** A map's items are keys and values in turn. */
export type ListKind = 'array' | 'set' | 'map' | 'push';

interface Frame {
  readonly kind: ListKind | 'attribute';
  left: number;
}

const NONE = Buffer.alloc(0);
const LF = 10;
const MINUS = 45;
const ZERO = 48;
/** What stands before a verbatim string's text: its format, 'txt:'. */
const FORMAT_BYTES = 4;
/** So many digits a number holds exactly, whichever they are. */
const SAFE_DIGITS = 15;
/** Bytes of a string, items of a list. */
const MOST = 2 ** 32;
/** A kind and a number, or the text of a status or an error: more than this without an end is no reply. */
const LONGEST_LINE = 1024 * 1024;

// What a reply begins with.
const STRING = 36;
const VERBATIM = 61;
const NULL = 95;
const PUSH = 62;
const ATTRIBUTE = 124;
const LINES: ReadonlyMap<number, LineKind> = new Map([
  [43, 'status'],
  [45, 'error'],
  [58, 'integer'],
  [44, 'double'],
  [35, 'boolean'],
  [40, 'big'],
]);
const LISTS: ReadonlyMap<number, Frame['kind']> = new Map([
  [42, 'array'],
  [37, 'map'],
  [126, 'set'],
  [PUSH, 'push'],
  [ATTRIBUTE, 'attribute'],
]);

export abstract class RespParser<T> {
  protected bytes: Buffer = NONE;
  private at = 0;
  /** Where `bytes` begins among all. */
  private base = 0;
  private readonly frames: (Frame & { readonly items: T[] })[] = [];
  /** What has come behind `bytes` and is put to it once there is as much as the next token wants. */
  private readonly more: Uint8Array[] = [];
  private moreBytes = 0;
  private wanted = 0;
  private hasBegun = false;

  /** A reply begins at this position, counted from the first byte ever. `push`: RESP3 says that nobody has asked for it. */
  protected abstract begins(position: number, push: boolean): void;
  /** The value of what stands in a line, in `bytes`. */
  protected abstract line(kind: LineKind, from: number, to: number): T;
  /** That of a bulk string or the text of a verbatim one, in `bytes`. */
  protected abstract text(verbatim: boolean, from: number, to: number): T;
  protected abstract nothing(): T;
  protected abstract list(kind: ListKind, items: T[]): T;
  protected abstract complete(reply: T): void;

  /** Values may be views of these bytes, which are the parser's from now on. Throws ProtocolError. */
  read(bytes: Uint8Array): void {
    this.more.push(bytes);
    this.moreBytes += bytes.length;
    if (this.bytes.length - this.at + this.moreBytes < this.wanted) return;
    this.join();
    while (this.at < this.bytes.length) if (!this.token()) return;
    this.base += this.at;
    this.bytes = NONE;
    this.at = 0;
  }

  /**
   * Nothing more comes of the reply that has begun: it is complete as far as it has come. In place of the rest of a list stands
   * what `omitted` makes of the number of its items, in that of a string what `beginning` makes of what there is in `bytes`.
   */
  protected endShort(omitted: (count: number) => T, beginning: (from: number, to: number, length: number) => T): void {
    this.join();
    let value = this.started(beginning);
    const { hasBegun } = this;
    this.base += this.bytes.length;
    this.bytes = NONE;
    this.at = 0;
    for (let frame = this.frames.pop(); frame !== undefined; frame = this.frames.pop()) {
      if (value !== undefined) {
        frame.items.push(value);
        frame.left--;
      }
      if (frame.left > 0) frame.items.push(omitted(frame.left));
      value = frame.kind === 'attribute' ? undefined : this.list(frame.kind, frame.items);
    }
    this.hasBegun = false;
    if (hasBegun) this.complete(value ?? omitted(1));
  }

  /** What there is of a string whose end has not come. */
  private started(beginning: (from: number, to: number, length: number) => T): T | undefined {
    const { bytes, at } = this;
    const kind = bytes[at];
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0 || (kind !== STRING && kind !== VERBATIM)) return undefined;
    const skipped = kind === VERBATIM ? FORMAT_BYTES : 0;
    const from = Math.min(lineEnd + 1 + skipped, bytes.length);
    return beginning(from, bytes.length, this.whole(at + 1, lineEnd - 1) - skipped);
  }

  private join(): void {
    const rest = this.bytes.subarray(this.at);
    this.base += this.at;
    const [first] = this.more;
    this.bytes =
      rest.length === 0 && this.more.length === 1
        ? Buffer.from(first.buffer, first.byteOffset, first.length)
        : Buffer.concat([rest, ...this.more]);
    this.at = 0;
    this.more.length = 0;
    this.moreBytes = 0;
    this.wanted = 0;
  }

  /** Reads a header and, of a string, what follows it; false where that has not all come. */
  private token(): boolean {
    const { bytes, at } = this;
    let lineEnd = at + 1;
    while (lineEnd < bytes.length && bytes[lineEnd] !== LF) lineEnd++;
    if (lineEnd >= bytes.length) {
      if (lineEnd - at > LONGEST_LINE) throw new ProtocolError('a line that is too long');
      return false;
    }
    const kind = bytes[at];
    // Attributes belong to the reply behind them.
    if (!this.hasBegun && this.frames.length === 0 && kind !== ATTRIBUTE) {
      this.hasBegun = true;
      this.begins(this.base + at, kind === PUSH);
    }
    const behind = lineEnd + 1;
    const list = LISTS.get(kind);
    if (list === undefined && kind !== STRING && kind !== VERBATIM) {
      this.at = behind;
      this.put(this.alone(kind, at + 1, lineEnd - 1));
      return true;
    }
    const length = this.whole(at + 1, lineEnd - 1);
    if (!(length >= -1 && length <= MOST)) throw new ProtocolError('a length that is none');
    if (length >= 0 && list === undefined) return this.string(kind === VERBATIM, behind, length);
    this.at = behind;
    if (length < 0 || list === undefined) this.put(this.nothing());
    else this.open(list, length);
    return true;
  }

  private alone(kind: number, from: number, to: number): T {
    const line = LINES.get(kind);
    if (line !== undefined) return this.line(line, from, to);
    if (kind === NULL) return this.nothing();
    throw new ProtocolError(`got ${JSON.stringify(String.fromCharCode(kind))} as reply type byte`);
  }

  /** The whole number of these digits; NaN where there are others, or it may be more than a number holds exactly. */
  protected whole(from: number, to: number): number {
    const { bytes } = this;
    const negative = bytes[from] === MINUS;
    if (negative) from++;
    if (to <= from || to - from > SAFE_DIGITS) return Number.NaN;
    let value = 0;
    for (; from < to; from++) {
      const digit = bytes[from] - ZERO;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }

  private string(verbatim: boolean, from: number, length: number): boolean {
    const to = from + length;
    if (to + 2 > this.bytes.length) {
      this.wanted = to + 2 - this.at;
      return false;
    }
    this.at = to + 2;
    this.put(this.text(verbatim, verbatim ? from + FORMAT_BYTES : from, to));
    return true;
  }

  private open(kind: Frame['kind'], length: number): void {
    const left = kind === 'map' || kind === 'attribute' ? length * 2 : length;
    if (left > 0) this.frames.push({ kind, left, items: [] });
    else if (kind !== 'attribute') this.put(this.list(kind, []));
  }

  /** Puts a value into the frame that it belongs to, and that, where it is full now, into the one around it. */
  private put(value: T): void {
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      frame.items.push(value);
      if (--frame.left > 0) return;
      this.frames.pop();
      if (frame.kind === 'attribute') return;
      value = this.list(frame.kind, frame.items);
    }
    this.hasBegun = false;
    this.complete(value);
  }
}
