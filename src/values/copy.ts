/** Deep copies of values that hang off their entry (COPY). */
import { Slice } from '../base/slice.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { dictExpand } from '../structures/dict.ts';
import { intsetBytes } from '../structures/intset.ts';
import { lpBytes } from '../structures/listpack.ts';
import { sdsBytes, sdsNew } from '../structures/sds.ts';
import { slOwner } from '../structures/skiplist.ts';
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_RAW,
  ENC_SKIPLIST,
  ENC_STREAM,
  type Encoding,
  TYPE_HASH,
  TYPE_SET,
  TYPE_ZSET,
  type ValueType,
} from './entry.ts';
import { freeValue } from './free.ts';
import { HashCursor, HashLimits, HashValue, hashLength, hashNew } from './hash.ts';
import { listCopy } from './list.ts';
import { SetCursor, SetLimits, SetValue, setLength, setNew } from './set.ts';
import { streamCopy } from './stream.ts';
import { LooseSlot } from './value.ts';
import { ZsetLimits, ZsetValue, zsetLength, zsetNew } from './zset.ts';
import { ZsetCursor } from './zset-cursor.ts';

const scratch = new Slice();

/** A copy of the value at `root`, in the same encoding and in blocks of its own. On OutOfMemory nothing is left behind. */
export function copyValue(m: Memory, type: ValueType, encoding: Encoding, root: Addr): Addr {
  switch (encoding) {
    case ENC_RAW:
      return sdsNew(m, sdsBytes(m, root, scratch));
    case ENC_LISTPACK:
      return copyBlock(m, root, lpBytes(m, root));
    case ENC_INTSET:
      return copyBlock(m, root, intsetBytes(m, root));
    case ENC_QUICKLIST:
      return listCopy(m, root);
    case ENC_STREAM:
      return streamCopy(m, root);
    case ENC_SKIPLIST:
    case ENC_HASHTABLE:
      return copyElements(m, type, encoding, root);
    default:
      throw new Error(`no copy of encoding ${encoding}`);
  }
}

function copyBlock(m: Memory, root: Addr, length: number): Addr {
  const fresh = m.allocate(length);
  m.copy(fresh, 0, root, 0, length);
  return fresh;
}

function copyElements(m: Memory, type: ValueType, encoding: Encoding, root: Addr): Addr {
  const slot = new LooseSlot(m, emptyValue(m, type, encoding), encoding);
  try {
    if (type === TYPE_SET) copySet(m, encoding, root, slot);
    else if (type === TYPE_HASH) copyHash(m, encoding, root, slot);
    else copyZset(m, encoding, root, slot);
  } catch (error) {
    freeValue(m, type, encoding, slot.root);
    throw error;
  }
  return slot.root;
}

function emptyValue(m: Memory, type: ValueType, encoding: Encoding): Addr {
  if (type === TYPE_SET) return setNew(m, encoding);
  return type === TYPE_ZSET ? zsetNew(m, encoding) : hashNew(m, encoding);
}

function copySet(m: Memory, encoding: Encoding, root: Addr, slot: LooseSlot): void {
  dictExpand(m, slot.root, setLength(m, encoding, root));
  const copy = new SetValue(m, new SetLimits()).bind(slot);
  const cursor = new SetCursor(m).reset(m, encoding, root);
  while (cursor.next()) copy.add(cursor.member);
}

function copyHash(m: Memory, encoding: Encoding, root: Addr, slot: LooseSlot): void {
  dictExpand(m, slot.root, hashLength(m, encoding, root));
  const copy = new HashValue(m, new HashLimits()).bind(slot);
  const cursor = new HashCursor(m).reset(m, encoding, root);
  while (cursor.next()) copy.put(cursor.field, cursor.value);
}

function copyZset(m: Memory, encoding: Encoding, root: Addr, slot: LooseSlot): void {
  dictExpand(m, slOwner(m, slot.root), zsetLength(m, encoding, root));
  const copy = new ZsetValue(m, new ZsetLimits()).bind(slot);
  const cursor = new ZsetCursor(m).reset(m, encoding, root);
  while (cursor.next()) copy.add(cursor.member, cursor.score);
}
