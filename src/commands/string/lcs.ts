/** LCS: the longest common subsequence of two strings. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, integer, key, optional, token } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { entryType, TYPE_STRING } from '../../values/entry.ts';
import { stringBytes } from '../../values/string.ts';

const left = new Slice();
const right = new Slice();

/** One run of bytes that both strings have, backwards from the ends: a[aEnd - length + 1 .. aEnd] = b[...]. */
interface Run {
  readonly aEnd: number;
  readonly bEnd: number;
  readonly length: number;
}

/** Bits of a word. */
const WIDTH = 32;
/** Words whose room is kept for the next command. */
const MOST_KEPT = 16 * 1024;

/**
 * Lengths of the longest common subsequence of all pairs of prefixes, a row for each byte of `a`, as their differences along
 * the row: those are 0 or 1, so that one word holds 32 of them and a few operations on words make the next row (Hyyrö,
 * "Bit-parallel LCS-length computation revisited", 2004). Bit j of row i is clear where the byte `b[j]` makes the
 * subsequence with the first i + 1 bytes of `a` longer by one.
 *
 *            b    c a r a t           row, its lowest bit first
 *   a[0] = a      0 1 1 1 1           1 0 1 1 1
 *   a[1] = r      0 1 2 2 2           1 0 0 1 1
 */
class Differences {
  private rows = new Int32Array(0);
  /** For each byte that `a` holds, the places in `b` where it stands. */
  private masks = new Int32Array(0);
  private readonly maskOf = new Int16Array(256);
  private words = 0;

  /** Reckons all rows, or with `one` only the last, in place of the first. Throws a RangeError where there is no memory. */
  reckon(a: Slice, b: Slice, one: boolean): void {
    const words = Math.ceil(b.length / WIDTH);
    this.words = words;
    this.mark(a, b);
    this.rows = room(this.rows, words * (one ? 1 : a.length));
    const { rows, masks, maskOf } = this;
    for (let i = 0; i < a.length; i++) {
      const row = one ? 0 : i * words;
      const above = one ? 0 : row - words;
      const mask = maskOf[a.at(i)] * words;
      let carry = 0;
      for (let k = 0; k < words; k++) {
        const old = i === 0 ? -1 : rows[above + k];
        const hits = old & masks[mask + k];
        const sum = (old + hits + carry) | 0;
        carry = ((old & hits) | ((old | hits) & ~sum)) >>> 31;
        rows[row + k] = sum | (old & ~hits);
      }
    }
  }

  private mark(a: Slice, b: Slice): void {
    const { maskOf, words } = this;
    maskOf.fill(-1);
    let kinds = 0;
    for (let i = 0; i < a.length; i++) if (maskOf[a.at(i)] < 0) maskOf[a.at(i)] = kinds++;
    this.masks = room(this.masks, words * kinds);
    this.masks.fill(0, 0, words * kinds);
    for (let j = 0; j < b.length; j++) {
      const mask = maskOf[b.at(j)];
      if (mask >= 0) this.masks[mask * words + (j >>> 5)] |= 1 << (j & 31);
    }
  }

  /** Whether `b[j]` makes the subsequence longer in the row of `a[i]`. */
  longer(i: number, j: number): boolean {
    return (this.rows[i * this.words + (j >>> 5)] & (1 << (j & 31))) === 0;
  }

  /** How long the subsequence of `a[0]` to `a[i]` and the first `length` bytes of the other string is. */
  total(i: number, length: number): number {
    let count = 0;
    for (let j = 0; j < length; j++) if (this.longer(i, j)) count++;
    return count;
  }

  /** Gives back what is much. */
  leave(): void {
    if (this.rows.length > MOST_KEPT) this.rows = new Int32Array(0);
    if (this.masks.length > MOST_KEPT) this.masks = new Int32Array(0);
  }
}

function room(words: Int32Array<ArrayBuffer>, wanted: number): Int32Array<ArrayBuffer> {
  return words.length >= wanted ? words : new Int32Array(wanted);
}

const differences = new Differences();

/** The runs of the subsequence, the last one first. */
function runsOf(a: Slice, b: Slice): Run[] {
  const runs: Run[] = [];
  let i = a.length;
  let j = b.length;
  let length = 0;
  const close = (): void => {
    if (length > 0) runs.push({ aEnd: i + length - 1, bEnd: j + length - 1, length });
    length = 0;
  };
  while (i > 0 && j > 0) {
    if (a.at(i - 1) === b.at(j - 1)) {
      i--;
      j--;
      length++;
    } else {
      close();
      // One of the two shorter pairs is as long: where b's byte adds to it here, that is the one without a's.
      if (differences.longer(i - 1, j - 1)) i--;
      else j--;
    }
  }
  close();
  return runs;
}

