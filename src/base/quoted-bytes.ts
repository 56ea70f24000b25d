/** Quoting as quoting.ts has it, from bytes to bytes. */
import { uncleared } from './copy.ts';
import { BYTES_SHOWN } from './quoting.ts';
import type { Slice } from './slice.ts';

const QUOTE = 34;

/** A word in double quotes as `quoted` has it, from bytes to bytes: for words of any length. */
export function quotedBytes(word: Slice): Uint8Array {
  let length = 2;
  for (let i = 0; i < word.length; i++) length += BYTES_SHOWN[word.at(i)].length;
  const bytes = uncleared(length);
  let at = 0;
  bytes[at++] = QUOTE;
  for (let i = 0; i < word.length; i++) {
    const byte = word.at(i);
    const shown = BYTES_SHOWN[byte];
    if (shown.length === 1) bytes[at++] = byte;
    else for (let n = 0; n < shown.length; n++) bytes[at++] = shown.charCodeAt(n);
  }
  bytes[at] = QUOTE;
  return bytes;
}
