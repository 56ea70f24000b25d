/** What an engine is made of. */
import type { Random } from '../base/random.ts';
import type { Clock } from '../base/time.ts';
import type { Keyspaces } from '../keyspace/keyspaces.ts';
import type { Memory } from '../memory/memory.ts';
import type { ChunkPool } from '../protocol/chunk.ts';
import type { ValueLimits } from './accessors.ts';
import type { Declaration } from './declaration.ts';
import type { EvictionPort } from './eviction-port.ts';
import type { ServerPort } from './server-port.ts';

export interface EngineParts {
  readonly memory: Memory;
  readonly keyspaces: Keyspaces;
  readonly clock: Clock;
  readonly random: Random;
  readonly pool: ChunkPool;
  readonly limits: ValueLimits;
  readonly commands: readonly Declaration[];
  readonly server: ServerPort;
  readonly eviction?: EvictionPort;
}
