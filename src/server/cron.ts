/**
 * What a server does by itself, `hz` times a second: expiry, moving dicts along, the memory's housekeeping, samples for
 * INFO. Values that are released lazily are worked off between, whenever there are any.
 *
 * Every piece of work is a slice of a quarter of a millisecond, or of one, so that no client waits longer for it.
 */
import { BEATS_A_SECOND, type Beat } from '../base/beat.ts';
import { type Clock, sliceOf, type Timer } from '../base/time.ts';
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import { ExpireCycle } from '../keyspace/expire-cycle.ts';
import { ActiveDefrag } from './active-defrag.ts';
import type { MemoryLimit } from './eviction.ts';

const CLIENTS_PER_TICK = 200;
/** After so long with few commands altogether, and few bytes, what there is to do is done once a second. */
const QUIET_MICROS = 2_000_000;
const QUIET_COMMANDS = 10;
const QUIET_BYTES = 8192;
/** A second, within half a beat. */
const QUIET_PAUSE_MICROS = 950_000;
const HZ_MAX = 500;
const SAMPLE_MICROS = 100_000;
const SHORTEST_TIMER_MICROS = 1000;
/** A slice of moving dicts along, the pause between two, ms, and how many there are from one tick to the next. */
const REHASH_MICROS = 250;
const REHASH_PAUSE = 1;
const REHASH_SLICES = 4;
/** Microseconds of a turn after which what takes a slice waits for the next. */
const FULL_TURN_MICROS = 300;
/** A slice of copying a segment, and the pause between two, ms. In shorter ones more is stored meanwhile than is copied. */
const TIDY_MICROS = 1000;
const TIDY_PAUSE = 3;
/** A slice of releasing; at most the second after a pause that was longer than asked for, of which it takes half. */
const RECLAIM_MICROS = 1000;
const RECLAIM_MOST_MICROS = 2000;
/** Without a command for so long the server is idle. */
const IDLE_MICROS = 300_000;
/** Between two looks whether the view is closed for which they wait. */
const SPARING_MS = 100;
/** Elements that are released between two looks at the clock. */
const RECLAIM_STEP = 256;
/** Between two looks through the clients that wait, ms. */
const REDIRECT_MS = 1000;

export class Cron {
  private readonly engine: Engine;
  private readonly config: Config;
  private readonly clock: Clock;
  private readonly beat: Beat;
  private readonly memoryLimit: MemoryLimit;
  private readonly expiry: ExpireCycle;
  private readonly defrag: ActiveDefrag;
  private running = false;
  private tickTimer: Pick<Timer, 'cancel'> | null = null;
  private expiryTimer: Timer | null = null;
  /** Whether the pass of expiry that is under way goes on by itself. */
  private expiryWaits = false;
  private reclaimTimer: Timer | null = null;
  private tidyTimer: Timer | null = null;
  /** When much was last asked for, when everything was last done, and from when on commands and bytes are counted. */
  private busyAt = Number.NEGATIVE_INFINITY;
  private doneAt = Number.NEGATIVE_INFINITY;
  private countedAt = Number.NEGATIVE_INFINITY;
  private commandsThen = 0;
  private bytesThen = 0;
  private sampledAt = Number.NEGATIVE_INFINITY;
  private commandsSeen = 0;
  private commandsSeenAt = 0;
  private rehashedDatabase = 0;
  /** When waiting clients of a cluster were last looked through, ms. */
  private redirectedAt = 0;
  /** When the last slice of releasing was over. */
  private reclaimedAt = 0;
  /** Commands up to the last slice of releasing. */
  private commandsReclaiming = 0;
  /** Commands up to the last slice of expiry, and to the last look whether it is time for the next. */
  private commandsBefore = 0;
  private commandsWaiting = 0;

  constructor(engine: Engine, config: Config, clock: Clock, beat: Beat, memoryLimit: MemoryLimit) {
    this.beat = beat;
    this.memoryLimit = memoryLimit;
    this.engine = engine;
    this.config = config;
    this.clock = clock;
    this.expiry = new ExpireCycle(engine.keyspaces, clock, config.settings, engine.stats);
    this.defrag = new ActiveDefrag(engine, config.settings, clock);
    engine.keyspaces.reclaimer.onWork = () => this.reclaimSoon();
  }

  /** Ticks a second now: more than configured when there are many clients and dynamic-hz allows it. */
  get hz(): number {
    const { hz, dynamicHz } = this.config.settings;
    let now = hz;
    if (dynamicHz) while (now < HZ_MAX && this.engine.sessions.size / now > CLIENTS_PER_TICK) now *= 2;
    return Math.min(now, HZ_MAX);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.schedule();
    if (!this.engine.keyspaces.reclaimer.idle) this.reclaimSoon();
  }

