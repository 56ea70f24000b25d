/**
 * The append-only file as a whole: which files it consists of, when it is turned on and off, when it is rewritten.
 *
 *   off  ──turn on──>  waiting  ──first base is there──>  on  ──turn off──>  off
 *                      (what is written meanwhile goes to temp-<name>.incr, and joins the log with the base)
 *
 * A rewrite opens a new increment at the instant of the frozen view, writes the view as a new base in the background, and
 * swaps the manifest. At each step the manifest on the disk names files that are there and together hold every write that
 * was acknowledged: a file is synced, then its folder, before a manifest names it; it is removed only after one that doesn't.
 */
import { join } from 'node:path';
import { removeQuietly } from '../../base/disk.ts';
import type { Environment } from '../../base/environment.ts';
import { unixSeconds } from '../../base/time.ts';
import type { Config } from '../../config/config.ts';
import type { Engine } from '../../engine/engine.ts';
import type { BackgroundRewrite } from '../../engine/persistence-port.ts';
import type { Log } from '../../engine/server-port.ts';
import type { Background } from '../background.ts';
import type { Dataset } from '../save/dataset.ts';
import { SaveError, type SaveTarget, saveFile } from '../save/file.ts';
import type { JobEnd } from '../save/job.ts';
import { LogFolder } from './folder.ts';
import { RewriteLimit } from './limit.ts';
import type { AofPart, AofSizes } from './load.ts';
import { Manifest, manifestName, temporaryIncrementName } from './manifest.ts';
import { AofWriter } from './writer.ts';

export interface AofParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Log;
  readonly background: Background;
  /** What a base holds; as the beginning of a log when `preamble`. */
  readonly dataset: (preamble: boolean) => Dataset;
  /** How a file of the given name in `folder` is written by `writer`. */
  readonly target: (folder: string, name: string, writer: string) => SaveTarget;
  /** Whether writes must be refused may have changed. */
  readonly changed: () => void;
  /** Ends the server with no further reply. */
  readonly die: () => void;
}

type State = 'off' | 'waiting' | 'on';
type BaseFormat = 'rdb' | 'aof';

export class Aof {
  readonly writer: AofWriter;
  private readonly parts: AofParts;
  private readonly folder: LogFolder;
  private readonly limit: RewriteLimit;
  private state: State = 'off';
  private manifest = new Manifest();
  /** Bytes of the log when it was last rewritten. */
  private baseSize = 0;
  private scheduled = false;
  private lastGood = true;
  private lastSeconds = -1;
  private rewrites = 0;
  private lastCow = 0;
  private retriedAt = 0;
  /** What the rewrite at hand writes, and the folder that was the server's when it began. */
  private temporaryBase = '';
  private rewriteFolder = '';

  constructor(parts: AofParts) {
    const { engine, config, environment, log, background, changed, die } = parts;
    const { clock, disk } = environment;
    this.parts = parts;
    this.folder = new LogFolder(disk, config, log);
    this.limit = new RewriteLimit(log);
    const busy = (): boolean => background.busy;
    this.writer = new AofWriter({
      settings: config.settings,
      clock,
      log,
      latency: engine.latency,
      busy,
      changed,
      die,
    });
    config.on('appendfsync', () => {
      // What was not yet synced under the old policy is, before the first reply under the new one.
      if (this.state !== 'off' && config.settings.appendfsync === 'always') this.writer.settle();
      return undefined;
    });
    config.on('aof-disable-auto-gc', () => {
      this.removeHistory();
      return undefined;
    });
  }

  get enabled(): boolean {
    return this.state !== 'off';
  }

  get waiting(): boolean {
    return this.state === 'waiting';
  }

  get rewriting(): boolean {
    return this.parts.background.kind === 'rewrite';
  }

  /** Whether what the log begins with is being written, without which the server must not end. */
  get writesFirstBase(): boolean {
    return this.waiting && this.rewriting;
  }

