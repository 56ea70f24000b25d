/**
 * Streams in a snapshot: nodes as they are, then the counters, then groups with what is pending.
 *
 *   nodes, then each [ID, 16 bytes big-endian, as a string][listpack]
 *   length, last ID, [first ID, highest deleted ID, entries added: from STREAM_LISTPACKS_2 on]
 *   groups, then each [name][last ID][entries read: from 2 on]
 *     pending, then each [ID, 16 bytes][delivered ms-u64][count]
 *     consumers, then each [name][seen ms-u64][active ms-u64: from 3 on][pending, then each [ID, 16 bytes]]
 *
 * An ID outside of a node's key and the lists of what is pending is two lengths.
 */
import { Slice } from '../../base/slice.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Memory, Reader } from '../../memory/memory.ts';
import { IdCursor, idtInsert, idtSize, idtSpot } from '../../structures/idtree.ts';
import { lpBytes, lpFromBytes } from '../../structures/listpack.ts';
import { ID_BYTES, StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerCreate,
  consumerFind,
  consumerPending,
  consumersOf,
  groupCreate,
  groupPending,
  groupsOf,
  nameOf,
  Pending,
} from '../../values/stream-group.ts';
import { Consumer, Group, PENDING_CONSUMER, PENDING_COUNT, PENDING_TIME, Stream } from '../../values/stream-layout.ts';
import { nodeIsValid, nodeLive } from '../../values/stream-node.ts';
import * as faults from './faults.ts';
import { cutShort, damaged, type Fault } from './faults.ts';
import { STREAM_LISTPACKS, STREAM_LISTPACKS_3 } from './format.ts';
import { isShort, type RdbInput, Room } from './input.ts';
import type { RdbOutput } from './output.ts';
import type { Elements } from './portions.ts';

const TWO_32 = 2 ** 32;
const UNKNOWN = -1n;

// Writing.

export function writeStream(r: Reader, out: RdbOutput, root: Addr): void {
  const tree = r.addr(root, Stream.nodes);
  const nodes = new IdCursor(r);
  const id = new StreamId();
  const scratch = new Slice();
  out.size(idtSize(r, tree));
  for (nodes.first(r, tree); nodes.more; nodes.next()) {
    out.size(ID_BYTES);
    rawId(out, nodes.id(id));
    const lp = nodes.addr(0);
    out.string(r.borrow(scratch, lp, 0, lpBytes(r, lp)));
  }
  out.size(r.u32(root, Stream.length));
  for (const at of [Stream.lastMsHigh, Stream.firstMsHigh, Stream.deletedMsHigh]) sizedId(out, id.read(r, root, at));
  out.sizeWords(r.u32(root, Stream.addedHigh), r.u32(root, Stream.addedLow));
  const groups = groupsOf(r, root);
  out.size(groups.length);
  for (const group of groups) writeGroup(r, out, group);
}

function writeGroup(r: Reader, out: RdbOutput, group: Addr): void {
  const id = new StreamId();
  const name = new Slice();
  out.string(nameOf(r, group, name));
  sizedId(out, id.read(r, group, Group.lastMsHigh));
  out.sizeWords(r.u32(group, Group.readHigh), r.u32(group, Group.readLow));
  const tree = groupPending(r, group);
  out.size(idtSize(r, tree));
  const pending = new IdCursor(r);
  for (pending.first(r, tree); pending.more; pending.next()) {
    rawId(out, pending.id(id));
    out.i64((pending.word(PENDING_TIME) | 0) * TWO_32 + pending.word(PENDING_TIME + 1));
    out.sizeWords(pending.word(PENDING_COUNT), pending.word(PENDING_COUNT + 1));
  }
  const consumers = consumersOf(r, group);
  out.size(consumers.length);
  for (const consumer of consumers) {
    out.string(nameOf(r, consumer, name));
    out.i64(r.f64(consumer, Consumer.seen));
    const own = consumerPending(r, consumer);
    out.size(idtSize(r, own));
    for (pending.first(r, own); pending.more; pending.next()) rawId(out, pending.id(id));
  }
}

function rawId(out: RdbOutput, id: StreamId): void {
  for (const word of [id.msHigh, id.msLow, id.seqHigh, id.seqLow])
    for (let shift = 24; shift >= 0; shift -= 8) out.u8(word >>> shift);
}

function sizedId(out: RdbOutput, id: StreamId): void {
  out.sizeWords(id.msHigh, id.msLow);
  out.sizeWords(id.seqHigh, id.seqLow);
}

// Reading.

