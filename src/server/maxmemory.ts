/** maxmemory: while the data takes more, commands that need memory are refused. Eviction comes with its own room. */
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_OOM } from '../engine/gates.ts';

export function followMaxmemory(config: Config, engine: Engine): void {
  config.follow('maxmemory', ({ maxmemory }) => {
    engine.denied = maxmemory > 0 ? engine.denied | GATE_OOM : engine.denied & ~GATE_OOM;
    engine.gatekeeper.makeRoom = () => engine.memory.used <= maxmemory;
  });
}
