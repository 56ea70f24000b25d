/** XPENDING, XCLAIM and XAUTOCLAIM: what was delivered and not acknowledged. */
import { parseInteger } from '../../base/numbers.ts';
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, block, bytes, integer, key, many, optional, token, unixTime } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { IdCursor, idtSize } from '../../structures/idtree.ts';
import { StreamId } from '../../structures/stream-id.ts';
import { TYPE_STREAM } from '../../values/entry.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerFind,
  consumerPending,
  consumersOf,
  groupFind,
  groupLast,
  groupPending,
  groupSetLast,
  nameOf,
} from '../../values/stream-group.ts';
import { consumerFor, noGroup, propagateClaim, propagateGroup, replyEntry } from './common.ts';
import { endAt, idAt, parseId, replyId, startAt } from './ids.ts';
import { advance, pendingOf } from './read.ts';

const start = new StreamId();
const end = new StreamId();
const id = new StreamId();
const name = new Slice();

// XPENDING.

/** What XPENDING's extended form asks for; undefined when an error has been replied. */
function readInterval(c: Call): { idle: number; count: number; consumerAt: number } | undefined {
  let at = 3;
  let idle = 0;
  if (isWord(c.arg(3), 'IDLE')) {
    const least = c.integer(4);
    if (least === undefined) return undefined;
    idle = least;
    if (c.argc < 8) {
      c.syntaxError();
      return undefined;
    }
    at = 5;
  }
  const count = c.integer(at + 2);
  if (count === undefined || !startAt(c, at, start) || !endAt(c, at + 1, end)) return undefined;
  return { idle, count: Math.max(count, 0), consumerAt: at + 3 < c.argc ? at + 3 : 0 };
}

function summarise(c: Call, group: Addr): void {
  const { memory, reply } = c;
  const all = groupPending(memory, group);
  const size = idtSize(memory, all);
  reply.array(4);
  reply.int(size);
  if (size === 0) {
    reply.null();
    reply.null();
    reply.nullArray();
    return;
  }
  const cursor = new IdCursor(memory);
  replyId(reply, cursor.first(memory, all).id(id));
  replyId(reply, cursor.last(memory, all).id(id));
  const busy = consumersOf(memory, group).filter((consumer) => idtSize(memory, consumerPending(memory, consumer)) > 0);
  reply.array(busy.length);
  for (const consumer of busy) {
    reply.array(2);
    reply.bulk(nameOf(memory, consumer, name));
    reply.bulkInt(idtSize(memory, consumerPending(memory, consumer)));
  }
}

function list(c: Call, group: Addr, idle: number, count: number, consumerAt: number): void {
  const { memory, reply, now } = c;
  const consumer = consumerAt > 0 ? consumerFind(memory, group, c.arg(consumerAt)) : NULL;
  if (consumerAt > 0 && consumer === NULL) {
    reply.array(0);
    return;
  }
  const pending = pendingOf(c);
  const tree = consumer === NULL ? groupPending(memory, group) : consumerPending(memory, consumer);
  const walk = new IdCursor(memory).seekFrom(memory, tree, start);
  const handle = reply.deferArray();
  let shown = 0;
  for (; shown < count && walk.more && walk.id(id).compare(end) <= 0; walk.next()) {
    if (consumer === NULL) pending.show(walk);
    else pending.find(group, id);
    const elapsed = now - pending.time;
    if (idle > 0 && elapsed < idle) continue;
    shown++;
    reply.array(4);
    replyId(reply, id);
    reply.bulk(nameOf(memory, pending.consumer, name));
    reply.int(Math.max(elapsed, 0));
    replyTimes(c, pending.count, pending.exactCount);
  }
  reply.settleArray(handle, shown);
}

function replyTimes(c: Call, count: number, exact: bigint): void {
  if (Number.isSafeInteger(count)) c.reply.int(count);
  else c.reply.bigint(exact);
}

export const xpending = command({
  name: 'XPENDING',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries returned, or in consumers for the summary.',
  summary: 'Tells what is pending in a group.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  history: [['6.2.0', 'Added IDLE and exclusive ranges.']],
  args: [
    key('key', 'RO ACCESS'),
    bytes('group'),
    optional(
      block(
        'filters',
        optional(integer('min-idle-time', { token: 'IDLE', since: '6.2.0' })),
        bytes('start'),
        bytes('end'),
        integer('count'),
        optional(bytes('consumer')),
      ),
    ),
  ],
  run(c) {
    if (c.argc !== 3 && (c.argc < 6 || c.argc > 9)) {
      c.syntaxError();
      return;
    }
    const asked = c.argc >= 6 ? readInterval(c) : null;
    if (asked === undefined) return;
    const stream = c.streamForRead(1);
    if (stream === undefined) return;
    const group = stream === null ? NULL : groupFind(c.memory, stream.root, c.arg(2));
    if (group === NULL) noGroup(c, 1, 2);
    else if (asked === null) summarise(c, group);
    else list(c, group, asked.idle, asked.count, asked.consumerAt);
  },
});

// XCLAIM.

