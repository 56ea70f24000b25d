/**
 * Eviction: keys are removed until the memory that counts is within maxmemory.
 *
 * By LRU, LFU and TTL the choice is made from samples: for each key that goes, `maxmemory-samples` entries of every database
 * are looked at, and those that are worth it are put into a pool of the 16 best candidates, of which the best goes; what was
 * seen for earlier ones helps the later ones. A candidate that was used since it was seen is passed over. By `random` each
 * database gives a key in its turn.
 *
 * An entry lies where the processor has to fetch it from afar, so samples are drawn for several victims at a time: those
 * of 8 are fetched together, and so is what the removal of these 8 will touch. Of random keys, of which none is better than
 * another, it is as many as the pool holds.
 *
 * What one command may take is limited (`maxmemory-eviction-tenacity`; 500 us as a rule): what is missing then is removed
 * in the background, by slices of the same length, and commands go on meanwhile.
 *
 * What has been deleted and waits to be released makes room before anything else has to go.
 *
 *   command:  over the limit? ── evict ── time is up? ──> slice ── slice ── slice ── within the limit
 *                                   └── nothing to evict: false, and writes are refused
 */
import type { Random } from '../base/random.ts';
import { Slice } from '../base/slice.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import {
  entryEncoding,
  entryExpiry,
  entryHasExpiry,
  entryKey,
  entryLru,
  entryValue,
  isInline,
} from '../values/entry.ts';
import type { Database } from './database.ts';
import { EvictionPool, POOL_SIZE } from './eviction-pool.ts';
import { KeptKey } from './kept-key.ts';
import type { KeyWalk } from './key-table.ts';
import type { Keyspaces } from './keyspaces.ts';

/** What eviction tells INFO. */
export interface EvictionStats {
  evicted: number;
  /** Microseconds for which the limit has been exceeded, up to the last time that it was kept again. */
  evictionExceededMicros: number;
  /** Monotonic microseconds since when it is exceeded now, 0 when it is not. */
  evictionExceededSince: number;
}

export interface EvictionSettings {
  /** Bytes; 0 is no limit. */
  readonly maxmemory: number;
  readonly maxmemoryPolicy: string;
  readonly maxmemorySamples: number;
  /** 0 to 100 */
  readonly maxmemoryEvictionTenacity: number;
  readonly lazyfreeLazyEviction: boolean;
}

/** What eviction asks of the server, and whom it tells. */
export interface EvictionHost {
  /** Bytes in use that count against maxmemory. */
  readonly counted: number;
  /** Whether keys stay now, however much memory is used: data is loaded, writes are paused, a replica leaves it to its master. */
  readonly exempt: boolean;
  /** A key has been removed. `key` is a copy. */
  evicted(db: Database, key: Slice): void;
  /** Whether anybody wants to know how long things take. */
  readonly timed: boolean;
  took(event: string, milliseconds: number): void;
  /** A slice in the background is done: what hangs on keys that went is seen to. */
  sliceDone(): void;
  /**
   * What clients are owed goes out, as far as they take it: it counts, and what those who track keys are told may be more
   * than what went, so that the next look would have further keys removed for it.
   */
  handOver(): void;
}

type Order = 'none' | 'random' | 'lru' | 'lfu' | 'ttl';

/** Victims that samples are drawn for at a time. */
const DRAWN_AHEAD = 8;
/** Keys that are removed between two looks at the clock. */
const KEYS_PER_LOOK = 16;
/** Elements of lazily released values that are released between two looks at the clock. */
const RELEASES_PER_LOOK = 256;
const LFU_MAX = 255;

/** Microseconds that a command may spend on eviction: 50 a point up to 10, growing by 15 % a point beyond, and 100 is no limit. */
export function evictionMicros(tenacity: number): number {
  if (tenacity <= 10) return 50 * tenacity;
  return tenacity < 100 ? Math.floor(500 * 1.15 ** (tenacity - 10)) : Number.POSITIVE_INFINITY;
}

export class Evictor {
  private readonly keyspaces: Keyspaces;
  private readonly memory: Memory;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly settings: EvictionSettings;
  private readonly stats: EvictionStats;
  private readonly host: EvictionHost;
  private readonly pool = new EvictionPool();
  /** Victims that samples have been drawn for and that have not gone yet. */
  private drawn = 0;
  private readonly sample: Addr[] = [];
  private readonly hashes = new Int32Array(POOL_SIZE);
  /** Blocks that are fetched together. */
  private readonly blocks = new Int32Array(POOL_SIZE);
  private readonly key = new Slice();
  private readonly leaving = new KeptKey();
  /** Of the policy: the order in which keys go, and whether only those go that expire. */
  private order: Order = 'none';
  private onlyVolatile = false;
  /** The database that gives the next random key. */
  private next = 0;
  private timer: Timer | null = null;

