/**
 * Consumer groups of a stream: what was delivered last, and what is pending, by group and by consumer. The blocks are drawn
 * in stream-layout.ts.
 *
 * Invariants (groupVerify): an ID is pending in a group if and only if it is in the tree of exactly that consumer whom the
 * group's record names.
 */
import { assert } from '../base/assert.ts';
import { compareBytes, Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  DictCursor,
  dictBytes,
  dictDrain,
  dictExpand,
  dictFind,
  dictInsert,
  dictNew,
  dictRemove,
  dictShrinkIfNeeded,
  dictSize,
  entryKey,
  keyFieldSize,
  writeKeyField,
} from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  IdCursor,
  idtBytes,
  idtFind,
  idtFreeSome,
  idtInsert,
  idtNew,
  idtRemove,
  idtSize,
  idtSpot,
  idtVerify,
} from '../structures/idtree.ts';
import { ID_BYTES, StreamId } from '../structures/stream-id.ts';
import {
  addToCounter,
  Consumer,
  Group,
  PENDING_CONSUMER,
  PENDING_COUNT,
  PENDING_TIME,
  PENDING_WORDS,
  readCounter,
  readCounterExactly,
  Stream,
  writeCounter,
  writeCounterExactly,
} from './stream-layout.ts';

const GROUP_NAME_AT = Group.lastVersion + 4;
const CONSUMER_NAME_AT = Consumer.pending + 4;
const ALL = Number.POSITIVE_INFINITY;

export { entryKey as nameOf } from '../structures/dict.ts';

/** Entries of a dict (NULL for none) by name. */
export function byName(r: Reader, dict: Addr): Addr[] {
  if (dict === NULL) return [];
  const entries: Addr[] = [];
  const cursor = new DictCursor(r);
  cursor.reset(r, dict);
  for (let e = cursor.next(); e !== NULL; e = cursor.next()) entries.push(e);
  const names = new Map(entries.map((e) => [e, new Slice(entryKey(r, e, new Slice()).copy())] as const));
  const none = new Slice();
  return entries.sort((a, b) => compareBytes(names.get(a) ?? none, names.get(b) ?? none));
}

// Groups.

export function groupsOf(r: Reader, root: Addr): Addr[] {
  return byName(r, r.addr(root, Stream.groups));
}

export function groupCount(r: Reader, root: Addr): number {
  const dict = r.addr(root, Stream.groups);
  return dict === NULL ? 0 : dictSize(r, dict);
}

/** The group of that name, NULL where there is none. */
export function groupFind(m: Memory, root: Addr, name: Slice): Addr {
  const dict = m.addr(root, Stream.groups);
  return dict === NULL ? NULL : dictFind(m, dict, name, hashBytes(m.seed, name));
}

/** A new group; NULL where there is one of that name. */
export function groupCreate(m: Memory, root: Addr, name: Slice, last: StreamId, read: bigint): Addr {
  if (groupFind(m, root, name) !== NULL) return NULL;
  let dict = m.addr(root, Stream.groups);
  if (dict === NULL) {
    dict = dictNew(m);
    m.setU32(root, Stream.groups, dict);
  }
  if (dictSize(m, dict) === 0) dictExpand(m, dict, 1);
  const group = m.allocateZeroed(GROUP_NAME_AT + keyFieldSize(name.length));
  try {
    m.setU32(group, Group.pending, idtNew(m, PENDING_WORDS));
    m.setU32(group, Group.consumers, dictNew(m));
    writeKeyField(m, group, GROUP_NAME_AT, name);
    last.write(m, group, Group.lastMsHigh);
    writeCounterExactly(m, group, Group.readHigh, read);
    dictInsert(m, dict, group, hashBytes(m.seed, name));
  } catch (error) {
    groupFree(m, group);
    throw error;
  }
  return group;
}

export function groupDestroy(m: Memory, root: Addr, name: Slice): boolean {
  const dict = m.addr(root, Stream.groups);
  const group = dict === NULL ? NULL : dictRemove(m, dict, name, hashBytes(m.seed, name));
  if (group === NULL) return false;
  dictShrinkIfNeeded(m, dict);
  groupFree(m, group);
  return true;
}

