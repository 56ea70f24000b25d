/**
 * The nodes of a quicklist. What is done to chains of them is in quicklist.ts.
 *
 *   node   [next][prev][data][bytes][count][packed][plain][gap]      u32 each
 *
 *   plain 0, packed 0     data holds a listpack of `count` entries and `bytes` bytes, behind a gap of `gap` bytes
 *   plain 0, packed n     data is that listpack under LZF, n bytes
 *   plain 1               data is one element of `bytes` bytes that is too large for a listpack
 *
 * The gap is what quicklist-ends.ts works with at the front; whatever else is written has the listpack at the beginning
 * of its block (`listpackOf`).
 *
 * Reading never unpacks in the image: a packed node is expanded beside it, so a frozen view reads as the live image does.
 */

import { assert } from '../base/assert.ts';
import { lzfCompress, lzfDecompress } from '../base/lzf.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import { lpAppend, lpBytes, lpCount, lpEntryBytes, lpNew, lpValidate } from './listpack.ts';

const Node = layout({
  next: 'u32',
  prev: 'u32',
  data: 'u32',
  bytes: 'u32',
  count: 'u32',
  packed: 'u32',
  plain: 'u32',
  gap: 'u32',
});

/** A shorter listpack is never packed, nor one that packing would shorten by less. */
const PACK_FROM = 48;
const PACK_GAIN = 8;

/** Most bytes of a node's listpack for a fill of -1 to -5. */
const FILL_BYTES = [4096, 8192, 16384, 32768, 65536];
/** Most bytes where the fill counts entries. */
const COUNTED_BYTES = 8192;
/** What an entry takes beyond its bytes, rounded up. */
const ENTRY_OVERHEAD = 8;
/** Header and end of a listpack. */
const FRAME = 7;

const scratch = new Slice();
const packedBytes = new Slice();
/** Where nodes are packed; it grows and stays. */
const packing = { room: new Uint8Array(0) };

export const nodeNext = (r: Reader, n: Addr): Addr => r.addr(n, Node.next);
export const nodePrev = (r: Reader, n: Addr): Addr => r.addr(n, Node.prev);
export const nodeData = (r: Reader, n: Addr): Addr => r.addr(n, Node.data);
/** Bytes of the listpack, unpacked, or of the element. */
export const nodeBytes = (r: Reader, n: Addr): number => r.u32(n, Node.bytes);
export const nodeCount = (r: Reader, n: Addr): number => r.u32(n, Node.count);
/** Length under LZF, 0 where the node is as it is. */
export const nodePacked = (r: Reader, n: Addr): number => r.u32(n, Node.packed);
/** Where in its block the listpack begins; 0 unless the node is a listpack as it is. */
export const nodeGap = (r: Reader, n: Addr): number => r.u32(n, Node.gap);
export const nodeIsPlain = (r: Reader, n: Addr): boolean => r.u32(n, Node.plain) !== 0;

export function setNext(m: Memory, n: Addr, next: Addr): void {
  m.setAddr(n, Node.next, next);
}

export function setPrev(m: Memory, n: Addr, prev: Addr): void {
  m.setAddr(n, Node.prev, prev);
}

/** The node's listpack is `lp` from now on, of `count` entries. */
export function setListpack(m: Memory, n: Addr, lp: Addr, count: number): void {
  m.setAddr(n, Node.data, lp);
  m.setU32(n, Node.bytes, lpBytes(m, lp));
  m.setU32(n, Node.count, count);
}

/** The node's listpack lies `gap` bytes into its block `data` from now on, of `bytes` bytes and `count` entries. */
export function placeListpack(m: Memory, n: Addr, data: Addr, gap: number, bytes: number, count: number): void {
  m.setAddr(n, Node.data, data);
  m.setU32(n, Node.gap, gap);
  m.setU32(n, Node.bytes, bytes);
  m.setU32(n, Node.count, count);
}

