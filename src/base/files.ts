/**
 * The file system as far as the server needs it, handed in like time and chance: the real one in service, one in memory
 * in tests. Errors are Node's own (with `code`), except that reading what isn't there gives undefined.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { closeFile, openFile, renameFile, syncFile, syncFolder, writeAll } from './disk.ts';

/** A file that only grows: a log. */
export interface Appender {
  write(bytes: Uint8Array): void;
  /** Returns once what was written would survive a loss of power. */
  sync(): void;
  close(): void;
}

export interface Files {
  /** The whole content, or undefined when there is no such file. */
  read(file: string): Uint8Array | undefined;
  write(file: string, bytes: Uint8Array): void;
  /** Puts `bytes` in the file's place so that a crash leaves either the old content or the new. */
  replace(file: string, bytes: Uint8Array): void;
  append(file: string): Appender;
  /** Removes a file; false when there was none. */
  remove(file: string): boolean;
  isDirectory(file: string): boolean;
}

function absent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

export class RealFiles implements Files {
  read(file: string): Uint8Array | undefined {
    try {
      return fs.readFileSync(file);
    } catch (error) {
      if (absent(error)) return undefined;
      throw error;
    }
  }

  write(file: string, bytes: Uint8Array): void {
    fs.writeFileSync(file, bytes);
  }

  replace(file: string, bytes: Uint8Array): void {
    const folder = path.dirname(file);
    const temporary = path.join(folder, `.${path.basename(file)}.${process.pid}.tmp`);
    // The mode of the file that is replaced is kept: a configuration may hold passwords.
    const mode = fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0o644;
    const fd = fs.openSync(temporary, 'w', mode & 0o777);
    try {
      fs.fchmodSync(fd, mode & 0o777);
      writeAll(fd, bytes);
      syncFile(fd);
    } catch (error) {
      fs.closeSync(fd);
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    fs.closeSync(fd);
    try {
      renameFile(temporary, file);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(folder);
  }

  append(file: string): Appender {
    const fd = openFile(file, 'a');
    return {
      write: (bytes) => writeAll(fd, bytes),
      sync: () => syncFile(fd),
      close: () => closeFile(fd),
    };
  }

  remove(file: string): boolean {
    try {
      fs.unlinkSync(file);
      return true;
    } catch (error) {
      if (absent(error)) return false;
      throw error;
    }
  }

  isDirectory(file: string): boolean {
    return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }
}

/** Files that live in memory, by their full names; every folder exists. */
export class MemoryFiles implements Files {
  readonly content = new Map<string, Uint8Array>();

  read(file: string): Uint8Array | undefined {
    return this.content.get(file)?.slice();
  }

  write(file: string, bytes: Uint8Array): void {
    this.content.set(file, bytes.slice());
  }

  replace(file: string, bytes: Uint8Array): void {
    this.write(file, bytes);
  }

  append(file: string): Appender {
    const write = (bytes: Uint8Array): void => {
      const old = this.content.get(file) ?? new Uint8Array(0);
      const all = new Uint8Array(old.length + bytes.length);
      all.set(old);
      all.set(bytes, old.length);
      this.content.set(file, all);
    };
    write(new Uint8Array(0));
    return { write, sync: () => {}, close: () => {} };
  }

  remove(file: string): boolean {
    return this.content.delete(file);
  }

  isDirectory(file: string): boolean {
    return !this.content.has(file);
  }
}
