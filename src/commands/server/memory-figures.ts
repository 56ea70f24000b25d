/** How the server's memory divides, for INFO memory and MEMORY. */
import { memoryOf } from '../../engine/client-memory.ts';
import type { Engine } from '../../engine/engine.ts';

export interface MemoryFigures {
  /** Bytes in live blocks of the image. */
  readonly used: number;
  readonly peak: number;
  /** Bytes in segments. */
  readonly reserved: number;
  readonly resident: number;
  readonly startup: number;
  /** Startup, tables of the databases, and clients' buffers. */
  readonly overhead: number;
  readonly dataset: number;
  readonly datasetPercent: number;
  readonly clients: number;
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
  const { memory, startupMemory: startup, keyspaces } = engine;
  let clients = 0;
  for (const session of engine.sessions.values()) clients += memoryOf(session);
  let tables = 0;
  for (const { main, expires } of databaseOverheads(engine)) tables += main + expires;
  const overhead = startup + tables;
  const dataset = Math.max(0, memory.used - overhead);
  const net = memory.used - startup;
  return {
    used: memory.used,
    peak: Math.max(memory.peak, memory.used),
    reserved: memory.reserved,
    resident: process.memoryUsage.rss(),
    startup,
    overhead,
    dataset,
    datasetPercent: net > 0 ? Math.min(100, (dataset / net) * 100) : 0,
    clients,
    keys: keyspaces.databases.reduce((sum, db) => sum + db.size, 0),
    lazyPending: keyspaces.reclaimer.pending,
    lazyFreed: keyspaces.reclaimer.freed,
  };
}
