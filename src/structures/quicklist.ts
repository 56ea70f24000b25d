/**
 * Quicklist: listpacks in a doubly linked list, its inner nodes under LZF when asked for. Every list is one.
 *
 *   root   [head][tail][count][nodes][fill][depth]       u32 each; commands never move the block
 *   node   drawn in quicklist-node.ts
 *
 * `fill` bounds a node: -1 to -5 are 4, 8, 16, 32, 64 KiB, a positive number counts entries (of 8 KiB at most). `depth`
 * nodes at either end stay as they are, those between are packed; 0 packs none.
 *
 * Elements come and go at both ends without the others of their node being moved (quicklist-ends.ts).
 *
 * Invariants (qlVerify): the links agree both ways; count and nodes are true; no node is empty; every node is valid
 * (verifyNode); with depth 0 no node is packed, else none of the `depth` nodes at either end.
 *
 * Push, pop O(1) in nodes. Index, insert, set O(nodes + bytes of a node). Remove O(bytes).
 */
import { assert } from '../base/assert.ts';
import { Slice, sameBytes } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  ListpackCursor,
  LP_AFTER,
  LP_BEFORE,
  LP_FIRST,
  lpAt,
  lpCopyRange,
  lpDelete,
  lpDeleteRange,
  lpFind,
  lpInsert,
  lpLast,
  lpLength,
  lpMerge,
  lpPrev,
  lpReplace,
  lpSeek,
} from './listpack.ts';
import { dropFirst, dropLast, giveBackAll, pushFirst, pushLast } from './quicklist-ends.ts';
import {
  accepts,
  copyNode,
  freeNode,
  listpackOf,
  mayMerge,
  movedNode,
  NodeRoom,
  newNode,
  newNodeOf,
  nodeBytes,
  nodeCount,
  nodeData,
  nodeFootprint,
  nodeIsPlain,
  nodeNext,
  nodePacked,
  nodePrev,
  pack,
  setListpack,
  setNext,
  setPrev,
  unpack,
  verifyNode,
} from './quicklist-node.ts';

const Root = layout({ head: 'u32', tail: 'u32', count: 'u32', nodes: 'u32', fill: 'u32', depth: 'u32' });

/** An element of so many bytes gets a node of its own, unless DEBUG QUICKLIST-PACKED-THRESHOLD says otherwise. */
export const QL_PLAIN_FROM = 0x40000000;

const scratch = new Slice();
const walker = new ListpackCursor();
const room = new NodeRoom();

export function qlNew(m: Memory, fill: number, depth: number): Addr {
  const ql = m.allocate(Root.size);
  m.setAddr(ql, Root.head, NULL);
  m.setAddr(ql, Root.tail, NULL);
  m.setU32(ql, Root.count, 0);
  m.setU32(ql, Root.nodes, 0);
  qlConfigure(m, ql, fill, depth);
  return ql;
}

/** Sets fill and depth of an empty list. */
export function qlConfigure(m: Memory, ql: Addr, fill: number, depth: number): void {
  m.setU32(ql, Root.fill, fill < -5 ? -5 : fill > 32767 ? 32767 : fill);
  m.setU32(ql, Root.depth, depth < 0 ? 0 : depth > 65535 ? 65535 : depth);
}

export const qlLength = (r: Reader, ql: Addr): number => r.u32(ql, Root.count);
export const qlNodes = (r: Reader, ql: Addr): number => r.u32(ql, Root.nodes);
export const qlHead = (r: Reader, ql: Addr): Addr => r.addr(ql, Root.head);
export const qlTail = (r: Reader, ql: Addr): Addr => r.addr(ql, Root.tail);
const fillOf = (r: Reader, ql: Addr): number => r.u32(ql, Root.fill) | 0;
const depthOf = (r: Reader, ql: Addr): number => r.u32(ql, Root.depth);

/** Releases the list. */
export function qlFree(m: Memory, ql: Addr): void {
  qlFreeSome(m, ql, Number.POSITIVE_INFINITY);
}

/** Releases up to `budget` nodes of a list that nobody reads any more; NULL once all is gone, else `ql`. */
export function qlFreeSome(m: Memory, ql: Addr, budget: number): Addr {
  let node = qlHead(m, ql);
  for (let left = budget; node !== NULL && left > 0; left--) {
    const next = nodeNext(m, node);
    freeNode(m, node);
    node = next;
  }
  m.setAddr(ql, Root.head, node);
  if (node !== NULL) return ql;
  m.release(ql);
  return NULL;
}

