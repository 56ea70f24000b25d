/**
 * The bytes of a connection that wait: the begun part of a command, or commands that a blocked session can't take yet.
 *
 *   bytes  [ waiting            | free ]
 *          0                    length  bytes.length
 *
 * As long as whole commands arrive there is no buffer at all. A small one comes from a list that connections share and
 * goes back there once it is empty; a large one is kept for the next large argument until `shrink()` finds it idle.
 *
 * When a buffer is let go of no command runs from it, and whoever goes on showing its bytes does so by neglect: a slice that
 * is made once and pointed somewhere again and again. They show nothing from then on, so that none keeps it alive.
 */
import { emptyShowing } from '../base/showing.ts';
import type { RequestParser } from './request.ts';

const SMALL_BYTES = 16 * 1024;
const KEEP = 64;
const DOUBLE_UP_TO = 1024 * 1024;
const MANY_MARKED = 64 * 1024;
/** A buffer up to here is not worth shrinking while its connection is active. */
const SHRINK_FROM = 32 * 1024;
/** Up to here one that is kept alive is no loss. */
const EMPTIED_FROM = 256 * 1024;
const IDLE_MS = 2000;
/** What an active connection is said to hold (qbuf + qbuf-free): its share of the receive buffer, by Redis's figure. */
const ACTIVE_SHARE = 20474;

const NONE = new Uint8Array(0);

/** Small buffers between their uses. */
export class SmallBuffers {
  private readonly free: Uint8Array[] = [];
  /** Bytes of the buffers, small and large, that connections hold. */
  held = 0;

  take(): Uint8Array {
    return this.free.pop() ?? new Uint8Array(SMALL_BYTES);
  }

  give(bytes: Uint8Array): void {
    if (this.free.length < KEEP) this.free.push(bytes);
  }
}

export class Waiting {
  bytes: Uint8Array = NONE;
  length = 0;
  private readonly buffers: SmallBuffers;
  private readonly parser: RequestParser;
  /** The most that was needed since the last `shrink()`. */
  private peak = 0;
  private active = false;

  constructor(buffers: SmallBuffers, parser: RequestParser) {
    this.buffers = buffers;
    this.parser = parser;
  }

  /** What CLIENT LIST shows as qbuf-free while `used` bytes are in use. */
  free(used: number): number {
    if (this.bytes.length > 0) return this.bytes.length - this.length;
    return this.active ? Math.max(0, ACTIVE_SHARE - used) : 0;
  }

  /** How many more bytes are likely to complete the command that waits, or to show how long it is. */
  get likely(): number {
    if (this.parser.wanted > 0 || this.length >= SMALL_BYTES) return Number.POSITIVE_INFINITY;
    return SMALL_BYTES - this.length;
  }

  /** Adds bytes behind those that wait; the parser's positions stay right. */
  append(source: Uint8Array, from: number, to: number): void {
    const total = this.length + to - from;
    const wanted = this.parser.wanted;
    this.reserve(total, wanted > total ? wanted : total);
    this.bytes.set(source.subarray(from, to), this.length);
    this.length = total;
  }

  /** Keeps what of a foreign buffer lies before `to` and has not been parsed. */
  keep(source: Uint8Array, to: number): void {
    const begin = this.parser.begin;
    const wanted = this.parser.wanted;
    const total = to - begin;
    this.reserve(total, wanted > 0 ? wanted - begin : total);
    this.bytes.set(source.subarray(begin, to));
    this.length = total;
    this.parser.moved(this.bytes, -begin);
  }

  /** Drops what has been parsed. */
  compact(): void {
    const begin = this.parser.begin;
    if (begin === 0) return;
    if (begin === this.length) {
      this.clear();
      return;
    }
    this.bytes.copyWithin(0, begin, this.length);
    this.length -= begin;
    this.parser.moved(this.bytes, -begin);
  }

  /** All has been parsed. */
  clear(): void {
    this.length = 0;
    this.parser.start(0);
    this.giveBackSmall();
  }

  touched(bytes: number): void {
    this.active = true;
    if (bytes > this.peak) this.peak = bytes;
  }

  /** Now and then: a buffer that idles, or is far larger than of late needed, is given back or cut. */
  shrink(idleMs: number): void {
    const peak = Math.max(this.peak, this.length);
    this.peak = this.length;
    if (idleMs > IDLE_MS) {
      this.active = false;
      if (this.length === 0) this.drop();
      else if (this.bytes.length - this.length > 4096) this.move(this.length);
    } else if (this.bytes.length > SHRINK_FROM && peak < this.bytes.length / 2) {
      const wanted = this.parser.wanted;
      this.move(Math.max(peak, wanted, SMALL_BYTES));
    }
  }

  drop(): void {
    this.length = 0;
    this.hold(NONE);
  }

  private giveBackSmall(): void {
    if (this.bytes.length === SMALL_BYTES) this.hold(NONE);
  }

  /** Takes another buffer in place of the present one. */
  private hold(bytes: Uint8Array): void {
    this.buffers.held += bytes.length - this.bytes.length;
    const before = this.bytes;
    if (before.length === SMALL_BYTES) this.buffers.give(before);
    this.bytes = bytes;
    if (before.length < EMPTIED_FROM) return;
    this.parser.forget(before);
    emptyShowing(before);
  }

  private reserve(needed: number, wanted: number): void {
    if (wanted > this.peak) this.peak = wanted;
    if (needed <= this.bytes.length) return;
    if (wanted <= SMALL_BYTES) {
      this.replace(this.buffers.take());
      return;
    }
    // Each argument that is marked has to follow the bytes: with many of them, that is done less often.
    const extra = this.parser.marked > MANY_MARKED ? wanted / 2 : Math.min(wanted, DOUBLE_UP_TO);
    const room = wanted > needed ? wanted : Math.floor(wanted + extra);
    this.replace(new Uint8Array(room));
  }

  private move(size: number): void {
    this.replace(new Uint8Array(size));
  }

  private replace(bytes: Uint8Array): void {
    bytes.set(this.bytes.subarray(0, this.length));
    if (this.length > 0) this.parser.moved(bytes, 0);
    this.hold(bytes);
  }
}