/** Releases a group that is in no dict any more, a half-made one too. */
export function groupFree(m: Memory, group: Addr): void {
  groupBeginFree(m, group);
  groupFreeSome(m, group, ALL);
}

/**
 * The group is going to be released by steps: no reading of it from here on. `lastAt` leads to its consumers on their way
 * out, linked by `next`.
 */
export function groupBeginFree(m: Memory, group: Addr): void {
  m.setU32(group, Group.lastAt, NULL);
}

/** Releases about `budget` pending entries of it; returns what is left of the budget, below 0 where that was not enough. */
export function groupFreeSome(m: Memory, group: Addr, budget: number): number {
  let left = budget;
  for (;;) {
    const consumer = m.addr(group, Group.lastAt);
    const consumers = m.addr(group, Group.consumers);
    if (consumer === NULL && consumers === NULL) break;
    if (left <= 0) return -1;
    if (consumer === NULL) {
      left--;
      if (dictDrain(m, consumers, 1, (each) => consumerLeave(m, each, group))) m.setU32(group, Group.consumers, NULL);
      continue;
    }
    left = pendingFreeSome(m, consumer, Consumer.pending, left);
    if (left < 0) return left;
    m.setAddr(group, Group.lastAt, m.addr(consumer, Consumer.next));
    m.release(consumer);
  }
  left = pendingFreeSome(m, group, Group.pending, left);
  if (left >= 0) m.release(group);
  return left;
}

function consumerLeave(m: Memory, consumer: Addr, group: Addr): void {
  m.setAddr(consumer, Consumer.next, m.addr(group, Group.lastAt));
  m.setAddr(group, Group.lastAt, consumer);
}

/** The same for the tree of pending entries that `holder` has at `at`. */
function pendingFreeSome(m: Memory, holder: Addr, at: number, budget: number): number {
  const tree = m.addr(holder, at);
  if (tree === NULL) return budget;
  const size = idtSize(m, tree);
  if (!idtFreeSome(m, tree, budget)) return -1;
  m.setU32(holder, at, NULL);
  return Math.max(0, budget - size);
}

/** The ID delivered last. */
export function groupLast(r: Reader, group: Addr, into: StreamId): StreamId {
  return into.read(r, group, Group.lastMsHigh);
}

export function groupSetLast(m: Memory, group: Addr, id: StreamId): void {
  id.write(m, group, Group.lastMsHigh);
  m.setU32(group, Group.lastAt, 0);
}

/** Where the entry delivered last lies in its node, 0 where that is not known. */
export function groupLastAt(r: Reader, root: Addr, group: Addr): number {
  return r.u32(group, Group.lastVersion) === r.u32(root, Stream.version) ? r.u32(group, Group.lastAt) : 0;
}

export function groupSetLastAt(m: Memory, root: Addr, group: Addr, at: number): void {
  m.setU32(group, Group.lastAt, at);
  m.setU32(group, Group.lastVersion, m.u32(root, Stream.version));
}

/** How many entries of the stream the group has read, -1 where that is not known. */
export function groupRead(r: Reader, group: Addr): number {
  return readCounter(r, group, Group.readHigh);
}

export function groupSetRead(m: Memory, group: Addr, read: bigint): void {
  writeCounterExactly(m, group, Group.readHigh, read);
}

export function groupReadOne(m: Memory, group: Addr): void {
  addToCounter(m, group, Group.readHigh);
}

export function groupPending(r: Reader, group: Addr): Addr {
  return r.addr(group, Group.pending);
}

// Consumers.

export function consumersOf(r: Reader, group: Addr): Addr[] {
  return byName(r, r.addr(group, Group.consumers));
}

export function consumerCount(r: Reader, group: Addr): number {
  return dictSize(r, r.addr(group, Group.consumers));
}

export function consumerFind(m: Memory, group: Addr, name: Slice): Addr {
  return dictFind(m, m.addr(group, Group.consumers), name, hashBytes(m.seed, name));
}