  stop(): void {
    this.running = false;
    this.defrag.stop();
    this.tickTimer?.cancel();
    this.expiryTimer?.cancel();
    this.reclaimTimer?.cancel();
    this.tidyTimer?.cancel();
    this.tickTimer = this.expiryTimer = this.reclaimTimer = this.tidyTimer = null;
    this.expiryWaits = false;
    this.engine.onWake = null;
  }

  private readonly wake = (): void => {
    this.engine.onWake = null;
    this.beat.hurry();
  };

  /** `quiet`: after a second, or shortly after something comes from outside. */
  private schedule(quiet = false): void {
    const { hz, engine } = this;
    const tick = (): void => this.tick();
    if (hz !== BEATS_A_SECOND) this.tickTimer = this.clock.after(1000 / hz, tick);
    else this.tickTimer = this.beat.next(tick, quiet ? BEATS_A_SECOND : 1);
    engine.onWake = quiet ? this.wake : null;
  }

  private tick(): void {
    const { engine } = this;
    const quiet = this.isQuiet();
    this.schedule(quiet);
    if (engine.keyspaces.cronPaused) return;
    if (engine.propagation.held) {
      // While a script is suspended nothing may change but what lies on the disk.
      engine.server.persistence.tick();
      return;
    }
    const now = this.clock.monotonic();
    if (quiet && now - this.doneAt < QUIET_PAUSE_MICROS) {
      engine.server.persistence.tick();
      return;
    }
    this.doneAt = now;
    engine.keyspaces.refresh();
    engine.keyspaces.reclaimer.renew();
    this.sampleRates();
    this.expiry.begin();
    if (!this.expiryWaits) this.expire();
    if (engine.keyspaces.activeExpire) engine.keyspaces.localExpiry?.run(this.clock);
    this.inTurn(now, this.resizing);
    engine.tracking.limit();
    this.memoryLimit.settle();
    engine.server.persistence.tick();
    this.inTurn(now, this.tidying);
    this.defrag.tick(this.expiry.behind);
    this.redirectWaiters();
    engine.usedMemory.measure();
    engine.pool.trim(this.clock.now());
  }

  /** What may take a slice of its own waits for a turn of its own where this one, begun at `begun`, has had its slice. */
  private inTurn(begun: number, work: () => void): void {
    if (this.clock.monotonic() - begun < FULL_TURN_MICROS) {
      work();
      return;
    }
    this.clock.after(0, () => {
      if (this.mayWork) work();
    });
  }

  /** Not while a script is suspended: nothing may change then but what lies on the disk. */
  private get mayWork(): boolean {
    return this.running && !this.engine.keyspaces.cronPaused && !this.engine.propagation.held;
  }

  private readonly resizing = (): void => this.resizeDicts();

  private readonly tidying = (): void => {
    const { memory, keyspaces, usedMemory, calls } = this.engine;
    const { idle } = this;
    if (memory.tidy(this.clock.now(), !keyspaces.reclaimer.idle, sliceOf(TIDY_MICROS, this.clock))) this.tidyOn();
    if (idle) {
      // What was called last shows its arguments, which may be large.
      for (const call of calls) call.forget();
      memory.quiet();
    }
    memory.collectBuffers(usedMemory.inBuffers, idle);
  };

  private tidyOn(): void {
    this.tidyTimer ??= this.clock.after(TIDY_PAUSE, () => {
      this.tidyTimer = null;
      // Otherwise a later tick goes on with it.
      if (this.mayWork && this.engine.memory.tidyOn(sliceOf(TIDY_MICROS, this.clock))) this.tidyOn();
    });
  }

  /** Nobody asks for much, nothing may expire, and all that was to be tidied up after the last who did has been. */
  private isQuiet(): boolean {
    const { stats, keyspaces, memory } = this.engine;
    const { activedefrag } = this.config.settings;
    const bytes = stats.netInput + stats.netOutput;
    const now = this.clock.monotonic();
    const asked = stats.commands - this.commandsThen > QUIET_COMMANDS || bytes - this.bytesThen > QUIET_BYTES;
    const untidy = memory.frozen || memory.untidy || !keyspaces.reclaimer.idle;
    const busy = asked || activedefrag || untidy || keyspaces.mayExpire;
    if (busy) this.busyAt = now;
    if (busy || now - this.countedAt >= QUIET_MICROS) {
      this.countedAt = now;
      this.commandsThen = stats.commands;
      this.bytesThen = bytes;
    }
    return now - this.busyAt > QUIET_MICROS;
  }

