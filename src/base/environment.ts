/**
 * All that a server knows of the world outside of it, handed in: the machine's own in service; in a simulation time that
 * stands still, chance from a seed, a disk and a network in memory, and no threads. No other room reaches for these things
 * by itself (test/unit/style.test.ts lists the exceptions), so that a whole server can live in a test, or twice in a process.
 */
import type { Worker, WorkerOptions } from 'node:worker_threads';
import { type Disk, RealDisk } from './disk.ts';
import { type Ids, RealIds } from './ids.ts';
import { type Network, RealNetwork } from './network.ts';
import { type Programs, RealPrograms } from './programs.ts';
import { type Random, realRandom } from './random.ts';
import { startThread } from './thread.ts';
import { type Clock, RealClock } from './time.ts';
import { RealUsage, type Usage } from './usage.ts';

export interface Threads {
  /** Starts a thread over a module of ours. */
  start(file: URL, options: WorkerOptions): Worker;
}

export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  /** Null where there are none: what they would do is then done on the event loop. */
  readonly threads: Threads | null;
  /** Null where none can be run. */
  readonly programs: Programs | null;
  readonly ids: Ids;
  readonly usage: Usage;
}

/** The machine's, with what is given in its place. */
export function environmentWith(given: Partial<Environment> = {}): Environment {
  return {
    clock: given.clock ?? new RealClock(),
    random: given.random ?? realRandom(),
    disk: given.disk ?? new RealDisk(),
    network: given.network ?? new RealNetwork(),
    threads: given.threads === undefined ? { start: startThread } : given.threads,
    programs: given.programs === undefined ? new RealPrograms() : given.programs,
    ids: given.ids ?? new RealIds(),
    usage: given.usage ?? new RealUsage(),
  };
}
