/**
 * Persistence as the rest of the server sees it (engine/persistence-port.ts): when snapshots are saved and loaded, and
 * what is known of how that went. One frozen view at a time: whoever wants one asks `busy` first.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Slice } from '../base/slice.ts';
import { widen } from '../base/text.ts';
import type { Clock } from '../base/time.ts';
import { REDIS_VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { systemError } from '../config/host.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_MISCONF } from '../engine/gates.ts';
import type { BackgroundSave, Libraries, PersistencePort, ReloadOptions } from '../engine/persistence-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { Database } from '../keyspace/database.ts';
import type { UsagePolicy } from '../keyspace/usage.ts';
import type { Addr } from '../memory/address.ts';
import { Loading } from './loading.ts';
import { dumpValue, readPayload, verifyPayload } from './rdb/dump.ts';
import { removeQuietly, SaveError, type SaveTarget, saveFile, temporaryFile } from './rdb/file.ts';
import { type JobEnd, SaveJob } from './rdb/job.ts';
import { storeValue } from './rdb/load.ts';
import { ValueReader } from './rdb/read-value.ts';
import { countKeys, type Dataset } from './rdb/write.ts';

/** Seconds after a failure before the save points try again. */
const RETRY_SECONDS = 5;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

export interface PersistenceParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly usage: UsagePolicy;
  /** Whether the server loads at its start and saves by itself; one in a library does so only when told. */
  readonly automatic: boolean;
}

export class Persistence implements PersistencePort {
  skipChecksum = false;
  libraries: Libraries | null = null;
  forks = 0;
  forkMicros = 0;
  lastSave: number;
  readonly loads: Loading;
  private readonly parts: PersistenceParts;
  private readonly values: ValueReader;
  private job: SaveJob | null = null;
  private jobStarted = 0;
  private jobKeys = 0;
  private scheduled = false;
  private lastTry = 0;
  private lastGood = true;
  private lastSeconds = -1;
  private saves = 0;
  private lastCow = 0;
  private peakCow = 0;
  private dirtyBefore = 0;

  constructor(parts: PersistenceParts) {
    const { engine, config, clock } = parts;
    this.parts = parts;
    this.lastSave = Math.floor(clock.now() / 1000);
    this.values = new ValueReader(engine.memory, engine.faces.limits);
    this.loads = new Loading(parts, this.values, this);
    config.follow(['save', 'stop-writes-on-bgsave-error'], () => this.followGate());
    config.follow('rdb-key-save-delay', (s) => {
      if (this.job !== null) this.job.delay = s.rdbKeySaveDelay;
    });
  }

  get saving(): boolean {
    return this.job !== null;
  }

  get loading(): boolean {
    return this.loads.active;
  }

  get sanitized(): number {
    return this.values.sanitized;
  }

  private get seconds(): number {
    return Math.floor(this.parts.clock.now() / 1000);
  }

  // Saving.

  save(): boolean {
    const { engine, log, config } = this.parts;
    const { rdbKeySaveDelay: delay } = config.settings;
    this.saves++;
    try {
      saveFile(engine.memory, this.dataset(), this.target(String(process.pid)), {
        key: () => {
          if (delay > 0) Atomics.wait(NEVER, 0, 0, delay / 1000);
        },
      });
    } catch (error) {
      if (!(error instanceof SaveError)) throw error;
      log.warning(error.message);
      return false;
    }
    log.notice('DB saved on disk');
    engine.stats.dirty = 0;
    this.lastSave = this.seconds;
    this.settle(true);
    return true;
  }

  backgroundSave(schedule: boolean, later: boolean): BackgroundSave {
    if (this.job !== null) return 'saving';
    if (this.parts.engine.memory.frozen || later) {
      if (!schedule && !later) return 'busy';
      this.scheduled = true;
      return 'scheduled';
    }
    return this.start() ? 'started' : 'failed';
  }

  private start(): boolean {
    const { engine, log, clock, config } = this.parts;
    this.saves++;
    this.dirtyBefore = engine.stats.dirty;
    this.lastTry = this.seconds;
    const begin = clock.monotonic();
    try {
      const target = this.target(`${process.pid}-bg`);
      const delay = config.settings.rdbKeySaveDelay;
      const dataset = this.dataset();
      this.jobKeys = countKeys(engine.memory, dataset.roots);
      this.job = new SaveJob(engine.memory, dataset, target, delay, (end, message) => this.finished(end, message));
    } catch (error) {
      log.warning(`Can't save in background: fork: ${error instanceof Error ? error.message : error}`);
      this.settle(false);
      return false;
    }
    this.forkMicros = clock.monotonic() - begin;
    this.forks++;
    engine.latency.observe('fork', this.forkMicros / 1000, clock.now());
    this.jobStarted = this.seconds;
    log.notice(`Background saving started by pid ${process.pid}`);
    return true;
  }

