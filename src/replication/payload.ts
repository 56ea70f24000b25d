/**
 * The payload of a full synchronisation, as it comes in pieces of any size: where it begins, and where it ends.
 *
 *   \n \n ...                        the master is still preparing it
 *   $1234\r\n  1234 bytes            from a file: as long as it says
 *   $EOF:mark\r\n  bytes  mark       as it is made: until the mark of 40 bytes comes again
 *
 * With a mark the last 40 bytes that have come are held back, for they may be it.
 */
import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/copy.ts';

const MARK = 40;
const LF = 10;
const CR = 13;
/** A heading is shorter than this. */
const HEADING_MAX = 128;

/** `begin` is told the length, -1 when a mark will end it; `bytes` are good until it returns; `end` what follows. */
export interface PayloadReceiver {
  begin(length: number, mark: string): void;
  bytes(buffer: Uint8Array, from: number, to: number): void;
  end(): void;
}

export class Payload {
  private readonly receiver: PayloadReceiver;
  private heading = '';
  private begun = false;
  private ended = false;
  /** Bytes still to come; of no meaning with a mark. */
  private left = 0;
  private mark: Uint8Array | null = null;
  private readonly tail = new Uint8Array(MARK);
  private tailLength = 0;

  constructor(receiver: PayloadReceiver) {
    this.receiver = receiver;
  }

  get done(): boolean {
    return this.ended;
  }

  /** Takes bytes in; returns where what is not the payload's any more begins, or an error's text. */
  take(buffer: Uint8Array, from: number, to: number): number | string {
    assert(!this.ended, 'a payload has one end');
    while (!this.begun && from < to) {
      const byte = buffer[from++];
      if (byte === LF) {
        const error = this.head();
        if (error !== undefined) return error;
      } else if (this.heading.length === HEADING_MAX) return 'the heading of the payload has no end';
      else if (byte !== CR) this.heading += String.fromCharCode(byte);
    }
    if (!this.begun) return from;
    return this.mark === null ? this.takeCounted(buffer, from, to) : this.takeMarked(buffer, from, to);
  }

  /** The heading's line is there: empty ones only say that the master is alive. */
  private head(): string | undefined {
    const line = this.heading;
    this.heading = '';
    if (line === '') return undefined;
    if (line[0] === '-') return `MASTER aborted replication with an error: ${line.slice(1)}`;
    if (line[0] !== '$') return `Bad protocol from MASTER, the first byte is not '$' (we received '${line}')`;
    this.begun = true;
    if (line.startsWith('$EOF:') && line.length === 5 + MARK) {
      this.mark = Uint8Array.from(line.slice(5), (c) => c.charCodeAt(0));
      this.receiver.begin(-1, line.slice(5));
      return undefined;
    }
    this.left = Number(line.slice(1));
    if (!Number.isSafeInteger(this.left) || this.left < 0) return `Bad length of the payload: ${line}`;
    this.receiver.begin(this.left, '');
    if (this.left === 0) this.finish();
    return undefined;
  }

  private takeCounted(buffer: Uint8Array, from: number, to: number): number {
    const end = Math.min(to, from + this.left);
    this.left -= end - from;
    if (end > from) this.receiver.bytes(buffer, from, end);
    if (this.left === 0 && !this.ended) this.finish();
    return end;
  }

  /**
   * All but the last 40 bytes that have come are handed on. The master sends nothing behind the mark until it has heard
   * from us, so the mark is at the very end of what has come, or not there yet.
   */
  private takeMarked(buffer: Uint8Array, from: number, to: number): number {
    const count = to - from;
    const { tail } = this;
    if (count >= MARK) {
      this.release(this.tailLength);
      if (count > MARK) this.receiver.bytes(buffer, from, to - MARK);
      copyBytes(tail, 0, buffer, to - MARK, MARK);
      this.tailLength = MARK;
    } else if (count > 0) {
      this.release(Math.max(0, this.tailLength + count - MARK));
      copyBytes(tail, this.tailLength, buffer, from, count);
      this.tailLength += count;
    }
    if (this.tailLength === MARK && this.mark?.every((byte, i) => byte === tail[i])) this.finish();
    return to;
  }

  /** Hands on the first `count` bytes that were held back. */
  private release(count: number): void {
    if (count === 0) return;
    this.receiver.bytes(this.tail, 0, count);
    this.tail.copyWithin(0, count, this.tailLength);
    this.tailLength -= count;
  }

  private finish(): void {
    this.ended = true;
    this.receiver.end();
  }
}
