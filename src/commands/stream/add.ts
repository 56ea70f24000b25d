/** XADD, XTRIM, XDEL and XSETID: what is in a stream. */
import { parseInteger } from '../../base/numbers.ts';
import { isText, isWord, type Slice } from '../../base/slice.ts';
import { type Call, NOT_AN_INTEGER } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { type Argument, bytes, integer, key, manyOf, oneOf, optional, token } from '../../engine/grammar.ts';
import { StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import { told } from './common.ts';
import { INVALID_ID, idAt, idForm, parseId, replyId } from './ids.ts';

const BOTH = 'ERR syntax error, MAXLEN and MINID options at the same time are not compatible';
const NO_STRATEGY = 'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy';
const NOTHING_TO_TRIM = 'ERR syntax error, XTRIM must be called with a trimming strategy';
const NOT_ROUGH = 'ERR syntax error, LIMIT cannot be used without the special ~ option';
const TOO_SMALL = 'ERR The ID specified in XADD is equal or smaller than the target stream top item';
const EXHAUSTED = 'ERR The stream has exhausted the last possible ID, unable to add more items';
const LARGEST = 1 << 30;
/** Entries that a rough trimming removes at most where nothing is said: so many nodes' worth. */
const DEFAULT_NODES = 100;
const LIMIT_MOST = 1_000_000;
const LIMIT_DEFAULT = 10_000;

/** What the options say. Filled anew by each command. */
const options = {
  byLength: false,
  trims: false,
  length: 0,
  from: new StreamId(),
  roughly: false,
  limit: 0,
  /** Where the threshold stands, for propagation. */
  thresholdAt: 0,
  create: true,
  idGiven: false,
  openSequence: false,
  id: new StreamId(),
};

/** Reads options from argument 2 on; returns where they end (at XADD's ID), or 0 when an error has been replied. */
function readOptions(c: Call, adds: boolean): number {
  options.trims = false;
  options.roughly = false;
  options.limit = 0;
  options.create = true;
  options.idGiven = false;
  options.openSequence = false;
  let limited = false;
  let i = 2;
  for (; i < c.argc; i++) {
    const word = c.arg(i);
    const more = c.argc - 1 - i;
    if (adds && isText(word, '*')) break;
    if (more > 0 && (isWord(word, 'MAXLEN') || isWord(word, 'MINID'))) {
      i = readThreshold(c, i, more);
      if (i === 0) return 0;
    } else if (more > 0 && isWord(word, 'LIMIT')) {
      const limit = c.integer(++i);
      if (limit === undefined) return 0;
      if (limit < 0) return refuse(c, 'ERR The LIMIT argument must be >= 0.');
      options.limit = limit;
      limited = true;
    } else if (adds && isWord(word, 'NOMKSTREAM')) {
      options.create = false;
    } else if (adds) {
      if (!parseId(word, options.id, false, true, true)) return refuse(c, INVALID_ID);
      options.idGiven = true;
      options.openSequence = idForm.openSequence;
      break;
    } else {
      c.syntaxError();
      return 0;
    }
  }
  if (options.limit > 0 && !options.trims) return refuse(c, NO_STRATEGY);
  if (!adds && !options.trims) return refuse(c, NOTHING_TO_TRIM);
  if (c.session.role.mustObey) {
    // The threshold is what the trimming came to where it was done first.
    options.limit = 0;
    return i;
  }
  if (limited && !options.roughly) return refuse(c, NOT_ROUGH);
  if (!limited && options.roughly) options.limit = defaultLimit(c);
  return i;
}

function refuse(c: Call, error: string): 0 {
  c.reply.error(error);
  return 0;
}

function defaultLimit(c: Call): number {
  const limit = DEFAULT_NODES * c.engine.accessors.limits.stream.nodeEntries;
  return limit <= 0 ? LIMIT_DEFAULT : Math.min(limit, LIMIT_MOST);
}

/** MAXLEN or MINID at argument `i`; returns where its threshold stands, 0 when an error has been replied. */
function readThreshold(c: Call, i: number, more: number): number {
  if (options.trims) return refuse(c, BOTH);
  options.byLength = isWord(c.arg(i), 'MAXLEN');
  options.roughly = false;
  if (more >= 2 && isText(c.arg(i + 1), '~')) {
    options.roughly = true;
    i++;
  } else if (more >= 2 && isText(c.arg(i + 1), '=')) i++;
  i++;
  if (options.byLength) {
    options.length = parseInteger(c.arg(i));
    if (Number.isNaN(options.length)) return refuse(c, NOT_AN_INTEGER);
    if (options.length < 0) return refuse(c, 'ERR The MAXLEN argument must be >= 0.');
  } else if (!idAt(c, i, options.from)) return 0;
  options.trims = true;
  options.thresholdAt = i;
  return i;
}

/** The command as it is propagated: the trimming exactly as it turned out, and the ID in the place of argument `idAt`. */
function propagate(c: Call, stream: StreamValue, idIndex: number, id: StreamId): void {
  if (!c.propagates) return;
  const parts: (string | Slice)[] = [];
  for (let i = 0; i < c.argc; i++) parts.push(c.arg(i));
  if (options.trims && options.roughly) {
    parts[options.thresholdAt - 1] = '=';
    if (options.byLength) parts[options.thresholdAt] = String(stream.length);
    else parts[options.thresholdAt] = (stream.edge(true, edge, true) ? edge : edge.toHighest()).text;
  }
  if (idIndex > 0) parts[idIndex] = id.text;
  c.rewrite(...parts);
}

const added = new StreamId();
const last = new StreamId();
const edge = new StreamId();

/** The ID for a new entry into `added`; false where there is none beyond the last. */
function nextId(c: Call, stream: StreamValue): boolean {
  stream.lastId(last);
  if (options.idGiven) {
    added.like(options.id);
    if (options.openSequence && added.sameMs(last)) {
      if (last.seqIsHighest) return false;
      added.like(last).increment();
    }
    return added.compare(last) > 0;
  }
  if (added.from(c.now, 0).compare(last) > 0 && !added.sameMs(last)) return true;
  return added.like(last).increment();
}

function tooLarge(c: Call, from: number): boolean {
  let size = 0;
  for (let i = from; i < c.argc; i++) size += c.arg(i).length;
  return size > LARGEST;
}

const trimming: readonly Argument[] = [
  oneOf('strategy', token('maxlen', 'MAXLEN'), token('minid', 'MINID', { since: '6.2.0' })),
  optional(oneOf('operator', token('equal', '='), token('approximately', '~'))),
  bytes('threshold'),
  optional(integer('count', { token: 'LIMIT', since: '6.2.0' })),
];

export const xadd = command({
  name: 'XADD',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(1) for the new entry, O(N) in entries that are trimmed.',
  summary: 'Appends an entry to a stream, creating the stream when absent.',
  flags: ['write', 'denyoom', 'fast'],
  tips: ['nondeterministic_output'],
  history: [
    ['6.2.0', 'Added NOMKSTREAM, MINID and LIMIT.'],
    ['7.0.0', 'Takes IDs of the form ms-*.'],
  ],
  keySpecs: [
    {
      access: 'RW UPDATE',
      notes: 'UPDATE instead of INSERT because of the optional trimming feature',
      begin: { type: 'index', index: 1 },
      find: { type: 'range', lastKey: 0, step: 1, limit: 0 },
    },
  ],
  args: [
    key('key', 'RW UPDATE'),
    optional(token('nomkstream', 'NOMKSTREAM', { since: '6.2.0' })),
    optional({ name: 'trim', kind: 'block', args: trimming }),
    oneOf('id_or_auto', token('auto_id', '*'), bytes('id')),
    manyOf('field_value', bytes('field'), bytes('value')),
  ],
  run(c) {
    const at = readOptions(c, true);
    if (at === 0) return;
    const pairs = (c.argc - at - 1) / 2;
    if (pairs < 1 || !Number.isInteger(pairs)) {
      c.wrongArity();
      return;
    }
    if (options.idGiven && !options.openSequence && options.id.isZero) {
      c.reply.error('ERR The ID specified in XADD must be greater than 0-0');
      return;
    }
    const stream = c.streamForWrite(1, options.create);
    if (stream === undefined) return;
    if (stream === null) {
      c.reply.null();
      return;
    }
    if (stream.lastId(last).isHighest) c.reply.error(EXHAUSTED);
    else if (!nextId(c, stream)) c.reply.error(TOO_SMALL);
    else if (tooLarge(c, at + 1)) c.reply.error('ERR Elements are too large to be stored');
    else append(c, stream, at, pairs);
  },
});

function append(c: Call, stream: StreamValue, at: number, pairs: number): void {
  stream.append(added, c.args, at + 1, pairs);
  replyId(c.reply, added);
  c.changed(1, 'xadd');
  if (options.trims && stream.trim(options) > 0) told(c, 1, 'xtrim', 0);
  const own = !options.idGiven || options.openSequence;
  if (own || (options.trims && options.roughly)) propagate(c, stream, own ? at : 0, added);
}

export const xtrim = command({
  name: 'XTRIM',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries that are removed.',
  summary: 'Removes the oldest entries of a stream.',
  flags: ['write'],
  tips: ['nondeterministic_output'],
  history: [['6.2.0', 'Added MINID and LIMIT.']],
  args: [key('key', 'RW DELETE'), { name: 'trim', kind: 'block', args: trimming }],
  run(c) {
    if (readOptions(c, false) === 0) return;
    const stream = c.streamForWrite(1, false);
    if (stream === undefined) return;
    if (stream === null) {
      c.reply.int(0);
      return;
    }
    const removed = stream.trim(options);
    if (removed > 0) {
      c.changed(1, 'xtrim', removed);
      if (options.roughly) propagate(c, stream, 0, added);
    }
    c.reply.int(removed);
  },
});

export const xdel = command({
  name: 'XDEL',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(1) for each entry.',
  summary: 'Removes entries of a stream by their IDs.',
  flags: ['write', 'fast'],
  args: [key('key', 'RW DELETE'), { ...bytes('id'), multiple: true }],
  run(c) {
    const stream = c.streamForWrite(1, false);
    if (stream === undefined) return;
    if (stream === null) {
      c.reply.int(0);
      return;
    }
    for (let i = 2; i < c.argc; i++) if (!idAt(c, i, added)) return;
    let removed = 0;
    stream.maxDeletedId(last);
    for (let i = 2; i < c.argc; i++) {
      parseId(c.arg(i), added, false, true);
      if (!stream.delete(added)) continue;
      removed++;
      if (added.compare(last) > 0) last.like(added);
    }
    if (removed > 0) {
      stream.setMaxDeletedId(last);
      stream.refreshFirst();
      c.changed(1, 'xdel', removed);
    }
    c.reply.int(removed);
  },
});

const SETID = 'ERR The ID specified in XSETID is smaller than';

/** What XSETID's options say; false when an error has been replied. */
function readSetId(c: Call, given: { added: bigint; deleted: StreamId }): boolean {
  for (let i = 3; i < c.argc; i += 2) {
    const more = c.argc - 1 - i;
    if (more > 0 && isWord(c.arg(i), 'ENTRIESADDED')) {
      const count = c.int64(i + 1);
      if (count === undefined) return false;
      given.added = count;
      if (count < 0n) {
        c.reply.error('ERR entries_added must be positive');
        return false;
      }
    } else if (more > 0 && isWord(c.arg(i), 'MAXDELETEDID')) {
      if (!idAt(c, i + 1, given.deleted)) return false;
      if (added.compare(given.deleted) < 0) {
        c.reply.error(`${SETID} the provided max_deleted_entry_id`);
        return false;
      }
    } else {
      c.syntaxError();
      return false;
    }
  }
  return true;
}

export const xsetid = command({
  name: 'XSETID',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Sets the last ID of a stream and what else replication has to carry over.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['7.0.0', 'Added ENTRIESADDED and MAXDELETEDID.']],
  args: [
    key('key', 'RW UPDATE'),
    bytes('last-id'),
    optional(integer('entries_added', { token: 'ENTRIESADDED', since: '7.0.0' })),
    optional(bytes('max_deleted_entry_id', { token: 'MAXDELETEDID', since: '7.0.0' })),
  ],
  run(c) {
    if (!idAt(c, 2, added)) return;
    const given = { added: -1n, deleted: new StreamId() };
    if (!readSetId(c, given)) return;
    const stream = c.streamForWrite(1, false);
    if (stream === undefined) return;
    if (stream === null) c.reply.error('ERR no such key');
    else if (stream.edge(false, last) && added.compare(last) < 0) c.reply.error(`${SETID} the target stream top item`);
    else if (stream.length > 0 && given.added !== -1n && BigInt(stream.length) > given.added)
      c.reply.error('ERR The entries_added specified in XSETID is smaller than the target stream length');
    else {
      stream.setLastId(added);
      if (given.added !== -1n) stream.setAdded(given.added);
      if (!given.deleted.isZero) stream.setMaxDeletedId(given.deleted);
      c.reply.ok();
      told(c, 1, 'xsetid');
    }
  },
});