  private finished(end: JobEnd, message: string): void {
    const { engine, log } = this.parts;
    if (this.job === null) return;
    this.lastCow = this.job.view.preservedBytes;
    this.peakCow = 0;
    this.job = null;
    this.jobKeys = 0;
    this.lastSeconds = this.seconds - this.jobStarted;
    const megabytes = Math.round(this.lastCow / 1048576);
    if (end === 'saved') {
      log.notice('DB saved on disk');
      log.notice(`Fork CoW for RDB: current ${megabytes} MB, peak ${megabytes} MB, average ${megabytes} MB`);
      log.notice('Background saving terminated with success');
      engine.stats.dirty -= this.dirtyBefore;
      this.lastSave = this.seconds;
      this.settle(true);
    } else if (end === 'failed') {
      log.warning(message);
      log.warning('Background saving error');
      this.settle(false);
    } else {
      log.warning(`Background saving terminated by signal ${end === 'aborted' ? 10 : 9}${message && `: ${message}`}`);
      if (end === 'died') this.settle(false);
    }
  }

  private settle(good: boolean): void {
    this.lastGood = good;
    this.followGate();
  }

  /** Writes are refused after a failure where snapshots are configured and the setting says so. */
  private followGate(): void {
    const { engine, config } = this.parts;
    const { save, stopWritesOnBgsaveError } = config.settings;
    const deny = !this.lastGood && save.length > 0 && stopWritesOnBgsaveError;
    engine.denied = deny ? engine.denied | GATE_MISCONF : engine.denied & ~GATE_MISCONF;
  }

  flushed(): void {
    this.job?.abort();
    if (this.parts.automatic && this.parts.config.settings.save.length > 0) this.save();
  }

  tick(): void {
    const { engine, config, automatic, log } = this.parts;
    if (this.job !== null || engine.memory.frozen || this.loading) return;
    const now = this.seconds;
    const mayTry = this.lastGood || now - this.lastTry > RETRY_SECONDS;
    if (!mayTry) return;
    if (automatic) {
      for (const { seconds, changes } of config.settings.save) {
        if (engine.stats.dirty < changes || now - this.lastSave <= seconds) continue;
        log.notice(`${changes} changes in ${seconds} seconds. Saving...`);
        this.scheduled = false;
        this.start();
        return;
      }
    }
    if (!this.scheduled) return;
    this.scheduled = false;
    this.start();
  }

  /** Ends what is being saved in the background: the server is about to end. */
  endJob(): void {
    if (this.job === null) return;
    this.parts.log.warning('There is a child saving an .rdb. Killing it!');
    this.job.abort();
  }

  /** The snapshot before the end, while everything waits; false where it failed. */
  saveAtExit(): boolean {
    const { log } = this.parts;
    log.notice('Saving the final RDB snapshot before exiting.');
    if (this.save()) return true;
    log.warning("Error trying to save the DB, can't exit.");
    return false;
  }

  /** The same by a thread, so that signals are heard meanwhile. */
  async saveAsideAtExit(): Promise<boolean> {
    const { engine, log, config } = this.parts;
    log.notice('Saving the final RDB snapshot before exiting.');
    const { rdbKeySaveDelay } = config.settings;
    const target = this.target(String(process.pid));
    const end = await new Promise<JobEnd>((done) => {
      try {
        void new SaveJob(engine.memory, this.dataset(), target, rdbKeySaveDelay, (how, message) => {
          if (message !== '') log.warning(message);
          done(how);
        });
      } catch (error) {
        log.warning(`Can't save: ${error instanceof Error ? error.message : error}`);
        done('failed');
      }
    });
    if (end === 'saved') {
      log.notice('DB saved on disk');
      return true;
    }
    log.warning("Error trying to save the DB, can't exit.");
    return false;
  }

  /** Removes half-written files: the process ends at once. */
  dropUnfinished(): void {
    for (const writer of [String(process.pid), `${process.pid}-bg`]) removeQuietly(temporaryFile(this.target(writer)));
  }

  /** Whether a shutdown that says nothing of it saves. */
  get savesAtExit(): boolean {
    return this.parts.automatic && this.parts.config.settings.save.length > 0;
  }

  private target(writer: string): SaveTarget {
    const { config } = this.parts;
    const { dbfilename, rdbcompression, rdbchecksum, rdbSaveIncrementalFsync } = config.settings;
    return {
      folder: config.path,
      name: dbfilename,
      compress: rdbcompression,
      checksum: rdbchecksum,
      syncOnTheWay: rdbSaveIncrementalFsync,
      writer,
    };
  }

