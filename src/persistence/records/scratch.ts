/** A memory image of a tool's own, for one value at a time: what it takes to read values without a server. */
import { createMemory } from '../../memory/create.ts';
import type { Memory } from '../../memory/memory.ts';
import { HashLimits } from '../../values/hash.ts';
import { ListLimits } from '../../values/list.ts';
import { SetLimits } from '../../values/set.ts';
import { StreamLimits } from '../../values/stream.ts';
import { ZsetLimits } from '../../values/zset.ts';
import type { ReadLimits } from '../rdb/read-value.ts';

export function scratchMemory(): Memory {
  return createMemory();
}

/** Redis's usual limits: those of a server that no one has configured. */
export function usualLimits(): ReadLimits {
  return {
    list: new ListLimits(),
    set: new SetLimits(),
    hash: new HashLimits(),
    zset: new ZsetLimits(),
    stream: new StreamLimits(),
  };
}
