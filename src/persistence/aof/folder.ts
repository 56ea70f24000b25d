/**
 * The folder of the append-only file (appenddirname), and how its files are opened, replaced and removed. What goes wrong
 * is told to the log in Redis's words and thrown as a StepError.
 */
import { join } from 'node:path';
import { type Disk, exists } from '../../base/disk.ts';
import { isRefusal, SystemError, systemError } from '../../base/system-error.ts';
import type { Config } from '../../config/config.ts';
import type { Log } from '../../engine/server-port.ts';
import { LogFile } from './log-file.ts';
import { Manifest, manifestName, temporaryManifestName } from './manifest.ts';

/** A step that the system refused; the log has been told. */
class StepError extends Error {
  override name = 'StepError';
  /** The manifest had been replaced by then: its files are in use. */
  replaced = false;
}

export class LogFolder {
  private readonly disk: Disk;
  private readonly config: Config;
  private readonly log: Log;

  constructor(disk: Disk, config: Config, log: Log) {
    this.disk = disk;
    this.config = config;
    this.log = log;
  }

  /** Where it lies. */
  get name(): string {
    return join(this.config.path, this.config.settings.appenddirname);
  }

  private get prefix(): string {
    return this.config.settings.appendfilename;
  }

  /** Where a file of it lies. */
  path(name: string): string {
    return join(this.name, name);
  }

  /** A file of it, for the log. */
  shown(name: string): string {
    return `${this.config.settings.appenddirname}/${name}`;
  }

  has(name: string): boolean {
    return exists(this.disk, this.path(name));
  }

  size(name: string): number {
    return this.disk.status(this.path(name))?.size ?? 0;
  }

  /** Whether an error is one that the log has been told of. */
  told(error: unknown): boolean {
    return error instanceof StepError;
  }

  /** Whether a manifest that could not be written to the end has nevertheless taken the old one's place. */
  replaced(error: unknown): boolean {
    return error instanceof StepError && error.replaced;
  }

  /** Does a step; what the system refuses is told to the log in the given words. */
  step<T>(action: () => T, message: (why: string) => string): T {
    try {
      return action();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const text = message(systemError(error));
      this.log.warning(text);
      throw new StepError(text);
    }
  }

  /** Makes the folder unless it is there. */
  make(): void {
    const { disk, name } = this;
    this.step(
      () => {
        if (exists(disk, name) && disk.status(name)?.kind === 'folder') return;
        try {
          disk.makeFolder(name);
        } catch (error) {
          if (!exists(disk, name)) throw error;
          throw new SystemError('ENOTDIR', 'mkdir', name);
        }
        disk.syncFolder(this.config.path);
      },
      (why) => `Can't open or create append-only dir ${this.config.settings.appenddirname}: ${why}`,
    );
  }

  /** Opens a file to append to: one to go on with, or a new one. */
  open(name: string, goOn: boolean): LogFile {
    return this.step(
      () => (goOn ? LogFile.append(this.disk, this.path(name)) : LogFile.create(this.disk, this.path(name))),
      (why) => `Can't open the append-only file ${name}: ${why}`,
    );
  }

  remove(name: string): void {
    this.disk.removeAside(this.path(name));
  }

  // The manifest.

  /** Throws ManifestError, or a StepError. */
  read(): Manifest {
    const { log, disk } = this;
    const name = manifestName(this.prefix);
    if (!exists(disk, this.name)) {
      log.debug(`The AOF directory ${this.config.settings.appenddirname} doesn't exist`);
      return new Manifest();
    }
    if (!this.has(name)) {
      log.debug(`The AOF manifest file ${name} doesn't exist`);
      return new Manifest();
    }
    const bytes = this.step(
      () => disk.read(this.path(name)),
      (why) => `Fatal error: can't open the AOF manifest file ${name} for reading: ${why}`,
    );
    return Manifest.parse(bytes);
  }

  /**
   * Puts a manifest in the old one's place, so that a crash leaves either. Where both are as good, it needn't be `lasting`;
   * otherwise the folder is synced before as well: what the new one names is there for good by then.
   */
  write(manifest: Manifest, lasting = true): void {
    const name = manifestName(this.prefix);
    const temporary = temporaryManifestName(this.prefix);
    const { disk } = this;
    const unsynced = (why: string): string => `Fail to fsync AOF directory ${this.shown(name)}: ${why}.`;
    const file = this.step(
      () => disk.open(this.path(temporary), 'w'),
      (why) => `Can't open the AOF manifest file ${temporary}: ${why}`,
    );
    try {
      this.step(
        () => file.writeAll(manifest.format()),
        (why) => `Error trying to write the temporary AOF manifest file ${temporary}: ${why}`,
      );
      this.step(
        () => file.sync(),
        (why) => `Fail to fsync the temp AOF file ${temporary}: ${why}.`,
      );
    } finally {
      file.close();
    }
    if (lasting) this.step(() => disk.syncFolder(this.name), unsynced);
    this.step(
      () => disk.rename(this.path(temporary), this.path(name)),
      (why) => `Error trying to rename the temporary AOF manifest file ${temporary} into ${name}: ${why}`,
    );
    if (!lasting) return;
    try {
      this.step(() => disk.syncFolder(this.name), unsynced);
    } catch (error) {
      if (error instanceof StepError) error.replaced = true;
      throw error;
    }
  }

  // The single file of before Redis 7.

  /** Its path, where there is one. */
  oldFile(): string | undefined {
    const path = join(this.config.path, this.prefix);
    return this.disk.status(path)?.kind === 'file' ? path : undefined;
  }

  /** Moves it into the folder, in which the manifest already names it as the base. */
  adoptOldFile(manifest: Manifest): void {
    const { prefix, log, disk } = this;
    const { appenddirname } = this.config.settings;
    this.make();
    this.write(manifest);
    this.step(
      () => {
        disk.rename(join(this.config.path, prefix), this.path(prefix));
        disk.syncFolder(this.name);
        disk.syncFolder(this.config.path);
      },
      (why) => `Error trying to move the old AOF file ${prefix} into dir ${appenddirname}: ${why}`,
    );
    log.notice(`Successfully migrated an old-style AOF file (${prefix}) into the AOF directory (${appenddirname}).`);
  }
}
