/**
 * Strings so long that clients would wait for them, were they read at one go: piece by piece, straight to where they will
 * stay. What is under LZF is expanded behind as many of the bytes before as it can refer to:
 *
 *   [the 8 KiB before][up to a piece, and what a last copy adds]
 */
import { copyBytes } from '../../base/copy.ts';
import { Slice } from '../../base/slice.ts';
import { BAD_LZF, damaged } from './faults.ts';
import type { Measures, RdbInput } from './input.ts';
import type { Elements } from './portions.ts';

const PIECE = 1 << 16;
/** How far back a copy reaches, and how long it is at most; see base/lzf.ts. */
const HISTORY = 8192;
const LONGEST_COPY = 264;
const LONGEST_LITERAL = 32;

/** Takes the bytes from `at` on. */
type TakePiece = (at: number, piece: Slice) => void;

export function stringPieces(input: RdbInput, measures: Measures, take: TakePiece): Elements {
  return measures.packed ? packedPieces(input, measures, take) : plainPieces(input, measures, take);
}

function plainPieces(input: RdbInput, { length }: Measures, take: TakePiece): Elements {
  const piece = new Slice();
  let at = 0;
  const one = (): void => {
    take(at, input.bytes(Math.min(PIECE, length - at), piece));
    at += piece.length;
  };
  return { left: Math.ceil(length / PIECE), one, end: () => {} };
}

function packedPieces(input: RdbInput, measures: Measures, take: TakePiece): Elements {
  const expander = new Expander(input, measures);
  const { length } = measures;
  const one = (): void => {
    const at = expander.done;
    take(at, expander.next());
  };
  const end = (): void => {
    if (!expander.finished) damaged(BAD_LZF);
  };
  return { left: Math.ceil(length / PIECE), one, end };
}

class Expander {
  /** Bytes that were given. */
  done = 0;
  private readonly input: RdbInput;
  private readonly length: number;
  /** Packed bytes that are yet to be read. */
  private left: number;
  private readonly buffer = new Uint8Array(HISTORY + PIECE + LONGEST_COPY);
  private at = HISTORY;
  /** What was expanded has been handed over. */
  private given = true;
  private readonly piece = new Slice();

  constructor(input: RdbInput, { length, stored }: Measures) {
    this.input = input;
    this.length = length;
    this.left = stored;
  }

  get finished(): boolean {
    return this.left === 0 && this.done === this.length;
  }

  /** A piece, or more by a copy; the last one may be empty. Good until the next one. */
  next(): Slice {
    const { buffer, input } = this;
    if (this.given) buffer.copyWithin(0, this.at - HISTORY, this.at);
    if (this.given) this.at = HISTORY;
    this.given = false;
    while (this.left > 0 && this.at < HISTORY + PIECE) {
      const before = input.offset;
      this.step(this.left);
      this.left -= input.offset - before;
      input.commit();
    }
    this.given = true;
    const made = this.at - HISTORY;
    this.done += made;
    return this.piece.set(buffer, HISTORY, made);
  }

  /** Expands the next literal or copy, of no more than `left` packed bytes. */
  private step(left: number): void {
    const { input, buffer } = this;
    const control = input.u8();
    if (control < LONGEST_LITERAL) {
      const run = control + 1;
      this.room(run);
      if (run + 1 > left) damaged(BAD_LZF);
      const { buffer: bytes, start } = input.bytes(run, this.piece);
      copyBytes(buffer, this.at, bytes, start, run);
      this.at += run;
      return;
    }
    const long = control >>> 5 === 7;
    if (left < (long ? 3 : 2)) damaged(BAD_LZF);
    const copied = (long ? 7 + input.u8() : control >>> 5) + 2;
    const back = (((control & 31) << 8) | input.u8()) + 1;
    this.room(copied);
    if (back > this.done + this.at - HISTORY) damaged(BAD_LZF);
    for (const end = this.at + copied; this.at < end; this.at++) buffer[this.at] = buffer[this.at - back];
  }

  private room(bytes: number): void {
    if (this.done + this.at - HISTORY + bytes > this.length) damaged(BAD_LZF);
  }
}
