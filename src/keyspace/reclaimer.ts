/**
 * Giving values back to the allocator, at once or in slices.
 *
 * A large aggregate that is dropped lazily (UNLINK, the lazyfree-* settings, FLUSHALL ASYNC) goes on a queue; the cron
 * calls `run` between turns of the event loop until the queue is empty. The memory stays counted until it is released.
 */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { DictCursor, dictFree, dictSize } from '../structures/dict.ts';
import { type Encoding, entryEncoding, entryType, entryValue, isInline, type ValueType } from '../values/entry.ts';
import { freeEffort, freeValue, freeValueSome } from '../values/free.ts';

/** Values that take more steps than this to release are worth the queue (as Redis's LAZYFREE_THRESHOLD). */
const LAZY_THRESHOLD = 64;

interface Pending {
  readonly type: ValueType;
  readonly encoding: Encoding;
  readonly root: Addr;
}

export class Reclaimer {
  private readonly memory: Memory;
  private readonly values: Pending[] = [];
  private readonly dicts: { dict: Addr; cursor: DictCursor; left: number }[] = [];
  private waiting = 0;
  /** Values and keys released lazily since the statistics were reset (INFO lazyfreed_objects). */
  freed = 0;
  /** Called when the queue stops being empty. */
  onWork: () => void = () => {};

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Values and keys that wait (INFO lazyfree_pending_objects). */
  get pending(): number {
    return this.waiting;
  }

  release(type: ValueType, encoding: Encoding, root: Addr, lazily: boolean): void {
    if (lazily && freeEffort(this.memory, type, encoding, root) > LAZY_THRESHOLD) {
      this.values.push({ type, encoding, root });
      this.waiting++;
      this.onWork();
    } else {
      freeValue(this.memory, type, encoding, root);
    }
  }

  /** Releases a database's dict of keys with every entry and value. */
  releaseDict(dict: Addr, lazily: boolean): void {
    const count = dictSize(this.memory, dict);
    const cursor = new DictCursor(this.memory);
    cursor.reset(this.memory, dict);
    const job = { dict, cursor, left: count };
    if (!lazily || count <= LAZY_THRESHOLD) {
      while (!this.releaseSome(job, 1 << 20));
      return;
    }
    this.dicts.push(job);
    this.waiting += count;
    this.onWork();
  }

  /** Releases about `budget` elements; says whether anything is left. */
  run(budget: number): boolean {
    let left = budget;
    while (left > 0 && this.values.length > 0) {
      const value = this.values[this.values.length - 1];
      if (!freeValueSome(this.memory, value.type, value.encoding, value.root, left)) break;
      left -= LAZY_THRESHOLD;
      this.values.pop();
      this.waiting--;
      this.freed++;
    }
    if (left > 0 && this.dicts.length > 0) {
      const job = this.dicts[this.dicts.length - 1];
      const before = job.left;
      if (this.releaseSome(job, left)) this.dicts.pop();
      this.waiting -= before - job.left;
      this.freed += before - job.left;
    }
    return this.waiting > 0;
  }

  private releaseSome(job: { dict: Addr; cursor: DictCursor; left: number }, budget: number): boolean {
    const m = this.memory;
    for (let i = 0; i < budget; i++) {
      const e = job.cursor.next();
      if (e === NULL) {
        dictFree(m, job.dict);
        job.left = 0;
        return true;
      }
      const encoding = entryEncoding(m, e);
      if (!isInline(encoding)) this.release(entryType(m, e), encoding, entryValue(m, e), true);
      m.release(e);
      job.left--;
    }
    return false;
  }
}
