/** How the server's memory divides, for INFO memory and MEMORY. */
import type { Engine } from '../../engine/engine.ts';

export interface MemoryFigures {
  /** INFO's used_memory: see engine/used-memory.ts. */
  readonly used: number;
  readonly peak: number;
  /** Of pages that hold any of it, and of memory that the system has given for it. */
  readonly active: number;
  readonly allocated: number;
  /** Of the process. */
  readonly resident: number;
  /** What of that is Node's own, and out of all ratios. */
  readonly runtime: number;
  readonly startup: number;
  /** Startup, tables of the databases, and all that lies outside of the image: clients, scripts, users, buffers. */
  readonly overhead: number;
  readonly dataset: number;
  readonly datasetPercent: number;
  readonly clients: number;
  readonly notBounded: number;
  readonly keys: number;
  readonly lazyPending: number;
  readonly lazyFreed: number;
}

export interface DatabaseOverhead {
  readonly index: number;
  readonly main: number;
  readonly expires: number;
}

export function databaseOverheads(engine: Engine): DatabaseOverhead[] {
  return engine.keyspaces.databases
    .filter((db) => db.size > 0)
    .map((db) => ({ index: db.index, main: db.keys.bytes, expires: db.expires.bytes }));
}

export function memoryFigures(engine: Engine): MemoryFigures {
  const { memory, startupMemory: startup, keyspaces, usedMemory } = engine;
  usedMemory.measure();
  const used = usedMemory.total;
  const clients = usedMemory.sessions;
  let tables = 0;
  for (const { main, expires } of databaseOverheads(engine)) tables += main + expires;
  // What lies outside of the image is the most of the startup's share, and all of it overhead.
  const outside = used - memory.used;
  const overhead = tables + Math.max(startup, outside);
  const allocated = memory.resident + outside;
  const dataset = Math.max(0, used - overhead);
  const net = used - startup;
  return {
    used,
    peak: usedMemory.peak,
    active: memory.active + outside,
    allocated,
    ...engine.process.figures(allocated, usedMemory.inHeap),
    startup,
    overhead,
    dataset,
    datasetPercent: net > 0 ? Math.min(100, (dataset / net) * 100) : 0,
    clients,
    notBounded: usedMemory.notBounded,
    keys: keyspaces.databases.reduce((sum, db) => sum + db.size, 0),
    lazyPending: keyspaces.reclaimer.pending,
    lazyFreed: keyspaces.reclaimer.freed,
  };
}
