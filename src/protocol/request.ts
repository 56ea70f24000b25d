/**
 * Requests, parsed where they lie: RESP multibulk and inline lines, across any split of the bytes.
 *
 *   *3\r\n $3\r\nSET\r\n $3\r\nkey\r\n $5\r\nvalue\r\n
 *   ^begin                ^at               ^to      `begin`: the command at hand; `at`: the first byte not yet
 *                                                    understood; arguments before `at` are already marked
 *
 * The owner of the buffer calls `next()` until it says MORE. When it then moves the bytes from `begin` on elsewhere, it
 * says so with `moved()`, and goes on with more bytes behind them; nothing is looked at twice.
 */
import { parseInteger } from '../base/numbers.ts';
import { Slice } from '../base/slice.ts';
import { splitInline } from './inline.ts';

/** What `next()` says. */
export const MORE = 0;
export const READY = 1;
export const BROKEN = 2;

/** The settings that the parser reads. */
export interface RequestLimits {
  readonly protoMaxBulkLen: number;
}

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;
/** A line (a length, an inline command) that has not ended after so many bytes is refused. */
const MAX_LINE = 64 * 1024;
const MAX_MULTIBULK = 0x7fffffff;
const UNTRUSTED_MULTIBULK = 10;
const UNTRUSTED_BULK = 16384;
/** From here an argument's length sizes the buffer that it is awaited in. */
const BIG_ARGUMENT = 32 * 1024;
/** What marking an argument takes, with some reserve. */
export const ARGUMENT_OVERHEAD = 128;
/** Slices that a parser keeps from one command to the next. */
const KEEP_SLICES = 1024;

/** Of `length()`: the line is incomplete, or not a length. Every length below zero is NEGATIVE. */
const NEGATIVE = -1;
const WAIT = -2;
const INVALID = -3;
const OVERLONG = -4;

const NONE = new Uint8Array(0);

const scratch = new Slice();

export class RequestParser {
  /** The command at hand, good until the next call of `next()`. */
  readonly args: Slice[] = [];
  argc = 0;
  /** Requests of nothing (an empty line, an empty multibulk) that were skipped and that the owner has not asked for yet. */
  empties = 0;
  begin = 0;
  at = 0;
  /** What was wrong, in the words of the reply and of the log, after BROKEN. */
  error = '';
  reason = '';
  private readonly limits: RequestLimits;
  /** Arguments still missing of the multibulk at hand. */
  private missing = 0;
  /** Length of the argument awaited, or -1 before it is known. */
  private bulk = -1;
  /** How far the search for a line's end has come. */
  private scan = 0;

  constructor(limits: RequestLimits) {
    this.limits = limits;
  }

  /** Begins to read at `at`, where a command starts; the one before is done with. */
  start(at: number): void {
    if (this.args.length > KEEP_SLICES) this.args.length = KEEP_SLICES;
    this.begin = at;
    this.at = at;
    this.scan = at;
  }

  /** Whether a command has begun and is not complete. */
  get midway(): boolean {
    return this.missing > 0;
  }

  /** The position up to which bytes are wanted, when a big argument is awaited; otherwise 0. */
  get wanted(): number {
    return this.bulk >= BIG_ARGUMENT ? this.at + this.bulk + 2 : 0;
  }

  /** What the arguments marked so far take; of a command that is not complete with what marking them takes. */
  get argumentBytes(): number {
    if (this.midway) return this.at - this.begin + this.overhead;
    let total = 0;
    for (let i = 0; i < this.argc; i++) total += this.args[i].length;
    return total;
  }

  /** What marking the arguments of a command that is not complete takes: many empty ones take more than their bytes. */
  get overhead(): number {
    return this.midway ? this.argc * ARGUMENT_OVERHEAD : 0;
  }

  /** Arguments marked of a command that is not complete. */
  get marked(): number {
    return this.midway ? this.argc : 0;
  }

  /** The bytes from `begin` on now lie in `buffer`, `delta` further on. */
  moved(buffer: Uint8Array, delta: number): void {
    this.begin += delta;
    this.at += delta;
    this.scan += delta;
    if (this.missing === 0) return;
    for (let i = 0; i < this.argc; i++) {
      const arg = this.args[i];
      arg.buffer = buffer;
      arg.start += delta;
    }
  }

  /** `buffer` is let go of: no argument of a command that is done with shows it any more. */
  forget(buffer: Uint8Array): void {
    for (const arg of this.args) {
      if (arg.buffer !== buffer) continue;
      arg.buffer = NONE;
      arg.length = 0;
    }
  }

