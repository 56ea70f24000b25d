/**
 * Giving values back to the allocator, at once or in slices.
 *
 * A large aggregate that is dropped lazily (UNLINK, the lazyfree-* settings, FLUSHALL ASYNC) goes on a queue; the cron
 * calls `run` between turns of the event loop until the queue is empty. The memory stays counted until it is released.
 * What is to go at once (DEL, FLUSHALL SYNC) goes the same way where it would hold the loop for milliseconds; it counts
 * neither as pending nor as freed lazily, and whoever needs room waits for it (Evictor).
 */
import type { Clock } from '../base/time.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { type Encoding, entryEncoding, entryType, entryValue, isInline, type ValueType } from '../values/entry.ts';
import { freeEffort, freeValue, freeValueSome } from '../values/free.ts';
import type { Detached } from './key-table.ts';

/** Values that take more steps than this to release are worth the queue (as Redis's LAZYFREE_THRESHOLD). */
const LAZY_THRESHOLD = 64;
/** Steps that are done at once, some 2 ms of them where they miss every cache; what takes more is released in slices in any case. */
const MOST_AT_ONCE = 4096;
/** Whole databases may take so many microseconds where that is longer, between two ticks of the cron however many of them go. */
const AT_ONCE_MICROS = 3000;
const STEP = 1024;

interface Pending {
  readonly type: ValueType;
  readonly encoding: Encoding;
  readonly root: Addr;
  /** 1 for a value that was dropped by itself; one of a dict is counted with its key. */
  readonly count: number;
}

/** Keys that have been given away and how many of them are left. */
interface TableJob {
  readonly table: Detached;
  /** Whether its keys count as pending. */
  readonly counts: boolean;
  left: number;
}

export class Reclaimer {
  private readonly memory: Memory;
  private readonly clock: Pick<Clock, 'monotonic'>;
  private readonly values: Pending[] = [];
  private readonly tables: TableJob[] = [];
  private waiting = 0;
  /** Steps and microseconds for which databases may yet be released at once. */
  private steps = MOST_AT_ONCE;
  private micros = AT_ONCE_MICROS;
  /** Values and keys released lazily since the statistics were reset (INFO lazyfreed_objects). */
  freed = 0;
  /** Called when the queue stops being empty. */
  onWork: () => void = () => {};

  constructor(memory: Memory, clock: Pick<Clock, 'monotonic'>) {
    this.memory = memory;
    this.clock = clock;
  }

  /** Values and keys that wait (INFO lazyfree_pending_objects). */
  get pending(): number {
    return this.waiting;
  }

  /** Whether nothing is left to release. */
  get idle(): boolean {
    return this.values.length === 0 && this.tables.length === 0;
  }

  release(type: ValueType, encoding: Encoding, root: Addr, lazily: boolean): void {
    if (freeEffort(this.memory, type, encoding, root) > (lazily ? LAZY_THRESHOLD : MOST_AT_ONCE)) {
      this.queue(type, encoding, root, lazily ? 1 : 0);
      this.onWork();
    } else {
      freeValue(this.memory, type, encoding, root);
    }
  }

  private queue(type: ValueType, encoding: Encoding, root: Addr, count: number): void {
    this.values.push({ type, encoding, root, count });
    this.waiting += count;
  }

  /** Releases keys of a database with every entry and value; many of them, or any `lazily`, in slices. */
  releaseTable(table: Detached, lazily: boolean): void {
    const left = table.size;
    this.tables.push({ table, counts: lazily, left });
    if (lazily) this.waiting += left;
    else this.releaseAtOnce();
    if (!this.idle) this.onWork();
  }

  /** As much of what waits as may go at once; code that has not run before takes ten times as long as it will. */
  private releaseAtOnce(): void {
    let at = this.clock.monotonic();
    while ((this.steps > 0 || this.micros > 0) && this.run(STEP)) {
      const now = this.clock.monotonic();
      this.steps -= STEP;
      this.micros -= now - at;
      at = now;
    }
  }

  /** A tick of the cron: what goes from now on may hold the loop for a few milliseconds again. */
  renew(): void {
    this.steps = MOST_AT_ONCE;
    this.micros = AT_ONCE_MICROS;
  }

  /** Releases about `budget` elements, or passes over as many empty places of tables; says whether anything is left. */
  run(budget: number): boolean {
    let left = budget;
    while (left > 0 && this.values.length > 0) {
      const value = this.values[this.values.length - 1];
      if (!freeValueSome(this.memory, value.type, value.encoding, value.root, left)) break;
      left -= LAZY_THRESHOLD;
      this.values.pop();
      this.waiting -= value.count;
      this.freed += value.count;
    }
    if (left > 0 && this.tables.length > 0) {
      const job = this.tables[this.tables.length - 1];
      const before = job.left;
      if (this.releaseSome(job, left)) this.tables.pop();
      if (job.counts) {
        this.waiting -= before - job.left;
        this.freed += before - job.left;
      }
    }
    return !this.idle;
  }

  private releaseSome(job: TableJob, budget: number): boolean {
    const m = this.memory;
    return job.table.drain(budget, (e) => {
      const encoding = entryEncoding(m, e);
      if (!isInline(encoding)) {
        const type = entryType(m, e);
        const root = entryValue(m, e);
        if (freeEffort(m, type, encoding, root) > LAZY_THRESHOLD) this.queue(type, encoding, root, 0);
        else freeValue(m, type, encoding, root);
      }
      m.release(e);
      job.left--;
    });
  }
}
