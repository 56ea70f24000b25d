/**
 * Checksums of Redis's formats.
 *   CRC16-XMODEM: polynomial 1021, most significant bit first; cluster slots are its lower 14 bits.
 *   CRC64-Jones:  polynomial ad93d23594c935a9 reflected, start 0, no final inversion; RDB files, DUMP, DEBUG. Kept as
 *                 two 32-bit halves, with sign, so that no bigint is made per byte and V8 holds both as small integers;
 *                 of long runs sixteen bytes a turn are looked up in tables of 64-bit lanes.
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

/** Whether the low half of a lane comes first, and words are as the tables take them; else all goes byte by byte. */
const IN_WORDS = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const LOW = IN_WORDS ? 0 : 1;
const HIGH = 1 - LOW;

/** Sixteen tables: of a byte, and of a byte followed by one to fifteen zeros, so that sixteen bytes are taken at a time. */
const CRC64 = new BigInt64Array(16 * 256);
const CRC64_HALVES = new Int32Array(CRC64.buffer);
/** The sum between two turns of the loop: written as a whole, read in halves. V8 makes no bigint on the way. */
const SUM = new BigInt64Array(1);
const SUM_HALVES = new Int32Array(SUM.buffer);

function fillCrc64(): void {
  const halves = CRC64_HALVES;
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
    halves[2 * byte + HIGH] = high;
    halves[2 * byte + LOW] = low;
  }
  for (let at = 256; at < CRC64.length; at++) {
    const low = halves[2 * (at - 256) + LOW];
    const high = halves[2 * (at - 256) + HIGH];
    const index = low & 255;
    halves[2 * at + LOW] = ((low >>> 8) | (high << 24)) ^ halves[2 * index + LOW];
    halves[2 * at + HIGH] = (high >>> 8) ^ halves[2 * index + HIGH];
  }
}

/** Fewer bytes than this are not worth a view over their words. */
const WORTH_WORDS = 64;

/** No loop is so long that V8 compiles it from within: such code has never seen how the loop ends, and is given up there. */
const WORDS_AT_ONCE = 256;

/** A CRC64-Jones under way. */
export class Crc64 {
  private high = 0;
  private low = 0;

  reset(): this {
    this.high = 0;
    this.low = 0;
    return this;
  }

  update(bytes: Uint8Array, start = 0, length = bytes.length - start): this {
    if (CRC64[1] === 0n) fillCrc64();
    const end = start + length;
    let at = start;
    if (IN_WORDS && length >= WORTH_WORDS) {
      at += -(bytes.byteOffset + start) & 3;
      this.bytes(bytes, start, at);
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, ((end - at) >>> 4) << 2);
      for (let from = 0; from < words.length; from += WORDS_AT_ONCE)
        this.words(words, from, Math.min(from + WORDS_AT_ONCE, words.length));
      at += words.byteLength;
    }
    this.bytes(bytes, at, end);
    return this;
  }

  private bytes(bytes: Uint8Array, start: number, end: number): void {
    let { high, low } = this;
    for (let at = start; at < end; at++) {
      const index = (low ^ bytes[at]) & 255;
      low = ((low >>> 8) | (high << 24)) ^ CRC64_HALVES[2 * index + LOW];
      high = (high >>> 8) ^ CRC64_HALVES[2 * index + HIGH];
    }
    this.high = high;
    this.low = low;
  }

  /** Words from `from` to `to`, four at a time. */
  private words(words: Int32Array, from: number, to: number): void {
    SUM_HALVES[0] = this.low;
    SUM_HALVES[1] = this.high;
    for (let i = from; i < to; i += 4) {
      const a = SUM_HALVES[0] ^ words[i];
      const b = SUM_HALVES[1] ^ words[i + 1];
      const c = words[i + 2];
      const d = words[i + 3];
      SUM[0] =
        CRC64[3840 + (a & 255)] ^
        CRC64[3584 + ((a >>> 8) & 255)] ^
        CRC64[3328 + ((a >>> 16) & 255)] ^
        CRC64[3072 + (a >>> 24)] ^
        CRC64[2816 + (b & 255)] ^
        CRC64[2560 + ((b >>> 8) & 255)] ^
        CRC64[2304 + ((b >>> 16) & 255)] ^
        CRC64[2048 + (b >>> 24)] ^
        CRC64[1792 + (c & 255)] ^
        CRC64[1536 + ((c >>> 8) & 255)] ^
        CRC64[1280 + ((c >>> 16) & 255)] ^
        CRC64[1024 + (c >>> 24)] ^
        CRC64[768 + (d & 255)] ^
        CRC64[512 + ((d >>> 8) & 255)] ^
        CRC64[256 + ((d >>> 16) & 255)] ^
        CRC64[d >>> 24];
    }
    this.low = SUM_HALVES[0];
    this.high = SUM_HALVES[1];
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

  /** As hexadecimal digits, without zeros in front. */
  digits(): string {
    return this.value().toString(16);
  }

  value(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }
}

export function crc64(bytes: Uint8Array, start = 0, length = bytes.length - start): bigint {
  return new Crc64().update(bytes, start, length).value();
}
