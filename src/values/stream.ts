/**
 * The stream: a tree of nodes (stream-node.ts) by the ID of their first entry, and consumer groups (stream-group.ts). The
 * blocks are drawn in stream-layout.ts.
 *
 * Invariants (verify): nodes are valid and not without live entries unless trimming left them so; an entry's ID is at least
 * its node's and below the next node's; `length` counts the live entries; the first ID is the lowest of them.
 */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { DictCursor, dictBytes, dictDrain } from '../structures/dict.ts';
import {
  IdCursor,
  idtBytes,
  idtFreeSome,
  idtInsert,
  idtNew,
  idtRemove,
  idtSize,
  idtSpot,
  idtVerify,
} from '../structures/idtree.ts';
import { idtRadixNodes } from '../structures/idtree-radix.ts';
import { lpAppendEncoded, lpBytes, lpNew, lpReserve } from '../structures/listpack.ts';
import { ID_BYTES, StreamId } from '../structures/stream-id.ts';
import { ENC_STREAM } from './entry.ts';
import { StreamCursor } from './stream-cursor.ts';
import { groupBeginFree, groupBytes, groupCopy, groupFreeSome, groupsOf, groupVerify } from './stream-group.ts';
import { addToCounter, Group, readCounter, readCounterExactly, Stream, writeCounterExactly } from './stream-layout.ts';
import {
  ENTRY_DELETED,
  ENTRY_SAME_FIELDS,
  EntryBuffer,
  LIVE_AT,
  NODE_MAX_BYTES,
  NodeHead,
  nodeCount,
  nodeHasFields,
  nodeIsValid,
  nodeLastId,
  nodeLive,
} from './stream-node.ts';
import { ValueAccessor } from './value.ts';

/** How large a node becomes; the options stream-node-max-bytes and -entries write here. 0 is no limit. */
export class StreamLimits {
  nodeBytes = 4096;
  nodeEntries = 100;
}

/** Where a node's address lies in its record of the tree. */
const NODE = ID_BYTES;

/** What `trim` is to do: keep so many entries, or those from an ID on. */
export interface Trimming {
  readonly byLength: boolean;
  readonly length: number;
  readonly from: StreamId;
  /** Whole nodes only. */
  readonly roughly: boolean;
  /** Entries to remove at most, 0 for any number. */
  readonly limit: number;
}

/** Entries that a node has before the size of all is reckoned from theirs. */
const FORESEEN_FROM = 12;
/** Numbers below it take a byte, and so does the next. */
const SHORT_COUNT = 127;

const buffer = new EntryBuffer();
const scratch = new Slice();

export class StreamValue extends ValueAccessor {
  private readonly limits: StreamLimits;
  private readonly walk: StreamCursor;
  private readonly edges: StreamCursor;
  private readonly nodes: IdCursor;
  private readonly head = new NodeHead();
  private readonly master = new StreamId();
  private readonly scratchId = new StreamId();

  constructor(memory: Memory, limits: StreamLimits) {
    super(memory, ENC_STREAM);
    this.limits = limits;
    this.walk = new StreamCursor(memory);
    this.edges = new StreamCursor(memory);
    this.nodes = new IdCursor(memory);
  }

  get memory(): Memory {
    return this.m;
  }

  get length(): number {
    return this.m.u32(this.root, Stream.length);
  }

  lastId(into: StreamId): StreamId {
    return into.read(this.m, this.root, Stream.lastMsHigh);
  }

  setLastId(id: StreamId): void {
    id.write(this.m, this.root, Stream.lastMsHigh);
  }

  /** The lowest ID of an entry; zero of an empty stream. */
  firstId(into: StreamId): StreamId {
    return into.read(this.m, this.root, Stream.firstMsHigh);
  }

  /** The highest ID that XDEL removed. */
  maxDeletedId(into: StreamId): StreamId {
    return into.read(this.m, this.root, Stream.deletedMsHigh);
  }

  setMaxDeletedId(id: StreamId): void {
    id.write(this.m, this.root, Stream.deletedMsHigh);
  }

