/** Requests as they travel. */
import { lengthOf } from '../base/copy.ts';

/** The words; texts have one character a byte. */
export type Request = readonly (string | Uint8Array)[];

export function encode(request: Request): Uint8Array {
  return encodeAll([request]);
}

/** The same of several, one behind the other. */
export function encodeAll(requests: readonly Request[]): Uint8Array {
  const parts: (string | Uint8Array)[] = [];
  for (const request of requests) {
    // What is text of one byte a character stays so until the end: for small arguments arrays would cost more than they hold.
    let text = `*${request.length}\r\n`;
    for (const argument of request) {
      text += `$${argument.length}\r\n`;
      if (typeof argument === 'string') text += `${argument}\r\n`;
      else {
        parts.push(text, argument);
        text = '\r\n';
      }
    }
    parts.push(text);
  }
  const bytes = Buffer.allocUnsafe(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') bytes.write(part, at, 'latin1');
    else bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
