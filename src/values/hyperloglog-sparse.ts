/**
 * The opcodes of a sparse HyperLogLog, which tell its registers from the first to the last as runs:
 *
 *   00llllll             ZERO    1 to 64 registers of 0
 *   01llllll llllllll    XZERO   1 to 16384 registers of 0
 *   1vvvvvll             VAL     1 to 4 registers of value 1 to 32
 *
 * Lengths and values are stored less one. The runs of a valid string cover the registers exactly.
 */
import { REGISTERS } from './hyperloglog-estimate.ts';

export const SPARSE_VALUE_MAX = 32;
const ZERO_MAX = 64;
const VAL_MAX = 4;
const XZERO = 0x40;
const VAL = 0x80;

/** A run that was read: scratch, read at once. */
export class Run {
  /** Where its opcode lies, and how many bytes that takes. */
  at = 0;
  width = 0;
  value = 0;
  length = 0;
  before = 0;

  /** Reads the opcode at `at`; false when it does not lie before `end` as a whole. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    const first = bytes[at];
    this.at = at;
    this.width = 1;
    this.value = 0;
    if (first >= VAL) {
      this.value = ((first >>> 2) & 31) + 1;
      this.length = (first & 3) + 1;
    } else if (first < XZERO) {
      this.length = first + 1;
    } else {
      this.width = 2;
      if (at + 2 > end) return false;
      this.length = (((first & 63) << 8) | bytes[at + 1]) + 1;
    }
    return at < end;
  }

  /**
   * Reads the run that register `index` is of, looking from `at` on: the number of its first register, -1 when there is none
   * before `end`. The one before it is left at `before`; of the first that is itself.
   */
  find(bytes: Uint8Array, at: number, end: number, index: number): number {
    let before = at;
    for (let first = 0; at < end; ) {
      const head = bytes[at];
      let next = first + 1;
      let after = at + 1;
      if (head >= VAL) next += head & 3;
      else if (head < XZERO) next += head;
      else next += ((head & 63) << 8) | bytes[after++];
      if (index < next) {
        this.before = before;
        return this.read(bytes, at, end) ? first : -1;
      }
      before = at;
      at = after;
      first = next;
    }
    return -1;
  }
}

/** Writes a run of zeroes at `at` and returns where it ends. */
export function writeZeroes(bytes: Uint8Array, at: number, length: number): number {
  const stored = length - 1;
  if (length <= ZERO_MAX) {
    bytes[at] = stored;
    return at + 1;
  }
  bytes[at] = XZERO | (stored >>> 8);
  bytes[at + 1] = stored & 0xff;
  return at + 2;
}

/** Writes a run of up to four registers of `value` at `at` and returns where it ends. */
export function writeValues(bytes: Uint8Array, at: number, value: number, length: number): number {
  bytes[at] = VAL | ((value - 1) << 2) | (length - 1);
  return at + 1;
}

/** Writes what becomes of `run` when the register `index` places behind its first gets `value`. */
export function writeSplit(bytes: Uint8Array, run: Run, index: number, value: number): number {
  const behind = run.length - 1 - index;
  const fill = (at: number, length: number): number =>
    run.value === 0 ? writeZeroes(bytes, at, length) : writeValues(bytes, at, run.value, length);
  let at = index > 0 ? fill(0, index) : 0;
  at = writeValues(bytes, at, value, 1);
  return behind > 0 ? fill(at, behind) : at;
}

/** Whether two neighbouring opcodes, one byte each, are values that fit into one. */
export function canMerge(first: number, second: number): boolean {
  return first >= VAL && (first & 0xfc) === (second & 0xfc) && (first & 3) + (second & 3) + 2 <= VAL_MAX;
}

/** The opcode that stands for both. */
export function merged(first: number, second: number): number {
  return (first & 0xfc) | ((first & 3) + (second & 3) + 1);
}

/** Shows every run to `visit`, with the number of its first register; false when they don't cover the registers exactly. */
export function eachRun(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (first: number, length: number, value: number) => void,
): boolean {
  let first = 0;
  for (let at = from; at < to; at += run.width) {
    if (!run.read(bytes, at, to) || first + run.length > REGISTERS) return false;
    visit(first, run.length, run.value);
    first += run.length;
  }
  return first === REGISTERS;
}

const run = new Run();

/** As PFDEBUG DECODE prints it: z:LENGTH, Z:LENGTH (of XZERO), v:VALUE,LENGTH. */
export function sparseText(bytes: Uint8Array, from: number, to: number): string {
  const runs: string[] = [];
  for (let at = from; at < to; at += run.width) {
    if (!run.read(bytes, at, to)) break;
    if (run.value > 0) runs.push(`v:${run.value},${run.length}`);
    else runs.push(`${run.width === 2 ? 'Z' : 'z'}:${run.length}`);
  }
  return runs.join(' ');
}
