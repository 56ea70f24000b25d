/** What the families of stream commands share: entries in replies, consequences, and what groups know of the stream. */
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { TO_ALL } from '../../engine/propagation.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Reply } from '../../protocol/reply.ts';
import { StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import type { StreamCursor } from '../../values/stream-cursor.ts';
import {
  consumerCreate,
  consumerFind,
  consumerSetSeen,
  groupLast,
  groupRead,
  nameOf,
  type Pending,
} from '../../values/stream-group.ts';
import { Group, readCounter, readCounterExactly } from '../../values/stream-layout.ts';
import { replyId } from './ids.ts';

/** Replies the entry that a cursor stands at: its ID, and its fields with their values. */
export function replyEntry(reply: Reply, cursor: StreamCursor): void {
  reply.array(2);
  replyId(reply, cursor.id);
  reply.array(cursor.fields * 2);
  for (let left = cursor.fields; left > 0; left--) {
    cursor.nextField();
    reply.bulk(cursor.field);
    reply.bulk(cursor.value);
  }
}

/** Tells an event of the key at argument `i` that is no change to those who watch it or wait for it. */
export function told(c: Call, i: number, event: string, dirty = 1): void {
  c.dirty += dirty;
  if (c.engine.events !== null) c.engine.notify(c.db, event, c.arg(i));
}

/** The consumer of that name, now seen; made where there is none, which says so in `made`. */
export function consumerFor(c: Call, keyAt: number, group: Addr, name: Slice): Addr {
  const m = c.memory;
  const consumer = consumerFind(m, group, name);
  made.now = consumer === NULL;
  if (consumer !== NULL) {
    consumerSetSeen(m, consumer, c.now);
    return consumer;
  }
  const fresh = consumerCreate(m, group, name, c.now);
  told(c, keyAt, 'xgroup-createconsumer');
  return fresh;
}

export const made = { now: false };

const last = new StreamId();
const nameScratch = new Slice();

/** What a claim or a delivery has the same effect as. */
export function propagateClaim(c: Call, keyAt: number, name: Slice, group: Addr, id: string | Slice, p: Pending): void {
  if (!c.propagates) return;
  const m = c.memory;
  const consumer = nameOf(m, p.consumer, nameScratch);
  c.rewrite(
    ...['XCLAIM', c.arg(keyAt), name, consumer, '0', id, 'TIME', p.time, 'RETRYCOUNT', p.exactCount.toString()],
    ...['FORCE', 'JUSTID', 'LASTID', groupLast(m, group, last).text],
  );
}

/** The same for where the group stands, for those of `mask`. */
export function propagateGroup(c: Call, keyAt: number, name: Slice, group: Addr, mask = TO_ALL): void {
  if (!c.propagates) return;
  const m = c.memory;
  const read = readCounterExactly(m, group, Group.readHigh).toString();
  c.rewriteFor(mask, 'XGROUP', 'SETID', c.arg(keyAt), name, groupLast(m, group, last).text, 'ENTRIESREAD', read);
}

/** A counter of 64 bits. */
export function replyCounter(reply: Reply, m: Memory, a: Addr, off: number): void {
  const value = readCounter(m, a, off);
  if (Number.isSafeInteger(value)) reply.int(value);
  else reply.bigint(readCounterExactly(m, a, off));
}

const first = new StreamId();
const deleted = new StreamId();

/** Whether an entry from `id` on has been deleted, as far as the highest deleted ID tells. */
export function hasTombstonesFrom(stream: StreamValue, id: StreamId): boolean {
  stream.maxDeletedId(deleted);
  if (stream.length === 0 || deleted.isZero) return false;
  if (stream.firstId(first).compare(deleted) > 0) return false;
  return id.compare(deleted) <= 0;
}

/** How many entries were ever added up to `id`; -1 where that can't be told. */
export function distanceTo(stream: StreamValue, id: StreamId): bigint {
  const added = stream.addedExactly;
  if (added === 0n) return 0n;
  const order = id.compare(stream.lastId(last));
  if (stream.length === 0 && order <= 0) return added;
  if (order === 0) return added;
  if (order > 0) return -1n;
  stream.firstId(first);
  stream.maxDeletedId(deleted);
  if (deleted.isZero || deleted.compare(first) < 0) {
    const order = id.compare(first);
    if (order < 0) return added - BigInt(stream.length);
    if (order === 0) return added - BigInt(stream.length) + 1n;
  }
  return -1n;
}

const reached = new StreamId();

/** How many entries a group has still to read; null where that can't be told. */
export function lagOf(stream: StreamValue, group: Addr): bigint | null {
  const { memory } = stream;
  const added = stream.addedExactly;
  if (added === 0n) return 0n;
  groupLast(memory, group, reached);
  if (groupRead(memory, group) !== -1 && !hasTombstonesFrom(stream, reached))
    return BigInt.asIntN(64, added - readCounterExactly(memory, group, Group.readHigh));
  const read = distanceTo(stream, reached);
  return read === -1n ? null : BigInt.asIntN(64, added - read);
}

/** The error of commands whose group must be there. */
export function noGroup(c: Call, keyAt: number, groupAt: number, rest = ''): void {
  c.reply.error(`NOGROUP No such key '${c.arg(keyAt).shown()}' or consumer group '${c.arg(groupAt).shown()}'${rest}`);
}
