/** Settings that let commands be refused: what gates watch (engine/gates.ts) follows them here. */
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_OOM, GATE_REPLICAS } from '../engine/gates.ts';

export function followConditions(engine: Engine, config: Config): void {
  const deny = (gate: number, on: boolean): void => {
    engine.denied = on ? engine.denied | gate : engine.denied & ~gate;
  };
  config.follow('maxmemory', (s) => deny(GATE_OOM, s.maxmemory > 0));
  // Until there is eviction every policy behaves like noeviction.
  engine.gatekeeper.makeRoom = () => engine.usedMemory.forMaxmemory <= config.settings.maxmemory;
  // Until there are replicas none of them is a good one.
  config.follow(['min-replicas-to-write', 'min-replicas-max-lag'], (s) =>
    deny(GATE_REPLICAS, s.minReplicasToWrite > 0 && s.minReplicasMaxLag > 0),
  );
}
