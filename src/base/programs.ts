/** Programs of the machine that a server runs beside itself, handed in like threads. */
import * as fs from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { codeOf } from './system-error.ts';
import { widen } from './text.ts';

/** `signal`: 0 where it has ended by itself. */
export interface ProgramEnd {
  readonly exitCode: number;
  readonly signal: number;
}

export interface Program {
  /** 0 where it could not be started. */
  readonly pid: number;
  /** Ends it at once. */
  kill(): void;
}

/** A file that is this process's alone. */
export interface FileLock {
  release(): void;
}

export interface Programs {
  /** Whether a path, of one character a byte and relative to `folder`, is that of a program that may be run. */
  runnable(folder: string, path: string): boolean;
  /**
   * Starts, in `folder`, the program of the first word with the others as its arguments; `ended` is called once, after this
   * has returned.
   */
  start(folder: string, words: readonly string[], ended: (end: ProgramEnd) => void): Program;
  /**
   * Takes a file for this process alone, until it ends or lets it go, as flock(2) does; makes it where there is none. 'taken'
   * where another has it, 'unknown' where that can't be told on this machine. Throws where the file can't be opened.
   */
  lock(path: string): FileLock | 'taken' | 'unknown';
}

/** What a shell's child leaves with where its program can't be run, and what Redis says where there is no child. */
const NOT_RUN = 2;
const NOT_STARTED = 99;
/** What flock leaves with where another has the file. */
const LOCK_TAKEN = 1;

export class RealPrograms implements Programs {
  runnable(folder: string, path: string): boolean {
    try {
      fs.accessSync(widen(resolve(folder, path)), fs.constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  start(folder: string, words: readonly string[], ended: (end: ProgramEnd) => void): Program {
    // Loaded by those who run programs only.
    const { spawn } = process.getBuiltinModule('node:child_process');
    const [path, ...rest] = words.map(widen);
    const child = spawn(path, rest, { cwd: widen(folder), stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (error) => {
      const exitCode = codeOf(error) === 'EAGAIN' || codeOf(error) === 'EMFILE' ? NOT_STARTED : NOT_RUN;
      if (child.pid === undefined) ended({ exitCode, signal: 0 });
    });
    child.once('exit', (code, signal) => {
      ended({ exitCode: code ?? 0, signal: signal === null ? 0 : constants.signals[signal] });
    });
    return { pid: child.pid ?? 0, kill: () => void child.kill('SIGKILL') };
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