  constructor(
    parts: { readonly keyspaces: Keyspaces; readonly clock: Clock; readonly random: Random },
    settings: EvictionSettings,
    stats: EvictionStats,
    host: EvictionHost,
  ) {
    this.keyspaces = parts.keyspaces;
    this.memory = parts.keyspaces.memory;
    this.clock = parts.clock;
    this.random = parts.random;
    this.settings = settings;
    this.stats = stats;
    this.host = host;
    this.followPolicy();
  }

  /** maxmemory-policy has changed: scores of another kind mean nothing. */
  followPolicy(): void {
    const { maxmemoryPolicy } = this.settings;
    this.onlyVolatile = maxmemoryPolicy.startsWith('volatile-');
    this.order =
      maxmemoryPolicy === 'noeviction' ? 'none' : (maxmemoryPolicy.slice(maxmemoryPolicy.indexOf('-') + 1) as Order);
    this.pool.clear();
    this.drawn = 0;
  }

  /** Removes keys as far as that is needed and time allows; false when too much is used and nothing can be removed. */
  makeRoom(): boolean {
    const { host, stats } = this;
    if (host.exempt) return true;
    const excess = this.excess();
    const enough = excess <= 0 || this.free(excess);
    if (enough && this.timer === null) {
      if (stats.evictionExceededSince !== 0) this.kept();
    } else if (stats.evictionExceededSince === 0) {
      stats.evictionExceededSince = Math.max(1, this.clock.monotonic());
    }
    return enough;
  }

  /** Notes that the limit is kept again, where that came about without eviction; once a tick of the cron. */
  settle(): void {
    if (this.stats.evictionExceededSince !== 0 && this.timer === null && this.excess() <= 0) this.kept();
  }

