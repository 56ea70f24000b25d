/**
 * String values, in the three encodings that OBJECT ENCODING names:
 *
 *   int      a canonical int64; its decimal text lies in the entry's block (entry.ts says why text)
 *   embstr   up to 44 other bytes, in the entry's block
 *   raw      a string of its own (structures/sds.ts); all that is longer, and whatever was changed in place
 *
 * How a value is encoded depends on how it came to be: SET picks by content, INCR leaves an int, INCRBYFLOAT never does,
 * APPEND and SETRANGE leave raw.
 */
import { assert } from '../base/assert.ts';
import { parseInteger } from '../base/numbers.ts';
import { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { sdsBytes, sdsLength, sdsVerify } from '../structures/sds.ts';
import {
  ENC_EMBSTR,
  ENC_INT,
  ENC_RAW,
  type Encoding,
  entryEncoding,
  entryValue,
  INLINE_MAX,
  inlineString,
  isInline,
} from './entry.ts';

/** "-9223372036854775808" */
const LONGEST_INTEGER = 20;

const scratch = new Slice();

/** The encoding that a value set as a whole gets. */
export function stringEncoding(value: Slice): Encoding {
  const length = value.length;
  if (length <= LONGEST_INTEGER) {
    // What can't begin an integer needs no parse.
    const first = length === 0 ? 0 : value.buffer[value.start];
    if (first > 57 || first < 45) return ENC_EMBSTR;
    return Number.isNaN(parseInteger(value)) ? ENC_EMBSTR : ENC_INT;
  }
  return length <= INLINE_MAX ? ENC_EMBSTR : ENC_RAW;
}

/** The encoding of a value that isn't looked at for being an integer. */
export function plainEncoding(length: number): Encoding {
  return length <= INLINE_MAX ? ENC_EMBSTR : ENC_RAW;
}

/** The bytes of the string that `e` holds, whatever its encoding. */
export function stringBytes(r: Reader, e: Addr, into: Slice): Slice {
  return isInline(entryEncoding(r, e)) ? inlineString(r, e, into) : sdsBytes(r, entryValue(r, e), into);
}

export function stringLength(r: Reader, e: Addr): number {
  return isInline(entryEncoding(r, e)) ? inlineString(r, e, scratch).length : sdsLength(r, entryValue(r, e));
}

/** Throws where a string breaks its encoding's promise. */
export function stringVerify(m: Memory, e: Addr): void {
  const encoding = entryEncoding(m, e);
  if (!isInline(encoding)) {
    assert(encoding === ENC_RAW, 'a string is int, embstr or raw');
    sdsVerify(m, entryValue(m, e));
    return;
  }
  const value = inlineString(m, e, scratch);
  assert(value.length <= INLINE_MAX, 'a string in place is short');
  if (encoding === ENC_INT) assert(!Number.isNaN(parseInteger(value)), 'an int is a canonical int64');
}
