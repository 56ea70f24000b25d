/**
 * Replies in RESP2 and RESP3 as values, cut out of bytes that come in pieces. How deep a reply nests is no matter: what is
 * begun lies in a stack of frames.
 *
 *   *3 ── frame {array, 3 left}
 *     $1 a            2 left
 *     %1 ── frame {map, 2 left}  ...  Map ─> 1 left
 */
import { constants } from 'node:buffer';
import { ReplyError } from './reply-error.ts';

/** A reply as it is read: bulk strings and verbatim strings are text (UTF-8) or Buffers, as was asked for. */
export type ParsedReply =
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | Error
  | ParsedReply[]
  | Map<ParsedReply, ParsedReply>
  | Set<ParsedReply>;

export interface ReplyReceiver {
  /** A reply begins at this position, counted from the first byte ever; whether its strings are to be Buffers. */
  begins(position: number, push: boolean): boolean;
  /** It is complete. `push`: RESP3 says that nobody has asked for it. */
  complete(reply: ParsedReply, position: number, push: boolean): void;
}

type Aggregate = 'array' | 'map' | 'set' | 'push' | 'attribute';

interface Frame {
  readonly kind: Aggregate;
  left: number;
  readonly items: ParsedReply[];
}

const NONE = Buffer.alloc(0);
const LF = 10;
/** What stands before a verbatim string's text: its format, 'txt:'. */
const FORMAT_BYTES = 4;
const MINUS = 45;
const ZERO = 48;
/** So many digits a number holds exactly, whichever they are. */
const SAFE_DIGITS = 15;

// What a reply begins with.
const STRING = 36;
const VERBATIM = 61;
const STATUS = 43;
const ERROR = 45;
const INTEGER = 58;
const DOUBLE = 44;
const BIG_NUMBER = 40;
const BOOLEAN = 35;
const TRUE = 116;
const PUSH = 62;
const ATTRIBUTE = 124;
const AGGREGATES: ReadonlyMap<number, Aggregate> = new Map([
  [42, 'array'],
  [37, 'map'],
  [126, 'set'],
  [PUSH, 'push'],
  [ATTRIBUTE, 'attribute'],
]);
const DOUBLES: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
  '-nan': Number.NaN,
};

export class ReplyParser {
  private readonly receiver: ReplyReceiver;
  private bytes: Buffer = NONE;
  private at = 0;
  /** Where `bytes` begins among all. */
  private base = 0;
  private readonly frames: Frame[] = [];
  /** What has come behind `bytes` and is put to it once there is as much as the next token wants. */
  private readonly more: Uint8Array[] = [];
  private moreBytes = 0;
  private wanted = 0;
  /** Of the reply that is being read. */
  private begun = -1;
  private isPush = false;
  private asBuffers = false;

  constructor(receiver: ReplyReceiver) {
    this.receiver = receiver;
  }

  /** Buffers of replies are views of these bytes, which are the parser's from now on. */
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
    if (lineEnd >= bytes.length) return false;
    const kind = bytes[at];
    // Attributes belong to the reply behind them.
    if (this.begun < 0 && this.frames.length === 0 && kind !== ATTRIBUTE) this.begin(kind);
    const isAbsent = bytes[at + 1] === MINUS;
    if ((kind === STRING || kind === VERBATIM) && !isAbsent)
      return this.string(kind, lineEnd + 1, this.whole(at + 1, lineEnd - 1));
    this.at = lineEnd + 1;
    const aggregate = AGGREGATES.get(kind);
    if (aggregate !== undefined && !isAbsent) this.open(aggregate, this.whole(at + 1, lineEnd - 1));
    else this.put(this.scalar(kind, at + 1, lineEnd - 1));
    return true;
  }

  /** The whole number of these digits; NaN where it may be more than a number holds exactly. */
  private whole(from: number, to: number): number {
    const { bytes } = this;
    const negative = bytes[from] === MINUS;
    if (negative) from++;
    if (to - from > SAFE_DIGITS) return Number.NaN;
    let value = 0;
    for (; from < to; from++) value = value * 10 + bytes[from] - ZERO;
    return negative ? -value : value;
  }

  private begin(kind: number): void {
    this.begun = this.base + this.at;
    this.isPush = kind === PUSH;
    this.asBuffers = this.receiver.begins(this.begun, this.isPush);
  }

  private string(kind: number, from: number, length: number): boolean {
    const to = from + length;
    if (to + 2 > this.bytes.length) {
      this.wanted = to + 2 - this.at;
      return false;
    }
    this.at = to + 2;
    this.put(this.textOrBytes(kind === VERBATIM ? from + FORMAT_BYTES : from, to));
    return true;
  }

  private textOrBytes(from: number, to: number): ParsedReply {
    if (this.asBuffers) return this.bytes.subarray(from, to);
    if (to - from > constants.MAX_STRING_LENGTH)
      return new RangeError(`A string of ${to - from} bytes is too long to be text: ask for Buffers`);
    return this.bytes.toString('utf8', from, to);
  }

  private scalar(kind: number, from: number, to: number): ParsedReply {
    const { bytes } = this;
    switch (kind) {
      case STATUS:
        return bytes.toString('utf8', from, to);
      case ERROR:
        return new ReplyError(bytes.toString('utf8', from, to));
      case INTEGER: {
        const value = this.whole(from, to);
        if (!Number.isNaN(value)) return value;
        const text = bytes.toString('latin1', from, to);
        return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
      }
      case DOUBLE: {
        const text = bytes.toString('latin1', from, to);
        return DOUBLES[text] ?? Number(text);
      }
      case BIG_NUMBER:
        return BigInt(bytes.toString('latin1', from, to));
      case BOOLEAN:
        return bytes[from] === TRUE;
      // What is absent: '_', and strings and arrays of length -1.
      default:
        return null;
    }
  }

  private open(kind: Aggregate, length: number): void {
    const left = kind === 'map' || kind === 'attribute' ? length * 2 : length;
    const frame: Frame = { kind, left, items: [] };
    if (left > 0) this.frames.push(frame);
    else if (kind !== 'attribute') this.put(aggregateOf(frame));
  }

  /** Puts a value into the frame that it belongs to, and that, where it is full now, into the one around it. */
  private put(value: ParsedReply): void {
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      frame.items.push(value);
      if (--frame.left > 0) return;
      this.frames.pop();
      if (frame.kind === 'attribute') return;
      value = aggregateOf(frame);
    }
    const { begun } = this;
    this.begun = -1;
    this.receiver.complete(value, begun, this.isPush);
  }
}

function aggregateOf({ kind, items }: Frame): ParsedReply {
  if (kind === 'set') return new Set(items);
  if (kind !== 'map') return items;
  const map = new Map<ParsedReply, ParsedReply>();
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  return map;
}
