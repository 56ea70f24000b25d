/** What a radix tree over the IDs of a tree would count, as XINFO tells it. */
import type { Addr } from '../memory/address.ts';
import type { Reader } from '../memory/memory.ts';
import { IdCursor, idtSize } from './idtree.ts';
import { ID_BYTES, StreamId } from './stream-id.ts';

/**
 * How many nodes a radix tree over these IDs would have, as XINFO tells: with the bytes of an ID as its path, one for each
 * ID's end, each place where IDs part, and each run of bytes that all below it share. O(n).
 */
export function idtRadixNodes(r: Reader, t: Addr): number {
  if (idtSize(r, t) === 0) return 1;
  const cursor = new IdCursor(r).first(r, t);
  const before = cursor.id(new StreamId());
  const id = new StreamId();
  const depths = [ID_BYTES];
  let nodes = 0;
  /** Closes what lies deeper than `depth`. */
  const close = (depth: number): void => {
    while (depths.length > 0 && depths[depths.length - 1] > depth) {
      const own = depths.pop() ?? 0;
      const parent = Math.max(depth, depths[depths.length - 1] ?? -1);
      nodes += own > parent + 1 ? 2 : 1;
    }
  };
  for (cursor.next(); cursor.more; cursor.next()) {
    const shared = sharedBytes(before, cursor.id(id));
    close(shared);
    if (depths[depths.length - 1] !== shared) depths.push(shared);
    depths.push(ID_BYTES);
    before.like(id);
  }
  close(-1);
  return nodes;
}

/** How many bytes two IDs have in common from the front, as big-endian numbers. */
function sharedBytes(a: StreamId, b: StreamId): number {
  let difference = a.msHigh ^ b.msHigh;
  if (difference !== 0) return Math.clz32(difference) >>> 3;
  difference = a.msLow ^ b.msLow;
  if (difference !== 0) return 4 + (Math.clz32(difference) >>> 3);
  difference = a.seqHigh ^ b.seqHigh;
  if (difference !== 0) return 8 + (Math.clz32(difference) >>> 3);
  return 12 + (Math.clz32(a.seqLow ^ b.seqLow) >>> 3);
}
