/**
 * Who saves frozen views, one after another: a thread (worker.ts), or the event loop where there are none. Until a thread has
 * read and compiled its code it takes several times as long for a key, so that it stays for a while, for the next one.
 *
 *   no thread ──run──> working ──its word──> resting ──run──> working
 *       ^                 └──stop, died           └──stop, REST_MS
 *       └──────────────────────┴───────────────────────┘
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { Environment, Threads } from '../../base/environment.ts';
import type { Timer } from '../../base/time.ts';
import { ViewSaves } from './run.ts';
import type { SaveResult, SaveTask } from './task.ts';

/** Milliseconds for which a thread rests; its heap has some megabytes. */
const REST_MS = 60_000;
/** Milliseconds after which a snapshot is written where there are no threads. */
const INLINE_DELAY = 1;
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** How a task ended: with the thread's word, or without one where that has ended. */
export type SaveEnded = (end: 'saved' | 'failed' | 'died', message: string) => void;

export class Saver {
  readonly environment: Environment;
  private worker: Worker | null = null;
  /** Of the task under way. */
  private onEnd: SaveEnded | null = null;
  private rest: Timer | null = null;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  /** Begins; throws where no thread can be had. `onEnd` is called once, unless it is stopped before. */
  run(task: SaveTask, transfer: readonly MessagePort[], onEnd: SaveEnded): void {
    assert(this.onEnd === null, 'one is saved after another');
    const { threads, clock, disk } = this.environment;
    if (threads === null)
      clock.after(INLINE_DELAY, () => {
        if (this.onEnd === onEnd) this.told(new ViewSaves(disk).run(task));
      });
    else {
      this.rest?.cancel();
      this.worker ??= this.startThread(threads);
      this.worker.postMessage(task, transfer);
    }
    this.onEnd = onEnd;
  }

  /** Ends the thread, whatever it does; `then` is called when one has ended. */
  stop(then: () => void = () => {}): void {
    const { worker } = this;
    this.rest?.cancel();
    this.worker = null;
    this.onEnd = null;
    void worker?.terminate().then(then);
  }

  private startThread(threads: Threads): Worker {
    const worker = threads.start(new URL(`./worker.${EXTENSION}`, import.meta.url), {});
    worker.on('message', (result: SaveResult) => {
      if (this.worker === worker) this.told(result);
    });
    worker.once('error', (error) => this.died(worker, error.message));
    worker.once('exit', (code) => this.died(worker, `exit code ${code}`));
    worker.unref();
    return worker;
  }

  private told({ error }: SaveResult): void {
    if (this.worker !== null) {
      this.rest = this.environment.clock.after(REST_MS, () => this.stop());
      this.rest.unref();
    }
    this.ended(error === null ? 'saved' : 'failed', error ?? '');
  }

  private died(worker: Worker, message: string): void {
    if (this.worker !== worker) return;
    this.worker = null;
    this.rest?.cancel();
    this.ended('died', message);
  }

  private ended(end: 'saved' | 'failed' | 'died', message: string): void {
    const { onEnd } = this;
    this.onEnd = null;
    onEnd?.(end, message);
  }
}
