/**
 * Handing buffers that were let go of back to the system.
 *
 * The segments lie outside the JavaScript heap but are owned by objects in it: their memory goes when V8 finds those
 * objects dead, and shared buffers weigh nothing on the heap, so a server that is idle, or that makes no garbage, gives V8
 * no reason to look. Two ways to make it look:
 *
 *   at once    a full collection, some 10 ms however much data there is, since the heap is small
 *   by steps   an ordinary buffer of 96 MiB, of which no page is ever touched, does weigh: V8 takes it for pressure from
 *              outside and begins to mark by increments and in other threads, which ends in a pause of 1 to 3 ms
 *
 * A server that has been busy also has a young generation of 32 MiB, mostly empty. V8 cuts it down at a full collection,
 * but only where its last ten collections of any kind say that next to nothing is allocated: ten of the young generation
 * in a row (2 ms), after a quiet moment, say so.
 *
 * Whether the second way has led anywhere is told by the buffers themselves as they are finalized; where it hasn't, the
 * first way follows.
 *
 * Ordinary buffers, a client's words among them, V8 does count, and still lets gigabytes of dead ones lie: it marks by small
 * steps, between which a busy client brings the next hundred megabytes, and an idle server takes none. So they are looked
 * at as well.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LastOwner } from './last-owner.ts';

/** More than the 64 MiB beyond which V8 looks, by what else may have gone since the last time. */
const PRESSING_BYTES = 96 * 1024 * 1024;
/** Bytes that may have died since the last collection: while the server is busy, and when it is not. */
const BUSY_GROWTH = 256 * 1024 * 1024;
const QUIET_GROWTH = 32 * 1024 * 1024;
/** A larger heap, as a script may have, takes long to collect, and is collected by V8 often enough while it grows. */
const SMALL_HEAP = 64 * 1024 * 1024;
/** Calls of `step` between the two ways, two seconds of cron; at most, where neither led anywhere before. */
const PATIENCE = 20;
const MOST_PATIENCE = 600;

/** How garbage is collected when it is known to be worth it. */
export interface Collector {
  /** At once, if that is wanted in this process. */
  now(): void;
  /** The same, and the heap is cut down to what is alive; for when nothing has been allocated for some 0.3 s. */
  thoroughly(): void;
  /** Has V8 begin by itself; whether it could be asked. */
  soon(): boolean;
  /** What ordinary buffers take, and what the heap has in use, in bytes; null where they are others' as well. */
  ordinary(): { readonly bytes: number; readonly heap: number } | null;
  /**
   * Whether a quiet server is kept awake until all has been collected. A guest is not: when V8 collects depends on everything
   * else in its process, and what a server does on a clock of its own must not.
   */
  readonly keepsAwake: boolean;
}

/** Collections that V8 judges the rate of allocation by. */
const JUDGED = 10;

type Gc = (options?: { readonly type: 'minor' }) => void;
const collect: { run?: Gc } = {};

function gc(): Gc {
  if (collect.run === undefined) {
    setFlagsFromString('--expose-gc');
    // Where it is no V8, there is none.
    const found: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
    collect.run = typeof found === 'function' ? (found as Gc) : () => {};
    setFlagsFromString('--no-expose-gc');
  }
  return collect.run;
}

/** A full collection, at once. */
export function collectGarbage(): void {
  gc()();
}

/** The same, after which the young generation is as small as at the start. */
export function shrinkHeap(): void {
  const run = gc();
  for (let i = 0; i < JUDGED; i++) run({ type: 'minor' });
  run();
}

function beginCollection(): boolean {
  try {
    return new ArrayBuffer(PRESSING_BYTES).byteLength > 0;
  } catch {
    return false;
  }
}

/** For a process that is the server's: its heap is small. */
export const PROMPT: Collector = {
  now: collectGarbage,
  thoroughly: shrinkHeap,
  soon: beginCollection,
  ordinary: () => {
    const { external_memory: bytes, used_heap_size: heap } = getHeapStatistics();
    return { bytes, heap };
  },
  keepsAwake: true,
};
/** For a process in which the server is a guest: a pause for the whole of somebody else's heap is never forced. */
export const GENTLE: Collector = {
  now: beginCollection,
  thoroughly: beginCollection,
  soon: beginCollection,
  ordinary: () => null,
  keepsAwake: false,
};

