/**
 * The bytes of a snapshot as they are read: from a file or a socket, a window at a time, or from a payload that lies in
 * memory.
 *
 *   [ read and done with ][ read, not done with ][ not read ][ room ]
 *                         ^kept                  ^at         ^end
 *
 * From a socket bytes may not be there yet. Then reading throws MoreNeeded, `rewind` goes back to where `commit` was last
 * called, and the reader does from there on the same again once more bytes have come. So a reader commits where it has
 * used all that it has read, and changes nothing between reading's beginning and its end that it could not do again.
 *
 * What is shown through a slice is good until the next reading. A length that the bytes claim is believed only as far as
 * bytes are really there, so a damaged length never makes a large buffer.
 */

import { copyBytes } from '../../base/copy.ts';
import { Crc64 } from '../../base/crc.ts';
import { lzfDecompress, lzfLength } from '../../base/lzf.ts';
import { writeInteger } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import { OutOfMemory } from '../../memory/errors.ts';
import type { ByteSource } from '../chunks.ts';
import { BAD_LENGTH, BAD_LZF, damaged, UNKNOWN_FORM } from './faults.ts';
import { FORM_INT8, FORM_INT16, FORM_INT32, FORM_LZF, RdbError } from './format.ts';

const WINDOW = 1 << 18;
const TWO_32 = 2 ** 32;
/** As near as numbers come to the largest length. */
const TWO_64 = 2 ** 64;
/** The most bytes that one byte under LZF can stand for. */
const LZF_MOST = 264;
const INTEGER_TEXT = 24;
const UNPACKED_LEAST = 1024;
const NOTHING = new Uint8Array(0);
/** The room of a longer string is not kept for the next one. */
const LARGE = 1 << 24;

/** Of a string: its bytes, those that stand for them, and whether that is under LZF. */
export interface Measures {
  readonly length: number;
  readonly stored: number;
  readonly packed: boolean;
}

/** Where strings under LZF are expanded to, one after the other. */
interface Unpacked {
  bytes: Uint8Array;
  /** Room for longer ones is not kept. */
  readonly most: number;
}

/** Of payloads, which are many and small. */
const OF_PAYLOADS: Unpacked = { bytes: NOTHING, most: 1 << 16 };

/** The bytes that come next have not arrived yet. */
export class MoreNeeded extends Error {
  override name = 'MoreNeeded';
}

/** It is thrown often, and nobody asks where. */
const MORE_NEEDED = new MoreNeeded('the bytes that come next are not there yet');

/** Whether what has been thrown says that the bytes have ended. */
export function isShort(error: unknown): boolean {
  return error instanceof RdbError && error.fault === 'short';
}

export class RdbInput {
  /** Set by `size` when the length was one of the other forms of a string: which. */
  form = -1;
  private readonly source: ByteSource | null;
  /** Whether bytes may be missing that come later; asked when the source gives none. */
  private readonly pending: (() => boolean) | null;
  private readonly sum: Crc64 | null;
  private buffer: Uint8Array;
  /** Over the buffer, once a number is read; what else only some values need is made when the first of them comes, too. */
  private numbers: DataView | null = null;
  private at = 0;
  private end = 0;
  /** With `pending`: what was read from here on may be read again. */
  private kept = 0;
  /** Bytes before the window; of a payload, less those before it in its buffer. */
  private before = 0;
  private summed = 0;
  private integer: Uint8Array | null = null;
  private unpacked: Unpacked;

  private constructor(
    source: ByteSource | null,
    buffer: Uint8Array,
    end: number,
    checksum: boolean,
    pending: (() => boolean) | null = null,
    unpacked: Unpacked = { bytes: NOTHING, most: LARGE },
  ) {
    this.source = source;
    this.pending = pending;
    this.buffer = buffer;
    this.end = end;
    this.sum = checksum ? new Crc64() : null;
    this.unpacked = unpacked;
  }

  static from(source: ByteSource, checksum: boolean): RdbInput {
    return new RdbInput(source, new Uint8Array(WINDOW), 0, checksum);
  }

  /** Of bytes that come little by little: `pending` says whether more may come where the source gives none. */
  static arriving(source: ByteSource, checksum: boolean, pending: () => boolean): RdbInput {
    return new RdbInput(source, new Uint8Array(WINDOW), 0, checksum, pending);
  }

