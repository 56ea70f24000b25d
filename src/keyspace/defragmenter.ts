/**
 * Moves blocks out of sparse slabs, so that these can be given back: one pass over all databases, in small steps between
 * which anything may happen.
 *
 *   begin   the allocator chooses the slabs to be emptied, and hands out no block of them any more
 *   step    the entries of a bucket, or a portion of a value that is too large for one step, move
 *   end     what is left in those slabs stays: values on their way to being released, consumer groups, the databases' roots
 *
 * Nothing moves while a frozen view is open: it would have to preserve all that is written. A pass that one comes into is
 * given up. Addresses are good within a command only, so nobody notices; SCAN's cursors count buckets, which stay.
 */
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { OutOfMemory } from '../memory/errors.ts';
import type { Memory } from '../memory/memory.ts';
import { entryKey } from '../values/entry.ts';
import { relocateValue } from '../values/relocate.ts';
import type { Database } from './database.ts';

/** A value of which only a part has been dealt with. */
interface Unfinished {
  readonly db: Database;
  readonly key: Slice;
  cursor: number;
}

export class Defragmenter {
  /** Keys of which a block moved, and those of which none did. */
  keyHits = 0;
  keyMisses = 0;
  /** Elements of a value that are dealt with in one step. */
  portion = 256;
  private readonly memory: Memory;
  private readonly databases: readonly Database[];
  private readonly unfinished: Unfinished[] = [];
  private readonly shown = new Slice();
  private pass: Iterator<void> | null = null;
  private index = 0;
  private cursor = 0;

  constructor(memory: Memory, databases: readonly Database[]) {
    this.memory = memory;
    this.databases = databases;
  }

  /** Whether a pass is under way. */
  get running(): boolean {
    return this.pass !== null;
  }

  /** Begins a pass, unless one is under way or a frozen view is open: whether it has. */
  begin(): boolean {
    if (this.running || this.memory.frozen) return false;
    this.pass = this.steps();
    return true;
  }

  /** Goes on with the pass until `late` says that time is up; says whether there is more to do. */
  run(late: () => boolean): boolean {
    while (this.pass !== null) {
      if (this.pass.next().done) this.pass = null;
      if (late()) break;
    }
    return this.running;
  }

  private *steps(): Generator<void> {
    const { allocator } = this.memory;
    this.index = 0;
    this.cursor = 0;
    if ((yield* allocator.beginLeaving()) > 0) while (!this.memory.frozen && this.tryStep()) yield;
    this.unfinished.length = 0;
    yield* allocator.endLeaving();
  }

  resetStats(): void {
    this.keyHits = 0;
    this.keyMisses = 0;
    this.memory.moves = 0;
    this.memory.stays = 0;
  }

  /** False when the pass is at its end, be it for want of memory. */
  private tryStep(): boolean {
    try {
      return this.step();
    } catch (error) {
      if (error instanceof OutOfMemory) return false;
      throw error;
    }
  }

  private step(): boolean {
    const last = this.unfinished.at(-1);
    if (last !== undefined) {
      const { db, key } = last;
      const e = db.peek(key, db.hash(key));
      last.cursor = e === NULL ? 0 : this.relocate(e, last.cursor);
      if (last.cursor === 0) this.unfinished.pop();
      return true;
    }
    const db = this.databases[this.index];
    if (db === undefined) return false;
    this.cursor = db.relocate(this.cursor, (e) => {
      const cursor = this.relocate(e, 0);
      if (cursor !== 0)
        this.unfinished.push({ db, key: new Slice(entryKey(this.memory, e, this.shown).copy()), cursor });
    });
    if (this.cursor === 0) this.index++;
    return true;
  }

  private relocate(e: Addr, cursor: number): number {
    const { memory } = this;
    const before = memory.moves;
    const next = relocateValue(memory, e, cursor, this.portion);
    if (memory.moves > before) this.keyHits++;
    else this.keyMisses++;
    return next;
  }
}
