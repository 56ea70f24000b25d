/** XREAD and XREADGROUP. */
import { isText, isWord, sameBytes } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command, type KeySpec } from '../../engine/command.ts';
import { after, block, bytes, integer, key, many, optional, token } from '../../engine/grammar.ts';
import { TO_ALL, TO_AOF } from '../../engine/propagation.ts';
import { SCRIPT } from '../../engine/roles.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { IdCursor } from '../../structures/idtree.ts';
import { StreamId } from '../../structures/stream-id.ts';
import { entryType, TYPE_STREAM } from '../../values/entry.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerPending,
  groupFind,
  groupLast,
  groupLastAt,
  groupRead,
  groupReadOne,
  groupSetLast,
  groupSetLastAt,
  groupSetRead,
  Pending,
} from '../../values/stream-group.ts';
import {
  consumerFor,
  distanceTo,
  hasTombstonesFrom,
  made,
  noGroup,
  propagateClaim,
  propagateGroup,
  replyEntry,
} from './common.ts';
import { idAt, isDollar, replyId } from './ids.ts';

/** Entries that a client that had to wait is given at most where it asked for no number. */
const COUNT_AFTER_WAIT = 1000;
const MEANINGLESS =
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by ' +
  'specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.';
const UNBALANCED = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";
const NOT_OF_XREAD =
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.';

/** What the arguments ask for. Filled anew by each command. */
const request = {
  group: false,
  /** Milliseconds to wait, -1 for not at all. */
  timeout: -1,
  count: 0,
  noack: false,
  /** Where the names of group and consumer stand (the one behind the other), 0 where they don't. */
  groupAt: 0,
  /** Where the first key stands, and how many there are; as many IDs follow. */
  first: 0,
  streams: 0,
};

/** The ID after which each key is read; the highest stands for ">". */
const beyond: StreamId[] = [];
const last = new StreamId();
const start = new StreamId();

function readRequest(c: Call, group: boolean): boolean {
  request.group = group;
  request.timeout = -1;
  request.count = 0;
  request.noack = false;
  request.groupAt = 0;
  request.first = 0;
  for (let i = 1; i < c.argc; i++) {
    const more = c.argc - i - 1;
    const word = c.arg(i);
    if (more > 0 && isWord(word, 'BLOCK')) {
      if (c.session.role === SCRIPT)
        return refuse(c, `ERR ${c.arg(0).shown()} command is not allowed with BLOCK option from scripts`);
      if (!readTimeout(c, ++i)) return false;
    } else if (more > 0 && isWord(word, 'COUNT')) {
      const count = c.integer(++i);
      if (count === undefined) return false;
      request.count = Math.max(count, 0);
    } else if (more > 0 && isWord(word, 'STREAMS')) {
      request.first = i + 1;
      break;
    } else if (more > 1 && isWord(word, 'GROUP')) {
      if (!group) return refuse(c, notFor('GROUP'));
      request.groupAt = i + 1;
      i += 2;
    } else if (isWord(word, 'NOACK')) {
      if (!group) return refuse(c, notFor('NOACK'));
      request.noack = true;
    } else {
      c.syntaxError();
      return false;
    }
  }
  return readStreams(c, group);
}

function readStreams(c: Call, group: boolean): boolean {
  if (request.first === 0) {
    c.syntaxError();
    return false;
  }
  const count = c.argc - request.first;
  if (count % 2 !== 0) {
    return refuse(c, UNBALANCED);
  }
  request.streams = count / 2;
  return !group || request.groupAt > 0 || refuse(c, 'ERR Missing GROUP option for XREADGROUP');
}

function notFor(option: string): string {
  return `ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`;
}

function refuse(c: Call, error: string): false {
  c.reply.error(error);
  return false;
}

function readTimeout(c: Call, i: number): boolean {
  const timeout = c.integerOr(i, 'ERR timeout is not an integer or out of range');
  if (timeout === undefined) return false;
  if (timeout < 0) return refuse(c, 'ERR timeout is negative');
  // A time beyond an int64 has wrapped round: it is up at once.
  request.timeout = timeout + c.now < 2 ** 63 ? timeout : 1;
  return true;
}

/** Reads the ID for each key into `beyond`, and sees that groups are there; false when an error has been replied. */
function resolve(c: Call): boolean {
  const { first, streams, group, groupAt } = request;
  while (beyond.length < streams) beyond.push(new StreamId());
  for (let i = 0; i < streams; i++) {
    const stream = c.streamForRead(first + i);
    if (stream === undefined) return false;
    if (group && (stream === null || groupFind(c.memory, stream.root, c.arg(groupAt)) === NULL)) {
      noGroup(c, first + i, groupAt, ' in XREADGROUP with GROUP option');
      return false;
    }
    const at = first + streams + i;
    const id = beyond[i];
    if (isDollar(c, at)) {
      if (group) return refuse(c, MEANINGLESS);
      if (stream === null) id.toLowest();
      else stream.lastId(id);
    } else if (isText(c.arg(at), '>')) {
      if (!group) return refuse(c, NOT_OF_XREAD);
      id.toHighest();
    } else if (!idAt(c, at, id)) return false;
  }
  return true;
}