  /** Over bytes that stay as they are for as long as this is in use, which ends before another one begins. */
  static over({ buffer, start, length }: Slice): RdbInput {
    const input = new RdbInput(null, buffer, start + length, false, null, OF_PAYLOADS);
    input.at = start;
    input.before = -start;
    return input;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.before + this.at;
  }

  /** All that has been read is done with. */
  commit(): void {
    this.kept = this.at;
  }

  /** Goes back to where `commit` was last called. */
  rewind(): void {
    this.at = this.kept;
  }

  /** The bytes that have been taken from the source and not been read. */
  rest(): Uint8Array {
    return this.buffer.subarray(this.at, this.end);
  }

  u8(): number {
    if (this.at === this.end) this.need(1);
    return this.buffer[this.at++];
  }

  u16(): number {
    this.need(2);
    this.at += 2;
    return this.words.getUint16(this.at - 2, true);
  }

  i32(): number {
    this.need(4);
    this.at += 4;
    return this.words.getInt32(this.at - 4, true);
  }

  /** A signed 64-bit number, rounded beyond 2^53. */
  i64(): number {
    this.need(8);
    this.at += 8;
    return this.words.getInt32(this.at - 4, true) * TWO_32 + this.words.getUint32(this.at - 8, true);
  }

  f64(): number {
    this.need(8);
    this.at += 8;
    return this.words.getFloat64(this.at - 8, true);
  }

  f32(): number {
    this.need(4);
    this.at += 4;
    return this.words.getFloat32(this.at - 4, true);
  }

  /** A length. What is marked as a form of a string where a length should be counts as its low bits, as Redis reads it. */
  size(): number {
    const size = this.sizeOrForm();
    return this.form >= 0 ? this.form : size;
  }

  /** The length that was read last, exact, where it was one of 64 bits. */
  get exactSize(): bigint {
    return this.words.getBigUint64(this.at - 8);
  }

  /** A length of 64 bits, exact. */
  size64(): bigint {
    const first = this.u8();
    if (first !== 0x81) {
      this.at--;
      return BigInt(this.size());
    }
    this.need(8);
    this.at += 8;
    return this.words.getBigUint64(this.at - 8);
  }