  /** Entries ever added; rounded beyond 2^53. */
  get added(): number {
    return readCounter(this.m, this.root, Stream.addedHigh);
  }

  get addedExactly(): bigint {
    return readCounterExactly(this.m, this.root, Stream.addedHigh);
  }

  setAdded(count: bigint): void {
    writeCounterExactly(this.m, this.root, Stream.addedHigh, count);
  }

  /** How many nodes there are, and how many a radix tree over them would have. */
  get nodeCount(): number {
    return idtSize(this.m, this.m.addr(this.root, Stream.nodes));
  }

  get radixNodes(): number {
    return idtRadixNodes(this.m, this.m.addr(this.root, Stream.nodes));
  }

  /** A walk over a range; the accessor has one, so it ends where another begins. */
  cursor(start: StreamId | null = null, end: StreamId | null = null, reverse = false): StreamCursor {
    return this.walk.reset(this.m, this.root, start, end, reverse);
  }

  /** A walk over what comes behind the entry `id`, which is said to lie at `at` of its node (0: not known). */
  cursorBehind(id: StreamId, at: number): StreamCursor {
    if (at > 0 && this.walk.resume(this.m, this.root, id, at)) return this.walk;
    this.scratchId.like(id);
    return this.scratchId.increment() ? this.cursor(this.scratchId) : this.walk.end();
  }

  /** The first or last ID of an entry, with `tombstones` also of a deleted one; false where there is none. */
  edge(first: boolean, into: StreamId, tombstones = false): boolean {
    const cursor = this.edges.reset(this.m, this.root, null, null, !first);
    cursor.tombstones = tombstones;
    if (!cursor.next()) return false;
    into.like(cursor.id);
    return true;
  }

  has(id: StreamId): boolean {
    return this.edges.reset(this.m, this.root, id, id).next();
  }

  // Adding.

  /** Adds an entry of `pairs` fields with values, from `args` at `from` on. `id` must be above the last. */
  append(id: StreamId, args: readonly Slice[], from: number, pairs: number): void {
    const { m } = this;
    const tree = m.addr(this.root, Stream.nodes);
    const tail = this.nodes.last(m, tree);
    let size = 0;
    for (let i = 0; i < pairs * 2; i++) size += args[from + i].length;
    if (tail.more && !this.isFull(tail.addr(0), size)) this.appendTo(tail, id, args, from, pairs);
    else this.beginNode(tree, id, args, from, pairs);
    const length = this.length + 1;
    m.setU32(this.root, Stream.length, length);
    addToCounter(m, this.root, Stream.addedHigh);
    this.setLastId(id);
    if (length === 1) id.write(m, this.root, Stream.firstMsHigh);
  }

  /** Whether an entry of `size` bytes does not go into the last node; leaves its numbers in `head`. */
  private isFull(lp: Addr, size: number): boolean {
    const { nodeEntries } = this.limits;
    const { head } = this;
    head.readFrom(this.m, lp);
    if (lpBytes(this.m, lp) + size >= this.largestNode) return true;
    return nodeEntries > 0 && head.live + head.deleted >= nodeEntries;
  }

  private get largestNode(): number {
    const { nodeBytes } = this.limits;
    return nodeBytes === 0 || nodeBytes > NODE_MAX_BYTES ? NODE_MAX_BYTES : nodeBytes;
  }

  /** The last node with room for `more` bytes; one that has shown how large its entries are gets room for all of them. */
  private roomFor(lp: Addr, more: number): Addr {
    const { m } = this;
    const bytes = lpBytes(m, lp);
    if (bytes + more <= m.sizeOf(lp)) return lp;
    const entries = this.head.live + this.head.deleted;
    const missing = this.limits.nodeEntries - entries;
    if (entries < FORESEEN_FROM || missing <= 0) return lpReserve(m, lp, more);
    const foreseen = Math.floor(((bytes - this.head.fieldsAt) / entries) * missing);
    return lpReserve(m, lp, Math.max(more, Math.min(foreseen, this.largestNode - bytes)));
  }