  /**
   * The next command among the bytes before `to`: READY with `args` and `argc` (empty lines and empty multibulks are
   * skipped), MORE when it isn't complete, BROKEN when the client is to be told `error` and let go. `trusted` lifts the
   * limits that hold until a client has authenticated itself.
   */
  next(buffer: Uint8Array, to: number, trusted: boolean): number {
    while (this.missing === 0) {
      this.argc = 0;
      this.begin = this.at;
      if (this.at >= to) return MORE;
      if (buffer[this.at] !== STAR) {
        const outcome = this.inline(buffer, to);
        if (outcome !== READY || this.argc > 0) return outcome;
        this.empties++;
        continue;
      }
      const count = this.length(buffer, to);
      if (count === WAIT) return MORE;
      if (count === OVERLONG) return this.broken('too big mbulk count string', 'too big mbulk count string');
      if (count === INVALID || count > MAX_MULTIBULK) {
        return this.broken('invalid multibulk length', 'invalid mbulk count');
      }
      if (count > UNTRUSTED_MULTIBULK && !trusted) {
        return this.broken('unauthenticated multibulk length', 'unauth mbulk count');
      }
      if (count > 0) this.missing = count;
      else this.empties++;
    }
    return this.multibulk(buffer, to, trusted);
  }

  private multibulk(buffer: Uint8Array, to: number, trusted: boolean): number {
    do {
      let bulk = this.bulk;
      if (bulk < 0) {
        if (this.at >= to) return MORE;
        bulk = buffer[this.at] === DOLLAR ? this.length(buffer, to) : this.notBulk(buffer, to);
        if (bulk === WAIT) return MORE;
        if (bulk < 0 || bulk > this.limits.protoMaxBulkLen) return this.badBulk(buffer, bulk);
        if (bulk > UNTRUSTED_BULK && !trusted) {
          return this.broken('unauthenticated bulk length', 'unauth bulk length');
        }
        this.bulk = bulk;
      }
      const start = this.at;
      if (to - start < bulk + 2) return MORE;
      this.add(buffer, start, bulk);
      this.at = start + bulk + 2;
      this.bulk = -1;
    } while (--this.missing > 0);
    return READY;
  }

  private add(buffer: Uint8Array, start: number, length: number): void {
    const index = this.argc++;
    if (index === this.args.length) {
      this.args.push(new Slice(buffer, start, length));
      return;
    }
    const arg = this.args[index];
    // A young buffer under an old slice is noted for the collector with every store.
    if (arg.buffer !== buffer) arg.buffer = buffer;
    arg.start = start;
    arg.length = length;
  }

  /** The number on the line at `at`, behind its first byte; moves `at` past the line. */
  private length(buffer: Uint8Array, to: number): number {
    const first = this.at + 1;
    let i = first;
    let byte = 0;
    let value = 0;
    while (i < to) {
      byte = buffer[i];
      if (byte < ZERO || byte > 57) break;
      value = value * 10 + byte - ZERO;
      if (++i - first > 9) return this.slowLength(buffer, to);
    }
    if (byte === CR && i + 1 < to && i > first && (buffer[first] !== ZERO || i === first + 1)) {
      this.at = i + 2;
      return value;
    }
    return this.slowLength(buffer, to);
  }

  private slowLength(buffer: Uint8Array, to: number): number {
    const end = this.lineEnd(buffer, to, CR);
    if (end < 0) return end;
    const value = parseInteger(scratch.set(buffer, this.at + 1, end - this.at - 1));
    if (Number.isNaN(value)) return INVALID;
    this.at = end + 2;
    return value < 0 ? NEGATIVE : value;
  }

  /** A line that should begin with '$' and doesn't is refused once it is complete. */
  private notBulk(buffer: Uint8Array, to: number): number {
    const end = this.lineEnd(buffer, to, CR);
    return end < 0 ? end : INVALID;
  }

  private badBulk(buffer: Uint8Array, bulk: number): number {
    if (bulk === OVERLONG) return this.broken('too big bulk count string', 'too big bulk count string');
    if (bulk === INVALID && buffer[this.at] !== DOLLAR) {
      const got = String.fromCharCode(buffer[this.at]);
      return this.broken(`expected '$', got '${got}'`, 'expected $ but got something else');
    }
    return this.broken('invalid bulk length', 'invalid bulk length');
  }

  /**
   * Where the line at `at` ends with `mark`, or WAIT or OVERLONG. A NUL hides what follows it, so that such a line never
   * ends. After CR one more byte must be there.
   */
  private lineEnd(buffer: Uint8Array, to: number, mark: number): number {
    let i = this.scan > this.at ? this.scan : this.at;
    while (i < to && buffer[i] !== mark && buffer[i] !== 0) i++;
    this.scan = i;
    if (i === to || buffer[i] === 0) return to - this.at > MAX_LINE ? OVERLONG : WAIT;
    return mark === CR && i + 2 > to ? WAIT : i;
  }

  private inline(buffer: Uint8Array, to: number): number {
    const lf = this.lineEnd(buffer, to, LF);
    if (lf === WAIT) return MORE;
    if (lf === OVERLONG) return this.broken('too big inline request', 'too big inline request');
    const from = this.at;
    const end = lf > from && buffer[lf - 1] === CR ? lf - 1 : lf;
    this.at = lf + 1;
    this.argc = splitInline(buffer, from, end, this.args);
    if (this.argc >= 0) return READY;
    this.argc = 0;
    return this.broken('unbalanced quotes in request', 'unbalanced quotes in inline request');
  }

  private broken(error: string, reason: string): number {
    this.error = `ERR Protocol error: ${error}`;
    this.reason = reason;
    this.missing = 0;
    this.bulk = -1;
    return BROKEN;
  }
}
