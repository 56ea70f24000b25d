/** Threads that a test wants to see, or to end. */
import type { Worker } from 'node:worker_threads';
import type { Threads } from '../../src/base/environment.ts';
import { startThread } from '../../src/base/thread.ts';

/** Starts threads as in service, and knows them in the order in which they were started. */
export class StartedThreads implements Threads {
  readonly all: Worker[] = [];

  start(...args: Parameters<Threads['start']>): Worker {
    const thread = startThread(...args);
    this.all.push(thread);
    return thread;
  }
}
