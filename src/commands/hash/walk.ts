/** Listing fields, all of them, at random or in steps. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { block, integer, key, optional, token } from '../../engine/grammar.ts';
import type { Addr } from '../../memory/address.ts';
import { type HashValue, hashEntryField, hashEntryValue } from '../../values/hash.ts';
import { readCount } from '../count.ts';
import { replyScan, type ScanOptions, scanArguments, scanEntries, scanValue, stepsOver } from '../scan.ts';

const shown = new Slice();

const FIELDS = 1;
const VALUES = 2;

function replyAll(c: Call, what: number): void {
  const hash = c.hashForRead(1);
  if (hash === undefined) return;
  const length = hash === null ? 0 : hash.length;
  if (what === (FIELDS | VALUES)) c.reply.map(length);
  else c.reply.array(length);
  const cursor = hash?.cursor();
  while (cursor?.next()) {
    if (what & FIELDS) c.reply.bulk(cursor.field);
    if (what & VALUES) c.reply.bulk(cursor.value);
  }
}

const hgetall = command({
  name: 'HGETALL',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(N) in fields.',
  summary: 'Lists all fields of a hash with their values.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    replyAll(c, FIELDS | VALUES);
  },
});

const hkeys = command({
  name: 'HKEYS',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(N) in fields.',
  summary: 'Lists all fields of a hash.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    replyAll(c, FIELDS);
  },
});

const hvals = command({
  name: 'HVALS',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(N) in fields.',
  summary: 'Lists all values of a hash.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    replyAll(c, VALUES);
  },
});

/** A count of pairs that a reply could hold, flat, has to stay below this. */
const PAIRS_LIMIT = 2 ** 62;

/** Negative counts are answered in runs of this many, so that no list of handles grows with the count. */
const RUN = 1000;

const hrandfield = command({
  name: 'HRANDFIELD',
  group: 'hash',
  since: '6.2.0',
  complexity: 'O(N) in the count.',
  summary: 'Answers with random fields of a hash.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  args: [
    key('key', 'RO ACCESS'),
    optional(block('options', integer('count'), optional(token('withvalues', 'WITHVALUES')))),
  ],
  run(c) {
    if (c.argc >= 3) {
      randomFields(c);
      return;
    }
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    if (hash === null) {
      c.reply.null();
      return;
    }
    hash.random(c.random);
    c.reply.bulk(hash.field);
  },
});

/** With a count: different fields when it is positive, any as often as it comes up when it is negative. */
function randomFields(c: Call): void {
  const count = readCount(c, 2);
  if (count === undefined) return;
  const withValues = c.argc === 4 && isWord(c.arg(3), 'WITHVALUES');
  if (c.argc > 3 && !withValues) {
    c.syntaxError();
    return;
  }
  if (withValues && Math.abs(count) >= PAIRS_LIMIT) {
    c.reply.error('ERR value is out of range');
    return;
  }
  const hash = c.hashForRead(1);
  if (hash === undefined) return;
  if (hash === null || count === 0) {
    c.reply.array(0);
    return;
  }
  const total = count < 0 ? -count : Math.min(count, hash.length);
  c.reply.array(withValues && c.reply.resp < 3 ? total * 2 : total);
  if (count >= hash.length) {
    const cursor = hash.cursor();
    while (cursor.next()) replyField(c, cursor.field, cursor.value, withValues);
    return;
  }
  const handles: number[] = [];
  for (let left = total; left > 0; left -= handles.length) {
    handles.length = 0;
    if (count < 0) hash.pickAny(Math.min(left, RUN), c.random, handles);
    else hash.pick(count, c.random, handles);
    for (const handle of handles) {
      hash.show(handle);
      replyField(c, hash.field, hash.value, withValues);
    }
  }
}

/** With values: flat in RESP2, a pair in RESP3. */
function replyField(c: Call, field: Slice, value: Slice, withValues: boolean): void {
  if (withValues && c.reply.resp >= 3) c.reply.array(2);
  c.reply.bulk(field);
  if (withValues) c.reply.bulk(value);
}

const hscan = command({
  name: 'HSCAN',
  group: 'hash',
  since: '2.8.0',
  complexity: 'O(1) a call, O(N) for all fields.',
  summary: 'Goes through the fields of a hash and their values in steps.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  args: [key('key', 'RO ACCESS'), ...scanArguments],
  run(c) {
    scanValue(c, () => c.hashForRead(1), scanHashtable, scanListpack);
  },
});

function scanHashtable(c: Call, hash: HashValue, cursor: number, options: ScanOptions): void {
  const m = c.memory;
  const found: Addr[] = [];
  const next = scanEntries(stepsOver(c, hash.root), cursor, options.count, found);
  const kept = found.filter((entry) => options.matches(hashEntryField(m, entry, shown)));
  replyScan(c, next, kept.length * 2);
  for (const entry of kept) {
    c.reply.bulk(hashEntryField(m, entry, shown));
    c.reply.bulk(hashEntryValue(m, entry, shown));
  }
}

/** All of it at once: a listpack is small. */
function scanListpack(c: Call, hash: HashValue, options: ScanOptions): void {
  let kept = 0;
  for (let cursor = hash.cursor(); cursor.next(); ) if (options.matches(cursor.field)) kept++;
  replyScan(c, 0, kept * 2);
  for (let cursor = hash.cursor(); cursor.next(); ) {
    if (!options.matches(cursor.field)) continue;
    c.reply.bulk(cursor.field);
    c.reply.bulk(cursor.value);
  }
}

export const WALK_COMMANDS: readonly Command[] = [hgetall, hkeys, hvals, hrandfield, hscan];