  private sizeOrForm(): number {
    this.form = -1;
    const first = this.u8();
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 63) << 8) | this.u8();
    if (first === 0x80) {
      this.need(4);
      this.at += 4;
      return this.words.getUint32(this.at - 4);
    }
    if (first === 0x81) {
      this.need(8);
      this.at += 8;
      return sensible(this.words.getUint32(this.at - 8) * TWO_32 + this.words.getUint32(this.at - 4));
    }
    if (first < 0xc0) damaged(BAD_LENGTH);
    this.form = first & 63;
    return 0;
  }

  /** `length` bytes as they are. */
  bytes(length: number, into: Slice): Slice {
    this.need(length);
    into.set(this.buffer, this.at, length);
    this.at += length;
    return into;
  }

  /** A string in any of its forms. */
  string(into: Slice): Slice {
    return this.formed(this.sizeOrForm(), into);
  }

  /** The same; but of one that is longer than `most` only its measures, its bytes are yet to be read. */
  stringOrMeasures(into: Slice, most: number): Slice | Measures {
    const length = this.sizeOrForm();
    if (this.form !== FORM_LZF) {
      const long = this.form === -1 && length > most;
      return long ? { length, stored: length, packed: false } : this.formed(length, into);
    }
    const stored = this.size();
    const whole = this.size();
    if (whole > most && whole <= stored * LZF_MOST) return { length: whole, stored, packed: true };
    return this.expanded(stored, whole, into);
  }

  private formed(length: number, into: Slice): Slice {
    switch (this.form) {
      case -1:
        return this.bytes(length, into);
      case FORM_INT8:
        return this.integerText((this.u8() << 24) >> 24, into);
      case FORM_INT16:
        return this.integerText((this.u16() << 16) >> 16, into);
      case FORM_INT32:
        return this.integerText(this.i32(), into);
      case FORM_LZF:
        return this.expanded(this.size(), this.size(), into);
      default:
        return damaged(UNKNOWN_FORM, ` ${this.form}`);
    }
  }

  /** A string in bytes of its own that stay good: into `room`, which grows as needed. */
  keep(room: Room, into: Slice): Slice {
    return room.take(this.string(into), into);
  }

  /** Passes over a string. */
  skipString(): void {
    this.string(new Slice());
  }

  private integerText(value: number, into: Slice): Slice {
    this.integer ??= new Uint8Array(INTEGER_TEXT);
    return into.set(this.integer, 0, writeInteger(this.integer, 0, value));
  }

  private expanded(packed: number, length: number, into: Slice): Slice {
    this.bytes(packed, into);
    if (length === 0) return into.set(NOTHING, 0, 0);
    if (length > packed * LZF_MOST) damaged(BAD_LZF);
    let { bytes } = this.unpacked;
    if (bytes.length < length) {
      if (lzfLength(into) !== length) damaged(BAD_LZF);
      bytes = roomFor(length > this.unpacked.most ? length : Math.max(UNPACKED_LEAST, 2 * length));
    }
    if (length <= this.unpacked.most) this.unpacked.bytes = bytes;
    if (!lzfDecompress(into, bytes, 0, length)) damaged(BAD_LZF);
    return into.set(bytes, 0, length);
  }

  /** The sum over all bytes read so far, for comparison with the eight that follow; null where none is kept. */
  checksum(): Uint8Array | null {
    this.need(8);
    this.commit();
    if (this.sum === null) return null;
    this.sumUp(this.at);
    const bytes = new Uint8Array(8);
    this.sum.write(bytes, 0);
    return bytes;
  }

  private sumUp(to: number): void {
    this.sum?.update(this.buffer, this.summed, to - this.summed);
    this.summed = to;
  }

  /** Sees to it that the next `bytes` bytes lie in the window. */
  private need(bytes: number): void {
    if (this.end - this.at >= bytes) return;
    if (this.source === null) throw new RdbError('short', 'Unexpected end of the payload');
    this.shift(this.pending === null ? this.at : this.kept);
    while (this.end - this.at < bytes) {
      if (this.end === this.buffer.length) this.grow(this.at + bytes);
      const got = this.source(this.buffer, this.end, this.buffer.length - this.end);
      if (got === 0 && this.pending?.()) throw MORE_NEEDED;
      if (got === 0) throw new RdbError('short', 'Unexpected EOF reading RDB file');
      this.end += got;
    }
    if (this.buffer.length > WINDOW * 64 && bytes < WINDOW && this.end < WINDOW) this.replace(new Uint8Array(WINDOW));
  }

  /** Lets the window begin at what lies at `from` in it. */
  private shift(from: number): void {
    if (from === 0) return;
    this.sumUp(from);
    this.before += from;
    this.buffer.copyWithin(0, from, this.end);
    this.end -= from;
    this.at -= from;
    this.kept = 0;
    this.summed = 0;
  }

  private grow(bytes: number): void {
    this.replace(roomFor(Math.min(bytes, this.buffer.length * 2)));
  }

  private replace(fresh: Uint8Array): void {
    copyBytes(fresh, 0, this.buffer, 0, this.end);
    this.buffer = fresh;
    this.numbers = null;
  }

  private get words(): DataView {
    const { buffer } = this;
    this.numbers ??= new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    return this.numbers;
  }
}

/** The largest length there is stands, in Redis, for one that could not be read. */
function sensible(length: number): number {
  if (length >= TWO_64) throw new RdbError('short', 'Unexpected EOF reading RDB file');
  return length;
}

/** Throws where no array of the heap can be so long, or memory has run out. */
function roomFor(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch {
    throw new OutOfMemory(`no room for ${length} bytes`);
  }
}

/** Bytes that outlive the next reading: of a key while its value is read. */
export class Room {
  private bytes = new Uint8Array(256);

  take(source: Slice, into: Slice): Slice {
    const { length } = source;
    let { bytes } = this;
    if (bytes.length < length) bytes = roomFor(length > LARGE ? length : 2 * length);
    if (length <= LARGE) this.bytes = bytes;
    copyBytes(bytes, 0, source.buffer, source.start, length);
    return into.set(bytes, 0, length);
  }
}
