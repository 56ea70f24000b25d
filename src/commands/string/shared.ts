/** What the string commands share: options of SET and GETEX, times of expiry, the limit on size. */
import { INT64_MAX, parseInt64, parseInteger } from '../../base/numbers.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { NOT_AN_INTEGER } from '../../engine/call.ts';
import { NULL } from '../../memory/address.ts';
import { TYPE_STRING } from '../../values/entry.ts';
import { stringBytes } from '../../values/string.ts';

const shown = new Slice();

/** Replies the string under argument `i` or null; false when WRONGTYPE has been replied instead. */
export function replyString(c: Call, i: number): boolean {
  const e = c.openFor(c.find(i), TYPE_STRING);
  if (e === undefined) return false;
  if (e === NULL) c.reply.null();
  else c.reply.bulk(stringBytes(c.memory, e, shown));
  return true;
}

/** Whether a string of `size` bytes and `more` may be; otherwise the error has been replied. */
export function allowedSize(c: Call, size: number, more: number): boolean {
  if (size + more <= c.longestString) return true;
  c.reply.error('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
  return false;
}

// Expiry. What a command says of it: each option excludes the others, but may be repeated.
export const NO_EXPIRY = 0;
export const KEEPTTL = 1;
export const PERSIST = 2;
export const EX = 3;
export const PX = 4;
export const EXAT = 5;
export const PXAT = 6;

/** Largest double below 2^63. */
const LATEST = 2 ** 63 - 1024;
/** Below this a count of seconds or milliseconds, and what is added to it, stays exact. */
const PLAIN = 4e12;

/** The unix time in ms that the number at argument `i` stands for under `kind`; undefined when an error has been replied. */
export function expiryTime(c: Call, i: number, kind: number): number | undefined {
  const given = parseInteger(c.arg(i));
  if (Number.isNaN(given)) {
    c.reply.error(NOT_AN_INTEGER);
    return undefined;
  }
  const seconds = kind === EX || kind === EXAT;
  const relative = kind === EX || kind === PX;
  if (given > 0 && given < PLAIN) return (seconds ? given * 1000 : given) + (relative ? c.now : 0);
  if (given > 0) {
    const exact = parseInt64(c.arg(i))! * (seconds ? 1000n : 1n) + (relative ? BigInt(c.now) : 0n);
    if (exact <= INT64_MAX) return Math.min(Number(exact), LATEST);
  }
  c.reply.error(`ERR invalid expire time in '${c.registered.name}' command`);
  return undefined;
}

/** The options of SET, or of GETEX, read in any order. */
export class StringOptions {
  nx = false;
  xx = false;
  get = false;
  /** One of the kinds of expiry above. */
  expiry = NO_EXPIRY;
  /** Argument of the number that belongs to EX, PX, EXAT, PXAT. */
  numberAt = 0;

  /** Reads the arguments from `at`; false when the syntax error has been replied. */
  read(c: Call, at: number, ofSet: boolean): boolean {
    this.nx = this.xx = this.get = false;
    this.expiry = NO_EXPIRY;
    while (at < c.argc) {
      const word = c.arg(at);
      let width = 1;
      if (ofSet && !this.xx && isWord(word, 'NX')) this.nx = true;
      else if (ofSet && !this.nx && isWord(word, 'XX')) this.xx = true;
      else if (ofSet && isWord(word, 'GET')) this.get = true;
      else width = this.readExpiry(word, at, at + 1 < c.argc, ofSet);
      if (width === 0) {
        c.syntaxError();
        return false;
      }
      at += width;
    }
    return true;
  }

  /** How many arguments the option at `at` takes; 0 when it is none that may stand here. */
  private readExpiry(word: Slice, at: number, more: boolean, ofSet: boolean): number {
    let kind = NO_EXPIRY;
    if (ofSet && isWord(word, 'KEEPTTL')) kind = KEEPTTL;
    else if (!ofSet && isWord(word, 'PERSIST')) kind = PERSIST;
    else if (more && isWord(word, 'EX')) kind = EX;
    else if (more && isWord(word, 'PX')) kind = PX;
    else if (more && isWord(word, 'EXAT')) kind = EXAT;
    else if (more && isWord(word, 'PXAT')) kind = PXAT;
    if (kind === NO_EXPIRY || (this.expiry !== NO_EXPIRY && this.expiry !== kind)) return 0;
    this.expiry = kind;
    if (kind <= PERSIST) return 1;
    this.numberAt = at + 1;
    return 2;
  }
}
