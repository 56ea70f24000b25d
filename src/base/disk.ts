/**
 * Files as a server sees them, handed in like time: the machine's own in service, memory-disk.ts in simulations. The
 * promise of a saved write rests on these steps:
 *
 *   written          survives the end of the process
 *   synced           survives a loss of power: the file's bytes and its size
 *   folder synced    so does a name: that of a new file, of a renamed one, or that there is none any more
 *
 * Paths are strings of one character a byte, as the configuration holds them; relative ones begin at `folder`. What the
 * system refuses is thrown as node:fs throws it, with a `code` (system-error.ts).
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, SystemError } from './system-error.ts';
import { narrow, widen } from './text.ts';

/** To read, to change what is there, to write from the beginning, to write at the end; 'w' and 'a' make what is not there. */
export type OpenMode = 'r' | 'r+' | 'w' | 'a';

export interface DiskFile {
  /** Bytes. */
  readonly size: number;
  /** Puts up to `length` bytes from `position` on into `into` at `at`; how many there were, 0 at the end. */
  read(into: Uint8Array, at: number, length: number, position: number): number;
  /**
   * Writes from `from` to `to`, as far as the system goes; how many bytes it took. Fewer than there are come with a disk
   * that is full; an error is thrown only where not a single byte was taken.
   */
  writeSome(bytes: Uint8Array, from: number, to: number): number;
  /** Writes all of it, or throws. */
  writeAll(bytes: Uint8Array): void;
  truncate(length: number): void;
  /** Returns once the bytes, and the size of the file, would survive a loss of power. */
  syncData(): void;
  /** The same with all that is known of the file. */
  sync(): void;
  /** `syncData` off the event loop, of what has been written by now. What can't be synced at all (a pipe) needn't be. */
  syncDataAside(done: (error: Error | null) => void): void;
  close(): void;
}

export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'other';
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** A file that is this process's alone. */
export interface FileLock {
  release(): void;
}

export interface Disk {
  /** Where relative paths begin. */
  readonly folder: string;
  /** `mode`: the permissions of a file that is made. */
  open(path: string, how: OpenMode, mode?: number): DiskFile;
  /** All of a file. */
  read(path: string): Buffer;
  /** Undefined where there is no such file. Throws where that can't be told. */
  status(path: string): FileStatus | undefined;
  /** The names in a folder, in no order. */
  list(path: string): string[];
  /** Takes the place of a file that there is under the new name. */
  rename(from: string, to: string): void;
  /** Throws where there is no such file. */
  remove(path: string): void;
  /** Removes a name at once, and what lies under it off the event loop, which for a large file takes long; never throws. */
  removeAside(path: string): void;
  /** Makes a folder, and those that it lies in, unless they are there. */
  makeFolder(path: string): void;
  syncFolder(path: string): void;
  /** Throws where `path` can't be a working directory. */
  enter(path: string): void;
  /** Sets the permission bits of what there is. */
  setMode(path: string, mode: number): void;
  /**
   * Takes a file for this process alone, until it ends or lets it go, as flock(2) does; makes it where there is none. 'taken'
   * where another has it, 'unknown' where that can't be told on this machine. Throws where the file can't be opened.
   */
  lock(path: string): FileLock | 'taken' | 'unknown';
}

export function exists(disk: Disk, path: string): boolean {
  try {
    return disk.status(path) !== undefined;
  } catch {
    return false;
  }
}

export function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch {
    // There was none, or it is left behind, as a crash would have left it.
  }
}

/** Digits of the run ID by which files of servers in one folder are told apart. */
const ID_DIGITS = 8;

/**
 * Names for what is written to a file of its own before it takes another's place: temp-<name>.rdb. No two writers share
 * one, be they servers of one process, processes that share a folder but not their numbers (containers), or a thread that
 * was given up and writes a little longer beside the next.
 */
export class FileNames {
  private readonly server: string;
  private count = 0;

  constructor(runId: string) {
    this.server = runId.slice(0, ID_DIGITS);
  }

  next(): string {
    return `${this.server}-${++this.count}`;
  }
}

/**
 * Puts text of one character a byte in a file's place, by way of the file `temporary` beside it, so that a crash leaves
 * either the old content or the new. The mode stays: it may keep passwords from being read.
 */
