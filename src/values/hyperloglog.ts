/**
 * HyperLogLogs: strings in Redis's format, so that they can be read with GET and written with SET.
 *
 *   0  "HYLL"
 *   4  u8   0 dense, 1 sparse
 *   5  3 bytes, unused
 *   8  u64  the cached cardinality, little-endian; its highest bit says that it is out of date
 *   16      dense: 16384 registers of 6 bits, the lowest bits first (12288 bytes); sparse: opcodes (hyperloglog-sparse.ts)
 *
 * An element's hash chooses a register with its lowest 14 bits; the register keeps the largest rank (zeroes from the lowest
 * bit on, plus one) of what lies above them. A sparse one becomes dense for good when a rank is above 32, or when it would
 * grow beyond `sparseMax` bytes.
 *
 * `root` is the string's address and moves when the string grows; whoever bound it must put it back.
 */
import { murmur, murmurHash64 } from '../base/murmur.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import {
  sdsByte,
  sdsBytes,
  sdsFree,
  sdsGrow,
  sdsLength,
  sdsMove,
  sdsNew,
  sdsSetByte,
  sdsTruncate,
  sdsWritable,
  sdsWrite,
  sdsZeroes,
} from '../structures/sds.ts';
import { estimate, RANK_BITS, REGISTERS } from './hyperloglog-estimate.ts';
import {
  canMerge,
  eachRun,
  merged,
  Run,
  SPARSE_VALUE_MAX,
  sparseText,
  writeSplit,
  writeZeroes,
} from './hyperloglog-sparse.ts';

export const HLL_DENSE = 0;
const HLL_SPARSE = 1;
const ENCODING = 4;
const CACHE = 8;
const HEADER = 16;
const REGISTER_BITS = 6;
const DENSE_BYTES = HEADER + (REGISTERS * REGISTER_BITS) / 8;
const INDEX_BITS = 14;
const SEED = 0xadc83b19 | 0;
const STALE = 0x80;

/** What adding did: found the string corrupt, changed nothing, changed a register. */
export const HLL_CORRUPT = -1;
const HLL_SAME = 0;
export const HLL_CHANGED = 1;

const MAGIC = [0x48, 0x59, 0x4c, 0x4c] as const;

const shown = new Slice();
const run = new Run();
const sequence = new Slice(new Uint8Array(5));
const histogram = new Uint32Array(64);

/** Whether a string has the header and, when dense, the length of a HyperLogLog. */
export function isHyperLogLog(value: Slice): boolean {
  if (value.length < HEADER || MAGIC.some((byte, i) => value.at(i) !== byte)) return false;
  const encoding = value.at(ENCODING);
  return encoding === HLL_SPARSE || (encoding === HLL_DENSE && value.length === DENSE_BYTES);
}

/** An empty sparse one: its cached cardinality 0 is true. */
export function newHyperLogLog(m: Memory): Addr {
  const bytes = new Uint8Array(HEADER + 2);
  bytes.set(MAGIC);
  bytes[ENCODING] = HLL_SPARSE;
  writeZeroes(bytes, HEADER, REGISTERS);
  return sdsNew(m, new Slice(bytes));
}

/** Reads register `index` of the packed ones that begin at `at`. */
function getRegister(bytes: Uint8Array, at: number, index: number): number {
  const bit = index * REGISTER_BITS;
  const byte = at + (bit >>> 3);
  return ((bytes[byte] | (bytes[byte + 1] << 8)) >>> (bit & 7)) & 63;
}

function setRegister(bytes: Uint8Array, at: number, index: number, value: number): void {
  const bit = index * REGISTER_BITS;
  const byte = at + (bit >>> 3);
  const shift = bit & 7;
  bytes[byte] = (bytes[byte] & ~(63 << shift)) | (value << shift);
  // Registers that begin in the last two bits of a byte and the ones before end in the next.
  if (shift > 2) bytes[byte + 1] = (bytes[byte + 1] & ~(63 >>> (8 - shift))) | (value >>> (8 - shift));
}

/** The rank that the last hash gives its register. */
function rankOfHash(): number {
  const low = murmur.low >>> INDEX_BITS;
  if (low !== 0) return 32 - Math.clz32(low & -low);
  if (murmur.high !== 0) return 32 - INDEX_BITS + 32 - Math.clz32(murmur.high & -murmur.high);
  return RANK_BITS + 1;
}

export function encodingOf(value: Slice): number {
  return value.at(ENCODING);
}