/** A list of the same nodes, bytes and all. */
export function qlCopy(m: Memory, ql: Addr): Addr {
  const copy = qlNew(m, fillOf(m, ql), depthOf(m, ql));
  try {
    for (let n = qlHead(m, ql); n !== NULL; n = nodeNext(m, n)) {
      link(m, copy, qlTail(m, copy), copyNode(m, n), NULL);
      addCount(m, copy, nodeCount(m, n));
    }
  } catch (error) {
    qlFree(m, copy);
    throw error;
  }
  return copy;
}

/**
 * Moves up to `budget` nodes behind the first `skipped` ones where memory wants that (Memory.moved); says how many nodes
 * are dealt with then, 0 when that is all of them.
 */
export function qlRelocate(m: Memory, ql: Addr, skipped: number, budget: number): number {
  let node = qlHead(m, ql);
  for (let i = 0; i < skipped && node !== NULL; i++) node = nodeNext(m, node);
  for (let left = budget; node !== NULL; left--) {
    if (left === 0) return skipped + budget;
    const fresh = movedNode(m, node);
    const next = nodeNext(m, fresh);
    if (fresh !== node) {
      const prev = nodePrev(m, fresh);
      if (prev === NULL) m.setAddr(ql, Root.head, fresh);
      else setNext(m, prev, fresh);
      if (next === NULL) m.setAddr(ql, Root.tail, fresh);
      else setPrev(m, next, fresh);
    }
    node = next;
  }
  return 0;
}

// The chain.

function addCount(m: Memory, ql: Addr, by: number): void {
  m.setU32(ql, Root.count, m.u32(ql, Root.count) + by);
}

function link(m: Memory, ql: Addr, prev: Addr, node: Addr, next: Addr): void {
  setPrev(m, node, prev);
  setNext(m, node, next);
  if (prev === NULL) m.setAddr(ql, Root.head, node);
  else setNext(m, prev, node);
  if (next === NULL) m.setAddr(ql, Root.tail, node);
  else setPrev(m, next, node);
  m.setU32(ql, Root.nodes, m.u32(ql, Root.nodes) + 1);
}

function unlink(m: Memory, ql: Addr, node: Addr): void {
  const prev = nodePrev(m, node);
  const next = nodeNext(m, node);
  if (prev === NULL) m.setAddr(ql, Root.head, next);
  else setNext(m, prev, next);
  if (next === NULL) m.setAddr(ql, Root.tail, prev);
  else setPrev(m, next, prev);
  m.setU32(ql, Root.nodes, m.u32(ql, Root.nodes) - 1);
}

function removeNode(m: Memory, ql: Addr, node: Addr): void {
  unlink(m, ql, node);
  addCount(m, ql, -nodeCount(m, node));
  freeNode(m, node);
}

function unpackQuietly(m: Memory, node: Addr): void {
  if (nodePacked(m, node) === 0) return;
  try {
    unpack(m, node);
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
  }
}

/** Packs and unpacks what a change called for: the ends, the nodes next to them, and `touched` (may be NULL). */
function settle(m: Memory, ql: Addr, touched: Addr): void {
  const depth = depthOf(m, ql);
  if (depth === 0) return;
  if (qlNodes(m, ql) <= depth * 2) {
    for (let n = qlHead(m, ql); n !== NULL; n = nodeNext(m, n)) unpackQuietly(m, n);
    return;
  }
  let front = qlHead(m, ql);
  let back = qlTail(m, ql);
  let atEnd = false;
  for (let i = 0; i < depth; i++) {
    unpackQuietly(m, front);
    unpackQuietly(m, back);
    if (front === touched || back === touched) atEnd = true;
    front = nodeNext(m, front);
    back = nodePrev(m, back);
  }
  pack(m, front);
  pack(m, back);
  if (!atEnd && touched !== NULL) pack(m, touched);
}

/** Joins two neighbours that may be one; returns the one, or NULL where memory is short. The second node is gone. */
function merge(m: Memory, ql: Addr, a: Addr, b: Addr): Addr {
  const count = nodeCount(m, a) + nodeCount(m, b);
  try {
    const first = listpackOf(m, a);
    setListpack(m, a, lpMerge(m, first, listpackOf(m, b)), count);
  } catch (error) {
    if (error instanceof OutOfMemory) return NULL;
    throw error;
  }
  unlink(m, ql, b);
  m.release(b);
  return a;
}

function mergeIfAllowed(m: Memory, ql: Addr, a: Addr, b: Addr, otherwise: Addr): Addr {
  if (!mayMerge(m, a, b, fillOf(m, ql))) return otherwise;
  return merge(m, ql, a, b) || otherwise;
}

