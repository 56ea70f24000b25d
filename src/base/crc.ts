/**
 * Checksums of Redis's formats.
 *   CRC16-XMODEM: polynomial 1021, most significant bit first; cluster slots are its lower 14 bits.
 *   CRC64-Jones:  polynomial ad93d23594c935a9 reflected, start 0, no final inversion; RDB files, DUMP, DEBUG. Kept as
 *                 two 32-bit halves so that no bigint is made per byte.
 */
import type { Slice } from './slice.ts';

// The tables are made when they are first used: most starts need none.

/** Eight tables: of a byte, and of a byte followed by one to seven zeros, so that eight bytes are taken at a time. */
const CRC16 = new Uint16Array(8 * 256);

function fillCrc16(): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    CRC16[byte] = crc;
  }
  for (let at = 256; at < CRC16.length; at++) {
    const before = CRC16[at - 256];
    CRC16[at] = (before << 8) ^ CRC16[before >>> 8];
  }
}

export function crc16(s: Slice): number {
  return crc16Of(s.buffer, s.start, s.start + s.length, -1);
}

/** The same of the bytes from `from` to `to` (exclusive) of a buffer; -1 where `not` is one of them. */
export function crc16Of(buffer: Uint8Array, from: number, to: number, not: number): number {
  if (CRC16[1] === 0) fillCrc16();
  let crc = 0;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const a = buffer[at];
    const b = buffer[at + 1];
    const c = buffer[at + 2];
    const d = buffer[at + 3];
    const e = buffer[at + 4];
    const f = buffer[at + 5];
    const g = buffer[at + 6];
    const h = buffer[at + 7];
    if (a === not || b === not || c === not || d === not || e === not || f === not || g === not || h === not) return -1;
    crc =
      CRC16[1792 + ((crc >>> 8) ^ a)] ^
      CRC16[1536 + ((crc & 255) ^ b)] ^
      CRC16[1280 + c] ^
      CRC16[1024 + d] ^
      CRC16[768 + e] ^
      CRC16[512 + f] ^
      CRC16[256 + g] ^
      CRC16[h];
  }
  for (; at < to; at++) {
    const byte = buffer[at];
    if (byte === not) return -1;
    crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >>> 8) ^ byte];
  }
  return crc;
}

/** ad93d23594c935a9 with its bits reversed. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

/** Eight tables: of a byte, and of a byte followed by one to seven zeros, so that eight bytes are taken at a time. */
const HIGH = new Int32Array(8 * 256);
const LOW = new Int32Array(8 * 256);

function fillCrc64(): void {
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= POLYNOMIAL_LOW;
        high ^= POLYNOMIAL_HIGH;
      }
    }
    HIGH[byte] = high;
    LOW[byte] = low;
  }
  for (let table = 1; table < 8; table++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = (table - 1) * 256 + byte;
      const index = LOW[before] & 255;
      LOW[table * 256 + byte] = ((LOW[before] >>> 8) | (HIGH[before] << 24)) ^ LOW[index];
      HIGH[table * 256 + byte] = (HIGH[before] >>> 8) ^ HIGH[index];
    }
  }
}

/** Words are taken where they have the order of the tables: a quarter faster than eight single bytes. */
const IN_WORDS = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Fewer bytes than this are not worth a view over their words. */
const WORTH_WORDS = 64;

/** A CRC64-Jones under way. */
export class Crc64 {
  high = 0;
  low = 0;

  reset(): this {
    this.high = 0;
    this.low = 0;
    return this;
  }

  update(bytes: Uint8Array, start = 0, length = bytes.length - start): this {
    if (LOW[1] === 0) fillCrc64();
    const end = start + length;
    let at = start;
    if (IN_WORDS && length >= WORTH_WORDS) {
      at += -(bytes.byteOffset + start) & 3;
      this.bytes(bytes, start, at);
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, ((end - at) >>> 3) << 1);
      this.words(words);
      at += words.byteLength;
    }
    this.bytes(bytes, at, end);
    this.high >>>= 0;
    this.low >>>= 0;
    return this;
  }

  private bytes(bytes: Uint8Array, start: number, end: number): void {
    let { high, low } = this;
    for (let at = start; at < end; at++) {
      const index = (low ^ bytes[at]) & 255;
      low = ((low >>> 8) | (high << 24)) ^ LOW[index];
      high = (high >>> 8) ^ HIGH[index];
    }
    this.high = high;
    this.low = low;
  }

  /** An even number of words. */
  private words(words: Int32Array): void {
    let { high, low } = this;
    for (let i = 0; i < words.length; i += 2) {
      const a = low ^ words[i];
      const b = high ^ words[i + 1];
      const i0 = 1792 + (a & 255);
      const i1 = 1536 + ((a >>> 8) & 255);
      const i2 = 1280 + ((a >>> 16) & 255);
      const i3 = 1024 + (a >>> 24);
      const i4 = 768 + (b & 255);
      const i5 = 512 + ((b >>> 8) & 255);
      const i6 = 256 + ((b >>> 16) & 255);
      const i7 = b >>> 24;
      low = LOW[i0] ^ LOW[i1] ^ LOW[i2] ^ LOW[i3] ^ LOW[i4] ^ LOW[i5] ^ LOW[i6] ^ LOW[i7];
      high = HIGH[i0] ^ HIGH[i1] ^ HIGH[i2] ^ HIGH[i3] ^ HIGH[i4] ^ HIGH[i5] ^ HIGH[i6] ^ HIGH[i7];
    }
    this.high = high;
    this.low = low;
  }

  /** Writes the sum as eight bytes, least significant first, as it ends an RDB file or a DUMP. */
  write(target: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) {
      target[at + i] = this.low >>> (8 * i);
      target[at + 4 + i] = this.high >>> (8 * i);
    }
  }

  /** Whether the sum is what `write` would put there. */
  equals(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < 4; i++) {
      if (bytes[at + i] !== ((this.low >>> (8 * i)) & 255)) return false;
      if (bytes[at + 4 + i] !== ((this.high >>> (8 * i)) & 255)) return false;
    }
    return true;
  }

  value(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }
}

export function crc64(bytes: Uint8Array, start = 0, length = bytes.length - start): bigint {
  return new Crc64().update(bytes, start, length).value();
}