function read(c: Call, group: boolean): void {
  if (!readRequest(c, group)) return;
  c.propagateRewrites();
  if (c.resuming) {
    resume(c);
    return;
  }
  if (!resolve(c)) return;
  const { reply } = c;
  let served = 0;
  let handle = 0;
  for (let i = 0; i < request.streams; i++) {
    const stream = openAgain(c, request.first + i);
    if (stream === null || !hasNews(c, stream, i)) continue;
    if (served++ === 0) handle = reply.deferArray();
    serve(c, stream, i, request.count);
  }
  if (served > 0) {
    if (reply.resp >= 3) reply.settleMap(handle, served);
    else reply.settleArray(handle, served);
  } else if (request.timeout >= 0) wait(c);
  else reply.nullArray();
}

/** The stream at argument `i`, which has been looked up before; that it is looked up is counted and notified again. */
function openAgain(c: Call, i: number): StreamValue | null {
  const e = c.find(i);
  return e === NULL ? null : c.engine.accessors.stream(e);
}

/** Whether there is something to read in stream `i` beyond its ID, which ">" makes that of the group. */
function hasNews(c: Call, stream: StreamValue, i: number): boolean {
  const from = beyond[i];
  if (!request.group) return stream.edge(false, last) && last.compare(from) > 0;
  const { memory } = c;
  const group = groupFind(memory, stream.root, c.arg(request.groupAt));
  return !from.isHighest || (stream.edge(false, last) && last.compare(groupLast(memory, group, start)) > 0);
}

function consumerOf(c: Call, keyAt: number, group: Addr): Addr {
  const name = c.arg(request.groupAt + 1);
  const consumer = consumerFor(c, keyAt, group, name);
  if (made.now && request.noack) c.rewrite('XGROUP', 'CREATECONSUMER', c.arg(keyAt), c.arg(request.groupAt), name);
  return consumer;
}

/** Replies one stream's name and entries. */
function serve(c: Call, stream: StreamValue, i: number, count: number): void {
  const { reply } = c;
  const keyAt = request.first + i;
  if (reply.resp < 3) reply.array(2);
  reply.bulk(c.arg(keyAt));
  if (!request.group) {
    start.like(beyond[i]).increment();
    replyRange(c, stream, count);
    return;
  }
  const group = groupFind(c.memory, stream.root, c.arg(request.groupAt));
  const consumer = consumerOf(c, keyAt, group);
  c.dirty++;
  if (beyond[i].isHighest) deliver(c, keyAt, stream, group, consumer, count);
  else {
    start.like(beyond[i]).increment();
    replyHistory(c, stream, group, consumer, count);
  }
}

function replyRange(c: Call, stream: StreamValue, count: number): void {
  const { reply } = c;
  const handle = reply.deferArray();
  let shown = 0;
  const cursor = stream.cursor(start);
  while (cursor.next()) {
    replyEntry(reply, cursor);
    if (++shown === count) break;
  }
  reply.settleArray(handle, shown);
}

/** Scratch of the pending entries, one an image. */
const pendings = new WeakMap<object, Pending>();

export function pendingOf(c: Call): Pending {
  let pending = pendings.get(c.memory);
  if (pending === undefined) pendings.set(c.memory, (pending = new Pending(c.memory)));
  return pending;
}

/** Replies what the group has not had yet and makes it pending for the consumer. */
function deliver(c: Call, keyAt: number, stream: StreamValue, group: Addr, consumer: Addr, count: number): void {
  const { reply, memory, now } = c;
  const { root } = stream;
  const name = c.arg(request.groupAt);
  const pending = pendingOf(c);
  const handle = reply.deferArray();
  let shown = 0;
  groupLast(memory, group, last);
  const cursor = stream.cursorBehind(last, groupLastAt(memory, root, group));
  while (cursor.next()) {
    const { id } = cursor;
    replyEntry(reply, cursor);
    advance(stream, group, id);
    groupSetLastAt(memory, root, group, cursor.entryAt);
    if (!request.noack) {
      pending.deliver(group, id, consumer, now);
      if (c.propagates) propagateClaim(c, keyAt, name, group, id.text, pending);
    }
    if (++shown === count) break;
    cursor.refresh();
  }
  // XCLAIM doesn't say how many entries the group has read, which redis-server 7.0 lets its log forget. A replica of ours
  // counts them as it claims.
  if (shown > 0) propagateGroup(c, keyAt, name, group, request.noack ? TO_ALL : TO_AOF);
  reply.settleArray(handle, shown);
}

