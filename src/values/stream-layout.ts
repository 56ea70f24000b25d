/**
 * The blocks of a stream. The root never moves.
 *
 *   0 nodes u32 (tree: ID -> listpack)  | 4 groups u32 (dict of groups, NULL before the first)
 *   8 length u32 | 12 version u32 | 16 last ID | 32 first ID | 48 highest deleted ID | 64 entries ever added (high u32, low u32)
 *   72 leaving u32: of a stream that is being released by steps, the groups on their way out, linked by `next`
 *
 * A consumer group and a consumer are entries of dicts (structures/dict-entry.ts):
 *
 *   group     0 next | 4 keyAt | 5 pads | 8 last delivered ID | 24 entries read (high, low; -1 unknown)
 *             32 pending u32 (tree) | 36 consumers u32 (dict) | 40 lastAt u32 | 44 lastVersion u32 | 48 name as a key field
 *   consumer  0 next | 4 keyAt | 5 pads | 8 seen f64 (unix ms) | 16 pending u32 (tree of IDs alone) | 20 name
 *
 * The version changes when entries change their places within nodes, or a node goes; `lastAt` is where in its node the
 * entry delivered last lies (0 unknown), good while the version is `lastVersion`. So who reads on need not walk the node.
 *
 * A pending entry is a record of its group's tree, with five words: when delivered (unix ms, high, low), how often (high,
 * low), and the consumer's address. Its consumer's tree holds the ID alone.
 */
import type { Addr } from '../memory/address.ts';
import { layout } from '../memory/layout.ts';
import type { Memory, Reader } from '../memory/memory.ts';

export const Stream = layout({
  nodes: 'u32',
  groups: 'u32',
  length: 'u32',
  version: 'u32',
  lastMsHigh: 'u32',
  lastMsLow: 'u32',
  lastSeqHigh: 'u32',
  lastSeqLow: 'u32',
  firstMsHigh: 'u32',
  firstMsLow: 'u32',
  firstSeqHigh: 'u32',
  firstSeqLow: 'u32',
  deletedMsHigh: 'u32',
  deletedMsLow: 'u32',
  deletedSeqHigh: 'u32',
  deletedSeqLow: 'u32',
  addedHigh: 'u32',
  addedLow: 'u32',
  leaving: 'u32',
});

export const Group = layout({
  next: 'u32',
  keyAt: 'u8',
  pad: 'u8',
  pad2: 'u16',
  lastMsHigh: 'u32',
  lastMsLow: 'u32',
  lastSeqHigh: 'u32',
  lastSeqLow: 'u32',
  readHigh: 'u32',
  readLow: 'u32',
  pending: 'u32',
  consumers: 'u32',
  lastAt: 'u32',
  lastVersion: 'u32',
});

export const Consumer = layout({
  next: 'u32',
  keyAt: 'u8',
  pad: 'u8',
  pad2: 'u16',
  seen: 'f64',
  pending: 'u32',
});

/** Words of a pending entry in its group's tree. */
export const PENDING_WORDS = 5;
export const PENDING_TIME = 0;
export const PENDING_COUNT = 2;
export const PENDING_CONSUMER = 4;

const TWO_32 = 4294967296;

/** A 64-bit counter in two words, as a number: rounded beyond 2^53, negative where it is as an int64. */
export function readCounter(r: Reader, a: Addr, off: number): number {
  return (r.u32(a, off) | 0) * TWO_32 + r.u32(a, off + 4);
}

export function readCounterExactly(r: Reader, a: Addr, off: number): bigint {
  return (BigInt(r.u32(a, off) | 0) << 32n) | BigInt(r.u32(a, off + 4));
}

export function writeCounter(m: Memory, a: Addr, off: number, value: number): void {
  m.setU32(a, off, Math.floor(value / TWO_32) >>> 0);
  m.setU32(a, off + 4, value >>> 0);
}

export function writeCounterExactly(m: Memory, a: Addr, off: number, value: bigint): void {
  m.setU32(a, off, Number((value >> 32n) & 0xffffffffn));
  m.setU32(a, off + 4, Number(value & 0xffffffffn));
}

export function addToCounter(m: Memory, a: Addr, off: number): void {
  const low = m.u32(a, off + 4);
  if (low === 0xffffffff) {
    m.setU32(a, off, (m.u32(a, off) + 1) >>> 0);
    m.setU32(a, off + 4, 0);
  } else {
    m.setU32(a, off + 4, low + 1);
  }
}
