/** What SCAN, SSCAN, HSCAN and ZSCAN share: the cursor, the options, the steps over a dict. */
import { globMatch } from '../base/glob.ts';
import { parseInteger } from '../base/numbers.ts';
import { isWord, type Slice } from '../base/slice.ts';
import { type Call, NOT_AN_INTEGER, type Opened } from '../engine/call.ts';
import { type Argument, after, integer, optional, pattern } from '../engine/grammar.ts';
import type { Addr } from '../memory/address.ts';
import { dictScan } from '../structures/dict.ts';
import { ENC_HASHTABLE, ENC_SKIPLIST } from '../values/entry.ts';
import type { ValueAccessor } from '../values/value.ts';

const UINT64_MAX = 0xffffffffffffffffn;
const DEFAULT_COUNT = 10;
/** Buckets that are looked at for each element that is asked for. */
const BUCKETS_PER_ELEMENT = 10;
const STAR = 42;

/** The cursor and the options that all four take. */
export const scanArguments: readonly Argument[] = [
  integer('cursor'),
  optional(after('MATCH', pattern('pattern'))),
  optional(after('COUNT', integer('count'))),
];

/**
 * Argument `i` as a cursor, undefined when its error has been replied. It is read as C's strtoul reads it: a sign passes,
 * a NUL ends it and nothing at all is 0. Of its 64 bits a dict's cursor uses 32.
 */
export function readCursor(c: Call, i: number): number | undefined {
  const { buffer, start, length } = c.arg(i);
  const end = start + length;
  let at = start;
  const sign = length > 0 ? buffer[at] : 0;
  if (sign === 43 || sign === 45) at++;
  const digits = at;
  let value = 0n;
  while (at < end && buffer[at] >= 48 && buffer[at] <= 57 && value <= UINT64_MAX)
    value = value * 10n + BigInt(buffer[at++] - 48);
  const complete = at === end || buffer[at] === 0;
  if (!complete || value > UINT64_MAX || (at === digits && at !== start)) {
    c.reply.error('ERR invalid cursor');
    return undefined;
  }
  return Number(BigInt.asUintN(53, sign === 45 ? -value : value));
}

/** COUNT, MATCH and TYPE. */
export class ScanOptions {
  count = DEFAULT_COUNT;
  pattern: Slice | null = null;
  type: Slice | null = null;

  /** Reads the arguments from `from` on; false when an error has been replied. */
  read(c: Call, from: number, takesType = false): boolean {
    for (let i = from; i < c.argc; i += 2) {
      const word = c.arg(i);
      const last = i + 1 === c.argc;
      if (!last && isWord(word, 'COUNT')) {
        if (!this.readCount(c, i + 1)) return false;
      } else if (!last && isWord(word, 'MATCH')) {
        const glob = c.arg(i + 1);
        this.pattern = glob.length === 1 && glob.at(0) === STAR ? null : glob;
      } else if (!last && takesType && isWord(word, 'TYPE')) {
        this.type = c.arg(i + 1);
      } else {
        c.syntaxError();
        return false;
      }
    }
    return true;
  }

  private readCount(c: Call, i: number): boolean {
    this.count = parseInteger(c.arg(i));
    if (Number.isNaN(this.count)) c.reply.error(NOT_AN_INTEGER);
    else if (this.count < 1) c.syntaxError();
    else return true;
    return false;
  }

  matches(element: Slice): boolean {
    return this.pattern === null || globMatch(this.pattern, element);
  }
}

/** One step of a scan: visits some entries, and returns the cursor to go on with, 0 at the end. */
export type ScanStep = (cursor: number, visit: (entry: Addr) => void) => number;

/** The steps over a dict. */
export function stepsOver(c: Call, dict: Addr): ScanStep {
  return (cursor, visit) => dictScan(c.memory, dict, cursor, visit);
}

/**
 * Goes on from `cursor` by steps until about `count` entries are in `found`, and returns the cursor to go on with. Each
 * entry counts for `width`: 2 where a value comes with it.
 */
export function scanEntries(step: ScanStep, cursor: number, count: number, found: Addr[], width = 1): number {
  const visit = (entry: Addr): void => {
    found.push(entry);
  };
  let buckets = count * BUCKETS_PER_ELEMENT;
  do cursor = step(cursor, visit);
  while (cursor !== 0 && buckets-- > 0 && found.length * width < count);
  return cursor;
}

/** Heads the reply: the cursor, then an array of `length`. */
export function replyScan(c: Call, cursor: number, length: number): void {
  c.reply.array(2);
  c.reply.bulkInt(cursor);
  c.reply.array(length);
}

/** The reply for a key that is absent. */
export function replyEmptyScan(c: Call): void {
  replyScan(c, 0, 0);
}

/**
 * SSCAN, HSCAN and ZSCAN: reads the arguments, opens the value at argument 1, and goes on in its table with `step`, or
 * through all of a small encoding at once with `whole`.
 */
export function scanValue<T extends ValueAccessor>(
  c: Call,
  open: () => Opened<T>,
  step: (c: Call, value: T, cursor: number, options: ScanOptions) => void,
  whole: (c: Call, value: T, options: ScanOptions) => void,
): void {
  const cursor = readCursor(c, 2);
  if (cursor === undefined) return;
  const value = open();
  if (value === undefined) return;
  if (value === null) {
    replyEmptyScan(c);
    return;
  }
  const options = new ScanOptions();
  if (!options.read(c, 3)) return;
  if (value.encoding === ENC_HASHTABLE || value.encoding === ENC_SKIPLIST) step(c, value, cursor, options);
  else whole(c, value, options);
}
