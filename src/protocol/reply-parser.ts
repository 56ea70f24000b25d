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
const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  '*': 'array',
  '%': 'map',
  '~': 'set',
  '>': 'push',
  '|': 'attribute',
};
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
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) return false;
    const kind = String.fromCharCode(bytes[at]);
    // Attributes belong to the reply behind them.
    if (this.begun < 0 && this.frames.length === 0 && kind !== '|') this.begin(kind);
    const isString = kind === '$' || kind === '=';
    const line = kind === '+' || kind === '-' ? '' : bytes.toString('latin1', at + 1, lineEnd - 1);
    if (isString && line !== '-1') return this.string(kind, lineEnd + 1, Number(line));
    this.at = lineEnd + 1;
    const aggregate = AGGREGATES[kind];
    if (aggregate !== undefined && line !== '-1') this.open(aggregate, Number(line));
    else this.put(this.scalar(kind, line, at + 1, lineEnd - 1));
    return true;
  }

  private begin(kind: string): void {
    this.begun = this.base + this.at;
    this.isPush = kind === '>';
    this.asBuffers = this.receiver.begins(this.begun, this.isPush);
  }

  private string(kind: string, from: number, length: number): boolean {
    const to = from + length;
    if (to + 2 > this.bytes.length) {
      this.wanted = to + 2 - this.at;
      return false;
    }
    this.at = to + 2;
    this.put(this.textOrBytes(kind === '=' ? from + FORMAT_BYTES : from, to));
    return true;
  }

  private textOrBytes(from: number, to: number): ParsedReply {
    if (this.asBuffers) return this.bytes.subarray(from, to);
    if (to - from > constants.MAX_STRING_LENGTH)
      return new RangeError(`A string of ${to - from} bytes is too long to be text: ask for Buffers`);
    return this.bytes.toString('utf8', from, to);
  }

  private scalar(kind: string, line: string, from: number, to: number): ParsedReply {
    switch (kind) {
      case '+':
        return this.bytes.toString('utf8', from, to);
      case '-':
        return new ReplyError(this.bytes.toString('utf8', from, to));
      case ':': {
        const value = Number(line);
        return Number.isSafeInteger(value) ? value : BigInt(line);
      }
      case ',':
        return DOUBLES[line] ?? Number(line);
      case '(':
        return BigInt(line);
      case '#':
        return line === 't';
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