/** The group has read up to `id`. */
export function advance(stream: StreamValue, group: Addr, id: StreamId): void {
  const { memory } = stream;
  if (groupRead(memory, group) !== -1 && !hasTombstonesFrom(stream, id)) groupReadOne(memory, group);
  else if (stream.added !== 0) groupSetRead(memory, group, distanceTo(stream, id));
  groupSetLast(memory, group, id);
}

const id = new StreamId();
const walks = new WeakMap<object, IdCursor>();

function walkOf(c: Call): IdCursor {
  let walk = walks.get(c.memory);
  if (walk === undefined) walks.set(c.memory, (walk = new IdCursor(c.memory)));
  return walk;
}

/** Replies what is pending for the consumer, as delivered once more. */
function replyHistory(c: Call, stream: StreamValue, group: Addr, consumer: Addr, count: number): void {
  const { reply, memory, now } = c;
  const pending = pendingOf(c);
  const handle = reply.deferArray();
  let shown = 0;
  const walk = walkOf(c).seekFrom(memory, consumerPending(memory, consumer), start);
  for (; walk.more && (count === 0 || shown < count); walk.next(), shown++) {
    walk.id(id);
    const cursor = stream.cursor(id, id);
    if (cursor.next()) {
      replyEntry(reply, cursor);
      pending.find(group, id);
      pending.time = now;
      pending.countUp();
    } else {
      reply.array(2);
      replyId(reply, id);
      reply.nullArray();
    }
  }
  reply.settleArray(handle, shown);
}

// Waiting.

function wait(c: Call): void {
  const { first, streams, timeout, group } = request;
  const keys: number[] = [];
  const instead = new Map<number, Uint8Array>();
  for (let i = 0; i < streams; i++) {
    keys.push(first + i);
    const at = first + streams + i;
    if (isDollar(c, at)) instead.set(at, Buffer.from(beyond[i].text));
  }
  c.block({ type: TYPE_STREAM, keys, timeout, onTimeout: 'nullArray', untilGone: group, instead });
}

/** A key that was waited for was written, or has gone. */
function resume(c: Call): void {
  const { first, streams, group, groupAt } = request;
  const { memory, reply } = c;
  let i = 0;
  while (i < streams - 1 && !sameBytes(c.arg(first + i), c.engine.blocking.serving)) i++;
  while (beyond.length <= i) beyond.push(new StreamId());
  const e = c.peek(first + i);
  if (e === NULL || entryType(memory, e) !== TYPE_STREAM) {
    reply.error('UNBLOCKED the stream key no longer exists');
    return;
  }
  const stream = c.engine.accessors.stream(e);
  if (group) {
    const there = groupFind(memory, stream.root, c.arg(groupAt));
    if (there === NULL) {
      reply.error('NOGROUP the consumer group this client was blocked on no longer exists');
      return;
    }
    beyond[i].toHighest();
    groupLast(memory, there, start);
  } else {
    if (!idAt(c, first + streams + i, beyond[i])) return;
    start.like(beyond[i]);
  }
  if (stream.lastId(last).compare(start) <= 0) {
    wait(c);
    return;
  }
  if (reply.resp >= 3) reply.map(1);
  else reply.array(1);
  serve(c, stream, i, request.count === 0 ? COUNT_AFTER_WAIT : request.count);
}

const specs = (startFrom: number): KeySpec[] => [
  {
    access: 'RO ACCESS',
    begin: { type: 'keyword', keyword: 'STREAMS', startFrom },
    find: { type: 'range', lastKey: -1, step: 1, limit: 2 },
  },
];

const streamsArgument = { ...block('streams', many(key('key', 'RO ACCESS')), many(bytes('id'))), token: 'STREAMS' };

export const xread = command({
  name: 'XREAD',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries returned, for each stream.',
  summary: 'Returns the entries of several streams beyond an ID each, waiting for one when there is none.',
  flags: ['readonly', 'blocking'],
  keySpecs: specs(1),
  args: [
    optional(after('COUNT', integer('count'))),
    optional(after('BLOCK', integer('milliseconds'))),
    streamsArgument,
  ],
  run(c) {
    read(c, false);
  },
});

export const xreadgroup = command({
  name: 'XREADGROUP',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(N) in entries returned, for each stream; what is new becomes pending at the same cost.',
  summary:
    'Returns entries of several streams to a consumer of a group: new ones, waiting for them, or its pending ones.',
  flags: ['write', 'blocking'],
  keySpecs: specs(4),
  args: [
    { ...block('group_consumer', bytes('group'), bytes('consumer')), token: 'GROUP' },
    optional(after('COUNT', integer('count'))),
    optional(after('BLOCK', integer('milliseconds'))),
    optional(token('noack', 'NOACK')),
    streamsArgument,
  ],
  run(c) {
    read(c, true);
  },
});