  /** Has keys removed in the background: the limit has been lowered. */
  begin(): void {
    this.timer ??= this.clock.after(0, () => this.slice());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private slice(): void {
    this.timer = null;
    const { host } = this;
    if (host.exempt) return;
    host.handOver();
    this.makeRoom();
    host.sliceDone();
    host.handOver();
  }

  private kept(): void {
    const { stats } = this;
    stats.evictionExceededMicros += this.clock.monotonic() - stats.evictionExceededSince;
    stats.evictionExceededSince = 0;
  }

  /** Bytes above the limit. */
  private excess(): number {
    const { maxmemory } = this.settings;
    return maxmemory === 0 ? 0 : this.host.counted - maxmemory;
  }

  /** Removes keys that take `excess` bytes; goes on in the background when time is up. */
  private free(excess: number): boolean {
    const { clock, host } = this;
    const { timed } = host;
    const start = timed ? clock.monotonic() : 0;
    const missing = this.keyspaces.reclaimer.idle ? excess : this.awaitReclaimer();
    if (missing <= 0) return true;
    if (this.order === 'none') return false;
    const enough = this.evict(missing) || !this.keyspaces.reclaimer.idle;
    if (timed) host.took('eviction-cycle', (clock.monotonic() - start) / 1000);
    return enough;
  }

  /** Microseconds, monotonic, until which a command may go on that begins now. */
  private get deadline(): number {
    return this.clock.monotonic() + evictionMicros(this.settings.maxmemoryEvictionTenacity);
  }

  private evict(excess: number): boolean {
    const lazily = this.settings.lazyfreeLazyEviction;
    for (let keys = 1, freed = 0, until = 0; freed < excess; keys++) {
      const bytes = this.evictOne(lazily);
      if (bytes < 0) return false;
      freed += bytes;
      // One is enough as a rule, and then nobody has to look at the clock.
      if (keys === 1) {
        if (freed < excess) until = this.deadline;
        continue;
      }
      if (keys % KEYS_PER_LOOK !== 0) continue;
      // What is released lazily does not show in what removing it freed.
      if (lazily && this.excess() <= 0) break;
      if (this.clock.monotonic() > until) {
        this.begin();
        break;
      }
    }
    return true;
  }

  /**
   * Values wait to be released: no other has to go for the room that they take. Returns the bytes that are missing when all
   * of them are, 0 where there is room or will be soon.
   */
  private awaitReclaimer(): number {
    const { reclaimer } = this.keyspaces;
    if (this.timer !== null) return 0;
    const { clock, host } = this;
    const start = clock.monotonic();
    const until = this.deadline;
    let missing = this.excess();
    while (missing > 0 && reclaimer.run(RELEASES_PER_LOOK) && clock.monotonic() <= until) missing = this.excess();
    if (host.timed) host.took('eviction-lazyfree', (clock.monotonic() - start) / 1000);
    if (reclaimer.idle) return this.excess();
    if (missing > 0) this.begin();
    return 0;
  }

  /** Removes the key that is worth least, and returns the bytes that this freed; -1 when there is none to remove. */
  private evictOne(lazily: boolean): number {
    const { pool, memory } = this;
    for (;;) {
      if (this.drawn === 0 || pool.size === 0) {
        const any = this.order === 'random';
        if (!(any ? this.drawAny() : this.drawSamples())) return -1;
        this.drawn = any ? POOL_SIZE : DRAWN_AHEAD;
        this.approach(this.drawn);
      }
      for (let best = pool.take(); best !== null; best = pool.take()) {
        const { db, entry, hash, place, score } = best;
        if (db === null || !db.holds(entry, hash, place) || (this.onlyVolatile && !entryHasExpiry(memory, entry)))
          continue;
        if (this.score(entry) < score) continue;
        this.drawn--;
        return this.remove(db, entry, hash, lazily);
      }
    }
  }

  /** Draws samples of each database into the pool; false when there is nothing to draw from. */
  private drawSamples(): boolean {
    const wanted = this.settings.maxmemorySamples * DRAWN_AHEAD;
    let any = false;
    for (const db of this.keyspaces.databases) {
      const from = this.giving(db);
      if (from.size === 0) continue;
      any = true;
      this.consider(db, from.sample(wanted, this.random, this.sample));
    }
    return any;
  }

  /** Draws from the next database, several keys where it is the only one that has any. */
  private drawAny(): boolean {
    const { databases } = this.keyspaces;
    let from = -1;
    let others = 0;
    for (let i = 0; i < databases.length; i++) {
      const at = (this.next + i) % databases.length;
      if (this.giving(databases[at]).size === 0) continue;
      if (from < 0) from = at;
      else others++;
    }
    if (from < 0) return false;
    this.next = (from + 1) % databases.length;
    const db = databases[from];
    this.consider(db, this.giving(db).several(others > 0 ? 1 : POOL_SIZE, this.random, this.sample));
    return true;
  }

  /** The entries of a database that may go. */
  private giving(db: Database): KeyWalk {
    return this.onlyVolatile ? db.expires : db.keys;
  }

  /** Puts the first `count` entries of the sample, which are of `db`, into the pool where they are worth it. */
  private consider(db: Database, count: number): void {
    const { pool, sample } = this;
    for (let i = 0; i < count; i++) {
      const score = this.score(sample[i]);
      if (pool.admits(score)) pool.add(score, db, sample[i]);
    }
  }

  /** Has the processor fetch what the removal of the next victims will touch, all of a kind at a time. */
  private approach(victims: number): void {
    this.learn();
    const { pool, hashes } = this;
    const db = pool.next(0)?.db ?? null;
    let count = 0;
    for (let i = 0; i < victims; i++) {
      const candidate = pool.next(i);
      if (candidate !== null && candidate.db === db) hashes[count++] = candidate.hash;
    }
    db?.warm(hashes, count);
  }

  /** Computes the hashes of those that have come into the pool, and has their values fetched: only these are sure to be there. */
  private learn(): void {
    const { pool, blocks, memory, key } = this;
    let fresh = 0;
    for (let i = 0; i < pool.size; i++) {
      const candidate = pool.next(i);
      if (candidate !== null && !candidate.known) blocks[fresh++] = candidate.entry;
    }
    memory.warm(blocks, fresh);
    let values = 0;
    for (let i = 0; i < pool.size; i++) {
      const candidate = pool.next(i);
      if (candidate === null || candidate.db === null || candidate.known) continue;
      const { db, entry } = candidate;
      entryKey(memory, entry, key);
      candidate.know(db.hash(key), db.placeOf(key));
      if (!isInline(entryEncoding(memory, entry))) blocks[values++] = entryValue(memory, entry);
    }
    memory.warm(blocks, values);
  }

  /** How little an entry is worth: of two, the one with the higher score goes. */
  private score(e: Addr): number {
    if (this.order === 'random') return 0;
    if (this.order === 'ttl') return -entryExpiry(this.memory, e);
    const { usage } = this.keyspaces;
    const stamp = entryLru(this.memory, e);
    return this.order === 'lfu' ? LFU_MAX - usage.frequency(stamp) : usage.idleSeconds(stamp);
  }

  private remove(db: Database, e: Addr, hash: number, lazily: boolean): number {
    const { clock, host, memory } = this;
    const key = this.leaving.set(entryKey(memory, e, this.key));
    const { timed } = host;
    const start = timed ? clock.monotonic() : 0;
    const before = memory.used;
    db.removeEntry(e, hash, lazily);
    const freed = before - memory.used;
    if (timed) host.took('eviction-del', (clock.monotonic() - start) / 1000);
    this.stats.evicted++;
    host.evicted(db, key);
    return freed;
  }
}
