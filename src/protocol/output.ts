/**
 * Bytes owed to a client, in pooled chunks: what Reply writes its replies into and a transport drains.
 *
 *   first -> chunk -> chunk -> last       `bytes` is last's array, `at` where the next byte goes (last.end is stale
 *                                         until `seal()`), `limit` its length
 *
 * Every small writer asks `room()` once and then stores bytes; with no chunk in hand `limit` is 0, so the one
 * comparison also covers "idle" and "suppressed". While suppressed, `bytes` is a scratch that is overwritten for ever.
 *
 * What a transport writes it takes from the front (`views`, `only`). Where the write doesn't finish at once the bytes are
 * `lent` until it has (`returned`): meanwhile replies go on behind them, and nothing of them is given back to the pool.
 * When the connection ends first, `abandon` gives back the rest only.
 *
 * Where replies wait for more than the end of their turn, bytes up to `allowed` may go and no more:
 *
 *   0 ......... gone ........ allowed ........ position          counted from the first byte that was ever replied
 *                |---- free ----|
 *                |------------ pending -----------|
 *
 * Where somebody wants no long replies (`bound`), one is cut where it goes beyond that: the rest goes nowhere, until `resume()`.
 */
import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/copy.ts';
import { writeInteger } from '../base/numbers.ts';
import type { Slice } from '../base/slice.ts';
import { CHUNK_BYTES, type Chunk, ChunkPool } from './chunk.ts';

/** Who carries a reply's bytes away. */
export interface ReplyOwner {
  /** There was nothing to write and now there is. */
  replyPending(): void;
  /** More than a chunk is owed, and it has just grown: the place to enforce output limits. */
  replyGrew(): void;
}

const NONE = new Uint8Array(0);
const SCRATCH = new Uint8Array(CHUNK_BYTES);
/** The longest header or number that a small writer puts down with one `room()`. */
export const SMALL = 32;
/** Up to here a loop beats the call into the engine's memmove. */
export const COPY_BY_LOOP = 96;
/** From here a piece gets a chunk of its own rather than many pooled ones. */
const OWN_CHUNK = 128 * 1024;
/** Bounds of the nominal buffer. */
const NOMINAL_MAX = 16 * 1024;
const NOMINAL_MIN = 1024;
/** What Redis counts for the node and header of one block of its reply list. */
const BLOCK_OVERHEAD = 40;

/** From so many characters on a call into Node beats the loop. */
const LONG_TEXT = 128;
const latin1Write = Buffer.prototype.latin1Write as (
  this: Uint8Array,
  text: string,
  at: number,
  length: number,
) => number;

const CR = 13;
const LF = 10;

export class Output {
  owner: ReplyOwner | null = null;
  readonly pool: ChunkPool;
  protected first: Chunk | null = null;
  protected last: Chunk | null = null;
  protected bytes: Uint8Array = NONE;
  protected at = 0;
  protected limit = 0;
  protected silent = false;
  protected ended = false;
  /** Silent because more than `most` bytes were owed. */
  protected short = false;
  private most = Number.POSITIVE_INFINITY;
  /** Bytes of sealed chunks, those before `last`. */
  protected sealed = 0;
  protected capacity = 0;
  protected chunks = 0;
  private peak = NOMINAL_MAX;
  /** How large a buffer of the client's own would be now; see `adapt`. */
  private usable = NOMINAL_MAX;
  private peakSince = 0;
  /** Bytes at the front that a transport has not finished writing. */
  private lent = 0;
  /** Bytes that were owed once and are no more. */
  private gone = 0;
  /** Up to which position bytes may go. */
  allowed = Number.POSITIVE_INFINITY;

  constructor(pool: ChunkPool = new ChunkPool()) {
    this.pool = pool;
  }

  // Bytes as they are.

  raw(source: Uint8Array, start: number, length: number): void {
    if (this.silent) return;
    if (length > OWN_CHUNK) {
      // One byte too many has it cut.
      const room = Math.max(0, this.most - this.pending);
      this.append(this.pool.copy(source, start, Math.min(length, room + 1)));
      return;
    }
    while (length > 0) {
      if (this.at === this.limit) this.grow();
      const free = this.limit - this.at;
      const some = length < free ? length : free;
      copyBytes(this.bytes, this.at, source, start, some);
      this.at += some;
      start += some;
      length -= some;
    }
  }