/** Reads streams into values that are empty; throws RdbError, and leaves what was built so far to the caller. */
export class StreamReader {
  private readonly memory: Memory;
  private readonly pending: Pending;
  private readonly id = new StreamId();
  private readonly first = new StreamId();
  private readonly deleted = new StreamId();
  private readonly name = new Slice();
  private readonly scratch = new Slice();
  private readonly room = new Room();
  /** See ValueReader. */
  checking = false;
  /** What is told when the bytes end now. */
  private reading: Fault = faults.SHORT_NODES;

  constructor(memory: Memory) {
    this.memory = memory;
    this.pending = new Pending(memory);
  }

  /** The nodes, and behind them the rest in steps of its own; `done` hears how many nodes there were. */
  open(
    input: RdbInput,
    type: number,
    stream: StreamValue,
    deep: boolean,
    done: (nodes: number) => void = () => {},
  ): Elements {
    this.reading = faults.SHORT_NODES;
    const count = this.telling(() => input.size());
    let nodes = count;
    const node = this.nodes(input, stream.root);
    const rest = this.parts(input, type, stream, deep);
    let step: IteratorResult<() => void, void> | null = null;
    const elements = {
      left: nodes + 1,
      one: () => {
        if (nodes > 0) {
          this.telling(node);
          nodes--;
          return;
        }
        step ??= rest.next();
        if (step.done) return;
        this.telling(step.value);
        step = null;
        elements.left++;
      },
      end: () => done(count),
    };
    return elements;
  }