function replyRuns(c: Call, runs: readonly Run[], withLength: boolean): void {
  c.reply.array(runs.length);
  for (const { aEnd, bEnd, length } of runs) {
    c.reply.array(withLength ? 3 : 2);
    for (const end of [aEnd, bEnd]) {
      c.reply.array(2);
      c.reply.int(end - length + 1);
      c.reply.int(end);
    }
    if (withLength) c.reply.int(length);
  }
}

interface Options {
  index: boolean;
  length: boolean;
  withLength: boolean;
  shortest: number;
}

/** Undefined when an error has been replied. */
function readOptions(c: Call): Options | undefined {
  const options: Options = { index: false, length: false, withLength: false, shortest: 0 };
  for (let i = 3; i < c.argc; i++) {
    const word = c.arg(i);
    if (isWord(word, 'IDX')) options.index = true;
    else if (isWord(word, 'LEN')) options.length = true;
    else if (isWord(word, 'WITHMATCHLEN')) options.withLength = true;
    else if (isWord(word, 'MINMATCHLEN') && i + 1 < c.argc) {
      const shortest = c.integer(++i);
      if (shortest === undefined) return undefined;
      options.shortest = shortest;
    } else {
      c.syntaxError();
      return undefined;
    }
  }
  if (!options.index || !options.length) return options;
  c.reply.error('ERR If you want both the length and indexes, please just use IDX.');
  return undefined;
}

function show(c: Call, e: Addr, into: Slice): Slice {
  return e === NULL ? into.set(NONE, 0, 0) : stringBytes(c.memory, e, into);
}

const NONE = new Uint8Array(0);

/** Compares the two strings; false when there is no memory for that and it has been replied. */
function compare(c: Call, a: Slice, b: Slice, onlyLength: boolean): boolean {
  // Redis has a table of four bytes for each pair of prefixes.
  const cells = (a.length + 1) * (b.length + 1);
  if (cells * 4 > c.engine.server.settings.protoMaxBulkLen) {
    c.reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
    return false;
  }
  try {
    differences.reckon(a, b, onlyLength);
    return true;
  } catch {
    c.reply.error('ERR Insufficient memory, failed allocating transient memory for LCS');
    return false;
  }
}

function run(c: Call): void {
  const first = c.find(1);
  const second = c.find(2);
  for (const e of [first, second]) {
    if (e !== NULL && entryType(c.memory, e) !== TYPE_STRING) {
      c.reply.error('ERR The specified keys must contain string values');
      return;
    }
  }
  const options = readOptions(c);
  if (options === undefined) return;
  const a = show(c, first, left);
  const b = show(c, second, right);
  if (!compare(c, a, b, options.length)) return;
  const length = a.length === 0 ? 0 : differences.total(options.length ? 0 : a.length - 1, b.length);
  if (options.length) c.reply.int(length);
  else replyAll(c, a, b, length, options);
  differences.leave();
}

/** Replies with the subsequence, or with where it stands. */
function replyAll(c: Call, a: Slice, b: Slice, length: number, options: Options): void {
  const runs = runsOf(a, b);
  if (options.index) {
    c.reply.map(2);
    c.reply.bulkText('matches');
    replyRuns(
      c,
      runs.filter((found) => found.length >= options.shortest),
      options.withLength,
    );
    c.reply.bulkText('len');
    c.reply.int(length);
    return;
  }
  c.reply.bulkLength(length);
  for (let i = runs.length - 1; i >= 0; i--) {
    const { aEnd, length: size } = runs[i];
    c.reply.raw(a.buffer, a.start + aEnd - size + 1, size);
  }
  c.reply.line();
}

export const lcs = command({
  name: 'LCS',
  group: 'string',
  since: '7.0.0',
  complexity: 'O(N*M) in the lengths of the two strings',
  summary: 'Finds the longest common subsequence of two strings.',
  flags: ['readonly'],
  keySpecs: [
    {
      access: 'RO ACCESS',
      begin: { type: 'index', index: 1 },
      find: { type: 'range', lastKey: 1, step: 1, limit: 0 },
    },
  ],
  args: [
    key('key1', 'RO ACCESS'),
    key('key2', 'RO ACCESS'),
    optional(token('len', 'LEN')),
    optional(token('idx', 'IDX')),
    optional(after('MINMATCHLEN', integer('len'))),
    optional(token('withmatchlen', 'WITHMATCHLEN')),
  ],
  run,
});

export const LCS_COMMANDS: readonly Command[] = [lcs];
