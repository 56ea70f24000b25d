/** Eviction in a server: what counts against maxmemory, when keys stay all the same, and who hears of those that go. */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import type { EvictionPort } from '../engine/eviction-port.ts';
import { GATES_AGAINST_EVICTION } from '../engine/gates.ts';
import type { Database } from '../keyspace/database.ts';
import { type EvictionHost, Evictor } from '../keyspace/eviction.ts';

/** The engine's view of eviction; it has the settings' limit once it is attached. */
export class MemoryLimit implements EvictionPort {
  limit = Number.POSITIVE_INFINITY;
  private engine: Engine | null = null;
  private evictor: Evictor | null = null;

  /** `handOver` writes what is owed to clients. */
  attach(engine: Engine, config: Config, handOver: () => void): void {
    assert(this.engine === null, 'one limit, one engine');
    const host = new Host(engine, handOver);
    const evictor = new Evictor(engine, config.settings, engine.stats, host);
    this.engine = engine;
    this.evictor = evictor;
    engine.memory.affords = (bytes) => host.counted + bytes <= this.limit;
    config.follow('maxmemory-policy', () => evictor.followPolicy());
    config.follow('maxmemory', ({ maxmemory }) => {
      this.limit = maxmemory === 0 ? Number.POSITIVE_INFINITY : maxmemory;
      if (host.counted <= this.limit) return;
      engine.server.log.warning(
        `WARNING: the new maxmemory value set via CONFIG SET (${maxmemory}) is smaller than the current memory usage (${host.counted}). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.`,
      );
      evictor.begin();
    });
  }

  makeRoom(): boolean {
    const enough = this.evictor?.makeRoom() ?? true;
    this.engine?.serveWaiters();
    return enough;
  }

  settle(): void {
    this.evictor?.settle();
  }

  stop(): void {
    this.evictor?.stop();
  }
}

class Host implements EvictionHost {
  private readonly engine: Engine;
  /** Writes what is owed to clients. */
  readonly handOver: () => void;

  constructor(engine: Engine, handOver: () => void) {
    this.engine = engine;
    this.handOver = handOver;
  }

  get counted(): number {
    return this.engine.usedMemory.forMaxmemory;
  }

  get exempt(): boolean {
    const { gates, propagation, replication, server, membership } = this.engine;
    // The leader says what is evicted.
    if (membership.group !== null && !membership.group.serves) return true;
    if (propagation.held || gates.any(GATES_AGAINST_EVICTION)) return true;
    return replication.isReplica && server.settings.replicaIgnoreMaxmemory;
  }

  evicted(db: Database, key: Slice): void {
    this.engine.keyEvicted(db, key);
  }

  get timed(): boolean {
    return this.engine.latency.threshold > 0;
  }

  took(event: string, milliseconds: number): void {
    this.engine.latency.observe(event, milliseconds, this.engine.clock.now());
  }

  sliceDone(): void {
    this.engine.serveWaiters();
  }
}