  /** Bytes that others may be given too, not copied when they can go out by themselves. */
  rawShared(bytes: Uint8Array): void {
    const isLong = bytes.length > this.most - this.pending;
    if (isLong || (this.first !== null && bytes.length < CHUNK_BYTES)) this.raw(bytes, 0, bytes.length);
    else if (!this.silent) this.append(this.pool.wrap(bytes));
  }

  /** Bytes that their owner keeps, and counts, until they are written: never copied, and never cut. */
  rawLent(bytes: Uint8Array): void {
    if (!this.silent) this.append(this.pool.borrow(bytes));
  }

  /** Text of one character a byte, as it is. */
  rawText(text: string): void {
    let i = 0;
    while (i < text.length) {
      if (this.at === this.limit) this.grow();
      const bytes = this.bytes;
      let at = this.at;
      const some = Math.min(text.length, i + this.limit - at);
      if (some - i >= LONG_TEXT) {
        at += latin1Write.call(bytes, text.slice(i, some), at, some - i);
        i = some;
      } else while (i < some) bytes[at++] = text.charCodeAt(i++);
      this.at = at;
    }
  }

  line(): void {
    const at = this.room();
    this.bytes[at] = CR;
    this.bytes[at + 1] = LF;
    this.at = at + 2;
  }

  // Suppression (CLIENT REPLY) and the end.

  get suppressed(): boolean {
    return this.silent;
  }

  /** While set, replies go nowhere. A suppressed reply that has ended stays so. */
  set suppressed(on: boolean) {
    if (this.ended || on === this.silent) return;
    if (on) this.mute();
    else this.unmute();
  }

  /** Whether something was replied since replies began to go nowhere. */
  get unheard(): boolean {
    return this.silent && this.at > 0;
  }

  /** Nothing more will be replied; what is owed stays. */
  end(): void {
    this.suppressed = true;
    this.ended = true;
  }

  // Replies that are cut.

  /** From now on so many bytes more are taken, and not many more than that. */
  bound(bytes: number): void {
    this.most = this.pending + bytes;
  }

  /** Whether what was replied was cut, at `position`. */
  get cutShort(): boolean {
    return this.short;
  }

  /** What is replied from now on is taken again. */
  resume(): void {
    if (!this.short) return;
    this.short = false;
    if (!this.ended) this.unmute();
  }

  // What a command has replied that then failed.

  /** Where the reply stands: the chunk and the place in it. */
  get markChunk(): Chunk | null {
    return this.last;
  }

  get markAt(): number {
    return this.at;
  }

  /** A copy of what was replied since the mark; null where some of it has been handed over, or goes nowhere. */
  since(mark: Chunk | null, at: number): Buffer | null {
    if (this.silent) return null;
    this.seal();
    const parts: Uint8Array[] = [];
    for (let chunk = mark ?? this.first; chunk !== null; chunk = chunk.next) {
      if (!chunk.taken) return null;
      parts.push(chunk.bytes.subarray(chunk === mark ? at : chunk.start, chunk.end));
    }
    return Buffer.concat(parts);
  }

  /** Takes back what was replied since the mark; nothing of it may have been handed to a transport. */
  rewind(chunk: Chunk | null, at: number): void {
    this.resume();
    if (this.silent) return;
    if (chunk === null) {
      // It was never owed: positions are those of bytes that go.
      this.gone -= this.pending;
      this.clear();
      return;
    }
    this.seal();
    if (chunk !== this.last) this.sealed -= chunk.end - chunk.start;
    for (let after = chunk.next; after !== null; ) {
      if (after !== this.last) this.sealed -= after.end - after.start;
      this.capacity -= after.bytes.length;
      this.chunks--;
      const { next } = after;
      this.pool.give(after);
      after = next;
    }
    chunk.next = null;
    this.last = chunk;
    this.use(chunk.bytes, at);
    this.seal();
  }

  // Figures.

  /** Bytes not yet handed over. */
  get pending(): number {
    return this.sealed + this.openBytes();
  }

  /** Bytes replied so far, from the first on. */
  get position(): number {
    return this.gone + this.pending;
  }

  /** Bytes owed that may go now. */
  get free(): number {
    return Math.max(0, Math.min(this.pending, this.allowed - this.gone));
  }

