/** What configuration needs of the file system; tests and embedders may hand in another. */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { globMatch } from '../base/glob.ts';
import { sliceOf } from '../base/slice.ts';
import { narrow, widen } from '../base/text.ts';

/** Paths are strings of one character a byte, as the configuration holds them. */
export interface ConfigHost {
  readonly cwd: string;
  /** The file's bytes, one a character. Throws what node:fs throws. */
  read(path: string): string;
  /** All of the standard input. */
  readInput(): string;
  /** Paths that match a pattern, sorted; empty when none does. */
  expand(pattern: string): string[];
  /** Why `path` can't be the working directory, if it can't. */
  directoryError(path: string): string | undefined;
  /** Replaces the file at once, so that a crash leaves the old or the new one. */
  replace(path: string, text: string): void;
}

const ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  EIO: 'Input/output error',
  EEXIST: 'File exists',
  EXDEV: 'Invalid cross-device link',
  EINVAL: 'Invalid argument',
  EFBIG: 'File too large',
  EDQUOT: 'Disk quota exceeded',
  EBUSY: 'Device or resource busy',
  ENFILE: 'Too many open files in system',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ELOOP: 'Too many levels of symbolic links',
};

/** The system's own words for what went wrong. */
export function systemError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return ERRORS[code] ?? (error instanceof Error ? error.message : String(error));
}

export function hasPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

function expandFrom(base: string, parts: readonly string[], shown: string): string[] {
  if (parts.length === 0) return [shown];
  const [part, ...rest] = parts;
  if (!hasPattern(part)) return expandFrom(join(base, part), rest, shown === '' ? part : join(shown, part));
  let names: string[];
  try {
    names = readdirSync(widen(base)).map(narrow).sort();
  } catch {
    return [];
  }
  return names
    .filter((name) => (!name.startsWith('.') || part.startsWith('.')) && globMatch(sliceOf(part), sliceOf(name)))
    .flatMap((name) => expandFrom(join(base, name), rest, shown === '' ? name : join(shown, name)));
}

function exists(path: string): boolean {
  try {
    statSync(widen(path));
    return true;
  } catch {
    return false;
  }
}

export function realHost(): ConfigHost {
  return {
    cwd: narrow(process.cwd()),
    read: (path) => readFileSync(widen(path), 'latin1'),
    readInput: () => readFileSync(0, 'latin1'),
    expand(pattern) {
      const absolute = pattern.startsWith('/');
      const parts = pattern.split('/').filter((part) => part !== '');
      return expandFrom(absolute ? '/' : '.', parts, absolute ? '/' : '').filter(exists);
    },
    directoryError(path) {
      try {
        if (!statSync(widen(path)).isDirectory()) return ERRORS['ENOTDIR'];
        accessSync(widen(path), constants.X_OK);
        return undefined;
      } catch (error) {
        return systemError(error);
      }
    },
    replace: (path, text) => replaceFile(widen(path), text),
  };
}

function replaceFile(path: string, text: string): void {
  const temporary = `${path}-${process.pid}.rewrite`;
  const file = openSync(temporary, 'w', 0o644);
  try {
    try {
      writeSync(file, Buffer.from(text, 'latin1'));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function syncDirectory(path: string): void {
  try {
    const directory = openSync(path, 'r');
    fsyncSync(directory);
    closeSync(directory);
  } catch {
    // Some file systems can't sync a directory; the rename itself has succeeded.
  }
}
