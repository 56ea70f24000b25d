/** Settings that let commands be refused: the gates (engine/gates.ts) follow them here. */
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import type { EvictionPort } from '../engine/eviction-port.ts';
import { GATE_REPLICAS } from '../engine/gates.ts';

/** The limit of the settings. Until there is eviction every policy behaves like noeviction. */
export function followMaxmemory(config: Config): EvictionPort {
  const eviction = { limit: Number.POSITIVE_INFINITY, makeRoom: () => false };
  config.follow('maxmemory', (s) => {
    eviction.limit = s.maxmemory > 0 ? s.maxmemory : Number.POSITIVE_INFINITY;
  });
  return eviction;
}

export function followConditions(engine: Engine, config: Config): void {
  // Until there are replicas none of them is a good one.
  config.follow(['min-replicas-to-write', 'min-replicas-max-lag'], (s) =>
    engine.gates.set(GATE_REPLICAS, 'settings', s.minReplicasToWrite > 0 && s.minReplicasMaxLag > 0),
  );
  config.follow('tracking-table-max-keys', () => engine.tracking.watchSize());
}