/** Raises `registers`, one to a byte, to those of a HyperLogLog; false when it is corrupt. */
export function mergeRegisters({ buffer, start, length }: Slice, registers: Uint8Array): boolean {
  if (buffer[start + ENCODING] === HLL_DENSE) {
    // Four packed registers lie in three bytes.
    for (let i = 0, at = start + HEADER; i < REGISTERS; i += 4, at += 3) {
      const four = buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16);
      if ((four & 63) > registers[i]) registers[i] = four & 63;
      if (((four >>> 6) & 63) > registers[i + 1]) registers[i + 1] = (four >>> 6) & 63;
      if (((four >>> 12) & 63) > registers[i + 2]) registers[i + 2] = (four >>> 12) & 63;
      if (four >>> 18 > registers[i + 3]) registers[i + 3] = four >>> 18;
    }
    return true;
  }
  return eachRun(buffer, start + HEADER, start + length, (first, count, value) => {
    // Most of a sparse one are runs of thousands that raise nothing.
    if (value === 0) return;
    for (let i = first; i < first + count; i++) if (registers[i] < value) registers[i] = value;
  });
}

/** The opcodes of a sparse one as text. */
export function opcodesOf({ buffer, start, length }: Slice): string {
  return sparseText(buffer, start + HEADER, start + length);
}

/** The cardinality of registers that lie one to a byte. */
export function cardinalityOf(registers: Uint8Array): number {
  histogram.fill(0);
  for (let i = 0; i < REGISTERS; i++) histogram[registers[i] & 63]++;
  return estimate(histogram);
}

export class HyperLogLog {
  root: Addr = NULL;
  private bound: Addr = NULL;
  private readonly m: Memory;

  constructor(memory: Memory) {
    this.m = memory;
  }

  bind(root: Addr): this {
    this.root = root;
    this.bound = root;
    return this;
  }

  /** Whether the string lies elsewhere than where it was bound. */
  get moved(): boolean {
    return this.root !== this.bound;
  }

  get encoding(): number {
    return sdsByte(this.m, this.root, ENCODING);
  }

  /** Counts an element; answers with one of HLL_. */
  add(element: Slice, sparseMax: number): number {
    murmurHash64(element, SEED);
    return this.raise(murmur.low & (REGISTERS - 1), rankOfHash(), sparseMax);
  }

  /** Raises a register to `value` if it is lower; answers with one of HLL_. */
  raise(index: number, value: number, sparseMax: number): number {
    if (this.encoding === HLL_DENSE) return this.raiseDense(index, value);
    if (value <= SPARSE_VALUE_MAX) {
      const done = this.raiseSparse(index, value, sparseMax);
      if (done !== undefined) return done;
    }
    return this.toDense() ? this.raiseDense(index, value) : HLL_CORRUPT;
  }

  /** Raises all registers to those given, one to a byte, which are raised to its own as well. */
  raiseAll(registers: Uint8Array, sparseMax: number): void {
    if (this.encoding !== HLL_DENSE) {
      for (let i = 0; i < REGISTERS; i++) if (registers[i] > 0) this.raise(i, registers[i], sparseMax);
      return;
    }
    const { buffer, start } = sdsWritable(this.m, this.root, 0, DENSE_BYTES, shown);
    mergeRegisters(shown, registers);
    // Four packed registers lie in three bytes.
    for (let i = 0, at = start + HEADER; i < REGISTERS; i += 4, at += 3) {
      const four = registers[i] | (registers[i + 1] << 6) | (registers[i + 2] << 12) | (registers[i + 3] << 18);
      buffer[at] = four;
      buffer[at + 1] = four >>> 8;
      buffer[at + 2] = four >>> 16;
    }
  }

  private raiseDense(index: number, value: number): number {
    const { buffer, start } = sdsBytes(this.m, this.root, shown);
    if (getRegister(buffer, start + HEADER, index) >= value) return HLL_SAME;
    sdsWritable(this.m, this.root, 0, DENSE_BYTES, shown);
    setRegister(shown.buffer, shown.start + HEADER, index, value);
    return HLL_CHANGED;
  }