/** Joins the node with what is beside it as far as that is allowed. */
function mergeAround(m: Memory, ql: Addr, node: Addr): void {
  const before = mergeIfAllowed(m, ql, nodePrev(m, node), node, node);
  settle(m, ql, mergeIfAllowed(m, ql, before, nodeNext(m, before), before));
}

/** Moves the entries from `p` on into a node of their own behind this one. */
function split(m: Memory, ql: Addr, node: Addr, p: number): Addr {
  const lp = listpackOf(m, node);
  const right = lpCopyRange(m, lp, p, 0);
  const count = lpLength(m, right);
  const fresh = newNode(m, right, 0, 0, false);
  setListpack(m, fresh, right, count);
  setListpack(m, node, lpDeleteRange(m, lp, p, count), nodeCount(m, node) - count);
  link(m, ql, node, fresh, nodeNext(m, node));
  return fresh;
}

/** Removes a node of which no element is left to be kept. */
function dropNode(m: Memory, ql: Addr, node: Addr): void {
  removeNode(m, ql, node);
  settle(m, ql, NULL);
}

// Both ends. An element of `plainFrom` bytes or more gets a node of its own.

export function qlPushHead(m: Memory, ql: Addr, value: Slice, plainFrom: number): void {
  const head = qlHead(m, ql);
  const plain = value.length >= plainFrom;
  if (plain || head === NULL || !accepts(m, head, value.length, fillOf(m, ql))) {
    const node = newNodeOf(m, value, plain);
    link(m, ql, NULL, node, head);
    leftBehind(m, ql, node, head);
  } else {
    unpack(m, head);
    pushFirst(m, head, value);
  }
  addCount(m, ql, 1);
}

export function qlPushTail(m: Memory, ql: Addr, value: Slice, plainFrom: number): void {
  const tail = qlTail(m, ql);
  const plain = value.length >= plainFrom;
  if (plain || tail === NULL || !accepts(m, tail, value.length, fillOf(m, ql))) {
    const node = newNodeOf(m, value, plain);
    link(m, ql, tail, node, NULL);
    leftBehind(m, ql, node, tail);
  } else {
    unpack(m, tail);
    pushLast(m, tail, value);
  }
  addCount(m, ql, 1);
}

/** `node` has become an end of the list in the place of `old`, which may be NULL. */
function leftBehind(m: Memory, ql: Addr, node: Addr, old: Addr): void {
  if (old !== NULL) giveBackAll(m, old);
  settle(m, ql, node);
}

/** The first or last element of a list that has one; good until the list changes. */
export function qlPeek(r: Reader, ql: Addr, atHead: boolean, into: Slice): Slice {
  const node = atHead ? qlHead(r, ql) : qlTail(r, ql);
  const content = room.content(r, node, scratch);
  if (nodeIsPlain(r, node)) return into.like(content);
  walker.resetBytes(content, 0);
  if (atHead) walker.toFirst();
  else walker.toLast();
  return walker.bytes(into);
}

/** Removes the first element of a list that has one. */
export function qlDropHead(m: Memory, ql: Addr): void {
  const head = qlHead(m, ql);
  if (nodeCount(m, head) === 1) {
    dropNode(m, ql, head);
    return;
  }
  unpack(m, head);
  dropFirst(m, head);
  addCount(m, ql, -1);
}

/** Removes the last element of a list that has one. */
export function qlDropTail(m: Memory, ql: Addr): void {
  const tail = qlTail(m, ql);
  if (nodeCount(m, tail) === 1) {
    dropNode(m, ql, tail);
    return;
  }
  unpack(m, tail);
  dropLast(m, tail);
  addCount(m, ql, -1);
}

// At a place: `node` and the position `p` of an entry in its listpack (whatever in a plain node), as a cursor tells them.

/** Puts `value` before or behind the element at a place. */
export function qlInsert(
  m: Memory,
  ql: Addr,
  node: Addr,
  p: number,
  after: boolean,
  value: Slice,
  plainFrom: number,
): void {
  const fill = fillOf(m, ql);
  const data = listpackOf(m, node);
  const plainNode = nodeIsPlain(m, node);
  const large = value.length >= plainFrom;
  if (!large && accepts(m, node, value.length, fill)) {
    const lp = lpInsert(m, data, p, after ? LP_AFTER : LP_BEFORE, value);
    setListpack(m, node, lp, nodeCount(m, node) + 1);
    addCount(m, ql, 1);
    settle(m, ql, node);
    return;
  }
  const edge = plainNode || p === (after ? lpLast(m, data) : LP_FIRST);
  if (edge) insertBeside(m, ql, node, after, value, large);
  else insertBetween(m, ql, node, p, after, value, large);
}

