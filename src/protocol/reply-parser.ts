/** Replies as the values that a program has of them. */
import { constants } from 'node:buffer';
import { ReplyError } from './reply-error.ts';
import { type LineKind, type ListKind, RespParser } from './resp-parser.ts';

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

/** In place of what is missing of a reply that was cut. */
export class CutShort extends Error {
  override name = 'CutShort';
  /** What there is of a string; null in place of items of a list. */
  readonly beginning: Buffer | null;
  /** The bytes of the whole string, or how many items there would be. */
  readonly length: number;

  constructor(beginning: Buffer | null, length: number) {
    super('The reply is too long');
    this.beginning = beginning;
    this.length = length;
  }
}

export interface ReplyReceiver {
  /** A reply begins at this position, counted from the first byte ever; whether its strings are to be Buffers. */
  begins(position: number, push: boolean): boolean;
  /** It is complete. `push`: RESP3 says that nobody has asked for it. */
  complete(reply: ParsedReply, position: number, push: boolean): void;
}

const TRUE = 116;
const DOUBLES: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
  '-nan': Number.NaN,
};

export class ReplyParser extends RespParser<ParsedReply> {
  private readonly receiver: ReplyReceiver;
  /** Of the reply that is being read. */
  private position = 0;
  private isPush = false;
  private asBuffers = false;

  constructor(receiver: ReplyReceiver) {
    super();
    this.receiver = receiver;
  }

  /** Nothing more comes of the reply that has begun. */
  cut(): void {
    this.endShort(
      (count) => new CutShort(null, count),
      (from, to, length) => new CutShort(this.bytes.subarray(from, to), length),
    );
  }

  protected override begins(position: number, push: boolean): void {
    this.position = position;
    this.isPush = push;
    this.asBuffers = this.receiver.begins(position, push);
  }

  protected override complete(reply: ParsedReply): void {
    this.receiver.complete(reply, this.position, this.isPush);
  }

  protected override text(_verbatim: boolean, from: number, to: number): ParsedReply {
    if (this.asBuffers) return this.bytes.subarray(from, to);
    if (to - from > constants.MAX_STRING_LENGTH)
      return new RangeError(`A string of ${to - from} bytes is too long to be text: ask for Buffers`);
    return this.bytes.toString('utf8', from, to);
  }

  protected override line(kind: LineKind, from: number, to: number): ParsedReply {
    const { bytes } = this;
    switch (kind) {
      case 'status':
        return bytes.toString('utf8', from, to);
      case 'error':
        return new ReplyError(bytes.toString('utf8', from, to));
      case 'integer': {
        const value = this.whole(from, to);
        if (!Number.isNaN(value)) return value;
        const text = bytes.toString('latin1', from, to);
        return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
      }
      case 'double': {
        const text = bytes.toString('latin1', from, to);
        return DOUBLES[text] ?? Number(text);
      }
      case 'big':
        return BigInt(bytes.toString('latin1', from, to));
      case 'boolean':
        return bytes[from] === TRUE;
    }
  }

  protected override nothing(): null {
    return null;
  }

  protected override list(kind: ListKind, items: ParsedReply[]): ParsedReply {
    if (kind === 'set') return new Set(items);
    if (kind !== 'map') return items;
    const map = new Map<ParsedReply, ParsedReply>();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
    return map;
  }
}
