/**
 * The best candidates for eviction that samples have shown so far, at most 16 of them, by score:
 *
 *   0   2   2   3  ...  9  40          the highest score is the next to go
 *   |                       |
 *   dropped for a better    next victim
 *   one when it is full
 *
 * Keys are copied, as entries may move or go before their turn comes; so what the pool names may be there no longer.
 */
import type { Slice } from '../base/slice.ts';
import type { Database } from './database.ts';
import { KeptKey } from './kept-key.ts';

const SIZE = 16;

export class Candidate {
  score = 0;
  db: Database | null = null;
  private readonly copy = new KeptKey();

  get key(): Slice {
    return this.copy.key;
  }

  set(score: number, db: Database, key: Slice): void {
    this.score = score;
    this.db = db;
    this.copy.set(key);
  }
}

export class EvictionPool {
  /** The first `count` are taken, ascending by score. */
  private readonly candidates = Array.from({ length: SIZE }, () => new Candidate());
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Whether an entry of this score would get in. */
  admits(score: number): boolean {
    return this.count < SIZE || score > this.candidates[0].score;
  }

  /** Takes a candidate that `admits` has let in. */
  add(score: number, db: Database, key: Slice): void {
    const { candidates } = this;
    let at: number;
    let free: Candidate;
    if (this.count < SIZE) {
      at = this.count++;
      free = candidates[at];
      for (; at > 0 && candidates[at - 1].score >= score; at--) candidates[at] = candidates[at - 1];
    } else {
      free = candidates[0];
      for (at = 0; at < SIZE - 1 && candidates[at + 1].score < score; at++) candidates[at] = candidates[at + 1];
    }
    candidates[at] = free;
    free.set(score, db, key);
  }

  /** The candidate of the highest score, which leaves the pool and is good until the next `add`; null when it is empty. */
  take(): Candidate | null {
    return this.count === 0 ? null : this.candidates[--this.count];
  }

  clear(): void {
    this.count = 0;
  }
}
