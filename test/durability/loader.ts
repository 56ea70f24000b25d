/**
 * Starts servers on given folders, thousands of them: each in a process that stays (loader-child.ts), as a server without
 * sockets that loads what the folder holds, answers some questions and is closed. A start that does not come to an end is
 * told as a hang, and the process is replaced.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export type Settings = Readonly<Record<string, string | number | boolean>>;

export interface LoadRequest {
  readonly settings: Settings;
  /** What is said first, whatever is answered. */
  readonly first?: readonly (readonly string[])[];
  /** Commands to be answered once it is loaded. */
  readonly ask: readonly (readonly string[])[];
}

export interface LoadResult {
  /** Whether the server has started; if not, `log` says why. */
  readonly started: boolean;
  /** What it logged as a warning or a notice. */
  readonly log: readonly string[];
  /** Replies; an error begins with '-'. */
  readonly replies: readonly unknown[];
  /** Bytes by which the process was larger, at its largest, than before. */
  readonly grown: number;
  /** Bytes of the memory image at its largest, and of a server's that is empty. */
  readonly image: number;
  readonly milliseconds: number;
  /** What the process threw without being asked. */
  readonly stray: string | null;
}

export class Hang extends Error {
  override name = 'Hang';
}

const HANG_MILLISECONDS = 5000;
/** The first start of a process compiles what it runs. */
const FIRST_MILLISECONDS = 30_000;
const LOADS_PER_PROCESS = 2000;

export class Loader {
  private child: ChildProcess | null = null;
  private loads = 0;

  /** Starts a server; rejects with Hang where that takes too long, with Error where the process dies. */
  load(request: LoadRequest): Promise<LoadResult> {
    if (this.loads >= LOADS_PER_PROCESS) this.close();
    this.child ??= startChild();
    const { child } = this;
    const limit = this.loads++ === 0 ? FIRST_MILLISECONDS : HANG_MILLISECONDS;
    return new Promise((done, failed) => {
      const settle = (action: () => void): void => {
        clearTimeout(late);
        child.removeAllListeners();
        action();
      };
      const broken = (error: Error): void => {
        this.close();
        failed(error);
      };
      const late = setTimeout(() => settle(() => broken(new Hang(`no answer within ${limit} ms`))), limit);
      child.once('message', (result: LoadResult) => settle(() => done(result)));
      child.once('exit', (code, signal) => settle(() => broken(new Error(`the process ended: ${code ?? signal}`))));
      child.send(request);
    });
  }

  close(): void {
    this.child?.removeAllListeners();
    this.child?.kill('SIGKILL');
    this.child = null;
    this.loads = 0;
  }
}

function startChild(): ChildProcess {
  const tsx = createRequire(import.meta.url).resolve('tsx/package.json');
  const hooks = new URL('./dist/loader.mjs', pathToFileURL(tsx)).href;
  const file = join(import.meta.dirname, 'loader-child.ts');
  const limits = ['--expose-gc', '--max-semi-space-size=1'];
  return spawn(process.execPath, [...limits, '--import', hooks, file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}