  /** Why writes must be refused, in the system's words; null where they needn't be. */
  get fault(): string | null {
    return this.state === 'off' ? null : this.writer.fault;
  }

  private get prefix(): string {
    return this.parts.config.settings.appendfilename;
  }

  // The start.

  /** Reads the manifest that there is; throws ManifestError, or what the system says. */
  readManifest(): void {
    this.manifest = this.folder.read();
  }

  /** Whether there may be data to load. */
  get mayHaveData(): boolean {
    return this.folder.has(manifestName(this.prefix)) || this.folder.oldFile() !== undefined;
  }

  /** The files to load, in their order; a single file of before Redis 7 becomes the base first. Throws where it can't. */
  filesToLoad(): AofPart[] {
    const { manifest, folder, prefix } = this;
    if (folder.oldFile() !== undefined && this.isBeforeUpgrade()) {
      manifest.adopt(prefix);
      folder.adoptOldFile(manifest);
    }
    const { files } = manifest;
    // A crash may have cut off what was written last, which lies before files that were begun and got nothing yet.
    const lastWritten = files.findLastIndex(({ name }) => folder.size(name) > 0);
    return files.map(({ name, type }, i) => ({
      path: folder.path(name),
      base: type === 'b',
      last: i >= lastWritten,
    }));
  }

  /** Whether the old file of this name is the log: nothing else is, or only its move was still to come. */
  private isBeforeUpgrade(): boolean {
    const { base, increments, empty } = this.manifest;
    if (empty) return true;
    return base !== null && increments.length === 0 && base.name === this.prefix && !this.folder.has(base.name);
  }

  loaded({ total, base }: AofSizes): void {
    this.writer.size = total;
    this.baseSize = base;
  }

  /** Goes on with the log, or begins one; throws where that can't be done, and the log has told. */
  begin(): void {
    const { folder, manifest, prefix } = this;
    const { log, engine } = this.parts;
    folder.make();
    const { length } = manifest.increments;
    if (manifest.empty) this.writeFirstBase();
    const { name } = manifest.increments.at(-1) ?? manifest.newIncrement(prefix);
    const file = folder.open(name, true);
    folder.write(manifest);
    log.notice(`${length > 0 ? 'Opening' : 'Creating'} AOF incr file ${name} on server start`);
    this.writer.open(file);
    this.state = 'on';
    engine.propagation.attach(this.writer);
  }

  private writeFirstBase(): void {
    const { log, engine, dataset, environment } = this.parts;
    const { format } = this;
    const { name } = this.manifest.newBase(this.prefix, format);
    try {
      const target = this.target(
        this.folder.name,
        name,
        `rewriteaof-${this.parts.engine.server.fileNames.next()}`,
        format,
      );
      saveFile(environment.disk, engine.memory, dataset(true), target, { key: () => {} });
    } catch (error) {
      if (error instanceof SaveError) log.warning(error.message);
      throw error;
    }
    log.notice(`Creating AOF base file ${name} on server start`);
  }

  private get format(): BaseFormat {
    return this.parts.config.settings.aofUseRdbPreamble ? 'rdb' : 'aof';
  }

  private target(folder: string, name: string, writer: string, base: BaseFormat): SaveTarget {
    const { aofTimestampEnabled: stamped, aofRewriteIncrementalFsync: syncOnTheWay } = this.parts.config.settings;
    return { ...this.parts.target(folder, name, writer), base, stamped, syncOnTheWay };
  }

  // On and off.

  /** Turns the log on: it counts from the first base on, which is begun now or as soon as that is possible. */
  turnOn(later: boolean): boolean {
    const { log, background } = this.parts;
    this.state = 'waiting';
    if (background.busy && !this.rewriting) {
      this.scheduled = true;
      log.warning(
        'AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible.',
      );
    } else if (later) {
      this.scheduled = true;
      log.warning('AOF was enabled during a transaction. An AOF background was scheduled to start when possible.');
    } else {
      if (this.rewriting) {
        log.warning(
          'AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now.',
        );
        this.killRewrite();
      }
      if (!this.startRewrite()) {
        this.abandon();
        this.state = 'off';
        log.warning(
          "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error.",
        );
        return false;
      }
    }
    this.writer.forgive();
    return true;
  }

