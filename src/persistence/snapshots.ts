/**
 * Snapshots: when they are saved, by whom, and how that went.
 *
 *   idle ──BGSAVE, a save point──> saving ──saved──> idle, `lastGood`
 *    │ ^                             └──failed, died──> idle, not `lastGood`; an abort leaves it as it was
 *    │ └──tick, no other view──┐
 *    └──BGSAVE SCHEDULE──> scheduled       (also while a log is rewritten)
 *
 * Saving is what `background` does of this kind, so nothing here has to agree with it. Of the changes that are counted,
 * those from before the instant of the view are settled by its good end, the later ones stay.
 */

import { assert } from '../base/assert.ts';
import { removeQuietly } from '../base/disk.ts';
import { sleepThread } from '../base/sleep.ts';
import { unixSeconds } from '../base/time.ts';
import type { BackgroundSave } from '../engine/persistence-port.ts';
import type { Background } from './background.ts';
import { currentDataset, saveTarget } from './dataset.ts';
import type { PersistenceParts } from './parts.ts';
import type { Dataset } from './save/dataset.ts';
import { SaveError, type SaveTarget, saveFile, temporaryFile } from './save/file.ts';
import { type JobEnd, SaveJob } from './save/job.ts';
import { Saver } from './save/saver.ts';

/** Seconds after a failure before the save points try again. */
const RETRY_SECONDS = 5;

/** What saving asks of the whole. */
interface SnapshotsOwner {
  readonly libraries: Parameters<typeof currentDataset>[1];
  /** Whether the last one went well has been settled. */
  settled(): void;
}

export class Snapshots {
  /** Unix time in seconds of the last good one, or of the start. */
  lastSave: number;
  lastGood = true;
  /** How many files have been written, each in the place of the one before. */
  files = 0;
  private readonly parts: PersistenceParts;
  private readonly background: Background;
  private readonly owner: SnapshotsOwner;
  private scheduled = false;
  private lastTry = 0;
  private lastSeconds = -1;
  private saves = 0;
  private lastCow = 0;
  private dirtyBefore = 0;
  /** What a thread was last told to write. */
  private aside: SaveTarget | null = null;

  constructor(parts: PersistenceParts, background: Background, owner: SnapshotsOwner) {
    this.parts = parts;
    this.background = background;
    this.owner = owner;
    this.lastSave = unixSeconds(this.parts.environment.clock);
  }

  /** Into a file, or for replicas at once. */
  get saving(): boolean {
    const { kind } = this.background;
    return kind === 'snapshot' || kind === 'replicas';
  }

  /** SAVE: of the other ways to save at once none counts. */
  saveAsked(): boolean {
    this.saves++;
    return this.save();
  }

  save(): boolean {
    const { engine, log, config, environment } = this.parts;
    const { rdbKeySaveDelay: delay } = config.settings;
    try {
      saveFile(environment.disk, engine.memory, this.dataset(), this.target(), {
        key: () => sleepThread(delay / 1000),
      });
    } catch (error) {
      if (!(error instanceof SaveError)) throw error;
      log.warning(error.message);
      return false;
    }
    log.notice('DB saved on disk');
    engine.stats.dirty = 0;
    this.stored();
    return true;
  }

  /** The file is there, in the place of the one before. */
  private stored(): void {
    this.files++;
    this.lastSave = unixSeconds(this.parts.environment.clock);
    this.settle(true);
  }

  backgroundSave(schedule: boolean, later: boolean): BackgroundSave {
    if (this.saving) return 'saving';
    if (this.background.busy || later) {
      if (!schedule && !later) return 'busy';
      this.scheduled = true;
      return 'scheduled';
    }
    return this.start() ? 'started' : 'failed';
  }

  /** For replicas; `done` is told whether the file is there. */
  saveFor(done: (good: boolean) => void): boolean {
    return this.start(done);
  }

  /** One in the background is over, into a file or to replicas at once. */
  ended(cow: number): void {
    this.lastCow = cow;
    this.lastSeconds = unixSeconds(this.parts.environment.clock) - this.background.startedAt;
  }