  /** CLIENT LIST's obl: what lies in the first chunk. */
  get firstBytes(): number {
    if (this.first === null) return 0;
    return this.first === this.last ? this.openBytes() : this.first.end - this.first.start;
  }

  /** CLIENT LIST's rbs. */
  get nominal(): number {
    return this.usable;
  }

  /** What the first chunk takes, 0 when nothing is owed. */
  get firstCapacity(): number {
    return this.first === null ? 0 : this.first.bytes.length;
  }

  /** CLIENT LIST's rbp: the most of it that was in use at one time. */
  get firstPeak(): number {
    return this.peak;
  }

  /** CLIENT LIST's oll: chunks beyond the first. */
  get moreChunks(): number {
    return this.chunks > 1 ? this.chunks - 1 : 0;
  }

  /** CLIENT LIST's omem: bytes that the chunks beyond the first take. */
  get moreBytes(): number {
    if (this.chunks <= 1 || this.first === null) return 0;
    return this.capacity - this.first.bytes.length + (this.chunks - 1) * BLOCK_OVERHEAD;
  }

  /**
   * Redis gives each client a buffer for replies that follows what is sent to it, and shows its size. There is none here,
   * but tools read the figure: now and then, it is made larger when it was filled, and smaller when it was far from it.
   */
  adapt(now: number): void {
    const { figures } = this.pool;
    if (!figures.resizing) return;
    if (this.usable / 2 >= NOMINAL_MIN && this.peak < this.usable / 2) {
      this.usable = Math.max(NOMINAL_MIN, this.peak + 1);
      figures.shrinks++;
    } else if (this.usable < NOMINAL_MAX && this.peak === this.usable) {
      this.usable = Math.min(NOMINAL_MAX, this.usable * 2);
      figures.expands++;
    }
    if (figures.peakMilliseconds < 0 || now - this.peakSince <= figures.peakMilliseconds) return;
    this.peak = Math.min(this.firstBytes, this.usable);
    this.peakSince = now;
  }

  // Draining.

  /**
   * Adds views of what is owed and may go, oldest first, to `into` until it counts `budget` bytes or more; returns their
   * number. The bytes stay owed until `consumed` or `returned`; replies may go on behind them meanwhile.
   */
  views(into: Uint8Array[], budget: number): number {
    this.seal();
    const { free } = this;
    const enough = Math.min(budget, free);
    let total = 0;
    for (let chunk = this.first; chunk !== null && total < enough; chunk = chunk.next) {
      if (chunk.end === chunk.start) continue;
      const view = chunk.view();
      const most = free - total;
      into.push(view.length > most ? view.subarray(0, most) : view);
      total += Math.min(view.length, most);
    }
    return total;
  }

  /** The view of all that is owed if it lies in one chunk and may go, else null. */
  only(): Uint8Array | null {
    const first = this.first;
    if (first === null || first !== this.last || this.allowed < this.position) return null;
    this.seal();
    return first.view();
  }

  /** Shows what is owed in place when it lies in one chunk. */
  showOnly(into: Slice): boolean {
    const first = this.first;
    if (first === null || first !== this.last) return false;
    this.seal();
    into.set(first.bytes, first.start, first.end - first.start);
    return true;
  }

  /** Bytes that a transport has begun to write and not finished. */
  get inFlight(): number {
    return this.lent;
  }

  /** Bytes that no transport has begun to write: whoever has read all that was sent to him still waits for these. */
  get unsent(): number {
    return this.pending - this.lent;
  }

  /** A write of the first `count` bytes owed has begun and not finished. */
  lend(count: number): void {
    assert(this.lent === 0 && count <= this.pending, 'one write is under way at a time, of what is owed');
    this.lent = count;
  }

  /** That write has finished; returns its bytes. */
  returned(): number {
    const count = this.lent;
    this.lent = 0;
    this.consumed(count);
    return count;
  }