  private dataset(): Dataset {
    const { engine, clock, config, usage } = this.parts;
    const { maxmemoryPolicy } = config.settings;
    return {
      roots: engine.keyspaces.roots(),
      aux: [
        ['redis-ver', REDIS_VERSION],
        ['redis-bits', '64'],
        ['ctime', String(this.seconds)],
        ['used-mem', String(engine.memory.used)],
        ['aof-base', '0'],
      ],
      functions: this.libraries?.sources() ?? [],
      use: maxmemoryPolicy.endsWith('-lru') ? 'lru' : maxmemoryPolicy.endsWith('-lfu') ? 'lfu' : 'none',
      usage: { ...usage },
      now: clock.now(),
    };
  }

  // Loading.

  /** Loads the snapshot that there is, in slices; rejects with the error that the log has told. */
  async load(): Promise<void> {
    if (!this.parts.automatic) return;
    const dirty = this.parts.engine.stats.dirty;
    await this.loads.run(this.file);
    this.parts.engine.stats.dirty = dirty;
    this.lastSave = this.seconds;
  }

  /** Whether there is something to load at the start. */
  get hasFile(): boolean {
    return this.parts.automatic && fs.existsSync(this.file);
  }

  private get file(): string {
    const { config } = this.parts;
    return widen(join(config.path, config.settings.dbfilename));
  }

  reload(options: ReloadOptions): string | undefined {
    const { engine, log } = this.parts;
    if (this.loading) return 'ERR The server is loading its data already';
    this.job?.abort();
    if (options.save && !this.save()) return '';
    if (options.flush) {
      for (const db of engine.keyspaces.databases) {
        engine.watches.touchAll(db, null);
        db.clear(false);
        engine.blocking.signalAll(db);
      }
      engine.tracking.flushed();
      this.libraries?.clear();
    }
    try {
      this.loads.now(this.file, options.merge);
    } catch (error) {
      log.warning(`Loading failed: ${error instanceof Error ? error.message : systemError(error)}`);
      return 'ERR Error trying to load the RDB dump';
    }
    log.warning('DB reloaded by DEBUG RELOAD');
    return undefined;
  }

  // Single values.

  dump(e: Addr): Uint8Array {
    return dumpValue(this.parts.engine.memory, e, this.parts.config.settings.rdbcompression);
  }

  verify(payload: Slice): boolean {
    return verifyPayload(payload, this.skipChecksum);
  }

  decode(payload: Slice): boolean {
    const { config, log } = this.parts;
    const deep = config.settings.sanitizeDumpPayload !== 'no';
    return readPayload(payload, this.values, deep, (message) => log.verbose(message));
  }

  storeDecoded(db: Database, key: Slice, hash: number, expiry: number): Addr {
    return storeValue(db, key, hash, db.peek(key, hash), this.values, expiry);
  }

  dropDecoded(): void {
    this.values.drop();
  }

  // Figures.

  resetStats(): void {
    this.saves = 0;
    this.forks = 0;
    this.values.sanitized = 0;
  }

  figures(): Readonly<Record<string, string | number>> {
    const { engine } = this.parts;
    const cow = this.job?.view.preservedBytes ?? 0;
    this.peakCow = Math.max(this.peakCow, cow);
    const keys = this.job?.keys ?? 0;
    const percent = this.jobKeys === 0 ? 0 : (keys * 100) / this.jobKeys;
    return {
      loading: this.loading ? 1 : 0,
      async_loading: 0,
      current_cow_peak: this.job === null ? 0 : this.peakCow,
      current_cow_size: cow,
      current_cow_size_age: 0,
      current_fork_perc: percent.toFixed(2),
      current_save_keys_processed: keys,
      current_save_keys_total: this.jobKeys,
      rdb_changes_since_last_save: engine.stats.dirty,
      rdb_bgsave_in_progress: this.job === null ? 0 : 1,
      rdb_last_save_time: this.lastSave,
      rdb_last_bgsave_status: this.lastGood ? 'ok' : 'err',
      rdb_last_bgsave_time_sec: this.lastSeconds,
      rdb_current_bgsave_time_sec: this.job === null ? -1 : this.seconds - this.jobStarted,
      rdb_saves: this.saves,
      rdb_last_cow_size: this.lastCow,
      rdb_last_load_keys_expired: this.loads.lastExpired,
      rdb_last_load_keys_loaded: this.loads.lastLoaded,
    };
  }

  loadFigures(): Readonly<Record<string, string | number>> {
    return this.loads.figures();
  }
}
