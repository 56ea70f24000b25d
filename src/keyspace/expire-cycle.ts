/**
 * Active expiry: keys whose time is up are found and removed though nobody asks for them.
 *
 * The table of keys that expire is gone through by SCAN's cursor, so that every one of them has its turn, in samples. Where
 * a sample shows that many are past their time (more than 10 % at effort 1), the same database is sampled again at once;
 * else the next one is, and in time the whole pass ends.
 *
 * A pass may take a share of the processor (25 % at effort 1, 43 % at 10), but never long at a stretch: `run` works for
 * one slice of about a millisecond and says whether to go on after a pause. Whoever calls it keeps the share by waiting
 * `pauseMicros`; so what Redis does in one slow cycle of 25 ms is spread evenly. Redis's fast cycles, which clients bring
 * about where the slow ones don't suffice (`behind`), are shorter pauses while clients are served: half of the time.
 *
 *   cron tick:  run ── pause ── run ── pause ── run ── (nothing left)                          next tick
 */
import { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { entryExpiry, entryKey } from '../values/entry.ts';
import type { Database } from './database.ts';
import type { Keyspaces } from './keyspaces.ts';

/** What the cycle tells INFO. */
export interface ExpiryStats {
  /** Share of expired keys among those that were looked at, a running mean. */
  expiredStalePercent: number;
  /** Passes that used up the time of their period. */
  expiredTimeCapReached: number;
  expireCycleMilliseconds: number;
}

export interface ExpirySettings {
  /** active-expire-effort, 1 to 10 */
  readonly activeExpireEffort: number;
}

const KEYS_PER_SAMPLE = 20;
const SHARE_PERCENT = 25;
const STALE_PERCENT = 10;
const SLICE_MICROS = 1000;
/** Empty buckets that a sample passes over at most, for each key of it. */
const BUCKETS_PER_KEY = 20;
/** A table that is emptier than this is left until it has shrunk. */
const SPARSE_PERCENT = 1;
const MIN_BUCKETS = 4;

export class ExpireCycle {
  private readonly keyspaces: Keyspaces;
  private readonly memory: Memory;
  private readonly clock: Clock;
  private readonly settings: ExpirySettings;
  private readonly stats: ExpiryStats;
  private readonly cursors: number[] = [];
  private readonly due: Addr[] = [];
  private readonly key = new Slice();
  /** The database that comes next, and how many are left of the pass. */
  private next = 0;
  private left = 0;
  /** The last pass was not over in its period. */
  private capped = false;
  private sampled = 0;
  private expired = 0;
  private lifetimes = 0;
  private living = 0;

  constructor(keyspaces: Keyspaces, clock: Clock, settings: ExpirySettings, stats: ExpiryStats) {
    this.keyspaces = keyspaces;
    this.memory = keyspaces.memory;
    this.clock = clock;
    this.settings = settings;
    this.stats = stats;
  }

  private get effort(): number {
    return this.settings.activeExpireEffort - 1;
  }

  /** How long to wait between two slices of one pass. */
  get pauseMicros(): number {
    const share = (SHARE_PERCENT + 2 * this.effort) / 100;
    return (SLICE_MICROS * (1 - share)) / share;
  }

  /** The same while clients are served and passes are `behind`. */
  get fastPauseMicros(): number {
    return Math.min(SLICE_MICROS, this.pauseMicros);
  }

  /** Whether the last pass was not over in its period, or too many of the keys that are looked at are past their time. */
  get behind(): boolean {
    return this.capped || this.stats.expiredStalePercent > STALE_PERCENT - this.effort;
  }

  /** Begins a pass over all databases; one that is under way has not been finished in its period. */
  begin(): void {
    this.capped = this.left > 0;
    if (this.capped) this.stats.expiredTimeCapReached++;
    this.left = this.keyspaces.databases.length;
  }

  /** Works for one slice; says whether the pass has more to do. */
  run(): boolean {
    const { keyspaces, stats } = this;
    if (!keyspaces.activeExpire || !keyspaces.removesExpired || keyspaces.seesExpired) {
      this.left = 0;
      return false;
    }
    keyspaces.refresh();
    const start = this.clock.monotonic();
    this.sampled = 0;
    this.expired = 0;
    while (this.left > 0 && this.clock.monotonic() - start < SLICE_MICROS) {
      const db = keyspaces.databases[this.next % keyspaces.databases.length];
      if (this.visit(db, start)) continue;
      this.next = (db.index + 1) % keyspaces.databases.length;
      this.left--;
    }
    if (this.sampled > 0) {
      const percent = (this.expired * 100) / this.sampled;
      stats.expiredStalePercent = percent * 0.05 + stats.expiredStalePercent * 0.95;
    }
    stats.expireCycleMilliseconds += (this.clock.monotonic() - start) / 1000;
    return this.left > 0;
  }

  /** Takes one sample of a database; says whether another one is worth while. */
  private visit(db: Database, start: number): boolean {
    const size = db.expiring;
    if (size === 0) {
      db.averageTtl = 0;
      return false;
    }
    const { buckets } = db.expires;
    if (buckets > MIN_BUCKETS && size * 100 < buckets * SPARSE_PERCENT) return false;
    const wanted = Math.min(size, KEYS_PER_SAMPLE + (KEYS_PER_SAMPLE / 4) * this.effort);
    const { sampled, expired } = this;
    // A sample that time has cut short tells too little.
    if (!this.sample(db, wanted, start)) return true;
    const seen = this.sampled - sampled;
    return seen === 0 || (this.expired - expired) * 100 > seen * (STALE_PERCENT - this.effort);
  }

  /** Looks at `wanted` keys, or passes over as many empty buckets as are worth it; false when time was up before. */
  private sample(db: Database, wanted: number, start: number): boolean {
    const until = this.sampled + wanted;
    let cursor = this.cursors[db.index] ?? 0;
    this.lifetimes = 0;
    this.living = 0;
    let late = false;
    for (let buckets = wanted * BUCKETS_PER_KEY; buckets > 0 && this.sampled < until && !late; buckets--) {
      cursor = db.expires.scan(cursor, this.look);
      if (this.due.length > 0) this.removeDue(db);
      late = (buckets & 15) === 0 && this.clock.monotonic() - start >= SLICE_MICROS;
    }
    this.cursors[db.index] = cursor;
    if (this.living > 0) {
      const mean = this.lifetimes / this.living;
      db.averageTtl = db.averageTtl === 0 ? mean : db.averageTtl * 0.98 + mean * 0.02;
    }
    return !late;
  }

  private readonly look = (e: Addr): void => {
    this.sampled++;
    const lifetime = entryExpiry(this.memory, e) - this.keyspaces.now;
    if (lifetime < 0) {
      this.due.push(e);
    } else {
      this.lifetimes += lifetime;
      this.living++;
    }
  };

  /** Removes the keys that a bucket showed to be due: only now, as removing may resize the table. */
  private removeDue(db: Database): void {
    for (const e of this.due) {
      if (e === NULL) continue;
      entryKey(this.memory, e, this.key);
      db.expire(this.key, db.hash(this.key));
      this.expired++;
    }
    this.due.length = 0;
  }
}