export function replaceFile(disk: Disk, path: string, temporary: string, text: string): void {
  const file = disk.open(temporary, 'w', disk.status(path)?.mode);
  try {
    try {
      file.writeAll(Buffer.from(text, 'latin1'));
      file.sync();
    } finally {
      file.close();
    }
    disk.rename(temporary, path);
  } catch (error) {
    removeQuietly(disk, temporary);
    throw error;
  }
  try {
    disk.syncFolder(dirname(path));
  } catch {
    // Some file systems can't sync a folder; the rename itself has succeeded.
  }
}

/** Repeats a step that a signal has interrupted before anything was done. */
function again<T>(step: () => T): T {
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (codeOf(error) !== 'EINTR') throw error;
    }
  }
}

const USUAL_MODE = 0o644;
const PERMISSIONS = 0o777;
/** What flock leaves with where another has the file. */
const LOCK_TAKEN = 1;

class RealFile implements DiskFile {
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  get size(): number {
    return fs.fstatSync(this.fd).size;
  }

  read(into: Uint8Array, at: number, length: number, position: number): number {
    return fs.readSync(this.fd, into, at, length, position);
  }

  writeSome(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to) {
      try {
        const taken = fs.writeSync(this.fd, bytes, at, to - at);
        if (taken === 0) break;
        at += taken;
      } catch (error) {
        if (codeOf(error) === 'EINTR') continue;
        if (at === from) throw error;
        break;
      }
    }
    return at - from;
  }

  writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const from = at;
      at += again(() => fs.writeSync(this.fd, bytes, from, bytes.length - from));
    }
  }

  truncate(length: number): void {
    again(() => fs.ftruncateSync(this.fd, length));
  }

  syncData(): void {
    again(() => fs.fdatasyncSync(this.fd));
  }

  sync(): void {
    again(() => fs.fsyncSync(this.fd));
  }

  syncDataAside(done: (error: Error | null) => void): void {
    fs.fdatasync(this.fd, (error) => {
      if (codeOf(error) === 'EINTR') this.syncDataAside(done);
      else done(codeOf(error) === 'EINVAL' ? null : error);
    });
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

/** Built on `node:fs` by its namespace, so that a test can stand between. */
export class RealDisk implements Disk {
  readonly folder = narrow(process.cwd());

  open(path: string, how: OpenMode, mode = USUAL_MODE): DiskFile {
    return new RealFile(again(() => fs.openSync(widen(path), how, mode)));
  }

  read(path: string): Buffer {
    return fs.readFileSync(widen(path));
  }

  status(path: string): FileStatus | undefined {
    const found = fs.statSync(widen(path), { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
    return { kind, size: found.size, mode: found.mode & PERMISSIONS };
  }

  list(path: string): string[] {
    return fs.readdirSync(widen(path)).map(narrow);
  }

  rename(from: string, to: string): void {
    again(() => fs.renameSync(widen(from), widen(to)));
  }

  remove(path: string): void {
    fs.unlinkSync(widen(path));
  }

  removeAside(path: string): void {
    try {
      const fd = fs.openSync(widen(path), 'r');
      removeQuietly(this, path);
      // The bytes are freed when nobody has the file open any more.
      fs.close(fd, () => {});
    } catch {
      removeQuietly(this, path);
    }
  }

  makeFolder(path: string): void {
    again(() => fs.mkdirSync(widen(path), { recursive: true, mode: 0o755 }));
  }

  /** Where a folder can't be opened (Windows) it needn't be synced. */
  syncFolder(path: string): void {
    if (process.platform === 'win32') return;
    const fd = again(() => fs.openSync(widen(path), 'r'));
    try {
      again(() => fs.fsyncSync(fd));
    } finally {
      fs.closeSync(fd);
    }
  }

  enter(path: string): void {
    if (!fs.statSync(widen(path)).isDirectory()) throw new SystemError('ENOTDIR', 'chdir', path);
    fs.accessSync(widen(path), fs.constants.X_OK);
  }

  setMode(path: string, mode: number): void {
    fs.chmodSync(widen(path), mode);
  }

  /** A lock belongs to the open file, which the program flock has from us: it stays when that has ended. */
  lock(path: string): FileLock | 'taken' | 'unknown' {
    const { spawnSync } = process.getBuiltinModule('node:child_process');
    const fd = fs.openSync(widen(path), 'a');
    const { status } = spawnSync('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (status === 0) return { release: () => fs.closeSync(fd) };
    fs.closeSync(fd);
    return status === LOCK_TAKEN ? 'taken' : 'unknown';
  }
}