/** The place of the new element is between two nodes. */
function insertBeside(m: Memory, ql: Addr, node: Addr, after: boolean, value: Slice, large: boolean): void {
  const neighbour = after ? nodeNext(m, node) : nodePrev(m, node);
  if (!large && neighbour !== NULL && accepts(m, neighbour, value.length, fillOf(m, ql))) {
    unpack(m, neighbour);
    if (after) pushFirst(m, neighbour, value);
    else pushLast(m, neighbour, value);
    addCount(m, ql, 1);
    settle(m, ql, neighbour);
  } else {
    const fresh = newNodeOf(m, value, large);
    if (after) link(m, ql, node, fresh, neighbour);
    else link(m, ql, neighbour, fresh, node);
    addCount(m, ql, 1);
    settle(m, ql, fresh);
  }
  settle(m, ql, node);
}

/** The place of the new element is inside a node that can't take it. */
function insertBetween(m: Memory, ql: Addr, node: Addr, p: number, after: boolean, value: Slice, large: boolean): void {
  const data = nodeData(m, node);
  const fresh = newNodeOf(m, value, large);
  let right = NULL;
  try {
    right = split(m, ql, node, after ? p + lpStep(m, data, p) : p);
  } catch (error) {
    freeNode(m, fresh);
    throw error;
  }
  link(m, ql, node, fresh, right);
  addCount(m, ql, 1);
  settle(m, ql, node);
  settle(m, ql, right);
  if (large) return;
  const left = mergeIfAllowed(m, ql, node, fresh, fresh);
  mergeAround(m, ql, left);
}

/** Bytes from an entry to the one behind it. */
function lpStep(m: Memory, lp: Addr, p: number): number {
  walker.reset(m, lp, p);
  walker.next();
  return walker.position - p;
}

export function qlReplace(m: Memory, ql: Addr, node: Addr, p: number, value: Slice, plainFrom: number): void {
  const large = value.length >= plainFrom;
  if (!nodeIsPlain(m, node) && !large) {
    setListpack(m, node, lpReplace(m, listpackOf(m, node), p, value), nodeCount(m, node));
    settle(m, ql, node);
    return;
  }
  // One of the two is plain, so that nothing merges and the place holds while its successor is put in.
  qlInsert(m, ql, node, p, true, value, plainFrom);
  qlDeleteAt(m, ql, node, p);
}

export function qlDeleteAt(m: Memory, ql: Addr, node: Addr, p: number): void {
  const count = nodeCount(m, node);
  if (count === 1) {
    dropNode(m, ql, node);
    return;
  }
  setListpack(m, node, lpDelete(m, listpackOf(m, node), p), count - 1);
  addCount(m, ql, -1);
  settle(m, ql, node);
}

/** Removes up to `count` elements from number `start` (not negative) on. */
export function qlDeleteRange(m: Memory, ql: Addr, start: number, count: number): void {
  let left = Math.min(count, qlLength(m, ql) - start);
  if (left <= 0) return;
  let node = qlHead(m, ql);
  let offset = start;
  if (start <= qlLength(m, ql) >>> 1) {
    for (; offset >= nodeCount(m, node); node = nodeNext(m, node)) offset -= nodeCount(m, node);
  } else {
    let behind = qlLength(m, ql) - start;
    for (node = qlTail(m, ql); behind > nodeCount(m, node); node = nodePrev(m, node)) behind -= nodeCount(m, node);
    offset = nodeCount(m, node) - behind;
  }
  while (left > 0) {
    const next = nodeNext(m, node);
    const there = nodeCount(m, node);
    const gone = Math.min(left, there - offset);
    if (gone === there) removeNode(m, ql, node);
    else deleteWithin(m, ql, node, offset, gone);
    left -= gone;
    offset = 0;
    node = next;
  }
  settle(m, ql, NULL);
}

function deleteWithin(m: Memory, ql: Addr, node: Addr, offset: number, count: number): void {
  const lp = listpackOf(m, node);
  setListpack(m, node, lpDeleteRange(m, lp, lpSeek(m, lp, offset), count), nodeCount(m, node) - count);
  addCount(m, ql, -count);
  settle(m, ql, node);
}

/** Removes up to `limit` elements equal to `value`, from the tail when `backwards`; says how many. */
export function qlRemove(m: Memory, ql: Addr, value: Slice, limit: number, backwards: boolean): number {
  let removed = 0;
  let node = backwards ? qlTail(m, ql) : qlHead(m, ql);
  while (node !== NULL && removed < limit) {
    const following = backwards ? nodePrev(m, node) : nodeNext(m, node);
    if (holds(m, node, value)) removed += removeWithin(m, ql, node, value, limit - removed, backwards);
    node = following;
  }
  return removed;
}