  /** Where the bytes end, what was being read is told. */
  private telling<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw isShort(error) ? cutShort(this.reading) : error;
    }
  }

  /** Steps, each of which reads all that it needs before it changes anything. */
  private *parts(input: RdbInput, type: number, stream: StreamValue, deep: boolean): Generator<() => void, void> {
    let groups = 0;
    yield () => this.counters(input, type, stream);
    yield () => {
      this.reading = faults.SHORT_GROUPS;
      groups = input.size();
    };
    for (; groups > 0; groups--) yield* this.group(input, type, stream, deep);
  }

  private counters(input: RdbInput, type: number, stream: StreamValue): void {
    const { memory: m, id, first, deleted } = this;
    const { root } = stream;
    this.reading = faults.SHORT_COUNTERS;
    const length = input.size();
    sizedIdOf(input, id);
    if (type === STREAM_LISTPACKS) {
      m.setU32(root, Stream.length, length);
      stream.setLastId(id);
      stream.refreshFirst();
      // Redis takes the first ID of an empty stream for the highest there is.
      if (length === 0) id.toHighest().write(m, root, Stream.firstMsHigh);
      stream.setAdded(BigInt(length));
    } else {
      sizedIdOf(input, first);
      sizedIdOf(input, deleted);
      const added = BigInt.asIntN(64, input.size64());
      stream.setLastId(id);
      first.write(m, root, Stream.firstMsHigh);
      stream.setMaxDeletedId(deleted);
      stream.setAdded(added);
    }
    if (length > 0 && idtSize(m, m.addr(root, Stream.nodes)) === 0) damaged(faults.NO_NODES);
    m.setU32(root, Stream.length, this.liveEntries(root));
  }

  /** The true length: one that is only claimed would, once all nodes are gone, leave a stream that can't be loaded. */
  private liveEntries(root: Addr): number {
    const { memory: m } = this;
    let live = 0;
    const nodes = new IdCursor(m);
    for (nodes.first(m, m.addr(root, Stream.nodes)); nodes.more; nodes.next()) live += nodeLive(m, nodes.addr(0));
    return live;
  }

  /** What reads the next node. */
  private nodes(input: RdbInput, root: Addr): () => void {
    const { memory: m, id } = this;
    const tree = m.addr(root, Stream.nodes);
    const before = new StreamId();
    let first = true;
    return () => {
      this.reading = faults.SHORT_NODE_KEY;
      const key = input.string(this.scratch);
      if (key.length !== ID_BYTES) damaged(faults.BAD_NODE_KEY);
      idOf(key, id);
      this.reading = faults.SHORT_NODE;
      const bytes = input.string(this.scratch);
      if (!nodeIsValid(bytes, true, !this.checking)) damaged(faults.BAD_NODE);
      if (!first && id.compare(before) <= 0) damaged(faults.SAME_NODE);
      before.like(id);
      first = false;
      const lp = lpFromBytes(m, bytes);
      try {
        idtInsert(m, tree, id);
      } catch (error) {
        m.release(lp);
        throw error;
      }
      m.setU32(idtSpot.node, idtSpot.at + ID_BYTES, lp);
    };
  }

  private *group(input: RdbInput, type: number, stream: StreamValue, deep: boolean): Generator<() => void, void> {
    let group: Addr = NULL;
    let left = 0;
    yield () => {
      group = this.groupHead(input, type, stream);
    };
    yield () => {
      this.reading = faults.SHORT_PENDING;
      left = input.size();
    };
    for (; left > 0; left--) yield () => this.pendingEntry(input, group);
    yield () => {
      this.reading = faults.SHORT_CONSUMERS;
      left = input.size();
    };
    for (; left > 0; left--) yield* this.consumer(input, type, group);
    if (deep) this.verifyOwned(group);
    else this.dropUnowned(group);
  }

  private groupHead(input: RdbInput, type: number, stream: StreamValue): Addr {
    const { memory: m, id } = this;
    this.reading = faults.SHORT_GROUP;
    const name = input.keep(this.room, this.name);
    this.reading = faults.SHORT_GROUP_ID;
    sizedIdOf(input, id);
    this.reading = faults.SHORT_GROUP_READ;
    const read = type === STREAM_LISTPACKS ? this.estimate(stream, id) : BigInt.asIntN(64, input.size64());
    const group = groupCreate(m, stream.root, name, id, read);
    return group === NULL ? damaged(faults.SAME_GROUP, ` ${name.shown()}`) : group;
  }

  private pendingEntry(input: RdbInput, group: Addr): void {
    const { id, pending } = this;
    this.reading = faults.SHORT_PENDING_ID;
    idOf(input.bytes(ID_BYTES, this.scratch), id);
    this.reading = faults.SHORT_PENDING_REST;
    const time = input.i64();
    const count = input.size64();
    if (!pending.make(group, id, time)) damaged(faults.SAME_PENDING);
    pending.setCount(BigInt.asIntN(64, count));
  }

  private *consumer(input: RdbInput, type: number, group: Addr): Generator<() => void, void> {
    let consumer: Addr = NULL;
    let left = 0;
    yield () => {
      consumer = this.consumerHead(input, type, group);
    };
    yield () => {
      this.reading = faults.SHORT_OWN;
      left = input.size();
    };
    for (; left > 0; left--) yield () => this.ownEntry(input, group, consumer);
  }

  private consumerHead(input: RdbInput, type: number, group: Addr): Addr {
    const { memory: m } = this;
    this.reading = faults.SHORT_CONSUMER;
    const name = input.keep(this.room, this.name);
    if (consumerFind(m, group, name) !== NULL) damaged(faults.SAME_CONSUMER);
    this.reading = faults.SHORT_SEEN;
    const seen = input.i64();
    if (type === STREAM_LISTPACKS_3) input.i64();
    return consumerCreate(m, group, name, seen);
  }

  private ownEntry(input: RdbInput, group: Addr, consumer: Addr): void {
    const { id, pending } = this;
    this.reading = faults.SHORT_OWN_ID;
    idOf(input.bytes(ID_BYTES, this.scratch), id);
    if (!pending.find(group, id)) damaged(faults.NOT_PENDING);
    if (pending.consumer !== NULL) damaged(faults.OWNED);
    pending.give(id, consumer);
  }

  private verifyOwned(group: Addr): void {
    const cursor = new IdCursor(this.memory);
    for (cursor.first(this.memory, groupPending(this.memory, group)); cursor.more; cursor.next())
      if (cursor.addr(PENDING_CONSUMER) === NULL) damaged(faults.UNOWNED);
  }

  /** What is pending for nobody would lead readers astray: it goes. */
  private dropUnowned(group: Addr): void {
    const m = this.memory;
    const cursor = new IdCursor(m);
    const unowned: StreamId[] = [];
    for (cursor.first(m, groupPending(m, group)); cursor.more; cursor.next())
      if (cursor.addr(PENDING_CONSUMER) === NULL) unowned.push(cursor.id(new StreamId()));
    for (const id of unowned) if (this.pending.find(group, id)) this.pending.drop(group, id);
  }

  /** How many entries a group has read, where versions before 7 did not note it. */
  private estimate(stream: StreamValue, last: StreamId): bigint {
    const other = new StreamId();
    const length = BigInt(stream.length);
    if (length === 0n || last.equals(stream.lastId(other))) return length;
    const order = last.compare(stream.firstId(other));
    if (order < 0) return 0n;
    return order === 0 ? 1n : UNKNOWN;
  }
}

function idOf(bytes: Slice, into: StreamId): StreamId {
  const word = (at: number): number =>
    ((bytes.at(at) << 24) | (bytes.at(at + 1) << 16) | (bytes.at(at + 2) << 8) | bytes.at(at + 3)) >>> 0;
  return into.set(word(0), word(4), word(8), word(12));
}

function sizedIdOf(input: RdbInput, into: StreamId): StreamId {
  const ms = input.size64();
  const seq = input.size64();
  const high = (value: bigint): number => Number(value >> 32n);
  const low = (value: bigint): number => Number(value & 0xffffffffn);
  return into.set(high(ms), low(ms), high(seq), low(seq));
}
