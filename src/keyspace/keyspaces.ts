/** All databases of a server, the time by which keys expire, and the clock that stamps their use. */
import { Reasons } from '../base/reasons.ts';
import type { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import type { Addr } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { Database, type DatabaseRules } from './database.ts';
import { Defragmenter } from './defragmenter.ts';
import type { LocalExpiry } from './local-expiry.ts';
import { Reclaimer } from './reclaimer.ts';
import { UsageClock, type UsagePolicy } from './usage.ts';

/** Who hears of keys that come into being and of those whose time was up. */
export interface KeyListener {
  keyCreated(db: Database, key: Slice): void;
  keyExpired(db: Database, key: Slice): void;
  /** Who is told how long removals take, in ms; with a threshold of 0 nobody is. */
  readonly latency: { readonly threshold: number; observe(event: string, milliseconds: number, now: number): void };
}

export class Keyspaces implements DatabaseRules {
  readonly memory: Memory;
  readonly databases: Database[] = [];
  readonly reclaimer: Reclaimer;
  readonly defragmenter: Defragmenter;
  readonly usage: UsageClock;
  now: number;
  stamp = 0;
  removesExpired = true;
  lazyServerDel = false;
  seesExpired = false;
  /** There on a replica that clients may write to; their writes remove keys past their time, whatever the master will say. */
  localExpiry: LocalExpiry | null = null;
  private readonly reasonsToKeep = new Reasons();
  private readonly reasonsToShow = new Reasons();
  /** Whether keys past their time are looked for (DEBUG SET-ACTIVE-EXPIRE). */
  activeExpire = true;
  /** Whether all background work stands still (DEBUG PAUSE-CRON). */
  cronPaused = false;
  listener: KeyListener | null = null;
  private readonly clock: Clock;

  /**
   * `bySlot`: the first database, the only one of a node of a cluster, knows its keys by their hash slots. What others give
   * back by the same `reclaimer` and these do is released in one line, by whoever runs it.
   */
  constructor(
    memory: Memory,
    clock: Clock,
    count: number,
    policy: UsagePolicy,
    random: { double01(): number },
    bySlot = false,
    reclaimer = new Reclaimer(memory, clock),
  ) {
    this.memory = memory;
    this.clock = clock;
    this.now = clock.now();
    this.reclaimer = reclaimer;
    this.defragmenter = new Defragmenter(memory, this.databases);
    this.usage = new UsageClock(policy, random);
    this.refresh();
    for (let i = 0; i < count; i++) this.databases.push(new Database(i, memory, this, bySlot && i === 0));
  }

  /** Gives or takes away a reason not to remove keys past their time: a pause of writes, a master who does it for us. */
  keepExpired(reason: string, on: boolean): void {
    this.removesExpired = !this.reasonsToKeep.set(reason, on);
  }

  /** Gives or takes away a reason to take keys past their time for what they were: a load, a command of our master's. */
  showExpired(reason: string, on: boolean): void {
    this.seesExpired = this.reasonsToShow.set(reason, on);
  }

  /** Lets the time of expiry and the stamp of use catch up with the clock; not within a command. */
  refresh(): void {
    this.setNow(this.clock.now());
  }

  setNow(now: number): void {
    if (now === this.now && this.stamp !== 0) return;
    this.now = now;
    this.usage.setNow(now);
    this.stamp = this.usage.fresh;
  }

  /** Whether time alone may remove a key. */
  get mayExpire(): boolean {
    if (this.localExpiry !== null) return true;
    for (const db of this.databases) if (db.expiring > 0) return true;
    return false;
  }

  touched(lru: number): number {
    return this.usage.touched(lru);
  }

  overwritten(lru: number): number {
    return this.usage.policy.lfu ? this.usage.touched(lru) : this.stamp;
  }

  /** The addresses of the databases' root blocks, for a frozen view. */
  roots(): Addr[] {
    return this.databases.map((db) => db.root);
  }

  /**
   * Gives up all databases, as when what has been loaded aside is not wanted; these are no keyspaces any more. The reclaimer
   * takes the keys apart in slices.
   */
  dispose(): void {
    for (const db of this.databases) db.dispose();
    this.databases.length = 0;
  }

  created(db: Database, key: Slice): void {
    if (this.listener !== null) this.listener.keyCreated(db, key);
  }

  removalBegins(): number {
    const { listener } = this;
    return listener === null || listener.latency.threshold === 0 ? 0 : this.clock.monotonic();
  }

  expired(db: Database, key: Slice, began: number): void {
    const { listener, clock } = this;
    if (listener === null) return;
    if (began > 0) listener.latency.observe('expire-del', (clock.monotonic() - began) / 1000, clock.now());
    listener.keyExpired(db, key);
  }
}