/** A new consumer; there must be none of that name. */
export function consumerCreate(m: Memory, group: Addr, name: Slice, now: number): Addr {
  const dict = m.addr(group, Group.consumers);
  if (dictSize(m, dict) === 0) dictExpand(m, dict, 1);
  const consumer = m.allocateZeroed(CONSUMER_NAME_AT + keyFieldSize(name.length));
  try {
    m.setU32(consumer, Consumer.pending, idtNew(m, 0));
    m.setF64(consumer, Consumer.seen, now);
    writeKeyField(m, consumer, CONSUMER_NAME_AT, name);
    dictInsert(m, dict, consumer, hashBytes(m.seed, name));
  } catch (error) {
    consumerFree(m, consumer);
    throw error;
  }
  return consumer;
}

function consumerFree(m: Memory, consumer: Addr): void {
  const pending = m.addr(consumer, Consumer.pending);
  if (pending !== NULL) idtFreeSome(m, pending, ALL);
  m.release(consumer);
}

/** Takes a consumer away with all that is pending for it; returns how much that was. */
export function consumerDelete(m: Memory, group: Addr, consumer: Addr): number {
  const own = m.addr(consumer, Consumer.pending);
  const all = m.addr(group, Group.pending);
  const count = idtSize(m, own);
  const id = new StreamId();
  const cursor = new IdCursor(m);
  for (cursor.first(m, own); cursor.more; cursor.next()) idtRemove(m, all, cursor.id(id));
  const dict = m.addr(group, Group.consumers);
  const name = new Slice(entryKey(m, consumer, new Slice()).copy());
  dictRemove(m, dict, name, hashBytes(m.seed, name));
  dictShrinkIfNeeded(m, dict);
  consumerFree(m, consumer);
  return count;
}

/** When the consumer last asked for something, unix ms. */
export function consumerSeen(r: Reader, consumer: Addr): number {
  return r.f64(consumer, Consumer.seen);
}

export function consumerSetSeen(m: Memory, consumer: Addr, now: number): void {
  m.setF64(consumer, Consumer.seen, now);
}

export function consumerPending(r: Reader, consumer: Addr): Addr {
  return r.addr(consumer, Consumer.pending);
}

// What is pending.

/**
 * A pending entry of a group, found or made: fields are read and written through it while the group's tree does not change.
 */
export class Pending {
  private readonly m: Memory;
  private node: Addr = NULL;
  private at = 0;

  constructor(m: Memory) {
    this.m = m;
  }

  /** Whether `id` is pending in `group`. */
  find(group: Addr, id: StreamId): boolean {
    if (!idtFind(this.m, this.m.addr(group, Group.pending), id)) return false;
    this.take(idtSpot.node, idtSpot.at);
    return true;
  }

  /** Where a walk over the group's tree stands. */
  show(cursor: IdCursor): this {
    this.take(cursor.node, cursor.at);
    return this;
  }

  private take(node: Addr, at: number): void {
    this.node = node;
    this.at = at + ID_BYTES;
  }

  get time(): number {
    return readCounter(this.m, this.node, this.at + PENDING_TIME * 4);
  }

  set time(ms: number) {
    writeCounter(this.m, this.node, this.at + PENDING_TIME * 4, ms);
  }

  /** Rounded beyond 2^53. */
  get count(): number {
    return readCounter(this.m, this.node, this.at + PENDING_COUNT * 4);
  }

  get exactCount(): bigint {
    return readCounterExactly(this.m, this.node, this.at + PENDING_COUNT * 4);
  }

  setCount(count: bigint): void {
    writeCounterExactly(this.m, this.node, this.at + PENDING_COUNT * 4, count);
  }

  countUp(): void {
    addToCounter(this.m, this.node, this.at + PENDING_COUNT * 4);
  }

  /** Whose it is; NULL for one that was just made. */
  get consumer(): Addr {
    return this.m.addr(this.node, this.at + PENDING_CONSUMER * 4);
  }

