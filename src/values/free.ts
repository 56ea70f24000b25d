/** Making and releasing values of any type, by type and encoding. */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import {
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_STREAM,
  type Encoding,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
  type ValueType,
} from './entry.ts';
import { hashFreeSome, hashLength, hashNew } from './hash.ts';
import { listFreeSome, listLength, listNew, listNodes } from './list.ts';
import { setFreeSome, setLength, setNew } from './set.ts';
import { streamEffort, streamFreeSome, streamLength, streamNew } from './stream.ts';
import { zsetFreeSome, zsetLength, zsetNew } from './zset.ts';

/** The encoding in which an empty aggregate begins. */
export function smallestEncoding(type: ValueType): Encoding {
  if (type === TYPE_LIST) return ENC_QUICKLIST;
  if (type === TYPE_STREAM) return ENC_STREAM;
  return type === TYPE_SET ? ENC_INTSET : ENC_LISTPACK;
}

/** The root of an empty aggregate. */
export function newValue(m: Memory, type: ValueType, encoding: Encoding): Addr {
  switch (type) {
    case TYPE_LIST:
      return listNew(m);
    case TYPE_SET:
      return setNew(m, encoding);
    case TYPE_HASH:
      return hashNew(m, encoding);
    case TYPE_STREAM:
      return streamNew(m);
    default:
      return zsetNew(m, encoding);
  }
}

/** Releases a value that does not lie in its entry. */
export function freeValue(m: Memory, type: ValueType, encoding: Encoding, root: Addr): void {
  freeValueSome(m, type, encoding, root, Number.POSITIVE_INFINITY);
}

/** Releases up to `budget` elements of a value that is going away; true when all of it is gone. */
export function freeValueSome(m: Memory, type: ValueType, encoding: Encoding, root: Addr, budget: number): boolean {
  switch (type) {
    case TYPE_LIST:
      return listFreeSome(m, encoding, root, budget);
    case TYPE_SET:
      return setFreeSome(m, encoding, root, budget);
    case TYPE_HASH:
      return hashFreeSome(m, encoding, root, budget);
    case TYPE_ZSET:
      return zsetFreeSome(m, encoding, root, budget);
    case TYPE_STREAM:
      return streamFreeSome(m, root, budget);
    default:
      m.release(root);
      return true;
  }
}

/** Elements of an aggregate. */
export function valueLength(m: Memory, type: ValueType, encoding: Encoding, root: Addr): number {
  switch (type) {
    case TYPE_LIST:
      return listLength(m, root);
    case TYPE_SET:
      return setLength(m, encoding, root);
    case TYPE_HASH:
      return hashLength(m, encoding, root);
    case TYPE_ZSET:
      return zsetLength(m, encoding, root);
    case TYPE_STREAM:
      return streamLength(m, root);
    default:
      return 1;
  }
}

/** About how many blocks releasing a value takes. */
export function freeEffort(m: Memory, type: ValueType, encoding: Encoding, root: Addr): number {
  if (encoding === ENC_LISTPACK || encoding === ENC_INTSET || root === NULL) return 1;
  if (type === TYPE_LIST) return listNodes(m, root);
  return type === TYPE_STREAM ? streamEffort(m, root) : valueLength(m, type, encoding, root);
}
