/**
 * Active expiry: keys whose time is up are found and removed though nobody asks for them.
 *
 * The table of keys that expire is gone through bucket by bucket, so that every one of them has its turn, in samples. Where
 * a sample shows that many are past their time (more than 10 % at effort 1), the same database is sampled again at once;
 * else the next one is, and in time the whole pass ends.
 *
 * A pass may take a share of the time (25 % at effort 1, 43 % at 10), but never long at a stretch: `run` works for one
 * slice of about a millisecond, a quarter of that while clients are served, and whoever calls it goes on after
 * `pauseMicros`; so what Redis does in one slow cycle of 25 ms is spread evenly. Redis's fast cycles, which clients bring
 * about where the slow ones don't suffice (`behind`), are a larger share while clients are served: 60 % of the time.
 *
 *   cron tick:  run ── pause ── run ── pause ── run ── (nothing left)                          next tick
 *
 * The share is an account: time that passes is put in, work is taken out. A pause that lasts longer than was asked for,
 * as where other processes have the processor, so makes the next slice longer, up to LONGEST_SLICE.
 */
import { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { SWEPT_BUCKETS } from '../structures/dict.ts';
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
/** A slice, and where clients have been served meanwhile; the same after a long pause. */
const SLICE_MICROS = 1000;
const SERVING_MICROS = 250;
const LONGEST_SLICE = 5000;
const LONGEST_SERVING = 500;
/** Share of the time while clients are served and passes are behind. */
const FAST_SHARE = 0.6;
/** Keys past their time that are removed together, for the processor to fetch what lies around them at a time. */
const BATCH = 32;
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
  /** Entries that a sample showed to be due. */
  private readonly due: Addr[] = [];
  private readonly hashes = new Int32Array(BATCH);
  private readonly key = new Slice();
  /** Microseconds that may be worked for, as of `creditAt`. */
  private credit = 0;
  private creditAt = 0;
  /** When the slice at hand is over. */
  private end = 0;
  /** Whether clients have been served since the last slice: told by whoever calls `run`. */
  serving = false;
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

  private get share(): number {
    const share = (SHARE_PERCENT + 2 * this.effort) / 100;
    return this.serving && this.behind ? Math.max(share, FAST_SHARE) : share;
  }

  private get sliceMicros(): number {
    return this.serving ? SERVING_MICROS : SLICE_MICROS;
  }

  /** How long to wait for the next slice, from now on. */
  get pauseMicros(): number {
    const waited = this.clock.monotonic() - this.creditAt;
    return Math.max(0, (this.sliceMicros - this.credit) / this.share - waited);
  }

  /** Whether the last pass was not over in its period, or too many of the keys that are looked at are past their time. */
  get behind(): boolean {
    return this.capped || this.stats.expiredStalePercent > STALE_PERCENT - this.effort;
  }

  /** Begins a pass over all databases; one that is under way has not been finished in its period. */
  begin(): void {
    this.capped = this.left > 0;
    if (this.capped) {
      this.stats.expiredTimeCapReached++;
    } else {
      this.credit = this.sliceMicros;
      this.creditAt = this.clock.monotonic();
    }
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
    const start = this.openSlice();
    this.sampled = 0;
    this.expired = 0;
    while (this.left > 0 && this.clock.monotonic() < this.end) {
      const db = keyspaces.databases[this.next % keyspaces.databases.length];
      if (this.visit(db)) continue;
      this.next = (db.index + 1) % keyspaces.databases.length;
      this.left--;
    }
    if (this.sampled > 0) {
      const percent = (this.expired * 100) / this.sampled;
      stats.expiredStalePercent = percent * 0.05 + stats.expiredStalePercent * 0.95;
    }
    stats.expireCycleMilliseconds += this.closeSlice(start) / 1000;
    return this.left > 0;
  }

  private openSlice(): number {
    const start = this.clock.monotonic();
    const most = this.serving ? LONGEST_SERVING : LONGEST_SLICE;
    this.credit = Math.min(most, this.credit + (start - this.creditAt) * this.share);
    this.end = start + Math.max(this.sliceMicros, this.credit);
    return start;
  }

  private closeSlice(start: number): number {
    this.creditAt = this.clock.monotonic();
    const spent = this.creditAt - start;
    this.credit += spent * (this.share - 1);
    return spent;
  }

  /** Takes one sample of a database; says whether another one is worth while. */
  private visit(db: Database): boolean {
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
    if (!this.sample(db, wanted)) return true;
    const seen = this.sampled - sampled;
    return seen === 0 || (this.expired - expired) * 100 > seen * (STALE_PERCENT - this.effort);
  }

  /** Looks at `wanted` keys, or passes over as many empty buckets as are worth it; false when time was up before. */
  private sample(db: Database, wanted: number): boolean {
    const until = this.sampled + wanted;
    let cursor = this.cursors[db.index] ?? 0;
    this.lifetimes = 0;
    this.living = 0;
    let late = false;
    const end = BUCKETS_PER_KEY * wanted;
    for (let buckets = 0; buckets < end && this.sampled < until && !late; buckets += SWEPT_BUCKETS) {
      cursor = db.expires.sweep(cursor, this.look);
      this.removeDue(db);
      late = this.clock.monotonic() >= this.end;
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

  /** Removes what has been seen to be due: only now, as removing may resize the table that is looked through. */
  private removeDue(db: Database): void {
    const { due, hashes, memory, key } = this;
    for (let from = 0; from < due.length; from += BATCH) {
      const count = Math.min(BATCH, due.length - from);
      for (let i = 0; i < count; i++) hashes[i] = db.hash(entryKey(memory, due[from + i], key));
      db.warm(hashes, count);
      for (let i = 0; i < count; i++) db.expire(due[from + i], hashes[i]);
    }
    this.expired += due.length;
    due.length = 0;
  }
}
