/** The settings that the engine obeys, followed: its gates, its limits and what it tells of. */
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';

export function followSettings(engine: Engine, config: Config): void {
  config.follow('notify-keyspace-events', (s) => {
    engine.events = s.notifyKeyspaceEvents === 0 ? null : s.notifyKeyspaceEvents;
  });
  config.follow(['maxmemory-clients', 'maxmemory'], (s) => {
    engine.clientMemory.follow(s.maxmemoryClients, s.maxmemory);
  });
  config.follow('lazyfree-lazy-server-del', (s) => {
    engine.keyspaces.lazyServerDel = s.lazyfreeLazyServerDel;
  });
  config.follow('latency-tracking', (s) => {
    engine.trackLatency = s.latencyTracking;
  });
  config.follow('tracking-table-max-keys', () => engine.tracking.watchSize());
}
