/** Requests as they travel. */
import { copyBytes } from '../base/copy.ts';
import { integerLength, writeInteger } from '../base/numbers.ts';

/** The words; texts have one character a byte. */
export type Request = readonly (string | Uint8Array)[];

export function encode(request: Request): Uint8Array {
  return encodeAll([request]);
}

/** The same of several, one behind the other. */
export function encodeAll(requests: readonly Request[]): Uint8Array {
  let length = 0;
  for (const request of requests) {
    length += headBytes(request.length);
    for (const argument of request) length += headBytes(argument.length) + argument.length + 2;
  }
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const request of requests) {
    at = head(bytes, at, ASTERISK, request.length);
    for (const argument of request) {
      at = head(bytes, at, DOLLAR, argument.length);
      if (typeof argument === 'string') text(bytes, at, argument);
      else copyBytes(bytes, at, argument, 0, argument.length);
      at = lineEnd(bytes, at + argument.length);
    }
  }
  return bytes;
}

const ASTERISK = 42;
const DOLLAR = 36;
/** Up to here characters one by one beat the call into Node. */
const CHARACTER_WISE = 24;

function headBytes(count: number): number {
  return 1 + integerLength(count) + 2;
}

/** `mark`, the count and a line end; answers where that ends. */
function head(bytes: Uint8Array, at: number, mark: number, count: number): number {
  bytes[at] = mark;
  return lineEnd(bytes, writeInteger(bytes, at + 1, count));
}

function lineEnd(bytes: Uint8Array, at: number): number {
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return at + 2;
}

function text(bytes: Buffer, at: number, text: string): void {
  if (text.length > CHARACTER_WISE) bytes.write(text, at, 'latin1');
  else for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}
