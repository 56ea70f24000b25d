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

/**
 * Lengths of the longest common subsequence of every pair of prefixes, row by row: (b.length + 1) to a row, the pair of
 * whole strings last.
 */
function lengths(a: Slice, b: Slice, table: Uint32Array): void {
  const x = a.buffer;
  const y = b.buffer;
  const width = b.length + 1;
  for (let i = 1; i <= a.length; i++) {
    const byte = x[a.start + i - 1];
    const row = i * width;
    const above = row - width;
    for (let j = 1; j < width; j++) {
      if (y[b.start + j - 1] === byte) {
        table[row + j] = table[above + j - 1] + 1;
      } else {
        const up = table[above + j];
        const back = table[row + j - 1];
        table[row + j] = up > back ? up : back;
      }
    }
  }
}

/** The runs of the subsequence, the last one first. */
function runsOf(a: Slice, b: Slice, table: Uint32Array): Run[] {
  const runs: Run[] = [];
  const width = b.length + 1;
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
      if (table[(i - 1) * width + j] > table[i * width + j - 1]) i--;
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

/** A table for the two strings; undefined when there is no memory for it and that has been replied. */
function makeTable(c: Call, a: Slice, b: Slice): Uint32Array | undefined {
  const cells = (a.length + 1) * (b.length + 1);
  if (cells * 4 > c.engine.server.settings.protoMaxBulkLen) {
    c.reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
    return undefined;
  }
  try {
    return new Uint32Array(cells);
  } catch {
    c.reply.error('ERR Insufficient memory, failed allocating transient memory for LCS');
    return undefined;
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
  const table = makeTable(c, a, b);
  if (table === undefined) return;
  lengths(a, b, table);
  const length = table[table.length - 1];
  if (options.length) {
    c.reply.int(length);
    return;
  }
  const runs = runsOf(a, b, table);
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
