/**
 * The folder of the append-only file (appenddirname), and how its files are opened, replaced and removed. What goes wrong
 * is told to the log in Redis's words and thrown as a StepError.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import {
  closeFile,
  ensureFolder,
  openFile,
  removeAside,
  renameFile,
  sizeOf,
  syncFile,
  syncFolder,
  writeAll,
} from '../../base/disk.ts';
import { widen } from '../../base/text.ts';
import type { Config } from '../../config/config.ts';
import { systemError } from '../../config/host.ts';
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
  private readonly config: Config;
  private readonly log: Log;

  constructor(config: Config, log: Log) {
    this.config = config;
    this.log = log;
  }

  /** Where it lies; one character a byte. */
  get name(): string {
    return join(this.config.path, this.config.settings.appenddirname);
  }

  private get prefix(): string {
    return this.config.settings.appendfilename;
  }

  /** A file of it, for the system. */
  path(name: string): string {
    return widen(join(this.name, name));
  }

  /** A file of it, for the log. */
  shown(name: string): string {
    return `${this.config.settings.appenddirname}/${name}`;
  }

  has(name: string): boolean {
    return fs.existsSync(this.path(name));
  }

  size(name: string): number {
    return sizeOf(this.path(name)) ?? 0;
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
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      const text = message(systemError(error));
      this.log.warning(text);
      throw new StepError(text);
    }
  }

  /** Makes the folder unless it is there. */
  make(): void {
    const folder = widen(this.name);
    this.step(
      () => {
        if (fs.existsSync(folder) && fs.statSync(folder).isDirectory()) return;
        try {
          ensureFolder(folder);
        } catch (error) {
          if (!fs.existsSync(folder)) throw error;
          throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR', syscall: 'mkdir' });
        }
        syncFolder(widen(this.config.path));
      },
      (why) => `Can't open or create append-only dir ${this.config.settings.appenddirname}: ${why}`,
    );
  }

  /** Opens a file to append to: one to go on with, or a new one. */
  open(name: string, goOn: boolean): LogFile {
    return this.step(
      () => (goOn ? LogFile.append(this.path(name)) : LogFile.create(this.path(name))),
      (why) => `Can't open the append-only file ${name}: ${why}`,
    );
  }

  remove(name: string): void {
    removeAside(this.path(name));
  }

  // The manifest.

  /** Throws ManifestError, or a StepError. */
  read(): Manifest {
    const { log } = this;
    const name = manifestName(this.prefix);
    if (!fs.existsSync(widen(this.name))) {
      log.debug(`The AOF directory ${this.config.settings.appenddirname} doesn't exist`);
      return new Manifest();
    }
    if (!this.has(name)) {
      log.debug(`The AOF manifest file ${name} doesn't exist`);
      return new Manifest();
    }
    const bytes = this.step(
      () => fs.readFileSync(this.path(name)),
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
    const folder = widen(this.name);
    const unsynced = (why: string): string => `Fail to fsync AOF directory ${this.shown(name)}: ${why}.`;
    const fd = this.step(
      () => openFile(this.path(temporary), 'w'),
      (why) => `Can't open the AOF manifest file ${temporary}: ${why}`,
    );
    try {
      this.step(
        () => writeAll(fd, manifest.format()),
        (why) => `Error trying to write the temporary AOF manifest file ${temporary}: ${why}`,
      );
      this.step(
        () => syncFile(fd),
        (why) => `Fail to fsync the temp AOF file ${temporary}: ${why}.`,
      );
    } finally {
      closeFile(fd);
    }
    if (lasting) this.step(() => syncFolder(folder), unsynced);
    this.step(
      () => renameFile(this.path(temporary), this.path(name)),
      (why) => `Error trying to rename the temporary AOF manifest file ${temporary} into ${name}: ${why}`,
    );
    if (!lasting) return;
    try {
      this.step(() => syncFolder(folder), unsynced);
    } catch (error) {
      if (error instanceof StepError) error.replaced = true;
      throw error;
    }
  }

  // The single file of before Redis 7.

  /** Its path, where there is one. */
  oldFile(): string | undefined {
    const path = widen(join(this.config.path, this.prefix));
    return fs.statSync(path, { throwIfNoEntry: false })?.isFile() ? path : undefined;
  }

  /** Moves it into the folder, in which the manifest already names it as the base. */
  adoptOldFile(manifest: Manifest): void {
    const { prefix, log } = this;
    const { appenddirname } = this.config.settings;
    this.make();
    this.write(manifest);
    this.step(
      () => {
        renameFile(widen(join(this.config.path, prefix)), this.path(prefix));
        syncFolder(widen(this.name));
        syncFolder(widen(this.config.path));
      },
      (why) => `Error trying to move the old AOF file ${prefix} into dir ${appenddirname}: ${why}`,
    );
    log.notice(`Successfully migrated an old-style AOF file (${prefix}) into the AOF directory (${appenddirname}).`);
  }
}
