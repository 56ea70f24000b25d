/**
 * Moving the blocks of a value out of sparse slabs (Memory.moved), a portion at a time.
 *
 * What is pointed at from one place only moves: strings, listpacks and intsets, a list's nodes, the tables and entries of
 * dicts, a sorted set's nodes, a stream's nodes and what is pending in it. Consumer groups and consumers stay where they
 * are: they are few, and every pending entry names its consumer.
 */
import type { Addr } from '../memory/address.ts';
import { NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { DictCursor, dictMoveTables, dictRelocate } from '../structures/dict.ts';
import { idtRelocate } from '../structures/idtree-relocate.ts';
import { qlRelocate } from '../structures/quicklist.ts';
import { slMoved, slOwner, slSetOwner } from '../structures/skiplist.ts';
import { ID_BYTES } from '../structures/stream-id.ts';
import {
  ENC_HASHTABLE,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  ENC_STREAM,
  entryEncoding,
  entryType,
  entryValue,
  isInline,
  setEntryValue,
  TYPE_HASH,
} from './entry.ts';
import { moveHashEntry } from './hash.ts';
import { Consumer, Group, Stream } from './stream-layout.ts';

/** About so many records, each with a listpack of some KiB, hang in a leaf of a stream's tree. */
const RECORDS_PER_LEAF = 16;

/**
 * Moves `portion` buckets or nodes of the value of entry `e`, from `cursor` on: 0 begins. Returns the cursor to go on with, 0 when all is
 * done. Between two calls the value may change; what comes then may be left out, and what was dealt with be looked at anew.
 */
export function relocateValue(m: Memory, e: Addr, cursor: number, portion: number): number {
  const encoding = entryEncoding(m, e);
  if (isInline(encoding)) return 0;
  let root = entryValue(m, e);
  if (cursor === 0) {
    const fresh = m.moved(root);
    if (fresh !== root) setEntryValue(m, e, encoding, fresh);
    root = fresh;
  }
  switch (encoding) {
    case ENC_QUICKLIST:
      return qlRelocate(m, root, cursor, portion);
    case ENC_HASHTABLE: {
      const move = entryType(m, e) === TYPE_HASH ? moveHashEntry : moveEntry;
      return relocateDict(m, root, cursor, portion, (entry) => move(m, entry));
    }
    case ENC_SKIPLIST: {
      if (cursor === 0) slSetOwner(m, root, m.moved(slOwner(m, root)));
      return relocateDict(m, slOwner(m, root), cursor, portion, (node) => slMoved(m, root, node));
    }
    case ENC_STREAM:
      return relocateStream(m, root, cursor, Math.ceil(portion / RECORDS_PER_LEAF));
    default:
      return 0;
  }
}

const moveEntry = (m: Memory, entry: Addr): Addr => m.moved(entry);

function relocateDict(m: Memory, d: Addr, from: number, portion: number, moved: (entry: Addr) => Addr): number {
  if (from === 0) dictMoveTables(m, d);
  let cursor = from;
  for (let left = portion; left > 0; left--) {
    cursor = dictRelocate(m, d, cursor, moved);
    if (cursor === 0) return 0;
  }
  return cursor;
}

/** Goes by leaves: of the tree of nodes, then of those of what is pending, by group and consumer. */
function relocateStream(m: Memory, root: Addr, from: number, leaves: number): number {
  const stretch = { skip: from, left: leaves };
  const nodes = idtRelocate(m, m.addr(root, Stream.nodes), stretch, (node, at) => {
    const listpack = m.addr(node, at + ID_BYTES);
    const fresh = m.moved(listpack);
    if (fresh !== listpack) m.setAddr(node, at + ID_BYTES, fresh);
  });
  m.setAddr(root, Stream.nodes, nodes);
  const groups = m.addr(root, Stream.groups);
  const group = groups === NULL ? null : new DictCursor(m).reset(m, groups);
  for (let g = group?.next() ?? NULL; g !== NULL && stretch.left > 0; g = group?.next() ?? NULL) {
    m.setAddr(g, Group.pending, idtRelocate(m, m.addr(g, Group.pending), stretch));
    const consumer = new DictCursor(m).reset(m, m.addr(g, Group.consumers));
    for (let c = consumer.next(); c !== NULL && stretch.left > 0; c = consumer.next())
      m.setAddr(c, Consumer.pending, idtRelocate(m, m.addr(c, Consumer.pending), stretch));
  }
  return stretch.left > 0 ? 0 : from + leaves;
}
