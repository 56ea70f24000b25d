/**
 * Both ends of a node that holds a listpack as it is: elements come and go there without the others being moved.
 *
 *   block   [gap][total u32][count u16][entry]...[ff][slack]
 *
 * The listpack may begin anywhere in its block, so at the front too only the header is written anew, by one entry nearer
 * to the beginning of the block or farther from it. Once a side has no room for an entry, the listpack moves to the other
 * end of its block, or to that end of a larger one; either leaves room for a sixteenth of it, so that a queue, which grows
 * at one side and shrinks at the other, moves sixteen bytes for each byte pushed at most. A listpack that has only ever
 * been appended to has no gap and grows as any listpack does.
 */
import { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import type { Memory } from '../memory/memory.ts';
import { LP_END, LP_FIRST, lpWriteHeader, startIn } from './listpack.ts';
import { EncodedEntry, encodeEntry, endIn, writeEncoded } from './listpack-entry.ts';
import { nodeBytes, nodeCount, nodeData, nodeGap, nodeIsPlain, nodePacked, placeListpack } from './quicklist-node.ts';

/** Of this part of a listpack there is room after it has been moved. */
const SPARE_SHIFT = 4;

const entry = new EncodedEntry();
const place = new Slice();
const moved = new Slice();

/** Puts `value` before the first entry. */
export function pushFirst(m: Memory, n: Addr, value: Slice): void {
  encodeEntry(value, entry);
  const { total } = entry;
  const own = nodeGap(m, n) < total ? makeRoom(m, n, total, true, value) : value;
  const gap = nodeGap(m, n) - total;
  resetListpack(m, n, gap, nodeBytes(m, n) + total, nodeCount(m, n) + 1);
  m.writable(place, nodeData(m, n), gap + LP_FIRST, total);
  writeEncoded(place.buffer, place.start, entry, own);
}

/** Puts `value` behind the last entry. */
export function pushLast(m: Memory, n: Addr, value: Slice): void {
  encodeEntry(value, entry);
  const { total } = entry;
  const bytes = nodeBytes(m, n);
  const short = nodeGap(m, n) + bytes + total > m.sizeOf(nodeData(m, n));
  const own = short ? makeRoom(m, n, total, false, value) : value;
  const gap = nodeGap(m, n);
  resetListpack(m, n, gap, bytes + total, nodeCount(m, n) + 1);
  m.writable(place, nodeData(m, n), gap + bytes - 1, total + 1);
  writeEncoded(place.buffer, place.start, entry, own);
  place.buffer[place.start + total] = LP_END;
}

/** Removes the first of several entries. */
export function dropFirst(m: Memory, n: Addr): void {
  const bytes = nodeBytes(m, n);
  const gap = nodeGap(m, n);
  const { buffer, start } = m.borrow(place, nodeData(m, n), gap, bytes);
  const first = start + LP_FIRST;
  const total = endIn(buffer, first) - first;
  resetListpack(m, n, gap + total, bytes - total, nodeCount(m, n) - 1);
  giveBack(m, n, true);
}

/** Removes the last of several entries. */
export function dropLast(m: Memory, n: Addr): void {
  const bytes = nodeBytes(m, n);
  const gap = nodeGap(m, n);
  const { buffer, start } = m.borrow(place, nodeData(m, n), gap, bytes);
  const end = startIn(buffer, start + bytes - 1) - start;
  resetListpack(m, n, gap, end + 1, nodeCount(m, n) - 1);
  m.setU8(nodeData(m, n), gap + end, LP_END);
  giveBack(m, n, false);
}

/** Gives back what room there is at the ends of a node that is none of the list any more. */
export function giveBackAll(m: Memory, n: Addr): void {
  if (nodePacked(m, n) !== 0 || nodeIsPlain(m, n)) return;
  const bytes = nodeBytes(m, n);
  if (m.roundUp(bytes) < m.sizeOf(nodeData(m, n))) moveQuietly(m, n, bytes, false);
}

/** The listpack begins at `gap` from now on: the node and the listpack's header say so. */
function resetListpack(m: Memory, n: Addr, gap: number, bytes: number, count: number): void {
  const data = nodeData(m, n);
  placeListpack(m, n, data, gap, bytes, count);
  lpWriteHeader(m.writable(place, data, gap, LP_FIRST), bytes, count);
}

/** Makes room for `more` bytes at one side; returns `value`, shown where it lies now if it was an element of this node. */
function makeRoom(m: Memory, n: Addr, more: number, atFront: boolean, value: Slice): Slice {
  const data = nodeData(m, n);
  const gap = nodeGap(m, n);
  const bytes = nodeBytes(m, n);
  m.borrow(place, data, gap, bytes);
  const offset = value.buffer === place.buffer ? value.start - place.start : -1;
  const wanted = bytes + more;
  const spared = wanted + (bytes >>> SPARE_SHIFT);
  const room = m.sizeOf(data);
  if (!atFront && gap === 0) placeListpack(m, n, m.resize(data, wanted), 0, bytes, nodeCount(m, n));
  else if (spared > room) moveInto(m, n, m.allocate(spared), atFront);
  else {
    const to = atFront ? room - bytes : 0;
    m.copy(data, to, data, gap, bytes);
    placeListpack(m, n, data, to, bytes, nodeCount(m, n));
  }
  const within = offset >= 0 && offset < bytes;
  return within ? m.borrow(moved, nodeData(m, n), nodeGap(m, n) + offset, value.length) : value;
}

/** Moves the listpack to the end of block `fresh` where there is to be room at its front, else to its beginning. */
function moveInto(m: Memory, n: Addr, fresh: Addr, atFront: boolean): void {
  const data = nodeData(m, n);
  const bytes = nodeBytes(m, n);
  const to = atFront ? m.sizeOf(fresh) - bytes : 0;
  m.copy(fresh, to, data, nodeGap(m, n), bytes);
  placeListpack(m, n, fresh, to, bytes, nodeCount(m, n));
  m.release(data);
}

/** A block of which a quarter would be left over is exchanged for a smaller one. */
function giveBack(m: Memory, n: Addr, atFront: boolean): void {
  const room = m.sizeOf(nodeData(m, n));
  const bytes = nodeBytes(m, n);
  if (m.roundUp(bytes) < room - (room >>> 2)) moveQuietly(m, n, bytes, atFront);
}

/** Giving memory back must not fail for want of memory. */
function moveQuietly(m: Memory, n: Addr, size: number, atFront: boolean): void {
  try {
    moveInto(m, n, m.allocate(size), atFront);
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
  }
}