/** What XCLAIM's options say. Filled anew by each. */
const claim = {
  /** Where the IDs end. */
  end: 0,
  idle: 0,
  time: -1,
  retries: -1n,
  force: false,
  justId: false,
  last: new StreamId(),
};

function readClaim(c: Call): boolean {
  const idle = c.integerOr(4, 'ERR Invalid min-idle-time argument for XCLAIM');
  if (idle === undefined) return false;
  claim.idle = Math.max(idle, 0);
  claim.time = -1;
  claim.retries = -1n;
  claim.force = false;
  claim.justId = false;
  claim.last.toLowest();
  let i = 5;
  while (i < c.argc && parseId(c.arg(i), id, false, true)) i++;
  claim.end = i;
  for (; i < c.argc; i++) {
    const word = c.arg(i);
    const more = c.argc - 1 - i > 0;
    if (isWord(word, 'FORCE')) claim.force = true;
    else if (isWord(word, 'JUSTID')) claim.justId = true;
    else if (more && isWord(word, 'IDLE')) {
      const since = c.integerOr(++i, 'ERR Invalid IDLE option argument for XCLAIM');
      if (since === undefined) return false;
      claim.time = c.now - since;
    } else if (more && isWord(word, 'TIME')) {
      const time = c.integerOr(++i, 'ERR Invalid TIME option argument for XCLAIM');
      if (time === undefined) return false;
      claim.time = time;
    } else if (more && isWord(word, 'RETRYCOUNT')) {
      if (Number.isNaN(parseInteger(c.arg(++i)))) {
        c.reply.error('ERR Invalid RETRYCOUNT option argument for XCLAIM');
        return false;
      }
      claim.retries = c.int64(i) ?? -1n;
    } else if (more && isWord(word, 'LASTID')) {
      if (!idAt(c, ++i, claim.last)) return false;
    } else {
      c.reply.error(`ERR Unrecognized XCLAIM option '${word.shown()}'`);
      return false;
    }
  }
  // A time to come makes no sense: it is taken for now.
  if (claim.time < 0 || claim.time > c.now) claim.time = c.now;
  return true;
}

/**
 * The consumer who claims, at argument 3: looked up, or made, by the first entry that it gets; and whether a claim has told
 * where the group stands.
 */
const claimant = { address: NULL, told: false };

function give(c: Call, group: Addr): void {
  if (claimant.address === NULL) claimant.address = consumerFor(c, 1, group, c.arg(3));
  pendingOf(c).give(id, claimant.address);
}

/** LASTID is behind where the group stands. What the master tells in this form of one entry was a delivery. */
function moveGroup(c: Call, stream: StreamValue, group: Addr): void {
  parseId(c.arg(5), id, false, true);
  const delivery = c.session.role.mustObey && claim.end === 6 && id.compare(claim.last) === 0;
  if (delivery) advance(stream, group, claim.last);
  else groupSetLast(c.memory, group, claim.last);
}

/** Claims the entry `id`, named as argument `i`; says whether it is the consumer's now. */
function claimOne(c: Call, stream: StreamValue, group: Addr, i: number): boolean {
  const pending = pendingOf(c);
  let there = pending.find(group, id);
  if (!stream.has(id)) {
    if (there) {
      propagateClaim(c, 1, c.arg(2), group, c.arg(i), pending);
      pending.drop(group, id);
      c.dirty++;
      claimant.told = true;
    }
    return false;
  }
  if (claim.force && !there) there = pending.make(group, id, c.now);
  if (!there) return false;
  if (claim.idle > 0 && pending.consumer !== NULL && c.now - pending.time < claim.idle) return false;
  pending.time = claim.time;
  if (claim.retries >= 0n) pending.setCount(claim.retries);
  else if (!claim.justId) pending.countUp();
  give(c, group);
  propagateClaim(c, 1, c.arg(2), group, c.arg(i), pending);
  c.dirty++;
  claimant.told = true;
  return true;
}

function replyClaimed(c: Call, stream: StreamValue, justId: boolean): void {
  if (justId) replyId(c.reply, id);
  else {
    const cursor = stream.cursor(id, id);
    cursor.next();
    replyEntry(c.reply, cursor);
  }
}

export const xclaim = command({
  name: 'XCLAIM',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(log N) for each ID, with N entries pending in the group.',
  summary: 'Gives pending entries to another consumer, as if they had been delivered to it.',
  flags: ['write', 'fast'],
  tips: ['nondeterministic_output'],
  args: [
    key('key', 'RW UPDATE'),
    bytes('group'),
    bytes('consumer'),
    bytes('min-idle-time'),
    many(bytes('id')),
    optional(after('IDLE', integer('ms'))),
    optional(after('TIME', unixTime('unix-time-milliseconds'))),
    optional(after('RETRYCOUNT', integer('count'))),
    optional(token('force', 'FORCE')),
    optional(token('justid', 'JUSTID')),
    optional(after('LASTID', bytes('lastid'))),
  ],
  run(c) {
    const stream = c.streamForRead(1);
    if (stream === undefined) return;
    const { memory, reply } = c;
    const group = stream === null ? NULL : groupFind(memory, stream.root, c.arg(2));
    if (stream === null || group === NULL) {
      noGroup(c, 1, 2);
      return;
    }
    if (!readClaim(c)) return;
    c.propagateRewrites();
    const moved = claim.last.compare(groupLast(memory, group, id)) > 0;
    if (moved) moveGroup(c, stream, group);
    claimant.address = NULL;
    claimant.told = false;
    const handle = reply.deferArray();
    let count = 0;
    for (let i = 5; i < claim.end; i++) {
      parseId(c.arg(i), id, false, true);
      if (!claimOne(c, stream, group, i)) continue;
      replyClaimed(c, stream, claim.justId);
      count++;
    }
    if (moved) propagateGroup(c, 1, c.arg(2), group);
    if (moved && !claimant.told) c.dirty++;
    reply.settleArray(handle, count);
  },
});

