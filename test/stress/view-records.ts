/**
 * Records of the view's stress, entries of a dict:
 *   [0 next u32][4 keyAt u8][5 pad x 3][8 checksum u32][12 length of the payload u32][16 key field][payload]
 * The checksum covers key and payload; the digest of a set of records is the sum of their mixed checksums.
 */
import { Slice } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import type { Memory, Reader } from '../../src/memory/memory.ts';
import type { FrozenImage } from '../../src/memory/view.ts';
import { entryKeyEnd, keyFieldSize, writeKeyField } from '../../src/structures/dict.ts';

const CHECKSUM = 8;
const LENGTH = 12;
const KEY = 16;

/** What the writer sends to the reader. */
export interface Reading {
  readonly image: FrozenImage;
  readonly dict: Addr;
  readonly count: number;
  readonly seed: number;
}

/** What the reader answers. */
export interface Findings {
  torn: number;
  digest: number;
  count: number;
  failed: string;
  milliseconds: number;
}

const bytes = new Slice();

/** FNV-1a over key field and payload, as they are in memory. */
export function sumOfRecord(r: Reader, entry: Addr): number {
  const end = entryKeyEnd(r, entry) + r.u32(entry, LENGTH);
  r.borrow(bytes, entry, KEY, end - KEY);
  let sum = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ bytes.at(i), 0x01000193);
  return sum >>> 0;
}

export function storedChecksum(r: Reader, entry: Addr): number {
  return r.u32(entry, CHECKSUM);
}

export function digestOf(sum: number): number {
  return Math.imul(sum ^ (sum >>> 15), 0x9e3779b1) >>> 0;
}

export function newRecord(m: Memory, key: Slice, payload: Slice): Addr {
  const entry = m.allocate(KEY + keyFieldSize(key.length) + payload.length);
  const at = writeKeyField(m, entry, KEY, key);
  m.setU32(entry, LENGTH, payload.length);
  m.write(entry, at, payload);
  m.setU32(entry, CHECKSUM, sumOfRecord(m, entry));
  return entry;
}

/** Overwrites the payload by one of the same length. */
export function rewriteRecord(m: Memory, entry: Addr, payload: Slice): void {
  m.write(entry, entryKeyEnd(m, entry), payload);
  m.setU32(entry, CHECKSUM, sumOfRecord(m, entry));
}

export function payloadLength(r: Reader, entry: Addr): number {
  return r.u32(entry, LENGTH);
}