/** A node of no list over `data`, which it takes; `data` is released when there is no room for a node. */
export function newNode(m: Memory, data: Addr, bytes: number, count: number, plain: boolean): Addr {
  const node = allocateOr(m, Node.size, data);
  m.setAddr(node, Node.next, NULL);
  m.setAddr(node, Node.prev, NULL);
  m.setAddr(node, Node.data, data);
  m.setU32(node, Node.bytes, bytes);
  m.setU32(node, Node.count, count);
  m.setU32(node, Node.packed, 0);
  m.setU32(node, Node.plain, plain ? 1 : 0);
  m.setU32(node, Node.gap, 0);
  return node;
}

/** A block of `size` bytes; where there is none, `otherwise` is released before the error goes on. */
function allocateOr(m: Memory, size: number, otherwise: Addr): Addr {
  try {
    return m.allocate(size);
  } catch (error) {
    m.release(otherwise);
    throw error;
  }
}

/** A node that holds `value` alone. */
export function newNodeOf(m: Memory, value: Slice, plain: boolean): Addr {
  const length = value.length;
  if (!plain) {
    const lp = lpAppend(m, lpNew(m, lpEntryBytes(value) + FRAME), value);
    return newNode(m, lp, lpBytes(m, lp), 1, false);
  }
  const data = m.allocate(length > 0 ? length : 1);
  m.write(data, 0, value);
  return newNode(m, data, length, 1, true);
}

/** A node of no list with the same content, packed or not. */
export function copyNode(m: Memory, n: Addr): Addr {
  const packed = nodePacked(m, n);
  const length = packed === 0 ? nodeBytes(m, n) : packed;
  const data = m.allocate(length > 0 ? length : 1);
  m.copy(data, 0, nodeData(m, n), nodeGap(m, n), length);
  const node = newNode(m, data, nodeBytes(m, n), nodeCount(m, n), nodeIsPlain(m, n));
  m.setU32(node, Node.packed, packed);
  return node;
}

/** Moves a node and its bytes where memory wants that (Memory.moved); links to it are the caller's. */
export function movedNode(m: Memory, n: Addr): Addr {
  m.setAddr(n, Node.data, m.moved(nodeData(m, n)));
  return m.moved(n);
}

export function freeNode(m: Memory, n: Addr): void {
  m.release(nodeData(m, n));
  m.release(n);
}

/** Bytes that the node takes in the image. */
export function nodeFootprint(m: Memory, n: Addr): number {
  return m.sizeOf(n) + m.sizeOf(nodeData(m, n));
}

// What fits.

function fits(bytes: number, count: number, fill: number): boolean {
  if (fill < 0) return bytes <= FILL_BYTES[-fill - 1];
  return bytes <= COUNTED_BYTES && count <= fill;
}

/** Whether the node takes one more element of `length` bytes. */
export function accepts(r: Reader, n: Addr, length: number, fill: number): boolean {
  if (nodeIsPlain(r, n)) return false;
  return fits(nodeBytes(r, n) + length + ENTRY_OVERHEAD, nodeCount(r, n) + 1, fill);
}

/** Whether two neighbours may become one node. */
export function mayMerge(r: Reader, a: Addr, b: Addr, fill: number): boolean {
  if (a === NULL || b === NULL || nodeIsPlain(r, a) || nodeIsPlain(r, b)) return false;
  return fits(nodeBytes(r, a) + nodeBytes(r, b) - FRAME, nodeCount(r, a) + nodeCount(r, b), fill);
}

// Packing.