  turnOff(): void {
    const { engine } = this.parts;
    const { waiting } = this;
    this.writer.close();
    engine.propagation.detach(this.writer);
    this.killRewrite();
    if (waiting) removeQuietly(this.parts.environment.disk, this.folder.path(temporaryIncrementName(this.prefix)));
    this.state = 'off';
    this.scheduled = false;
    this.parts.changed();
  }

  // Rewriting.

  /** BGREWRITEAOF. */
  rewrite(later: boolean): BackgroundRewrite {
    if (this.rewriting) return 'rewriting';
    if (this.parts.background.busy || later) {
      this.scheduled = true;
      this.limit.reset();
      return 'scheduled';
    }
    return this.startRewrite() ? 'started' : 'failed';
  }

  private startRewrite(): boolean {
    const { engine, config, log, background, dataset } = this.parts;
    if (background.busy) return false;
    const { format } = this;
    try {
      this.folder.make();
      this.writer.flush(true);
      // What can't be written now would be in the new base and follow it once more.
      if (this.writer.pending > 0) throw new Error(this.writer.fault ?? 'the log can not be written');
      this.nextIncrement();
      this.rewrites++;
      const writer = this.parts.engine.server.fileNames.next();
      this.temporaryBase = `temp-rewriteaof-bg-${writer}.aof`;
      this.rewriteFolder = config.path;
      const target = this.target(this.rewriteFolder, this.temporaryBase, `rewriteaof-${writer}`, format);
      background.start('rewrite', dataset(true), target, config.settings.rdbKeySaveDelay, (end, message, cow) =>
        this.rewritten(end, message, cow, format),
      );
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.folder.told(error)) log.warning(`Can't rewrite append only file in background: fork: ${why}`);
      this.lastGood = false;
      this.limit.failed();
      return false;
    }
    if (this.state === 'waiting') engine.propagation.attach(this.writer);
    log.notice(`Background append only file rewriting started by pid ${this.parts.environment.ids.process}`);
    this.scheduled = false;
    return true;
  }

  /** What is written from now on goes to another file; nothing is written between this and the frozen view. */
  private nextIncrement(): void {
    const { folder, prefix, state } = this;
    if (state === 'off') return;
    const manifest = this.manifest.copy();
    const name = state === 'waiting' ? temporaryIncrementName(prefix) : manifest.newIncrement(prefix).name;
    const file = folder.open(name, false);
    if (state === 'on') {
      try {
        folder.write(manifest);
      } catch (error) {
        if (folder.replaced(error)) {
          this.manifest = manifest;
          this.writer.open(file);
        } else file.close();
        throw error;
      }
      this.manifest = manifest;
    }
    this.parts.log.notice(`Creating AOF incr file ${name} on background rewrite`);
    this.writer.open(file);
  }

  /** Ends a rewrite that is under way, as if it had not begun. */
  killRewrite(): void {
    if (!this.rewriting) return;
    this.parts.log.notice(`Killing running AOF rewrite child: ${this.parts.environment.ids.process}`);
    this.parts.background.abort('rewrite');
  }

  private rewritten(end: JobEnd, message: string, cow: number, format: BaseFormat): void {
    if (end === 'aborted') {
      if (this.state === 'waiting') this.abandon();
      return;
    }
    const { log, background } = this.parts;
    this.lastCow = cow;
    if (end === 'saved') {
      log.notice(`Successfully created the temporary AOF base file ${this.temporaryBase}`);
      background.tellCow('AOF rewrite', cow);
    } else if (end === 'failed' && message !== '') log.warning(message);
    const good = end === 'saved' && this.install(format);
    if (end === 'failed') log.warning('Background AOF rewrite terminated with error');
    if (end === 'died') log.warning(`Background AOF rewrite terminated by signal 9${message && `: ${message}`}`);
    this.lastGood = good;
    if (good) this.limit.reset();
    else this.limit.failed();
    this.removeTemporaryBase();
    this.lastSeconds = unixSeconds(this.parts.environment.clock) - background.startedAt;
    if (this.state === 'waiting') {
      this.abandon();
      this.scheduled = true;
    }
  }

  /** Puts a finished base in the place of all that it holds. */
  private install(format: BaseFormat): boolean {
    const { log } = this.parts;
    log.notice('Background AOF rewrite terminated with success');
    const manifest = this.manifest.copy();
    const base = manifest.newBase(this.prefix, format).name;
    const made: string[] = [];
    try {
      this.moveBase(base);
      made.push(base);
      if (this.state === 'waiting') {
        const increment = manifest.newIncrement(this.prefix).name;
        this.moveIncrement(increment);
        made.push(increment);
      }
      manifest.retireIncrements(this.state === 'off' ? 0 : 1);
      this.folder.write(manifest);
    } catch (error) {
      if (!this.folder.told(error)) throw error;
      if (this.folder.replaced(error)) this.manifest = manifest;
      else for (const name of made) removeQuietly(this.parts.environment.disk, this.folder.path(name));
      return false;
    }
    this.manifest = manifest;
    if (this.state !== 'off') {
      this.writer.size = this.folder.size(base) + this.writer.fileSize;
      this.baseSize = this.writer.size;
    }
    if (this.state === 'waiting') this.state = 'on';
    this.removeHistory();
    log.notice('Background AOF rewrite finished successfully');
    return true;
  }

  private moveBase(name: string): void {
    const { config, log, engine, environment } = this.parts;
    const { clock, disk } = environment;
    const begin = clock.monotonic();
    const temporary = this.temporaryBase;
    this.folder.step(
      () => disk.rename(join(config.path, temporary), this.folder.path(name)),
      (why) =>
        `Error trying to rename the temporary AOF base file ${temporary} into ${this.folder.shown(name)}: ${why}`,
    );
    engine.latency.observe('aof-rename', (clock.monotonic() - begin) / 1000, clock.now());
    log.notice(`Successfully renamed the temporary AOF base file ${temporary} into ${name}`);
  }

  private moveIncrement(name: string): void {
    const temporary = temporaryIncrementName(this.prefix);
    this.folder.step(
      () => this.parts.environment.disk.rename(this.folder.path(temporary), this.folder.path(name)),
      (why) =>
        `Error trying to rename the temporary AOF incr file ${temporary} into ${this.folder.shown(name)}: ${why}`,
    );
    this.parts.log.notice(`Successfully renamed the temporary AOF incr file ${temporary} into ${name}`);
  }

  /** A first base has not come about: what was written meanwhile is of no use without one. */
  private abandon(): void {
    const { engine, log } = this.parts;
    engine.propagation.detach(this.writer);
    this.writer.drop();
    const temporary = temporaryIncrementName(this.prefix);
    if (!this.folder.has(temporary)) return;
    log.notice(`Removing the temp incr aof file ${temporary} in the background`);
    this.folder.remove(temporary);
  }

  private removeTemporaryBase(): void {
    removeQuietly(this.parts.environment.disk, join(this.rewriteFolder, this.temporaryBase));
  }

  /** Removes files that are not needed any more, unless that is turned off. */
  removeHistory(): void {
    const { config, log } = this.parts;
    const { history } = this.manifest;
    if (config.settings.aofDisableAutoGc || history.length === 0) return;
    const manifest = this.manifest.copy();
    manifest.history = [];
    try {
      // History that is still named after a crash is found to be gone, and forgotten then.
      this.folder.write(manifest, false);
    } catch (error) {
      // They stay where they are; the log has told why.
      if (!this.folder.told(error)) throw error;
      return;
    }
    this.manifest = manifest;
    for (const { name } of history) {
      log.notice(`Removing the history file ${name} in the background`);
      this.folder.remove(name);
    }
  }

  // By and by.

  /** Starts a rewrite that had to wait. */
  tickScheduled(): void {
    if (this.scheduled && this.mayRewrite && !this.limit.holds(unixSeconds(this.parts.environment.clock)))
      this.startRewrite();
  }

  /** Starts one that the log's growth asks for. */
  tickGrowth(): void {
    const { config, log } = this.parts;
    const { autoAofRewritePercentage: percentage, autoAofRewriteMinSize: least } = config.settings;
    const { size } = this.writer;
    if (this.state !== 'on' || percentage === 0 || size <= least || !this.mayRewrite) return;
    const growth = Math.floor((size * 100) / Math.max(1, this.baseSize)) - 100;
    if (growth < percentage || this.limit.holds(unixSeconds(this.parts.environment.clock))) return;
    log.notice(`Starting automatic rewriting of AOF on ${growth}% growth`);
    this.startRewrite();
  }

  private get mayRewrite(): boolean {
    return !this.parts.background.busy && this.parts.engine.propagation.idle;
  }

  /** Writes what was held back; once a second what could not be written. */
  tickWrites(): void {
    if (this.state === 'off') return;
    if (!this.writer.writeFailed) this.writer.flush(false);
    else if (unixSeconds(this.parts.environment.clock) !== this.retriedAt) {
      this.retriedAt = unixSeconds(this.parts.environment.clock);
      this.writer.flush(false);
    }
  }

  // The end.

  /** Brings all to the disk before the server ends; false where it must not end yet. */
  finish(force: boolean): boolean {
    const { log } = this.parts;
    if (this.rewriting) {
      if (this.writesFirstBase) {
        log.warning(force ? 'Writing initial AOF. Exit anyway.' : "Writing initial AOF, can't exit.");
        if (!force) return false;
      }
      log.warning('There is a child rewriting the AOF. Killing it!');
      this.killRewrite();
    }
    if (!this.enabled) return true;
    log.notice('Calling fsync() on the AOF file.');
    this.writer.settle();
    return true;
  }

  /** The same without a word, for a server that is closed by its owner. */
  close(): void {
    this.parts.background.abort('rewrite');
    this.writer.close();
    this.parts.engine.propagation.detach(this.writer);
    this.state = 'off';
  }

  // Figures.

  resetStats(): void {
    this.rewrites = 0;
    this.writer.delayed = 0;
  }

  figures(): Readonly<Record<string, string | number>> {
    const { rewriting } = this;
    return {
      aof_enabled: this.enabled ? 1 : 0,
      aof_rewrite_in_progress: rewriting ? 1 : 0,
      aof_rewrite_scheduled: this.scheduled ? 1 : 0,
      aof_last_rewrite_time_sec: this.lastSeconds,
      aof_current_rewrite_time_sec: rewriting
        ? unixSeconds(this.parts.environment.clock) - this.parts.background.startedAt
        : -1,
      aof_last_bgrewrite_status: this.lastGood ? 'ok' : 'err',
      aof_rewrites: this.rewrites,
      aof_rewrites_consecutive_failures: this.limit.failures,
      aof_last_write_status: this.fault === null ? 'ok' : 'err',
      aof_last_cow_size: this.lastCow,
      module_fork_in_progress: 0,
      module_fork_last_cow_size: 0,
    };
  }

  /** Of the log that is written; none while there is none. */
  liveFigures(): Readonly<Record<string, string | number>> {
    if (!this.enabled) return {};
    const { writer } = this;
    return {
      aof_current_size: writer.size,
      aof_base_size: this.baseSize,
      aof_pending_rewrite: this.scheduled ? 1 : 0,
      aof_buffer_length: writer.pending,
      aof_pending_bio_fsync: writer.syncing ? 1 : 0,
      aof_delayed_fsync: writer.delayed,
    };
  }
}