  private beginNode(tree: Addr, id: StreamId, args: readonly Slice[], from: number, pairs: number): void {
    const { m } = this;
    buffer.clear();
    buffer.integer(1);
    buffer.integer(0);
    buffer.integer(pairs);
    for (let i = 0; i < pairs; i++) buffer.value(args[from + i * 2]);
    buffer.integer(0);
    encode(id, id, true, args, from, pairs);
    const lp = lpAppendEncoded(m, lpNew(m, buffer.length + 7), buffer.bytes, buffer.length, buffer.count);
    buffer.taken();
    try {
      idtInsert(m, tree, id);
    } catch (error) {
      m.release(lp);
      throw error;
    }
    m.setU32(idtSpot.node, idtSpot.at + NODE, lp);
  }

  private appendTo(tail: IdCursor, id: StreamId, args: readonly Slice[], from: number, pairs: number): void {
    const { m } = this;
    let lp = tail.addr(0);
    buffer.clear();
    encode(id, tail.id(this.master), nodeHasFields(m, lp, this.head, args, from, pairs), args, from, pairs);
    // Room for the entry and for a longer count first: then nothing below can fail.
    const roomy = this.roomFor(lp, buffer.length + 1);
    if (roomy !== lp) m.setU32(tail.node, tail.at + NODE, roomy);
    lp = roomy;
    if (this.head.live < SHORT_COUNT) m.setU8(lp, LIVE_AT, this.head.live + 1);
    else this.count(lp, 1, 0);
    lpAppendEncoded(m, lp, buffer.bytes, buffer.length, buffer.count);
    buffer.taken();
  }

  // Taking away.

  /** Marks an entry as deleted, or takes its node away with it when it is the last; says whether it was there. */
  delete(id: StreamId): boolean {
    const cursor = this.edges.reset(this.m, this.root, id, id);
    if (!cursor.next()) return false;
    const { m } = this;
    const { lp, master } = cursor;
    if (nodeLive(m, lp) === 1) this.dropNode(master, lp);
    else {
      m.setU8(lp, cursor.entryAt, cursor.flags | ENTRY_DELETED);
      this.recount(master, lp, 1);
    }
    m.setU32(this.root, Stream.length, this.length - 1);
    return true;
  }

  private dropNode(master: StreamId, lp: Addr): void {
    idtRemove(this.m, this.m.addr(this.root, Stream.nodes), master);
    this.m.release(lp);
    this.shifted();
  }

  /** Changes a node's numbers; longer ones shift the entries. */
  private count(lp: Addr, live: number, deleted: number): Addr {
    const { m } = this;
    const before = lpBytes(m, lp);
    const fresh = nodeCount(m, lp, live, deleted);
    if (lpBytes(m, fresh) !== before) this.shifted();
    return fresh;
  }

  /** Places within nodes are other ones from now on. */
  private shifted(): void {
    const { m, root } = this;
    m.setU32(root, Stream.version, (m.u32(root, Stream.version) + 1) >>> 0);
  }

  private recount(master: StreamId, lp: Addr, deleted: number): void {
    const { m } = this;
    const fresh = this.count(lp, -deleted, deleted);
    if (fresh === lp) return;
    const record = this.nodes.seekFrom(m, m.addr(this.root, Stream.nodes), master);
    m.setU32(record.node, record.at + NODE, fresh);
  }

  /** After entries went away: makes the first ID true again. */
  refreshFirst(): void {
    if (this.length === 0 || !this.edge(true, this.scratchId)) this.scratchId.toLowest();
    this.scratchId.write(this.m, this.root, Stream.firstMsHigh);
  }