  /** Undefined when the string would become too long. */
  private raiseSparse(index: number, value: number, sparseMax: number): number | undefined {
    const bytes = sdsBytes(this.m, this.root, shown);
    const end = bytes.start + bytes.length;
    const first = run.find(bytes.buffer, bytes.start + HEADER, end, index);
    if (first < 0) return HLL_CORRUPT;
    if (run.value >= value) return HLL_SAME;
    const width = writeSplit(sequence.buffer, run, index - first, value);
    const more = width - run.width;
    if (more > 0 && bytes.length + more > sparseMax) return undefined;
    const from = run.before - bytes.start;
    this.replace(run.at - bytes.start, run.width, width);
    this.mergeFrom(from);
    this.invalidate();
    return HLL_CHANGED;
  }

  /** Puts the first `width` bytes of `sequence` in place of `old` ones at `at`. */
  private replace(at: number, old: number, width: number): void {
    const { m } = this;
    const length = sdsLength(m, this.root);
    const fresh = length + width - old;
    this.root = sdsGrow(m, this.root, fresh);
    if (width !== old) sdsMove(m, this.root, at + width, at + old, length - at - old);
    sdsTruncate(m, this.root, fresh);
    sequence.length = width;
    sdsWrite(m, this.root, at, sequence);
  }

  /** Joins neighbouring values that fit into one, among the five opcodes from `at` on: more a change can't have touched. */
  private mergeFrom(at: number): void {
    const { m } = this;
    let length = sdsLength(m, this.root);
    for (let left = 5; left > 0 && at < length; left--) {
      const first = sdsByte(m, this.root, at);
      if (at + 1 < length && canMerge(first, sdsByte(m, this.root, at + 1))) {
        sdsSetByte(m, this.root, at + 1, merged(first, sdsByte(m, this.root, at + 1)));
        sdsMove(m, this.root, at, at + 1, length - at - 1);
        sdsTruncate(m, this.root, --length);
      } else {
        at += first >= 0x40 && first < 0x80 ? 2 : 1;
      }
    }
  }

  /** Makes a sparse one dense; false, and nothing changed, when its opcodes make no sense. */
  toDense(): boolean {
    if (this.encoding === HLL_DENSE) return true;
    const { m } = this;
    const dense = sdsZeroes(m, DENSE_BYTES);
    const { buffer, start } = sdsWritable(m, dense, 0, DENSE_BYTES, new Slice());
    const old = sdsBytes(m, this.root, shown);
    for (let i = 0; i < HEADER; i++) buffer[start + i] = old.at(i);
    buffer[start + ENCODING] = HLL_DENSE;
    const valid = eachRun(old.buffer, old.start + HEADER, old.start + old.length, (first, length, value) => {
      if (value > 0) for (let i = 0; i < length; i++) setRegister(buffer, start + HEADER, first + i, value);
    });
    sdsFree(m, valid ? this.root : dense);
    if (valid) this.root = dense;
    return valid;
  }

  /** The estimate, -1 when the string is corrupt. */
  cardinality(): number {
    const { buffer, start, length } = sdsBytes(this.m, this.root, shown);
    histogram.fill(0);
    if (this.encoding === HLL_DENSE) {
      for (let at = start + HEADER, end = start + DENSE_BYTES; at < end; at += 3) {
        const four = buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16);
        histogram[four & 63]++;
        histogram[(four >>> 6) & 63]++;
        histogram[(four >>> 12) & 63]++;
        histogram[four >>> 18]++;
      }
      return estimate(histogram);
    }
    const valid = eachRun(buffer, start + HEADER, start + length, (_, count, value) => {
      histogram[value] += count;
    });
    return valid ? estimate(histogram) : -1;
  }

  /** The values of all registers; of a dense one. */
  registers(): Uint8Array {
    const registers = new Uint8Array(REGISTERS);
    mergeRegisters(sdsBytes(this.m, this.root, shown), registers);
    return registers;
  }

  /** The cached cardinality, undefined when it is out of date; at most 2^63 - 1, as whoever wrote the string has it. */
  get cached(): bigint | undefined {
    const bytes = sdsBytes(this.m, this.root, shown);
    if ((bytes.at(CACHE + 7) & STALE) !== 0) return undefined;
    let value = 0n;
    for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(bytes.at(CACHE + i));
    return value;
  }

  cache(cardinality: number): void {
    for (let i = 0; i < 8; i++) {
      sdsSetByte(this.m, this.root, CACHE + i, cardinality % 256);
      cardinality = Math.floor(cardinality / 256);
    }
  }

  invalidate(): void {
    sdsSetByte(this.m, this.root, CACHE + 7, sdsByte(this.m, this.root, CACHE + 7) | STALE);
  }
}