  private start(done: (good: boolean) => void = () => {}): boolean {
    assert(!this.saving, 'one snapshot at a time');
    const { engine, log, config } = this.parts;
    this.saves++;
    this.dirtyBefore = engine.stats.dirty;
    this.lastTry = unixSeconds(this.parts.environment.clock);
    try {
      const target = this.target();
      this.aside = target;
      this.background.start(
        'snapshot',
        this.dataset(),
        target,
        config.settings.rdbKeySaveDelay,
        (end, message, cow) => {
          this.finished(end, message, cow);
          done(end === 'saved');
        },
      );
    } catch (error) {
      this.background.tellRefusal(error);
      this.settle(false);
      return false;
    }
    log.notice(`Background saving started by pid ${this.parts.environment.ids.process}`);
    return true;
  }

  private finished(end: JobEnd, message: string, cow: number): void {
    const { engine, log } = this.parts;
    this.ended(cow);
    if (end === 'saved') {
      log.notice('DB saved on disk');
      this.background.tellCow('RDB', cow);
      log.notice('Background saving terminated with success');
      engine.stats.dirty -= this.dirtyBefore;
      this.stored();
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
    this.owner.settled();
  }

  /** All data are about to go: what is being saved of them is of no use to anybody. */
  flushing(): void {
    this.background.abort('snapshot');
    this.background.abort('replicas');
  }

  flushed(): void {
    if (this.parts.automatic && this.parts.config.settings.save.length > 0) this.save();
  }

  /** Starts one that the save points ask for. */
  tickSavePoints(): void {
    const { engine, config, automatic, log } = this.parts;
    if (!automatic || !this.mayTry) return;
    const now = unixSeconds(this.parts.environment.clock);
    for (const { seconds, changes } of config.settings.save) {
      if (engine.stats.dirty < changes || now - this.lastSave <= seconds) continue;
      log.notice(`${changes} changes in ${seconds} seconds. Saving...`);
      this.scheduled = false;
      this.start();
      return;
    }
  }

  /** Starts one that had to wait. */
  tickScheduled(): void {
    if (!this.scheduled || !this.mayTry) return;
    this.scheduled = false;
    this.start();
  }

  private get mayTry(): boolean {
    const { engine } = this.parts;
    if (this.background.busy || !engine.propagation.idle) return false;
    return this.lastGood || unixSeconds(this.parts.environment.clock) - this.lastTry > RETRY_SECONDS;
  }

  // The end.

  /** Ends what is being saved in the background: the server is about to end. */
  endJob(): void {
    if (this.background.kind !== 'snapshot') return;
    this.parts.log.warning('There is a child saving an .rdb. Killing it!');
    this.background.abort('snapshot');
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
    const { engine, log, config, environment } = this.parts;
    log.notice('Saving the final RDB snapshot before exiting.');
    const { rdbKeySaveDelay } = config.settings;
    const target = this.target();
    this.aside = target;
    const saver = new Saver(environment);
    const end = await new Promise<JobEnd>((done) => {
      try {
        void new SaveJob(saver, engine.memory, this.dataset(), target, rdbKeySaveDelay, (how, message) => {
          if (message !== '') log.warning(message);
          done(how);
        });
      } catch (error) {
        log.warning(`Can't save: ${error instanceof Error ? error.message : error}`);
        done('failed');
      }
    });
    saver.stop();
    if (end === 'saved') {
      log.notice('DB saved on disk');
      return true;
    }
    log.warning("Error trying to save the DB, can't exit.");
    return false;
  }

  /** Removes half-written files: the process ends at once. */
  dropUnfinished(): void {
    if (this.aside !== null) removeQuietly(this.parts.environment.disk, temporaryFile(this.aside));
  }

  private target(): SaveTarget {
    const { config, engine } = this.parts;
    return saveTarget(this.parts, config.path, config.settings.dbfilename, engine.server.fileNames.next());
  }

  private dataset(): Dataset {
    return currentDataset(this.parts, this.owner.libraries, false);
  }

  // Figures.

  resetStats(): void {
    this.saves = 0;
  }

  figures(): Readonly<Record<string, string | number>> {
    const { saving } = this;
    return {
      rdb_changes_since_last_save: this.parts.engine.stats.dirty,
      rdb_bgsave_in_progress: saving ? 1 : 0,
      rdb_last_save_time: this.lastSave,
      rdb_last_bgsave_status: this.lastGood ? 'ok' : 'err',
      rdb_last_bgsave_time_sec: this.lastSeconds,
      rdb_current_bgsave_time_sec: saving ? unixSeconds(this.parts.environment.clock) - this.background.startedAt : -1,
      rdb_saves: this.saves,
      rdb_last_cow_size: this.lastCow,
    };
  }
}
