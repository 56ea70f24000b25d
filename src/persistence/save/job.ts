/** One snapshot in the background: a frozen view, who saves it, and how that ended. */
import { join } from 'node:path';
import { removeQuietly } from '../../base/disk.ts';
import type { Memory } from '../../memory/memory.ts';
import { FrozenView } from '../../memory/view.ts';
import type { Dataset } from './dataset.ts';
import { type SaveTarget, temporaryFile } from './file.ts';
import type { Saver } from './saver.ts';
import { ABORT, CONTROL_BYTES, DELAY, KEYS, type SaveTask } from './task.ts';

/** 'died' is a thread that ended without a word; 'aborted' one that was told to end. */
export type JobEnd = 'saved' | 'failed' | 'died' | 'aborted';

export class SaveJob {
  readonly view: FrozenView;
  private readonly saver: Saver;
  private readonly target: SaveTarget;
  private readonly control = new SharedArrayBuffer(CONTROL_BYTES);
  private readonly words = new Int32Array(this.control);
  private readonly onEnd: (end: JobEnd, message: string) => void;
  private ended = false;

  /** Begins; throws where no view or no thread can be had. `saver` has nothing else to do; `onEnd` is called once. */
  constructor(
    saver: Saver,
    memory: Memory,
    dataset: Dataset,
    target: SaveTarget,
    delay: number,
    onEnd: (end: JobEnd, message: string) => void,
  ) {
    this.saver = saver;
    this.target = target;
    this.onEnd = onEnd;
    this.words[DELAY] = delay;
    this.view = new FrozenView(memory);
    try {
      const task: SaveTask = { image: this.view.image, dataset, target, control: this.control };
      saver.run(task, this.view.transfer, (end, message) => this.end(end, message));
    } catch (error) {
      this.view.close();
      throw error;
    }
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
    this.saver.stop(() => this.removeTraces());
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
    const { disk } = this.saver.environment;
    const { folder, name, base } = this.target;
    removeQuietly(disk, temporaryFile(this.target));
    if (base !== undefined) removeQuietly(disk, join(folder, name));
  }
}
