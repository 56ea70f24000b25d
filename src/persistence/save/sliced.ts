/**
 * A frozen view saved as a stream of chunks, in slices of the event loop: for a replica without a disk, for a snapshot in
 * memory, and wherever there are no threads. Bytes go no faster than they are taken.
 *
 *   running ──taker says that it is full──> full ──resume──> running
 *      │                                      │
 *      ├──all is written──> ended             │
 *      └──abort, or an error──> ended <─abort─┘
 *
 * Invariants (verify): a slice is due if and only if it is running; the view is left exactly once, when it ends; `onEnd` is
 * called once, after the last chunk. Beyond what the taker has asked for, no more is made than the key at hand takes.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/time.ts';
import { FrozenMemory } from '../../memory/frozen.ts';
import type { FrozenImage, FrozenView } from '../../memory/view.ts';
import type { Dataset, DatasetWriter } from './dataset.ts';
import { datasetWriter, type SaveFormat } from './format.ts';

/** A slice ends after so many microseconds, or keys. */
const SLICE_MICROS = 1000;
const SLICE_KEYS = 1024;
/** Keys between two looks at the clock. */
const KEYS_PER_LOOK = 16;
/** In microseconds. */
const MILLISECOND = 1000;

export interface SlicedSaveOptions {
  readonly clock: Clock;
  readonly view: FrozenView;
  /** The view's own, or that of another reader. */
  readonly image: FrozenImage;
  readonly dataset: Dataset;
  readonly format: SaveFormat;
  /** Microseconds to wait for after each key (rdb-key-save-delay). */
  readonly delay?: number;
  /** Takes bytes, which are its own from then on; false where it wants no more before it calls `resume`. */
  readonly take: (chunk: Uint8Array) => boolean;
  /** Null when all has been taken, else why not. */
  readonly onEnd: (error: Error | null) => void;
}

export class SlicedSave {
  /** Microseconds to wait for after each key. */
  delay: number;
  private steps = 0;
  private state: 'running' | 'full' | 'ended' = 'running';
  private due = false;
  private readonly options: SlicedSaveOptions;
  private readonly memory: FrozenMemory;
  private readonly writer: DatasetWriter;

  constructor(options: SlicedSaveOptions) {
    const { image, dataset, format } = options;
    this.options = options;
    this.delay = options.delay ?? 0;
    this.memory = new FrozenMemory(image);
    this.writer = datasetWriter(this.memory, dataset, format, (bytes) => {
      if (!options.take(bytes.slice()) && this.state === 'running') this.state = 'full';
    });
    this.schedule();
  }

  /** Keys written so far; the first step is what comes before them. */
  get keys(): number {
    return Math.max(0, this.steps - 1);
  }

  /** The taker wants more; not within `take`. */
  resume(): void {
    if (this.state !== 'full') return;
    this.state = 'running';
    this.schedule();
  }

  /** Ends it where it is. */
  abort(): void {
    this.end(new Error('the snapshot is not wanted any more'));
  }

  private schedule(): void {
    if (this.due) return;
    this.due = true;
    const { clock } = this.options;
    if (this.delay > 0) clock.after(Math.ceil(this.delay / MILLISECOND), () => this.slice());
    else clock.soon(() => this.slice());
  }

  private slice(): void {
    this.due = false;
    if (this.state !== 'running') return;
    try {
      if (!this.work()) this.end(null);
    } catch (error) {
      this.end(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.state === 'running') this.schedule();
    this.verify();
  }

  /** False when all has been written. */
  private work(): boolean {
    const { clock } = this.options;
    const until = clock.monotonic() + SLICE_MICROS;
    const most = this.delay > 0 ? Math.max(1, Math.floor(MILLISECOND / this.delay)) : SLICE_KEYS;
    for (let keys = 1; keys <= most && this.state === 'running'; keys++) {
      if (!this.writer.step()) return false;
      this.steps++;
      if (keys % KEYS_PER_LOOK === 0 && clock.monotonic() >= until) break;
    }
    return true;
  }

  /** What was aborted within `take` has ended by the time that the key at hand has. */
  private end(error: Error | null): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.memory.close();
    this.options.view.leave();
    this.options.onEnd(error);
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    assert(this.due === (this.state === 'running'), 'a slice is due while it is running');
  }
}
