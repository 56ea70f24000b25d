/** Settings that let commands be refused: the gates (engine/gates.ts) follow them here. */
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_REPLICAS } from '../engine/gates.ts';

export function followConditions(engine: Engine, config: Config): void {
  // Until there are replicas none of them is a good one.
  config.follow(['min-replicas-to-write', 'min-replicas-max-lag'], (s) =>
    engine.gates.set(GATE_REPLICAS, 'settings', s.minReplicasToWrite > 0 && s.minReplicasMaxLag > 0),
  );
  config.follow('tracking-table-max-keys', () => engine.tracking.watchSize());
}
