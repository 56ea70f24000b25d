/** One snapshot in the background: a frozen view, a thread that saves it, and how that ended. */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { removeQuietly } from '../../base/disk.ts';
import type { Environment, Threads } from '../../base/environment.ts';
import type { Memory } from '../../memory/memory.ts';
import { FrozenView } from '../../memory/view.ts';
import type { Dataset } from './dataset.ts';
import { type SaveTarget, temporaryFile } from './file.ts';
import { runSave } from './run.ts';
import { ABORT, CONTROL_BYTES, DELAY, KEYS, type SaveResult, type SaveTask } from './task.ts';

/** 'died' is a thread that ended without a word; 'aborted' one that was told to end. */
export type JobEnd = 'saved' | 'failed' | 'died' | 'aborted';

/** Milliseconds after which a snapshot is written where there are no threads. */
const INLINE_DELAY = 1;
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export class SaveJob {
  readonly view: FrozenView;
  private readonly environment: Environment;
  private readonly target: SaveTarget;
  private readonly control = new SharedArrayBuffer(CONTROL_BYTES);
  private readonly words = new Int32Array(this.control);
  private readonly worker: Worker | null;
  private readonly onEnd: (end: JobEnd, message: string) => void;
  private ended = false;

  /** Begins; throws where no view or no thread can be had. `onEnd` is called once. */
  constructor(
    environment: Environment,
    memory: Memory,
    dataset: Dataset,
    target: SaveTarget,
    delay: number,
    onEnd: (end: JobEnd, message: string) => void,
  ) {
    this.environment = environment;
    this.target = target;
    this.onEnd = onEnd;
    this.words[DELAY] = delay;
    this.view = new FrozenView(memory);
    try {
      const task: SaveTask = { image: this.view.image, dataset, target, control: this.control };
      const { threads } = environment;
      this.worker = threads === null ? null : this.startThread(threads, task);
      if (threads === null) environment.clock.after(INLINE_DELAY, () => this.runInline(task));
    } catch (error) {
      this.view.close();
      throw error;
    }
  }

  private startThread(threads: Threads, task: SaveTask): Worker {
    const file = new URL(`./worker.${EXTENSION}`, import.meta.url);
    const worker = threads.start(file, { workerData: task, transferList: this.view.transfer });
    worker.once('message', (result: SaveResult) => this.told(result));
    worker.once('error', (error) => this.end('died', error.message));
    worker.once('exit', (code) => this.end('died', `exit code ${code}`));
    worker.unref();
    return worker;
  }

  /** Without threads: from the view all the same, since commands have run meanwhile. */
  private runInline(task: SaveTask): void {
    if (!this.ended) this.told(runSave(this.environment.disk, task));
  }

  private told({ error }: SaveResult): void {
    this.end(error === null ? 'saved' : 'failed', error ?? '');
  }

  /** Keys saved so far. */
  get keys(): number {
    return this.words[KEYS];
  }

  /** Microseconds that each key is to take, for tests. */
  set delay(micros: number) {
    this.words[DELAY] = micros;
  }

  /** Ends the job without a snapshot; the file that was there stays. */
  abort(): void {
    if (this.ended) return;
    Atomics.store(this.words, ABORT, 1);
    Atomics.notify(this.words, ABORT);
    void this.worker?.terminate().then(() => this.removeTraces());
    this.removeTraces();
    this.end('aborted', '');
  }

  private end(end: JobEnd, message: string): void {
    if (this.ended) return;
    this.ended = true;
    this.view.close();
    if (end === 'died') this.removeTraces();
    this.onEnd(end, this.view.lost ? 'no memory for preserving pages' : message);
  }

  /** Removes what is half written; of a base of the log also what is whole, since nobody will take it over any more. */
  private removeTraces(): void {
    const { disk } = this.environment;
    const { folder, name, base } = this.target;
    removeQuietly(disk, temporaryFile(this.target));
    if (base !== undefined) removeQuietly(disk, join(folder, name));
  }
}