  /** The first `count` bytes owed have been written: their chunks go back to the pool. */
  consumed(count: number): void {
    assert(this.lent === 0, 'bytes that are being written are not given back');
    this.seal();
    this.gone += count;
    if (count > this.peak) this.peak = count < this.usable ? count : this.usable;
    let chunk = this.first;
    while (chunk !== null) {
      const owed = chunk.end - chunk.start;
      if (count < owed) {
        chunk.start += count;
        if (chunk !== this.last) this.sealed -= count;
        break;
      }
      count -= owed;
      if (chunk !== this.last) this.sealed -= owed;
      this.capacity -= chunk.bytes.length;
      this.chunks--;
      const next: Chunk | null = chunk.next;
      this.pool.give(chunk);
      chunk = next;
    }
    this.first = chunk;
    if (chunk !== null) return;
    this.last = null;
    if (!this.silent) this.use(NONE, 0);
  }

  /** Everything owed that may go, in one array; for replies without a socket. */
  take(): Uint8Array {
    const all = new Uint8Array(this.free);
    const parts: Uint8Array[] = [];
    this.views(parts, Number.POSITIVE_INFINITY);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    this.consumed(at);
    return all;
  }

  /** Forgets what is owed; nothing of it may be lent. */
  clear(): void {
    this.consumed(this.pending);
  }

  /** Nobody will be told anything more: forgets what is owed. The chunks of a write under way are never used again. */
  abandon(): void {
    this.end();
    this.seal();
    for (let left = this.lent; left > 0 && this.first !== null; ) {
      const chunk = this.first;
      const owed = chunk.end - chunk.start;
      left -= owed;
      if (chunk !== this.last) this.sealed -= owed;
      this.capacity -= chunk.bytes.length;
      this.chunks--;
      this.first = chunk.next;
      this.pool.lose(chunk);
    }
    if (this.first === null) this.last = null;
    this.lent = 0;
    this.clear();
  }

  /** Checks that the figures are those of the chunks. */
  verify(): void {
    this.seal();
    let owed = 0;
    let capacity = 0;
    let chunks = 0;
    for (let chunk = this.first; chunk !== null; chunk = chunk.next) {
      assert(
        chunk.taken && chunk.start <= chunk.end && chunk.end <= chunk.bytes.length,
        'a chunk is held and in bounds',
      );
      assert(chunk.next !== null || chunk === this.last, 'the last chunk is the last');
      owed += chunk.end - chunk.start;
      capacity += chunk.bytes.length;
      chunks++;
    }
    assert(owed === this.pending && this.lent <= owed, 'what is owed lies in the chunks, what is lent in front');
    assert(capacity === this.capacity && chunks === this.chunks, 'the chunks are counted');
  }

  // For the writers of replies.

  /** Where the next byte goes, with at least SMALL bytes free. */
  protected room(): number {
    if (this.limit - this.at < SMALL) this.grow();
    return this.at;
  }

  protected byte(value: number): void {
    if (this.at === this.limit) this.grow();
    this.bytes[this.at++] = value;
  }

  /** Decimal text of a safe integer at `at`; returns its end. */
  protected digits(at: number, value: number): number {
    return writeInteger(this.bytes, at, value);
  }

  protected use(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
    this.limit = bytes.length;
  }

  protected openBytes(): number {
    const last = this.last;
    if (last === null) return 0;
    return (this.silent ? last.end : this.at) - last.start;
  }

  /** Writes the position back into the last chunk. */
  protected seal(): void {
    if (this.last !== null && !this.silent) this.last.end = this.at;
  }

  protected grow(): void {
    if (this.silent) {
      this.at = 0;
      return;
    }
    this.append(this.pool.take());
  }

  protected append(chunk: Chunk): void {
    this.seal();
    const last = this.last;
    if (last === null) {
      this.first = chunk;
    } else {
      this.sealed += last.end - last.start;
      last.next = chunk;
    }
    this.last = chunk;
    this.capacity += chunk.bytes.length;
    this.chunks++;
    this.use(chunk.bytes, chunk.end);
    if (this.pending > this.most) {
      this.short = true;
      this.mute();
    }
    if (this.owner === null) return;
    if (last === null) this.owner.replyPending();
    if (this.chunks > 1 || chunk.kept !== 'chunk') this.owner.replyGrew();
  }

  protected mute(): void {
    this.seal();
    this.silent = true;
    this.use(SCRATCH, 0);
  }

  protected unmute(): void {
    this.silent = false;
    if (this.last === null) this.use(NONE, 0);
    else this.use(this.last.bytes, this.last.end);
  }
}