  /** Makes `id` pending in `group`, for nobody yet, delivered once and now, unless it is pending; says whether it is new. */
  make(group: Addr, id: StreamId, now: number): boolean {
    const m = this.m;
    const fresh = idtInsert(m, m.addr(group, Group.pending), id);
    this.take(idtSpot.node, idtSpot.at);
    if (fresh) {
      this.time = now;
      writeCounter(m, this.node, this.at + PENDING_COUNT * 4, 1);
      m.setU32(this.node, this.at + PENDING_CONSUMER * 4, NULL);
    }
    return fresh;
  }

  /** Gives it, which is `id`, to `consumer`. */
  give(id: StreamId, consumer: Addr): void {
    const m = this.m;
    const before = this.consumer;
    if (before === consumer) return;
    idtInsert(m, m.addr(consumer, Consumer.pending), id);
    if (before !== NULL) idtRemove(m, m.addr(before, Consumer.pending), id);
    m.setU32(this.node, this.at + PENDING_CONSUMER * 4, consumer);
  }

  /** Makes `id` pending for `consumer`, delivered once and now; where there is no memory for that, nothing is changed. */
  deliver(group: Addr, id: StreamId, consumer: Addr, now: number): void {
    if (!this.make(group, id, now)) {
      this.time = now;
      this.setCount(1n);
    }
    try {
      this.give(id, consumer);
    } catch (error) {
      if (this.consumer === NULL) idtRemove(this.m, this.m.addr(group, Group.pending), id);
      throw error;
    }
  }

  /** Takes `id` off the lists; it must have been found. */
  drop(group: Addr, id: StreamId): void {
    const m = this.m;
    const { consumer } = this;
    idtRemove(m, m.addr(group, Group.pending), id);
    if (consumer !== NULL) idtRemove(m, m.addr(consumer, Consumer.pending), id);
  }
}

// The whole of a group.

export function groupBytes(m: Memory, group: Addr): number {
  const dict = m.addr(group, Group.consumers);
  let bytes = m.sizeOf(group) + idtBytes(m, m.addr(group, Group.pending)) + dictBytes(m, dict);
  for (const consumer of byName(m, dict)) bytes += m.sizeOf(consumer) + idtBytes(m, consumerPending(m, consumer));
  return bytes;
}

/** Copies a group with its consumers and all that is pending into another stream. */
export function groupCopy(m: Memory, group: Addr, root: Addr): void {
  const name = new Slice(entryKey(m, group, new Slice()).copy());
  const id = new StreamId();
  const copy = groupCreate(m, root, name, groupLast(m, group, id), 0n);
  m.copy(copy, Group.readHigh, group, Group.readHigh, 8);
  const fresh = new Map<number, Addr>();
  for (const consumer of consumersOf(m, group)) {
    const consumerName = new Slice(entryKey(m, consumer, new Slice()).copy());
    fresh.set(consumer, consumerCreate(m, copy, consumerName, consumerSeen(m, consumer)));
  }
  const cursor = new IdCursor(m);
  const from = new Pending(m);
  const to = new Pending(m);
  for (cursor.first(m, groupPending(m, group)); cursor.more; cursor.next()) {
    from.show(cursor);
    to.make(copy, cursor.id(id), from.time);
    to.setCount(from.exactCount);
    to.give(id, fresh.get(from.consumer) ?? NULL);
  }
}

export function groupVerify(m: Memory, group: Addr): void {
  const all = groupPending(m, group);
  idtVerify(m, all);
  let sum = 0;
  const cursor = new IdCursor(m);
  const id = new StreamId();
  const pending = new Pending(m);
  for (const consumer of consumersOf(m, group)) {
    const own = consumerPending(m, consumer);
    idtVerify(m, own);
    sum += idtSize(m, own);
    for (cursor.first(m, own); cursor.more; cursor.next()) {
      assert(pending.find(group, cursor.id(id)), "a consumer's entry is pending in its group");
      assert(pending.consumer === consumer, 'and belongs to that consumer');
    }
  }
  assert(sum === idtSize(m, all), 'every pending entry belongs to a consumer');
}