/** Packs the node where that is worth it; want of memory leaves it as it is. */
export function pack(m: Memory, n: Addr): void {
  const bytes = nodeBytes(m, n);
  if (nodePacked(m, n) !== 0 || nodeIsPlain(m, n) || bytes < PACK_FROM) return;
  if (packing.room.length < bytes) packing.room = new Uint8Array(bytes);
  const data = nodeData(m, n);
  const packed = lzfCompress(m.borrow(scratch, data, nodeGap(m, n), bytes), packing.room, bytes - PACK_GAIN - 1);
  if (packed === 0) return;
  const block = allocateQuietly(m, packed);
  if (block === NULL) return;
  m.writeBytes(block, 0, packing.room, 0, packed);
  m.setAddr(n, Node.data, block);
  m.setU32(n, Node.packed, packed);
  m.setU32(n, Node.gap, 0);
  m.release(data);
}

function allocateQuietly(m: Memory, size: number): Addr {
  try {
    return m.allocate(size);
  } catch (error) {
    if (error instanceof OutOfMemory) return NULL;
    throw error;
  }
}

/** Makes a packed node's listpack a listpack again. */
export function unpack(m: Memory, n: Addr): void {
  const packed = nodePacked(m, n);
  if (packed === 0) return;
  const bytes = nodeBytes(m, n);
  const data = nodeData(m, n);
  const lp = m.allocate(bytes);
  const target = m.writable(scratch, lp, 0, bytes);
  assert(
    lzfDecompress(m.borrow(packedBytes, data, 0, packed), target.buffer, target.start, bytes),
    'a packed node expands',
  );
  m.setAddr(n, Node.data, lp);
  m.setU32(n, Node.packed, 0);
  m.release(data);
}

/** The node's listpack unpacked and at the beginning of its block, to be written. */
export function listpackOf(m: Memory, n: Addr): Addr {
  unpack(m, n);
  const data = nodeData(m, n);
  const gap = nodeGap(m, n);
  if (gap > 0) {
    m.copy(data, 0, data, gap, nodeBytes(m, n));
    m.setU32(n, Node.gap, 0);
  }
  return data;
}

/** Shows the node's bytes as they lie: a listpack, packed or not, or an element. */
export function nodeStored(r: Reader, n: Addr, into: Slice): Slice {
  return r.borrow(into, nodeData(r, n), nodeGap(r, n), nodePacked(r, n) || nodeBytes(r, n));
}

/** Room for the expanded bytes of one packed node, owned by a reader. */
export class NodeRoom {
  private bytes = new Uint8Array(0);
  private readonly source = new Slice();

  /** Shows the node's listpack or element through `into`, expanded into this room where it is packed. */
  content(r: Reader, n: Addr, into: Slice): Slice {
    if (nodePacked(r, n) === 0) return nodeStored(r, n, into);
    const length = nodeBytes(r, n);
    if (this.bytes.length < length) this.bytes = new Uint8Array(length);
    nodeStored(r, n, this.source);
    assert(lzfDecompress(this.source, this.bytes, 0, length), 'a packed node expands');
    return into.set(this.bytes, 0, length);
  }
}

/** Throws where a node is not what its header says. */
export function verifyNode(m: Memory, n: Addr): void {
  const count = nodeCount(m, n);
  const bytes = nodeBytes(m, n);
  assert(count > 0, 'a node is never empty');
  const gap = nodeGap(m, n);
  assert(gap === 0 || (nodePacked(m, n) === 0 && !nodeIsPlain(m, n)), 'a gap lies before a listpack only');
  if (nodeIsPlain(m, n)) {
    assert(count === 1 && nodePacked(m, n) === 0, 'a plain node holds one element as it is');
    assert(bytes <= m.sizeOf(nodeData(m, n)), 'an element lies in its block');
    return;
  }
  const lp = verifyRoom.content(m, n, new Slice());
  assert(lpValidate(lp, true), 'a node holds a valid listpack of the bytes that it knows');
  assert(count === lpCount(lp), 'a node knows the length of its listpack');
  if (nodePacked(m, n) === 0) assert(gap + bytes <= m.sizeOf(nodeData(m, n)), 'a listpack lies in its block');
}

const verifyRoom = new NodeRoom();
