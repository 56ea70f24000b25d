/** Where a snapshot's bytes go: lengths, strings and numbers in Redis's forms, summed up and handed on in chunks. */
import { Crc64 } from '../../base/crc.ts';
import { lzfCompress } from '../../base/lzf.ts';
import { parseInteger } from '../../base/numbers.ts';
import type { Slice } from '../../base/slice.ts';
import { type ByteSink, ChunkedOutput } from '../chunks.ts';

/** A longer text is no 32-bit integer. */
const LONGEST_INT32 = 11;
/** A shorter string is not worth packing, nor one that packing shortens by less. */
const PACK_FROM = 21;
const PACK_GAIN = 4;
/** Room for the packed form of a longer string is not kept. */
const KEPT = 1024 * 1024;
const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

export interface RdbOutputOptions {
  /** rdbcompression */
  readonly compress: boolean;
  /** rdbchecksum */
  readonly checksum: boolean;
  readonly sink: ByteSink;
}

export class RdbOutput extends ChunkedOutput {
  private compress: boolean;
  private readonly sum: Crc64 | null;
  private readonly words = new DataView(this.buffer.buffer);
  private flushed = 0;
  private packing = new Uint8Array(1024);

  constructor(options: RdbOutputOptions) {
    super(options.sink);
    this.compress = options.compress;
    this.sum = options.checksum ? new Crc64() : null;
  }

  /** Begins anew, whatever came of what was written before. */
  begin(compress: boolean): void {
    this.compress = compress;
    this.sum?.reset();
    this.flushed = 0;
    this.at = 0;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.flushed + this.at;
  }

  u8(value: number): void {
    this.byte(value);
  }

  u16(value: number): void {
    this.room(2);
    this.words.setUint16(this.at, value, true);
    this.at += 2;
  }

  u32(value: number): void {
    this.room(4);
    this.words.setUint32(this.at, value, true);
    this.at += 4;
  }

  /** A whole number in eight bytes, the least significant first; the largest there is for what has been rounded up to 2^63. */
  i64(value: number): void {
    this.room(8);
    const beyond = value >= TWO_63;
    this.words.setUint32(this.at, beyond ? 0xffffffff : value >>> 0, true);
    this.words.setInt32(this.at + 4, beyond ? 0x7fffffff : Math.floor(value / TWO_32), true);
    this.at += 8;
  }

  f64(value: number): void {
    this.room(8);
    this.words.setFloat64(this.at, value, true);
    this.at += 8;
  }

  size(value: number): void {
    this.room(9);
    if (value < 64) {
      this.buffer[this.at++] = value;
    } else if (value < 16384) {
      this.buffer[this.at++] = 0x40 | (value >>> 8);
      this.buffer[this.at++] = value;
    } else if (value < TWO_32) {
      this.buffer[this.at++] = 0x80;
      this.words.setUint32(this.at, value);
      this.at += 4;
    } else {
      this.buffer[this.at++] = 0x81;
      this.words.setUint32(this.at, Math.floor(value / TWO_32));
      this.words.setUint32(this.at + 4, value >>> 0);
      this.at += 8;
    }
  }

  /** A length of 64 bits in two halves, for what numbers can't hold (the parts of a stream's ID). */
  sizeWords(high: number, low: number): void {
    if (high === 0) {
      this.size(low);
      return;
    }
    this.room(9);
    this.buffer[this.at++] = 0x81;
    this.words.setUint32(this.at, high);
    this.words.setUint32(this.at + 4, low);
    this.at += 8;
  }

  bytes(source: Uint8Array, start: number, length: number): void {
    this.raw(source, start, length);
  }

  /** A string in the shortest form there is. */
  string(s: Slice): void {
    const { length } = s;
    if (length <= LONGEST_INT32 && length > 0 && this.asInteger(s)) return;
    if (this.compress && length >= PACK_FROM && this.packed(s)) return;
    this.size(length);
    this.bytes(s.buffer, s.start, length);
  }

  /** A string that lies there under LZF already. */
  packedString(s: Slice, unpackedLength: number): void {
    this.u8(0xc3);
    this.size(s.length);
    this.size(unpackedLength);
    this.bytes(s.buffer, s.start, s.length);
  }

  text(text: string): void {
    this.characters(text);
  }

  /** The sum over all so far, zero where none is kept; then everything is handed on. */
  finish(): void {
    this.room(8);
    this.buffer.fill(0, this.at, this.at + 8);
    this.sum?.update(this.buffer, 0, this.at).write(this.buffer, this.at);
    this.at += 8;
    super.handOn(this.buffer.subarray(0, this.at));
    this.flushed += this.at;
    this.at = 0;
  }

  protected override handOn(bytes: Uint8Array): void {
    this.sum?.update(bytes);
    super.handOn(bytes);
    this.flushed += bytes.length;
  }

  private asInteger(s: Slice): boolean {
    const first = s.buffer[s.start];
    if (first > 57 || first < 45) return false;
    const value = parseInteger(s);
    if (value !== (value | 0)) return false;
    if (value >= -128 && value <= 127) {
      this.u8(0xc0);
      this.u8(value);
    } else if (value >= -32768 && value <= 32767) {
      this.u8(0xc1);
      this.u16(value);
    } else {
      this.u8(0xc2);
      this.u32(value);
    }
    return true;
  }

  private packed(s: Slice): boolean {
    const { length } = s;
    const packing = this.packing.length < length ? new Uint8Array(length) : this.packing;
    if (length <= KEPT) this.packing = packing;
    const packed = lzfCompress(s, packing, length - PACK_GAIN);
    if (packed === 0) return false;
    this.u8(0xc3);
    this.size(packed);
    this.size(length);
    this.bytes(packing, 0, packed);
    return true;
  }
}
