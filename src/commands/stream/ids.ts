/** Reading stream IDs from arguments, and replying them. */
import { isText, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import type { Reply } from '../../protocol/reply.ts';
import { ID_TEXT_MAX, type StreamId } from '../../structures/stream-id.ts';

export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument';
/** The longest text that is looked at. */
const LONGEST = 127;
const MINUS = 45;
const STAR = 42;
const HIGHEST = 0xffffffff;
const TWO_32 = 4294967296;
const LIMIT = 1n << 64n;

const words = { high: 0, low: 0 };

/** The unsigned 64-bit number in `buffer` from `at` to `end`, left in `words`; false where there is none. */
function readWords(buffer: Uint8Array, at: number, end: number): boolean {
  if (end <= at) return false;
  if (end - at > 15) return readLong(buffer, at, end);
  let value = 0;
  for (let i = at; i < end; i++) {
    const digit = buffer[i] - 48;
    if (digit < 0 || digit > 9) return readLong(buffer, at, end);
    value = value * 10 + digit;
  }
  words.high = Math.floor(value / TWO_32);
  words.low = value >>> 0;
  return true;
}

/** As strtoull reads it, with blanks before it and a sign; but a plain negative number is refused. */
function readLong(buffer: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end && (buffer[at] === 32 || (buffer[at] >= 9 && buffer[at] <= 13))) at++;
  const negative = buffer[at] === MINUS;
  if (negative && at === from && buffer[at + 1] !== 48 && end - at <= 20) return false;
  if (negative || buffer[at] === 43) at++;
  if (at === end) return false;
  let value = 0n;
  for (; at < end; at++) {
    const digit = buffer[at] - 48;
    if (digit < 0 || digit > 9) return false;
    value = value * 10n + BigInt(digit);
    if (value >= LIMIT) return false;
  }
  if (negative) value = BigInt.asUintN(64, -value);
  words.high = Number(value >> 32n);
  words.low = Number(value & 0xffffffffn);
  return true;
}

/** What a reading found besides the ID: whether the sequence was left to the server ("5-*"). */
export const idForm = { openSequence: false };

/**
 * Reads an ID: "ms-seq", "ms" alone (with the highest sequence when `high`, else 0), and unless `strict` "-" and "+".
 * With `star` also "ms-*". False where it is none.
 */
export function parseId(text: Slice, into: StreamId, high: boolean, strict: boolean, star = false): boolean {
  if (text.length > LONGEST) return false;
  const { buffer, start } = text;
  let end = start;
  let dash = -1;
  for (const stop = start + text.length; end < stop && buffer[end] !== 0; end++)
    if (buffer[end] === MINUS && dash < 0) dash = end;
  if (end - start === 1 && (buffer[start] === MINUS || buffer[start] === 43)) {
    if (strict) return false;
    if (buffer[start] === MINUS) into.toLowest();
    else into.toHighest();
    return true;
  }
  if (!readWords(buffer, start, dash < 0 ? end : dash)) return false;
  const { high: msHigh, low: msLow } = words;
  idForm.openSequence = false;
  if (dash < 0) {
    words.high = high ? HIGHEST : 0;
    words.low = words.high;
  } else if (star && end - dash === 2 && buffer[dash + 1] === STAR) {
    idForm.openSequence = true;
    words.high = 0;
    words.low = 0;
  } else if (!readWords(buffer, dash + 1, end)) return false;
  into.set(msHigh, msLow, words.high, words.low);
  return true;
}

/** The ID at argument `i`; false when the error has been replied. */
export function idAt(c: Call, i: number, into: StreamId, strict = true): boolean {
  if (parseId(c.arg(i), into, false, strict)) return true;
  c.reply.error(INVALID_ID);
  return false;
}

const bare = new Slice();

/** One end of an interval at argument `i`, with "(" before it the ID beyond; false when the error has been replied. */
function boundAt(c: Call, i: number, into: StreamId, end: boolean): boolean {
  const text = c.arg(i);
  const open = text.length > 1 && text.at(0) === 40;
  const id = open ? bare.set(text.buffer, text.start + 1, text.length - 1) : text;
  if (!parseId(id, into, end, open)) {
    c.reply.error(INVALID_ID);
    return false;
  }
  if (!open || (end ? into.decrement() : into.increment())) return true;
  c.reply.error(`ERR invalid ${end ? 'end' : 'start'} ID for the interval`);
  return false;
}

export function startAt(c: Call, i: number, into: StreamId): boolean {
  return boundAt(c, i, into, false);
}

export function endAt(c: Call, i: number, into: StreamId): boolean {
  return boundAt(c, i, into, true);
}

export function isDollar(c: Call, i: number): boolean {
  return isText(c.arg(i), '$');
}

/** The text of the ID replied last: the next one mostly has the same milliseconds. */
const text = new Uint8Array(ID_TEXT_MAX);
const written = { msHigh: -1, msLow: -1, sequenceAt: 0 };

export function replyId(reply: Reply, id: StreamId): void {
  if (id.msLow !== written.msLow || id.msHigh !== written.msHigh) {
    id.writeText(text, 0);
    written.msHigh = id.msHigh;
    written.msLow = id.msLow;
    written.sequenceAt = text.indexOf(MINUS) + 1;
  }
  reply.bulkBytes(text, 0, id.writeSequence(text, written.sequenceAt));
}
