/**
 * A stream ID: two unsigned 64-bit numbers, milliseconds and a sequence, ordered as one number of 128 bits.
 *
 * JavaScript's numbers are exact to 2^53, so an ID is four words, the highest first. In the image it lies the same way,
 * each word little-endian like every u32 there:
 *
 *   0 ms high u32 | 4 ms low u32 | 8 seq high u32 | 12 seq low u32
 */
import { writeInteger } from '../base/numbers.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';

const TWO_32 = 4294967296;
const HIGHEST = 0xffffffff;
/** A number below 2^53 has a high word below this. */
const SAFE_HIGH = 0x200000;

export const ID_BYTES = 16;
/** "18446744073709551615-18446744073709551615" */
export const ID_TEXT_MAX = 41;

export class StreamId {
  msHigh = 0;
  msLow = 0;
  seqHigh = 0;
  seqLow = 0;

  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    this.msHigh = msHigh;
    this.msLow = msLow;
    this.seqHigh = seqHigh;
    this.seqLow = seqLow;
    return this;
  }

  like(other: StreamId): this {
    return this.set(other.msHigh, other.msLow, other.seqHigh, other.seqLow);
  }

  /** From safe integers. */
  from(ms: number, seq: number): this {
    return this.set(Math.floor(ms / TWO_32), ms >>> 0, Math.floor(seq / TWO_32), seq >>> 0);
  }

  toLowest(): this {
    return this.set(0, 0, 0, 0);
  }

  toHighest(): this {
    return this.set(HIGHEST, HIGHEST, HIGHEST, HIGHEST);
  }

  get isZero(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0;
  }

  get isHighest(): boolean {
    return this.msHigh === HIGHEST && this.msLow === HIGHEST && this.seqHigh === HIGHEST && this.seqLow === HIGHEST;
  }

  get seqIsHighest(): boolean {
    return this.seqHigh === HIGHEST && this.seqLow === HIGHEST;
  }

  sameMs(other: StreamId): boolean {
    return this.msHigh === other.msHigh && this.msLow === other.msLow;
  }

  equals(other: StreamId): boolean {
    return this.sameMs(other) && this.seqHigh === other.seqHigh && this.seqLow === other.seqLow;
  }

  /** Negative, zero or positive. */
  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return this.msHigh - other.msHigh;
    if (this.msLow !== other.msLow) return this.msLow - other.msLow;
    if (this.seqHigh !== other.seqHigh) return this.seqHigh - other.seqHigh;
    return this.seqLow - other.seqLow;
  }

  /** To the next ID; false, and nothing is changed, where there is none. */
  increment(): boolean {
    if (this.isHighest) return false;
    if (this.seqLow !== HIGHEST) this.seqLow++;
    else {
      this.seqLow = 0;
      if (this.seqHigh !== HIGHEST) this.seqHigh++;
      else {
        this.seqHigh = 0;
        if (this.msLow !== HIGHEST) this.msLow++;
        else {
          this.msLow = 0;
          this.msHigh++;
        }
      }
    }
    return true;
  }

  /** To the ID before; false, and nothing is changed, where there is none. */
  decrement(): boolean {
    if (this.isZero) return false;
    if (this.seqLow !== 0) this.seqLow--;
    else {
      this.seqLow = HIGHEST;
      if (this.seqHigh !== 0) this.seqHigh--;
      else {
        this.seqHigh = HIGHEST;
        if (this.msLow !== 0) this.msLow--;
        else {
          this.msLow = HIGHEST;
          this.msHigh--;
        }
      }
    }
    return true;
  }

  read(r: Reader, a: Addr, off: number): this {
    return this.set(r.u32(a, off), r.u32(a, off + 4), r.u32(a, off + 8), r.u32(a, off + 12));
  }

  write(m: Memory, a: Addr, off: number): void {
    m.setU32(a, off, this.msHigh);
    m.setU32(a, off + 4, this.msLow);
    m.setU32(a, off + 8, this.seqHigh);
    m.setU32(a, off + 12, this.seqLow);
  }

  /** Writes "ms-seq" (or with another separator's byte) at `at` and returns where it ends. */
  writeText(target: Uint8Array, at: number, separator = 45): number {
    const end = writeWords(target, at, this.msHigh, this.msLow);
    target[end] = separator;
    return this.writeSequence(target, end + 1);
  }

  /** The sequence alone. */
  writeSequence(target: Uint8Array, at: number): number {
    return writeWords(target, at, this.seqHigh, this.seqLow);
  }

  get text(): string {
    return `${wordsToBigInt(this.msHigh, this.msLow)}-${wordsToBigInt(this.seqHigh, this.seqLow)}`;
  }
}

export function wordsToBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function writeWords(target: Uint8Array, at: number, high: number, low: number): number {
  if (high < SAFE_HIGH) return writeInteger(target, at, high * TWO_32 + low);
  const text = wordsToBigInt(high, low).toString();
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  return at;
}
