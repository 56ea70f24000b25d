/** The line that begins an array or a bulk string of a request, `*3\r\n` or `$5\r\n`, as effects and files hold it. */
import { writeInteger } from '../base/numbers.ts';

export const ARRAY = 42;
export const BULK = 36;
/** The longest: '*' or '$', ten digits, CR LF. */
export const HEADING_BYTES = 13;
const CR = 13;
const LF = 10;
const ZERO = 48;

/** Writes one at `at`; answers where it ends. */
export function writeHeading(target: Uint8Array, at: number, kind: number, size: number): number {
  target[at] = kind;
  if (size < 10) {
    target[at + 1] = ZERO + size;
    at += 2;
  } else {
    at = writeInteger(target, at + 1, size);
  }
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
