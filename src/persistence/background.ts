/**
 * What writes a frozen view of the data in the background: a snapshot, or the base of a rewritten append-only file. There
 * is one at a time, and for INFO it counts as Redis's forked child.
 *
 *   idle ──start───> a job of a kind (`replicas` excepted) ──saved, failed, died, or aborted──> idle, then `onEnd`
 *        ──stream──> a stream for replicas ──taken, failed, or aborted──> idle, then `onEnd`
 *
 * Invariants (verify): there is a kind if and only if there is a job or a stream, of which there is one at most; it has
 * the image's only view.
 */
import { assert } from '../base/assert.ts';
import type { Environment } from '../base/environment.ts';
import { unixSeconds } from '../base/time.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import { FrozenView } from '../memory/view.ts';
import { countKeys, type Dataset } from './save/dataset.ts';
import type { SaveTarget } from './save/file.ts';
import type { SaveFormat } from './save/format.ts';
import { type JobEnd, SaveJob } from './save/job.ts';
import { Saver } from './save/saver.ts';
import { SlicedSave } from './save/sliced.ts';

export type BackgroundKind = 'snapshot' | 'rewrite' | 'replicas';

export class Background {
  kind: BackgroundKind | null = null;
  /** Views that were opened, and microseconds that the last one took. */
  forks = 0;
  forkMicros = 0;
  /** Unix time in seconds at which the present one began. */
  startedAt = 0;
  private readonly engine: Engine;
  private readonly environment: Environment;
  private readonly log: Log;
  private readonly saver: Saver;
  private job: SaveJob | null = null;
  private streamed: { readonly save: SlicedSave; readonly view: FrozenView } | null = null;
  private total = 0;
  private peakCow = 0;

  constructor(environment: Environment, engine: Engine, log: Log) {
    this.environment = environment;
    this.engine = engine;
    this.log = log;
    this.saver = new Saver(environment);
  }

  /** Whether there is a view already, so that no other can be had. */
  get busy(): boolean {
    return this.kind !== null || this.engine.memory.frozen;
  }

  set delay(micros: number) {
    if (this.job !== null) this.job.delay = micros;
    if (this.streamed !== null) this.streamed.save.delay = micros;
  }

  /** Begins; throws where no view or no thread can be had. `onEnd` is called once, with the bytes that were preserved. */
  start(
    kind: BackgroundKind,
    dataset: Dataset,
    target: SaveTarget,
    delay: number,
    onEnd: (end: JobEnd, message: string, cow: number) => void,
  ): void {
    const { engine, environment } = this;
    const { clock } = environment;
    const begin = clock.monotonic();
    assert(this.job === null, 'one job at a time');
    const job: SaveJob = new SaveJob(this.saver, engine.memory, dataset, target, delay, (end, message) => {
      const cow = job.view.preservedBytes;
      assert(this.job === job, 'the job that ends is the one under way');
      this.kind = null;
      this.job = null;
      this.total = 0;
      onEnd(end, message, cow);
    });
    this.job = job;
    this.begun(kind, dataset, begin);
  }

  /** The same in chunks for `take`, as `SlicedSave` does it; `onEnd` hears null when all has been taken. */
  stream(
    dataset: Dataset,
    format: SaveFormat,
    delay: number,
    take: (chunk: Uint8Array) => boolean,
    onEnd: (error: Error | null, cow: number) => void,
  ): SlicedSave {
    const { engine, environment } = this;
    const { clock } = environment;
    const begin = clock.monotonic();
    const view = new FrozenView(engine.memory);
    const ended = (error: Error | null): void => {
      this.kind = null;
      this.streamed = null;
      this.total = 0;
      onEnd(error, view.preservedBytes);
    };
    const save = new SlicedSave({ clock, view, image: view.image, dataset, format, delay, take, onEnd: ended });
    this.streamed = { save, view };
    this.begun('replicas', dataset, begin);
    return save;
  }

  private begun(kind: BackgroundKind, dataset: Dataset, begin: number): void {
    const { engine, environment } = this;
    const { clock } = environment;
    this.kind = kind;
    this.peakCow = 0;
    this.startedAt = unixSeconds(clock);
    this.total = countKeys(engine.memory, dataset.roots);
    this.forkMicros = clock.monotonic() - begin;
    this.forks++;
    engine.latency.observe('fork', this.forkMicros / 1000, clock.now());
    this.verify();
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const { kind, job, streamed } = this;
    assert((kind === null) === (job === null && streamed === null), 'a job or a stream is of a kind');
    assert((kind === 'replicas') === (streamed !== null), 'a stream is for replicas');
    assert(kind === null || this.engine.memory.frozen, 'a view is read while there is a kind');
  }

  /** Ends what is under way, unless it is of another kind; its `onEnd` is told before this returns. */
  abort(kind: BackgroundKind): void {
    if (this.kind !== kind) return;
    this.job?.abort();
    this.streamed?.save.abort();
  }

  /** Nothing is written any more. */
  close(): void {
    this.saver.stop();
  }

  /** Tells the log why none could begin: what `start` or `stream` has thrown. */
  tellRefusal(error: unknown): void {
    this.log.warning(`Can't save in background: fork: ${error instanceof Error ? error.message : error}`);
  }

  /** Tells the log what a view has cost that has just ended. */
  tellCow(label: string, bytes: number): void {
    const megabytes = Math.round(bytes / 1048576);
    this.log.notice(`Fork CoW for ${label}: current ${megabytes} MB, peak ${megabytes} MB, average ${megabytes} MB`);
  }

  figures(): Readonly<Record<string, string | number>> {
    const view = this.job?.view ?? this.streamed?.view;
    const cow = view?.preservedBytes ?? 0;
    this.peakCow = Math.max(this.peakCow, cow);
    const keys = this.job?.keys ?? this.streamed?.save.keys ?? 0;
    const percent = this.total === 0 ? 0 : (keys * 100) / this.total;
    return {
      current_cow_peak: this.kind === null ? 0 : this.peakCow,
      current_cow_size: cow,
      current_cow_size_age: 0,
      current_fork_perc: percent.toFixed(2),
      current_save_keys_processed: keys,
      current_save_keys_total: this.total,
    };
  }
}