function holds(m: Memory, node: Addr, value: Slice): boolean {
  const content = room.content(m, node, scratch);
  if (nodeIsPlain(m, node)) return sameBytes(content, value);
  walker.aim(value);
  for (walker.resetBytes(content, LP_FIRST); walker.more; walker.next()) if (walker.hit(value)) return true;
  return false;
}

/** Of a node that holds `value`. */
function removeWithin(m: Memory, ql: Addr, node: Addr, value: Slice, limit: number, backwards: boolean): number {
  const count = nodeCount(m, node);
  let removed = 0;
  if (count > 1) {
    let lp = listpackOf(m, node);
    let p = backwards ? findBack(m, lp, lpLast(m, lp), value) : lpFind(m, lp, LP_FIRST, value, 0);
    while (p !== 0) {
      lp = lpDelete(m, lp, p);
      removed++;
      if (removed === limit || removed === count) break;
      p = backwards ? findBack(m, lp, lpPrev(m, lp, p), value) : lpFind(m, lp, lpAt.position, value, 0);
    }
    setListpack(m, node, lp, count - removed);
    addCount(m, ql, -removed);
    if (removed < count) {
      settle(m, ql, node);
      return removed;
    }
  }
  dropNode(m, ql, node);
  return count === 1 ? 1 : removed;
}

/** The last entry equal to `value` at or before `p`; or 0. */
function findBack(m: Memory, lp: Addr, p: number, value: Slice): number {
  if (p === 0) return 0;
  walker.aim(value);
  walker.reset(m, lp, p);
  while (walker.more && !walker.hit(value)) walker.prev();
  return walker.more ? walker.position : 0;
}

/** Appends a node of the listpack whose valid bytes these are: how a list comes out of a file. */
export function qlAppendListpack(m: Memory, ql: Addr, bytes: Slice): void {
  const lp = m.allocate(bytes.length);
  m.write(lp, 0, bytes);
  const count = lpLength(m, lp);
  if (count === 0) {
    m.release(lp);
    return;
  }
  const node = newNode(m, lp, bytes.length, count, false);
  link(m, ql, qlTail(m, ql), node, NULL);
  addCount(m, ql, count);
  settle(m, ql, node);
}

// Figures and checks.

/** Bytes of the image that the list takes; with `samples`, estimated from that many nodes. */
export function qlFootprint(m: Memory, ql: Addr, samples = Number.POSITIVE_INFINITY): number {
  let bytes = 0;
  let seen = 0;
  for (let n = qlHead(m, ql); n !== NULL && seen < samples; n = nodeNext(m, n), seen++) bytes += nodeFootprint(m, n);
  const all = seen === 0 ? 0 : (bytes / seen) * qlNodes(m, ql);
  return m.sizeOf(ql) + Math.round(all);
}

/** What DEBUG OBJECT says of a list, in its words, a space before each. */
export function qlDebugText(r: Reader, ql: Addr): string {
  const nodes = qlNodes(r, ql);
  let bytes = 0;
  for (let n = qlHead(r, ql); n !== NULL; n = nodeNext(r, n)) bytes += nodeBytes(r, n);
  const average = nodes === 0 ? 0 : qlLength(r, ql) / nodes;
  const packs = depthOf(r, ql) === 0 ? 0 : 1;
  return (
    ` ql_nodes:${nodes} ql_avg_node:${average.toFixed(2)} ql_listpack_max:${fillOf(r, ql)}` +
    ` ql_compressed:${packs} ql_uncompressed_size:${bytes}`
  );
}

/** Throws where an invariant of the header does not hold. */
export function qlVerify(m: Memory, ql: Addr): void {
  const depth = depthOf(m, ql);
  const total = qlNodes(m, ql);
  let count = 0;
  let nodes = 0;
  let prev = NULL;
  for (let n = qlHead(m, ql); n !== NULL; n = nodeNext(m, n)) {
    assert(nodePrev(m, n) === prev, 'the links agree');
    verifyNode(m, n);
    if (depth === 0 || nodes < depth || nodes >= total - depth)
      assert(nodePacked(m, n) === 0, 'a node near an end is not packed');
    count += nodeCount(m, n);
    nodes++;
    assert(nodes <= total, 'the chain ends');
    prev = n;
  }
  assert(qlTail(m, ql) === prev, 'the tail is the last node');
  assert(nodes === total && count === qlLength(m, ql), 'the root counts right');
}
