/**
 * Strings of bits: counting, finding, combining. Bit 0 is the highest of the first byte, as SETBIT numbers them.
 *
 * Long runs are counted and searched by words of 32 bits and combined by lanes of 64 wherever their bytes lie on multiples;
 * the words' byte order matters to none of the loops.
 */

import { copyBytes } from '../base/copy.ts';
import { compareParts, type Slice } from '../base/slice.ts';

/** Below this many bytes a view of words costs more than it saves. */
const WORDS_FROM = 128;

/** Bits that are set in a 32-bit word. */
function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function onesInBytes(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (; from < to; from++) count += ones(bytes[from]);
  return count;
}

/**
 * Eight words a turn through carry-save adders: of every place, `single` keeps the count modulo 2, `pairs` modulo 4, `fours`
 * modulo 8, and what overflows is counted as eights.
 */
function onesInWords(words: Uint32Array, from: number, to: number): number {
  let eights = 0;
  let single = 0;
  let pairs = 0;
  let fours = 0;
  for (const end = from + ((to - from) & ~7); from < end; from += 8) {
    let a = words[from];
    let b = words[from + 1];
    let both = single ^ a;
    const pairA = (single & a) | (both & b);
    single = both ^ b;
    a = words[from + 2];
    b = words[from + 3];
    both = single ^ a;
    const pairB = (single & a) | (both & b);
    single = both ^ b;
    both = pairs ^ pairA;
    const fourA = (pairs & pairA) | (both & pairB);
    pairs = both ^ pairB;
    a = words[from + 4];
    b = words[from + 5];
    both = single ^ a;
    const pairC = (single & a) | (both & b);
    single = both ^ b;
    a = words[from + 6];
    b = words[from + 7];
    both = single ^ a;
    const pairD = (single & a) | (both & b);
    single = both ^ b;
    both = pairs ^ pairC;
    const fourB = (pairs & pairC) | (both & pairD);
    pairs = both ^ pairD;
    both = fours ^ fourA;
    eights += ones((fours & fourA) | (both & fourB));
    fours = both ^ fourB;
  }
  let count = eights * 8 + ones(fours) * 4 + ones(pairs) * 2 + ones(single);
  for (; from < to; from++) count += ones(words[from]);
  return count;
}

/** Bits that are set in `bytes` from byte `from` to byte `to` (exclusive). */
export function countBits(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < WORDS_FROM) return onesInBytes(bytes, from, to);
  const offset = bytes.byteOffset;
  const first = from + (-(offset + from) & 3);
  const words = (to - first) >>> 2;
  const last = first + words * 4;
  return (
    onesInBytes(bytes, from, first) +
    onesInWords(new Uint32Array(bytes.buffer, offset + first, words), 0, words) +
    onesInBytes(bytes, last, to)
  );
}

/** Bytes that are compared with as many fillers by one call into Node. */
const BLOCK = 16 * 1024;
const FILLERS = { zeros: new Uint8Array(0), ones: new Uint8Array(0) };

/** A block of fillers, made when it is first needed. */
function fillers(filler: number): Uint8Array {
  if (FILLERS.zeros.length === 0) {
    FILLERS.zeros = new Uint8Array(BLOCK);
    FILLERS.ones = new Uint8Array(BLOCK).fill(255);
  }
  return filler === 0 ? FILLERS.zeros : FILLERS.ones;
}

/** The first byte from `from` to `to` (exclusive) that isn't `filler` (0 or 255), `to` when there is none. */
function firstUnlike(bytes: Uint8Array, from: number, to: number, filler: number): number {
  while (to - from >= BLOCK && compareParts.call(bytes, fillers(filler), 0, BLOCK, from, from + BLOCK) === 0)
    from += BLOCK;
  const end = to - from < BLOCK ? to : from + BLOCK;
  let at = to - from < WORDS_FROM ? from : firstWordUnlike(bytes, from, end, filler);
  while (at < to && bytes[at] === filler) at++;
  return at;
}

/** Where the first word begins that isn't all filler; at most three bytes before `to`, or at it, when there is none. */
function firstWordUnlike(bytes: Uint8Array, from: number, to: number, filler: number): number {
  const offset = bytes.byteOffset;
  const first = from + (-(offset + from) & 3);
  for (; from < first; from++) if (bytes[from] !== filler) return from;
  const words = new Uint32Array(bytes.buffer, offset + first, (to - first) >>> 2);
  const word = filler === 0 ? 0 : 0xffffffff;
  let i = 0;
  while (i < words.length && words[i] === word) i++;
  return first + i * 4;
}

/**
 * The first bit equal to `bit` among bits `from` to `to` (inclusive), counted from byte `start` of `bytes`; -1 when there is
 * none.
 */
export function findBit(bytes: Uint8Array, start: number, bit: number, from: number, to: number): number {
  const filler = bit === 1 ? 0 : 255;
  const last = to >= 8 ? Math.floor(to / 8) : 0;
  let at = Math.floor(from / 8);
  // Bits before `from` are made to look like those that are passed over.
  const before = 0xff & ~(0xff >>> (from - at * 8));
  let byte = bit === 1 ? bytes[start + at] & ~before : bytes[start + at] | before;
  if (byte === filler) {
    at = firstUnlike(bytes, start + at + 1, start + last + 1, filler) - start;
    if (at > last) return -1;
    byte = bytes[start + at];
  }
  const found = at * 8 + Math.clz32((byte ^ filler) << 24);
  return found <= to ? found : -1;
}

export const BITS_AND = 0;
export const BITS_OR = 1;
export const BITS_XOR = 2;
export const BITS_NOT = 3;
export type BitOperation = 0 | 1 | 2 | 3;

/** Bytes that are worked through all sources before the next: they stay in the cache meanwhile. */
const STRETCH = 32 * 1024;

