/**
 * The best candidates for eviction that samples have shown so far, at most 16 of them, by score:
 *
 *   0   2   2   3  ...  9  40          the highest score is the next to go
 *   |                       |
 *   dropped for a better    next victim
 *   one when it is full
 *
 * Entries may move or go before their turn comes: what the pool names may be there no longer (Database.holds).
 */
import { type Addr, NULL } from '../memory/address.ts';
import type { Database } from './database.ts';

export const POOL_SIZE = 16;
/** Of a candidate that has just come into the pool: what is dropped again needs no hash. */
const UNKNOWN = -1;

export class Candidate {
  score = 0;
  db: Database | null = null;
  /** Where it was, the hash of its key, and what else tells where that lies; the last two once it is `known`. */
  entry: Addr = NULL;
  hash = UNKNOWN;
  place = 0;

  get known(): boolean {
    return this.hash !== UNKNOWN;
  }

  set(score: number, db: Database, entry: Addr): void {
    this.score = score;
    this.db = db;
    this.entry = entry;
    this.hash = UNKNOWN;
  }

  know(hash: number, place: number): void {
    this.hash = hash;
    this.place = place;
  }
}

export class EvictionPool {
  /** The first `count` are taken, ascending by score. */
  private readonly candidates = Array.from({ length: POOL_SIZE }, () => new Candidate());
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Whether an entry of this score would get in. */
  admits(score: number): boolean {
    return this.count < POOL_SIZE || score > this.candidates[0].score;
  }

  /** Takes a candidate that `admits` has let in. */
  add(score: number, db: Database, entry: Addr): void {
    const { candidates } = this;
    let at: number;
    let free: Candidate;
    if (this.count < POOL_SIZE) {
      at = this.count++;
      free = candidates[at];
      for (; at > 0 && candidates[at - 1].score >= score; at--) candidates[at] = candidates[at - 1];
    } else {
      free = candidates[0];
      for (at = 0; at < POOL_SIZE - 1 && candidates[at + 1].score < score; at++) candidates[at] = candidates[at + 1];
    }
    candidates[at] = free;
    free.set(score, db, entry);
  }

  /** The candidate of the highest score, which leaves the pool and is good until the next `add`; null when it is empty. */
  take(): Candidate | null {
    return this.count === 0 ? null : this.candidates[--this.count];
  }

  /** The candidate that would be taken after `ahead` others. */
  next(ahead: number): Candidate | null {
    return ahead < this.count ? this.candidates[this.count - 1 - ahead] : null;
  }

  clear(): void {
    this.count = 0;
  }
}
