/**
 * A node of a stream: a listpack of up to some hundred entries in Redis's own form, so that RDB carries it as it is.
 *
 *   master entry   [live][deleted][fields n][field 1]...[field n][0]
 *   an entry       [flags][ms - master][seq - master] [n][field][value]... [count of the entry's elements before this one]
 *   same fields    [flags][ms - master][seq - master] [value]...           [count]
 *
 * Flags: 1 deleted, 2 the same fields as the master's. The master's ID is the node's key in the stream's tree; differences
 * are int64 that wrap. Deleted entries stay where they are until the whole node goes.
 *
 *   01 01  00 01  01 01  81 66 02  00 01 | 02 01  00 01  00 01  81 76 02  04 01 | ff      one entry, field f, value v
 */
import { emptyShowing } from '../base/showing.ts';
import { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { LP_MAX_BYTES, lpBytes, lpReplaceInteger, lpValidate, startIn } from '../structures/listpack.ts';
import {
  EncodedEntry,
  EntryInteger,
  encodeEntry,
  encodeInteger,
  endIn,
  entryIs,
  integerIn,
  stringHead,
  writeBackLength,
} from '../structures/listpack-entry.ts';
import { type StreamId, wordsToBigInt } from '../structures/stream-id.ts';

export const ENTRY_DELETED = 1;
export const ENTRY_SAME_FIELDS = 2;
export const NODE_MAX_BYTES = LP_MAX_BYTES;
/** Where the listpack's first two integers lie while they take a byte each; the second is found by walking. */
export const LIVE_AT = 6;

const TWO_32 = 4294967296;
/** Room to begin with, and the most that is kept from one entry to the next. */
const LEAST = 4096;
const KEPT = 65_536;
const integer = new EntryInteger();
const encoded = new EncodedEntry();
const bytes = new Slice();

/** Entries of a listpack put together in a row, to be appended at once. */
export class EntryBuffer {
  bytes = new Uint8Array(LEAST);
  length = 0;
  count = 0;

  clear(): void {
    this.length = 0;
    this.count = 0;
  }

  /** What is in it has been taken: much room is not kept. */
  taken(): void {
    if (this.bytes.length <= KEPT) return;
    emptyShowing(this.bytes);
    this.bytes = new Uint8Array(LEAST);
  }

  integer(value: number): void {
    if (value >= 0 && value < 128 && this.length + 2 <= this.bytes.length) {
      this.bytes[this.length] = value;
      this.bytes[this.length + 1] = 1;
      this.length += 2;
      this.count++;
      return;
    }
    encodeInteger(value, encoded);
    this.put(bytes, 0);
  }

  /** `a` - `b`, both of 64 bits, as a signed number that wraps. */
  difference(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
    if (aHigh === bHigh) {
      this.integer(aLow - bLow);
      return;
    }
    const low = aLow - bLow;
    const high = aHigh - bHigh - (low < 0 ? 1 : 0);
    const value = high * TWO_32 + (low < 0 ? low + TWO_32 : low);
    if (Number.isSafeInteger(value)) this.integer(value);
    else {
      const wide = BigInt.asIntN(64, wordsToBigInt(aHigh, aLow) - wordsToBigInt(bHigh, bLow));
      this.value(new Slice(Buffer.from(wide.toString())));
    }
  }

  value(value: Slice): void {
    encodeEntry(value, encoded);
    this.put(value, encoded.tail);
  }

  private put(value: Slice, tail: number): void {
    if (this.length + encoded.total > this.bytes.length) this.grow(encoded.total);
    const { head, headSize, size } = encoded;
    const target = this.bytes;
    let at = this.length;
    for (let i = 0; i < headSize; i++) target[at++] = head[i];
    if (tail > 64) target.set(value.view(), at);
    else for (let i = 0, from = value.start; i < tail; i++) target[at + i] = value.buffer[from + i];
    this.length = writeBackLength(target, at + tail, size);
    this.count++;
  }

  private grow(more: number): void {
    const larger = new Uint8Array((this.length + more) * 2);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** The integer of the entry at `at`; 0 where it is none. */
export function integerAt(buffer: Uint8Array, at: number): number {
  const first = buffer[at];
  if (first < 0x80) return first;
  if (stringHead(first) !== 0) return 0;
  integerIn(buffer, at, integer);
  return integer.number;
}

/** Makes `id` the master's ID and the differences in the two entries at `at`; returns where the next entry begins. */
export function readId(buffer: Uint8Array, at: number, master: StreamId, id: StreamId): number {
  integerIn(buffer, at, integer);
  let low = master.msLow + lowWord();
  id.msLow = low >>> 0;
  id.msHigh = (master.msHigh + highWord() + (low >= TWO_32 ? 1 : 0)) >>> 0;
  const next = endIn(buffer, at);
  integerIn(buffer, next, integer);
  low = master.seqLow + lowWord();
  id.seqLow = low >>> 0;
  id.seqHigh = (master.seqHigh + highWord() + (low >= TWO_32 ? 1 : 0)) >>> 0;
  return endIn(buffer, next);
}

function lowWord(): number {
  return integer.wide ? integer.low >>> 0 : integer.number >>> 0;
}

function highWord(): number {
  return integer.wide ? integer.high : Math.floor(integer.number / TWO_32);
}

/** What the master entry says, and where the first entry begins. */
export class NodeHead {
  live = 0;
  deleted = 0;
  fields = 0;
  deletedAt = 0;
  fieldsAt = 0;
  first = 0;

  /** Reads the listpack in `buffer` from `start` on; all positions are relative to that. */
  read(buffer: Uint8Array, start: number): this {
    let at = this.readNumbers(buffer, start) + start;
    for (let i = 0; i < this.fields; i++) at = endIn(buffer, at);
    this.first = endIn(buffer, at) - start;
    return this;
  }

  /** The same but for `first`; returns `fieldsAt`. */
  readNumbers(buffer: Uint8Array, start: number): number {
    let at = start + LIVE_AT;
    if (buffer[at] < 0x80 && buffer[at + 2] < 0x80 && buffer[at + 4] < 0x80) {
      this.live = buffer[at];
      this.deleted = buffer[at + 2];
      this.fields = buffer[at + 4];
      this.deletedAt = LIVE_AT + 2;
      return (this.fieldsAt = LIVE_AT + 6);
    }
    this.live = integerAt(buffer, at);
    at = endIn(buffer, at);
    this.deletedAt = at - start;
    this.deleted = integerAt(buffer, at);
    at = endIn(buffer, at);
    this.fields = integerAt(buffer, at);
    return (this.fieldsAt = endIn(buffer, at) - start);
  }

  readFrom(r: Reader, lp: Addr): void {
    const { buffer, start } = borrowNode(r, lp);
    this.readNumbers(buffer, start);
  }
}

const head = new NodeHead();

function borrowNode(r: Reader, lp: Addr): Slice {
  return r.borrow(bytes, lp, 0, lpBytes(r, lp));
}

/** Entries of a node that are not deleted. */
export function nodeLive(r: Reader, lp: Addr): number {
  const first = r.u8(lp, LIVE_AT);
  if (first < 0x80) return first;
  const { buffer, start } = r.borrow(bytes, lp, 0, LIVE_AT + 10);
  return integerAt(buffer, start + LIVE_AT);
}

/**
 * Whether the fields among `args` (from `from` on, each followed by its value) are those of the master entry of a node whose
 * `head` has been read.
 */
export function nodeHasFields(
  r: Reader,
  lp: Addr,
  node: NodeHead,
  args: readonly Slice[],
  from: number,
  pairs: number,
): boolean {
  if (node.fields !== pairs) return false;
  const { buffer, start } = borrowNode(r, lp);
  let at = start + node.fieldsAt;
  for (let i = 0; i < pairs; i++) {
    const field = args[from + i * 2];
    encodeEntry(field, encoded);
    if (!entryIs(buffer, at, encoded, field)) return false;
    at += encoded.total;
  }
  return true;
}

/** Adds to the numbers of live and deleted entries. */
export function nodeCount(m: Memory, lp: Addr, live: number, deleted: number): Addr {
  const before = m.u8(lp, LIVE_AT);
  const after = before + live;
  let at = lp;
  if (before < 0x80 && after >= 0 && after < 0x80) m.setU8(lp, LIVE_AT, after);
  else at = lpReplaceInteger(m, lp, LIVE_AT, nodeLive(m, lp) + live);
  if (deleted === 0) return at;
  const { buffer, start } = borrowNode(m, at);
  head.readNumbers(buffer, start);
  return lpReplaceInteger(m, at, head.deletedAt, head.deleted + deleted);
}

/** The ID of a node's last entry, deleted or not; false where it has none. */
export function nodeLastId(r: Reader, lp: Addr, master: StreamId, id: StreamId): boolean {
  const { buffer, start, length } = borrowNode(r, lp);
  let at = startIn(buffer, start + length - 1);
  const count = integerAt(buffer, at);
  if (count === 0) return false;
  for (let i = 0; i < count; i++) at = startIn(buffer, at);
  readId(buffer, endIn(buffer, at), master, id);
  return true;
}

/** The least bytes of a listpack, and the elements of a master entry besides its fields. */
const EMPTY_LISTPACK = 7;

/**
 * Whether `node` is a node, so that reading it is safe: the frame alone or, with `deep`, every element of every entry. The
 * counts of the master entry must be true, and that of the elements; without `exact` only the sum of live and deleted ones.
 */
export function nodeIsValid(node: Slice, deep: boolean, exact = true): boolean {
  if (node.length <= EMPTY_LISTPACK || !lpValidate(node, deep, exact)) return false;
  if (!deep) return true;
  const { buffer, start, length } = node;
  const walk = new Walk(buffer, start + LIVE_AT, start + length - 1);
  const live = walk.integer();
  const deleted = walk.integer();
  const fields = walk.integer();
  if (!walk.sound || fields < 0 || (exact && (live < 0 || deleted < 0))) return false;
  walk.skip(fields);
  if (walk.integer() !== 0 || !walk.sound) return false;
  let alive = 0;
  let dead = 0;
  while (walk.more) {
    const flags = walk.integer();
    if ((flags & ENTRY_DELETED) !== 0) dead++;
    else alive++;
    walk.integer();
    walk.integer();
    let count = fields + 3;
    if ((flags & ENTRY_SAME_FIELDS) !== 0) walk.skip(fields);
    else {
      const own = walk.integer();
      if (!walk.sound || own < 0) return false;
      walk.skip(own * 2);
      count = own * 2 + 4;
    }
    if (walk.integer() !== count || !walk.sound) return false;
  }
  return exact ? alive === live && dead === deleted : alive + dead === live + deleted;
}

/** A walk over a listpack that is known to be one, but not known to hold what is expected. */
class Walk {
  sound = true;
  private at: number;
  private readonly end: number;
  private readonly buffer: Uint8Array;

  constructor(buffer: Uint8Array, at: number, end: number) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  get more(): boolean {
    return this.sound && this.at < this.end;
  }

  /** The integer that stands next; unsound where there is none. */
  integer(): number {
    if (!this.more || stringHead(this.buffer[this.at]) !== 0 || this.buffer[this.at] === 0x80) {
      this.sound = false;
      return 0;
    }
    const value = integerAt(this.buffer, this.at);
    this.at = endIn(this.buffer, this.at);
    return value;
  }

  skip(count: number): void {
    for (let i = 0; i < count && this.sound; i++) {
      if (this.at >= this.end) this.sound = false;
      else this.at = endIn(this.buffer, this.at);
    }
  }
}
