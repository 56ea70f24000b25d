/**
 * A thread that is started when there is something to do for it, and ended when there has been nothing for a while.
 *
 *   no thread ──post──> working ──idle──> resting ──post──> working
 *       ^                  └──stop, died        └──stop, rests over
 *       └─────────────────────┴────────────────────┘
 */
import type { Transferable, Worker } from 'node:worker_threads';
import type { Threads } from './environment.ts';
import type { Clock, Timer } from './time.ts';

export interface RestingThreadOptions<Result> {
  readonly clock: Clock;
  readonly threads: Threads;
  /** The module that runs in it. */
  readonly file: URL;
  /** Milliseconds for which it rests. */
  readonly restMs: number;
  /** What it says. */
  readonly told: (result: Result) => void;
  /** It has ended without having been asked to. */
  readonly died: (message: string) => void;
}

export class RestingThread<Task, Result> {
  private readonly options: RestingThreadOptions<Result>;
  private worker: Worker | null = null;
  private rest: Timer | null = null;

  constructor(options: RestingThreadOptions<Result>) {
    this.options = options;
  }

  /** Gives it something to do; throws where no thread can be had. */
  post(task: Task, transfer: readonly Transferable[] = []): void {
    this.rest?.cancel();
    this.rest = null;
    this.worker ??= this.start();
    this.worker.postMessage(task, transfer);
  }

  /** There is nothing left for it to do. */
  idle(): void {
    if (this.worker === null || this.rest !== null) return;
    this.rest = this.options.clock.after(this.options.restMs, () => this.stop());
    this.rest.unref();
  }

  /** Ends it, whatever it does; `then` is called when one has ended. */
  stop(then: () => void = () => {}): void {
    const { worker } = this;
    this.forget();
    void worker?.terminate().then(then);
  }

  private start(): Worker {
    const { threads, file, told } = this.options;
    const worker = threads.start(file, {});
    worker.on('message', (result: Result) => {
      if (this.worker === worker) told(result);
    });
    worker.once('error', (error) => this.died(worker, error.message));
    worker.once('exit', (code) => this.died(worker, `exit code ${code}`));
    worker.unref();
    return worker;
  }

  private died(worker: Worker, message: string): void {
    if (this.worker !== worker) return;
    this.forget();
    this.options.died(message);
  }

  private forget(): void {
    this.rest?.cancel();
    this.rest = null;
    this.worker = null;
  }
}