/** A string, and the 64-bit lanes behind its first `head` bytes: V8 combines them twice as fast as words, without a bigint. */
interface Operand {
  readonly bytes: Slice;
  /** One for all long strings of the image; -1 for what is too short to have lanes. */
  readonly head: number;
  readonly lanes: BigInt64Array;
}

const NO_LANES = new BigInt64Array(0);

function operandOf(bytes: Slice): Operand {
  const { buffer, start, length } = bytes;
  if (length < WORDS_FROM) return { bytes, head: -1, lanes: NO_LANES };
  const at = buffer.byteOffset + start;
  const head = -at & 7;
  return { bytes, head, lanes: new BigInt64Array(buffer.buffer, at + head, (length - head) >>> 3) };
}

function combineBytes(operation: BitOperation, target: Slice, source: Slice, from: number, to: number): void {
  const x = target.buffer;
  const y = source.buffer;
  let i = target.start + from;
  let j = source.start + from;
  const end = target.start + to;
  if (operation === BITS_AND) for (; i < end; i++, j++) x[i] &= y[j];
  else if (operation === BITS_OR) for (; i < end; i++, j++) x[i] |= y[j];
  else for (; i < end; i++, j++) x[i] ^= y[j];
}

/** A multiple of four lanes: four a turn take two thirds of the time. */
function combineLanes(operation: BitOperation, x: BigInt64Array, y: BigInt64Array, from: number, to: number): void {
  if (operation === BITS_AND) {
    for (let i = from; i < to; i += 4) {
      x[i] &= y[i];
      x[i + 1] &= y[i + 1];
      x[i + 2] &= y[i + 2];
      x[i + 3] &= y[i + 3];
    }
  } else if (operation === BITS_OR) {
    for (let i = from; i < to; i += 4) {
      x[i] |= y[i];
      x[i + 1] |= y[i + 1];
      x[i + 2] |= y[i + 2];
      x[i + 3] |= y[i + 3];
    }
  } else {
    for (let i = from; i < to; i += 4) {
      x[i] ^= y[i];
      x[i + 1] ^= y[i + 1];
      x[i + 2] ^= y[i + 2];
      x[i + 3] ^= y[i + 3];
    }
  }
}

function combine(operation: BitOperation, target: Operand, source: Operand, from: number, to: number): void {
  const { head } = target;
  const first = (from - head + 7) >> 3;
  const last = first + ((((to - head) >> 3) - first) & ~3);
  if (head !== source.head || head < 0 || first >= last) {
    combineBytes(operation, target.bytes, source.bytes, from, to);
    return;
  }
  combineBytes(operation, target.bytes, source.bytes, from, head + first * 8);
  combineLanes(operation, target.lanes, source.lanes, first, last);
  combineBytes(operation, target.bytes, source.bytes, head + last * 8, to);
}

/** The same of one string, by way of exclusive or: V8 makes bigints for `~`. */
function invertLanes(x: BigInt64Array, count: number): void {
  for (let i = 0; i < count; i += 4) {
    x[i] ^= -1n;
    x[i + 1] ^= -1n;
    x[i + 2] ^= -1n;
    x[i + 3] ^= -1n;
  }
}

function invertBytes(x: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) x[i] ^= 0xff;
}

function invert({ bytes: { buffer, start, length }, head, lanes }: Operand): void {
  const first = start + Math.max(head, 0);
  invertBytes(buffer, start, first);
  const count = lanes.length & ~3;
  invertLanes(lanes, count);
  invertBytes(buffer, first + count * 8, start + length);
}

/**
 * Writes what the operation makes of the sources into `target`, which is as long as the longest of them and overlaps none;
 * a shorter source goes on as zeroes. NOT takes one source.
 */
export function combineBits(operation: BitOperation, target: Slice, sources: readonly Slice[]): void {
  const whole = operandOf(target);
  const others = sources.slice(1).map(operandOf);
  for (let from = 0; from < target.length; from += STRETCH) {
    const to = Math.min(from + STRETCH, target.length);
    for (let k = 0; k < sources.length; k++) {
      const source = sources[k];
      const end = Math.max(from, Math.min(to, source.length));
      if (k === 0) copyBytes(target.buffer, target.start + from, source.buffer, source.start + from, end - from);
      else combine(operation, whole, others[k - 1], from, end);
      if (end < to && (k === 0 || operation === BITS_AND)) target.buffer.fill(0, target.start + end, target.start + to);
    }
  }
  if (operation === BITS_NOT) invert(whole);
}

/** The `width` bits (at most 53) from bit `offset` of `value`, the highest first; what lies behind its end is zero. */
export function readField(value: Slice, offset: number, width: number): number {
  let field = 0;
  while (width > 0) {
    const at = Math.floor(offset / 8);
    const left = 8 - (offset & 7);
    const taken = width < left ? width : left;
    const byte = at < value.length ? value.buffer[value.start + at] : 0;
    field = field * (1 << taken) + ((byte >>> (left - taken)) & ((1 << taken) - 1));
    offset += taken;
    width -= taken;
  }
  return field;
}

/** Writes `field`, which has at most `width` bits (at most 53), over the bits from `offset` on; they must be there. */
export function writeField(value: Slice, offset: number, width: number, field: number): void {
  while (width > 0) {
    const at = value.start + Math.floor(offset / 8);
    const left = 8 - (offset & 7);
    const taken = width < left ? width : left;
    const mask = (1 << taken) - 1;
    const part = Math.floor(field / 2 ** (width - taken)) & mask;
    const shift = left - taken;
    value.buffer[at] = (value.buffer[at] & ~(mask << shift)) | (part << shift);
    field -= part * 2 ** (width - taken);
    offset += taken;
    width -= taken;
  }
}
