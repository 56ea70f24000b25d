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

export interface Programs {
  /** Whether a path, of one character a byte and relative to `folder`, is that of a program that may be run. */
  runnable(folder: string, path: string): boolean;
  /**
   * Starts, in `folder`, the program of the first word with the others as its arguments; `ended` is called once, after this
   * has returned.
   */
  start(folder: string, words: readonly string[], ended: (end: ProgramEnd) => void): Program;
}

/** What a shell's child leaves with where its program can't be run, and what Redis says where there is no child. */
const NOT_RUN = 2;
const NOT_STARTED = 99;

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
}