  /** Removes entries from the front; returns how many. */
  trim(how: Trimming): number {
    const { m } = this;
    const tree = m.addr(this.root, Stream.nodes);
    let removed = 0;
    for (let nodes = this.nodes.first(m, tree); nodes.more; nodes = this.nodes.first(m, tree)) {
      const { length } = this;
      if (how.byLength && length <= how.length) break;
      const lp = nodes.addr(0);
      const live = nodeLive(m, lp);
      if (how.limit > 0 && removed + live > how.limit) break;
      nodes.id(this.master);
      if (how.byLength ? length - live >= how.length : this.endsBefore(lp, how.from)) {
        this.dropNode(this.master, lp);
        m.setU32(this.root, Stream.length, length - live);
        removed += live;
        continue;
      }
      if (!how.roughly) removed += this.trimNode(how);
      break;
    }
    this.refreshFirst();
    return removed;
  }

  private endsBefore(lp: Addr, id: StreamId): boolean {
    const last = this.scratchId;
    return nodeLastId(this.m, lp, this.master, last) && last.compare(id) < 0;
  }

  /** Marks entries of the first node as deleted; it keeps at least one that `how` spares, or ends at one beyond it. */
  private trimNode(how: Trimming): number {
    const { m } = this;
    const cursor = this.edges.reset(m, this.root);
    cursor.tombstones = true;
    const { lp } = cursor;
    let { length } = this;
    let removed = 0;
    while (!(how.byLength && length <= how.length) && cursor.next() && cursor.lp === lp) {
      if (!how.byLength && cursor.id.compare(how.from) >= 0) break;
      if ((cursor.flags & ENTRY_DELETED) !== 0) continue;
      m.setU8(lp, cursor.entryAt, cursor.flags | ENTRY_DELETED);
      removed++;
      length--;
    }
    if (removed > 0) {
      m.setU32(this.root, Stream.length, length);
      this.recount(this.master, lp, removed);
    }
    return removed;
  }

  // Checking.

  verify(): void {
    const { m } = this;
    const tree = m.addr(this.root, Stream.nodes);
    idtVerify(m, tree);
    let length = 0;
    for (const nodes = new IdCursor(m).first(m, tree); nodes.more; nodes.next()) {
      const lp = nodes.addr(0);
      assert(lpBytes(m, lp) <= m.sizeOf(lp), 'a node lies in its block');
      assert(nodeIsValid(m.borrow(scratch, lp, 0, lpBytes(m, lp)), true), 'a node is valid');
      length += nodeLive(m, lp);
    }
    assert(length === this.length, 'the length counts the live entries');
    const last = new StreamId();
    const first = new StreamId();
    let seen = 0;
    for (const cursor = new StreamCursor(m).reset(m, this.root); cursor.next(); ) {
      assert(seen === 0 || cursor.id.compare(last) > 0, 'IDs ascend');
      if (seen++ === 0) first.like(cursor.id);
      last.like(cursor.id);
    }
    assert(seen === length, 'a walk shows every entry');
    assert(first.equals(this.firstId(new StreamId())), 'the first ID is the first');
    assert(last.compare(this.lastId(new StreamId())) <= 0, 'no entry is beyond the last ID');
    for (const group of groupsOf(m, this.root)) groupVerify(m, group);
  }
}

/** Puts an entry's elements into `buffer`. */
function encode(
  id: StreamId,
  master: StreamId,
  same: boolean,
  args: readonly Slice[],
  from: number,
  pairs: number,
): void {
  buffer.integer(same ? ENTRY_SAME_FIELDS : 0);
  buffer.difference(id.msHigh, id.msLow, master.msHigh, master.msLow);
  buffer.difference(id.seqHigh, id.seqLow, master.seqHigh, master.seqLow);
  if (!same) buffer.integer(pairs);
  for (let i = 0; i < pairs; i++) {
    if (!same) buffer.value(args[from + i * 2]);
    buffer.value(args[from + i * 2 + 1]);
  }
  buffer.integer(same ? pairs + 3 : pairs * 2 + 4);
}

// The whole value.

/** An empty stream's root. */
export function streamNew(m: Memory): Addr {
  const root = m.allocateZeroed(Stream.size);
  try {
    m.setU32(root, Stream.nodes, idtNew(m, 1));
  } catch (error) {
    m.release(root);
    throw error;
  }
  return root;
}

/** Steps that are far too many for one go. */
const MUCH_EFFORT = 4096;