  /** Slots may have gone in ways that nobody tells of: a replica that follows another master, an import that was given up. */
  private redirectWaiters(): void {
    const now = this.clock.now();
    if (now - this.redirectedAt < REDIRECT_MS) return;
    this.redirectedAt = now;
    this.engine.membership.redirectWaiters();
  }

  private get idle(): boolean {
    const { commands } = this.engine.stats;
    const micros = this.clock.monotonic();
    if (commands !== this.commandsSeen) {
      this.commandsSeen = commands;
      this.commandsSeenAt = micros;
    }
    return micros - this.commandsSeenAt >= IDLE_MICROS;
  }

  private sampleRates(): void {
    const micros = this.clock.monotonic();
    if (micros - this.sampledAt < SAMPLE_MICROS) return;
    this.sampledAt = micros;
    const { stats } = this.engine;
    stats.rates.sample(micros, stats);
  }

  private expire(): void {
    const { engine, expiry } = this;
    if (engine.propagation.held) return;
    const start = this.clock.monotonic();
    const { commands } = engine.stats;
    expiry.serving = commands !== this.commandsBefore;
    this.commandsBefore = commands;
    const more = expiry.run();
    engine.latency.observe('expire-cycle', (this.clock.monotonic() - start) / 1000, this.clock.now());
    if (more && this.running && !this.expiryWaits) this.expireOn();
  }

  /**
   * Goes on with the pass after a pause. While clients keep the event loop turning it is waited for from turn to turn: a
   * timer lasts a millisecond at least, and slices would be as long.
   */
  private expireOn(): void {
    this.expiryWaits = true;
    const { commands } = this.engine.stats;
    const served = commands !== this.commandsWaiting;
    this.commandsWaiting = commands;
    const pause = this.expiry.pauseMicros;
    if (served && pause < SHORTEST_TIMER_MICROS) this.clock.soon(() => this.expireAfter(this.expiry.pauseMicros > 0));
    else this.expiryTimer = this.clock.after(pause / 1000, () => this.expireAfter(false));
  }

  private expireAfter(more: boolean): void {
    if (!this.expiryWaits) return;
    this.expiryWaits = false;
    if (more) this.expireOn();
    else this.expire();
  }

  /** Shrinks tables that have become too large, and begins to move the next that is on its way. */
  private resizeDicts(): void {
    const { memory, keyspaces, server } = this.engine;
    // A snapshot that is loaded has made room ahead.
    if (!memory.frozen && !server.persistence.loading) for (const db of keyspaces.databases) db.shrinkMore();
    if (this.config.settings.activerehashing) this.rehash(REHASH_SLICES);
  }

  /** So many slices, with a look at what has arrived in between. */
  private rehash(slices: number): void {
    if (this.engine.memory.frozen || !this.rehashNext()) return;
    this.busyAt = this.clock.monotonic();
    if (slices > 1)
      this.clock.after(REHASH_PAUSE, () => {
        if (this.mayWork) this.rehash(slices - 1);
      });
  }

  /** One slice; says whether there was more to move. */
  private rehashNext(): boolean {
    const { databases } = this.engine.keyspaces;
    for (let i = 0; i < databases.length; i++) {
      if (databases[this.rehashedDatabase].rehashFor(sliceOf(REHASH_MICROS, this.clock))) return true;
      this.rehashedDatabase = (this.rehashedDatabase + 1) % databases.length;
    }
    return false;
  }

  private reclaimSoon(): void {
    if (!this.running || this.reclaimTimer !== null) return;
    this.reclaimTimer = this.clock.after(0, () => this.reclaim());
  }

  /** While nobody asks for anything slices follow on one another, with a look at what has arrived in between. */
  private reclaimOn(): void {
    const { commands } = this.engine.stats;
    const serving = commands !== this.commandsReclaiming;
    this.commandsReclaiming = commands;
    if (serving) this.reclaimSoon();
    else
      this.clock.soon(() => {
        if (this.running && this.reclaimTimer === null) this.reclaim();
      });
  }

  private reclaim(): void {
    this.reclaimTimer = null;
    const { memory, keyspaces } = this.engine;
    const { reclaimer } = keyspaces;
    if (memory.sparesPages) {
      this.reclaimTimer = this.clock.after(SPARING_MS, () => this.reclaim());
      return;
    }
    const begin = this.clock.monotonic();
    const wanted = (begin - this.reclaimedAt) / 2;
    const end = begin + Math.max(RECLAIM_MICROS, Math.min(RECLAIM_MOST_MICROS, wanted));
    while (reclaimer.run(RECLAIM_STEP)) {
      this.reclaimedAt = this.clock.monotonic();
      if (this.reclaimedAt < end) continue;
      this.reclaimOn();
      return;
    }
  }
}