/** What is dead and not collected yet of ordinary buffers and, once scripts have filled it, of the heap. */
export class DeadBuffers {
  private readonly collector: Collector;
  /** The least since the last collection, which leaves what is alive in the heap, and some in V8's count alone. */
  private least = 0;

  constructor(collector: Collector) {
    this.collector = collector;
  }

  /** Has them collected, where there are many; `alive` bytes are in use, `quiet` says that nobody has asked for anything for a while. */
  look(alive: number, quiet: boolean): void {
    const counted = this.collector.ordinary();
    if (counted === null) return;
    const { bytes, heap } = counted;
    const dead = bytes + heap - alive;
    this.least = Math.min(this.least, dead);
    if (dead - this.least < (quiet ? QUIET_GROWTH : BUSY_GROWTH)) return;
    if (heap > SMALL_HEAP && !quiet) return;
    this.collector.now();
    this.least = dead;
  }
}

/** A buffer that was let go of: what it takes, and how often V8 had been asked by then. */
interface Leftover {
  readonly id: number;
  readonly bytes: number;
  readonly round: number;
}

/** Buffers that were let go of and are still there. */
export class Leftovers {
  /** What they take. */
  bytes = 0;
  private readonly collector: Collector;
  /** Where there is one. */
  private readonly owner: LastOwner | null;
  private readonly registry = new FinalizationRegistry<Leftover>((leftover) => this.found(leftover));
  private added = 0;
  /** How often V8 has been asked, and what is still there of the buffers that it was last asked for. */
  private round = 0;
  private asked = 0;
  private waited = 0;
  private patience = PATIENCE;
  /** Buffers were let go of since the heap was last cut down. */
  private released = false;

  constructor(collector: Collector, owner: LastOwner | null = null) {
    this.collector = collector;
    this.owner = owner;
  }

  /** `bytes` of the buffer take memory. */
  add(buffer: SharedArrayBuffer, bytes: number): void {
    this.bytes += bytes;
    this.released = true;
    const id = this.added++;
    this.registry.register(buffer, { id, bytes, round: this.round });
    this.owner?.hold(id, buffer);
  }

  /** Nobody here holds it any more. */
  private found({ id, bytes, round }: Leftover): void {
    if (round < this.round) this.asked -= bytes;
    this.patience = PATIENCE;
    const gone = (): void => {
      this.bytes -= bytes;
    };
    if (this.owner === null) gone();
    else this.owner.release(id, gone);
  }

  /** Works towards having them collected; to be called again and again for as long as there are too many. */
  step(): void {
    // What was let go of after V8 had begun to mark is not among what it finds: it is asked again.
    if (this.waited === 0 || this.asked <= 0) {
      this.ask();
      if (!this.collector.soon()) this.waited = this.patience;
    }
    if (++this.waited > this.patience) this.now();
  }

  /** Has them collected at once. Where even that leads nowhere, somebody holds them, and the next time is put off. */
  now(): void {
    this.ask();
    this.waited = 1;
    this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
    this.collector.now();
  }

  /** Has all that was let go of collected at once, and the heap cut down to what is alive. */
  all(): void {
    if (!this.released) return;
    this.released = false;
    this.ask();
    this.waited = 1;
    this.collector.thoroughly();
  }

  private ask(): void {
    this.round++;
    this.asked = this.bytes;
    this.waited = 0;
  }

  /** Buffers were let go of and collected since the heap was last cut down. */
  get uncut(): boolean {
    return this.released && this.waited === 0;
  }

  /** Nobody has asked for anything for a while: what was busy with data that has gone needs no large heap. */
  quiet(): void {
    if (!this.uncut) return;
    this.released = false;
    this.collector.thoroughly();
  }

  /** There are too few to bother, or whoever held them has let go. */
  rest(): void {
    this.waited = 0;
    this.patience = PATIENCE;
  }
}