export function streamLength(r: Reader, root: Addr): number {
  return r.u32(root, Stream.length);
}

/** How many blocks releasing a stream takes; what is beyond MUCH_EFFORT is not counted. */
export function streamEffort(r: Reader, root: Addr): number {
  let effort = idtSize(r, r.addr(root, Stream.nodes));
  const groups = r.addr(root, Stream.groups);
  if (groups === NULL) return effort;
  const cursor = new DictCursor(r).reset(r, groups);
  for (let group = cursor.next(); group !== NULL && effort < MUCH_EFFORT; group = cursor.next())
    effort += 1 + idtSize(r, r.addr(group, Group.pending));
  return effort;
}

/** Releases about `budget` nodes and pending entries of a stream that is going away; true when all of it is gone. */
export function streamFreeSome(m: Memory, root: Addr, budget: number): boolean {
  let left = budget;
  for (;;) {
    const group = m.addr(root, Stream.leaving);
    const groups = m.addr(root, Stream.groups);
    if (group === NULL && groups === NULL) break;
    if (left <= 0) return false;
    if (group !== NULL) {
      const next = m.addr(group, Group.next);
      left = groupFreeSome(m, group, left);
      if (left >= 0) m.setAddr(root, Stream.leaving, next);
      continue;
    }
    left--;
    if (dictDrain(m, groups, 1, (each) => groupLeave(m, each, root))) m.setU32(root, Stream.groups, NULL);
  }
  const tree = m.addr(root, Stream.nodes);
  if (!idtFreeSome(m, tree, left, (node, at) => m.release(m.addr(node as Addr, at + NODE)))) return false;
  m.release(root);
  return true;
}

/** A group that its stream's dict has let go of waits for its release. */
function groupLeave(m: Memory, group: Addr, root: Addr): void {
  m.setAddr(group, Group.next, m.addr(root, Stream.leaving));
  m.setAddr(root, Stream.leaving, group);
  groupBeginFree(m, group);
}

export function streamFree(m: Memory, root: Addr): void {
  streamFreeSome(m, root, Number.POSITIVE_INFINITY);
}

/** Bytes that a stream takes; of its nodes, `samples` are looked at (all when 0) and the rest reckoned. */
export function streamBytes(m: Memory, root: Addr, samples = 0): number {
  const tree = m.addr(root, Stream.nodes);
  let seen = 0;
  let bytes = 0;
  const nodes = new IdCursor(m);
  for (nodes.first(m, tree); nodes.more && (samples === 0 || seen < samples); nodes.next(), seen++)
    bytes += m.sizeOf(nodes.addr(0));
  if (seen > 0) bytes = Math.round((bytes / seen) * idtSize(m, tree));
  const groups = m.addr(root, Stream.groups);
  if (groups !== NULL) bytes += dictBytes(m, groups);
  for (const group of groupsOf(m, root)) bytes += groupBytes(m, group);
  return bytes + m.sizeOf(root) + idtBytes(m, tree);
}

/** A copy with its groups, consumers and all that is pending. On OutOfMemory nothing is left behind. */
export function streamCopy(m: Memory, root: Addr): Addr {
  const copy = streamNew(m);
  try {
    const tree = m.addr(copy, Stream.nodes);
    const id = new StreamId();
    const nodes = new IdCursor(m);
    for (nodes.first(m, m.addr(root, Stream.nodes)); nodes.more; nodes.next()) {
      const lp = nodes.addr(0);
      const fresh = m.allocate(lpBytes(m, lp));
      m.copy(fresh, 0, lp, 0, lpBytes(m, lp));
      try {
        idtInsert(m, tree, nodes.id(id));
      } catch (error) {
        m.release(fresh);
        throw error;
      }
      m.setU32(idtSpot.node, idtSpot.at + NODE, fresh);
    }
    m.copy(copy, Stream.length, root, Stream.length, Stream.size - Stream.length);
    for (const group of groupsOf(m, root)) groupCopy(m, group, copy);
  } catch (error) {
    streamFree(m, copy);
    throw error;
  }
  return copy;
}
