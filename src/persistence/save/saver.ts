/**
 * Who saves frozen views, one after another: a thread (worker.ts), or the event loop where there are none. Until a thread has
 * read and compiled its code it takes several times as long for a key, so that it stays for a while, for the next one.
 */

import type { MessagePort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { Environment } from '../../base/environment.ts';
import { RestingThread } from '../../base/resting-thread.ts';
import { EXTENSION } from '../../base/thread.ts';
import { ViewSaves } from './run.ts';
import type { SaveResult, SaveTask } from './task.ts';

/** Milliseconds for which a thread rests; its heap has some megabytes. */
const REST_MS = 60_000;
/** Milliseconds after which a snapshot is written where there are no threads. */
const INLINE_DELAY = 1;

/** How a task ended: with the thread's word, or without one where that has ended. */
export type SaveEnded = (end: 'saved' | 'failed' | 'died', message: string) => void;

export class Saver {
  readonly environment: Environment;
  /** Null where the event loop saves. */
  private readonly thread: RestingThread<SaveTask, SaveResult> | null;
  /** Of the task under way. */
  private onEnd: SaveEnded | null = null;

  constructor(environment: Environment) {
    const { clock, threads } = environment;
    this.environment = environment;
    this.thread =
      threads &&
      new RestingThread<SaveTask, SaveResult>({
        clock,
        threads,
        file: new URL(`./worker.${EXTENSION}`, import.meta.url),
        restMs: REST_MS,
        told: (result) => this.told(result),
        died: (message) => this.ended('died', message),
      });
  }

  /** Begins; throws where no thread can be had. `onEnd` is called once, unless it is stopped before. */
  run(task: SaveTask, transfer: readonly MessagePort[], onEnd: SaveEnded): void {
    assert(this.onEnd === null, 'one is saved after another');
    const { clock, disk } = this.environment;
    if (this.thread !== null) this.thread.post(task, transfer);
    else
      clock.after(INLINE_DELAY, () => {
        if (this.onEnd === onEnd) this.told(new ViewSaves(disk).run(task));
      });
    this.onEnd = onEnd;
  }

  /** Ends the thread, whatever it does; `then` is called when one has ended. */
  stop(then: () => void = () => {}): void {
    this.onEnd = null;
    this.thread?.stop(then);
  }

  private told({ error }: SaveResult): void {
    this.thread?.idle();
    this.ended(error === null ? 'saved' : 'failed', error ?? '');
  }

  private ended(end: 'saved' | 'failed' | 'died', message: string): void {
    const { onEnd } = this;
    this.onEnd = null;
    onEnd?.(end, message);
  }
}
