/** The bytes that a key with its value takes, from the blocks that hold it; those of large tables by a sample. */
import type { Engine } from '../../engine/engine.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { DictCursor, dictBytes, dictSize } from '../../structures/dict.ts';
import {
  ENC_HASHTABLE,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  ENC_STREAM,
  entryEncoding,
  entryType,
  entryValue,
  isInline,
  TYPE_SET,
} from '../../values/entry.ts';
import { listFootprint } from '../../values/list.ts';
import { streamBytes } from '../../values/stream.ts';

/** A dict with its entries' blocks, of which `samples` are measured. */
function dictFootprint(engine: Engine, dict: Addr, samples: number): number {
  const { memory } = engine;
  const size = dictSize(memory, dict);
  const cursor = new DictCursor(memory);
  cursor.reset(memory, dict);
  let bytes = 0;
  let seen = 0;
  for (let e = cursor.next(); e !== NULL && seen < samples; e = cursor.next(), seen++) bytes += memory.sizeOf(e);
  return dictBytes(memory, dict) + (seen === 0 ? 0 : Math.round((bytes / seen) * size));
}

export function footprint(engine: Engine, e: Addr, samples: number): number {
  const { memory, accessors } = engine;
  const own = memory.sizeOf(e);
  const encoding = entryEncoding(memory, e);
  if (isInline(encoding)) return own;
  const root = entryValue(memory, e);
  switch (encoding) {
    case ENC_QUICKLIST:
      return own + listFootprint(memory, root, Number.isFinite(samples) ? samples : 0);
    case ENC_STREAM:
      return own + streamBytes(memory, root, Number.isFinite(samples) ? samples : 0);
    case ENC_SKIPLIST:
      return own + memory.sizeOf(root) + dictFootprint(engine, accessors.zset(e, 1).dict, samples);
    case ENC_HASHTABLE: {
      const accessor = entryType(memory, e) === TYPE_SET ? accessors.set(e, 1) : accessors.hash(e, 1);
      return own + dictFootprint(engine, accessor.dict, samples);
    }
    default:
      return own + memory.sizeOf(root);
  }
}