// XAUTOCLAIM.

/** Entries that are looked at for each that may be claimed. */
const ATTEMPTS = 10;
const MOST = Math.floor(Number.MAX_SAFE_INTEGER / 16);

interface AutoClaim {
  readonly idle: number;
  readonly count: number;
  readonly justId: boolean;
}

/** XAUTOCLAIM's arguments, the first ID into `start`; undefined when an error has been replied. */
function readAutoClaim(c: Call): AutoClaim | undefined {
  const idle = c.integerOr(4, 'ERR Invalid min-idle-time argument for XAUTOCLAIM');
  if (idle === undefined || !startAt(c, 5, start)) return undefined;
  let count = 100;
  let justId = false;
  for (let i = 6; i < c.argc; i++) {
    if (i + 1 < c.argc && isWord(c.arg(i), 'COUNT')) {
      const given = c.integerOr(++i, 'ERR COUNT must be > 0');
      if (given === undefined) return undefined;
      if (given < 1 || given > 2 ** 63 / 16) {
        c.reply.error('ERR COUNT must be > 0');
        return undefined;
      }
      count = Math.min(given, MOST);
    } else if (isWord(c.arg(i), 'JUSTID')) justId = true;
    else {
      c.syntaxError();
      return undefined;
    }
  }
  return { idle: Math.max(idle, 0), count, justId };
}

/** Claims what it may, in order; the IDs claimed and those of entries that are gone, and where to go on into `start`. */
function claimIdle(c: Call, stream: StreamValue, group: Addr, asked: AutoClaim): [StreamId[], StreamId[]] {
  const { memory, now } = c;
  const pending = pendingOf(c);
  const tree = groupPending(memory, group);
  const walk = new IdCursor(memory).seekFrom(memory, tree, start);
  const taken: StreamId[] = [];
  const gone: StreamId[] = [];
  let left = asked.count;
  for (let attempts = asked.count * ATTEMPTS; attempts > 0 && left > 0 && walk.more; attempts--) {
    walk.id(id);
    pending.show(walk);
    if (!stream.has(id)) {
      propagateClaim(c, 1, c.arg(2), group, id.text, pending);
      pending.drop(group, id);
      c.dirty++;
      gone.push(new StreamId().like(id));
      left--;
      walk.seekFrom(memory, tree, id);
      continue;
    }
    walk.next();
    if (asked.idle > 0 && now - pending.time < asked.idle) continue;
    pending.time = now;
    if (!asked.justId) pending.countUp();
    give(c, group);
    propagateClaim(c, 1, c.arg(2), group, id.text, pending);
    c.dirty++;
    taken.push(new StreamId().like(id));
    left--;
  }
  if (walk.more) walk.id(start);
  else start.toLowest();
  return [taken, gone];
}

export const xautoclaim = command({
  name: 'XAUTOCLAIM',
  group: 'stream',
  since: '6.2.0',
  complexity: 'O(1) with a small count.',
  summary: 'Gives the entries that have been pending for long to another consumer.',
  flags: ['write', 'fast'],
  tips: ['nondeterministic_output'],
  history: [['7.0.0', 'Also tells of pending entries that the stream has no longer, which are pending no more.']],
  args: [
    key('key', 'RW DELETE'),
    bytes('group'),
    bytes('consumer'),
    bytes('min-idle-time'),
    bytes('start'),
    optional(after('COUNT', integer('count'))),
    optional(token('justid', 'JUSTID')),
  ],
  run(c) {
    // The key's type is judged after the arguments, its absence is counted before them.
    const e = c.find(1);
    const asked = readAutoClaim(c);
    if (!asked || c.openFor(e, TYPE_STREAM) === undefined) return;
    const stream = e === NULL ? null : c.engine.accessors.stream(e);
    const group = stream === null ? NULL : groupFind(c.memory, stream.root, c.arg(2));
    if (stream === null || group === NULL) {
      noGroup(c, 1, 2);
      return;
    }
    c.propagateRewrites();
    claimant.address = NULL;
    const [taken, gone] = claimIdle(c, stream, group, asked);
    const { reply } = c;
    reply.array(3);
    replyId(reply, start);
    reply.array(taken.length);
    for (const one of taken) {
      id.like(one);
      replyClaimed(c, stream, asked.justId);
    }
    reply.array(gone.length);
    for (const one of gone) replyId(reply, one);
  },
});
