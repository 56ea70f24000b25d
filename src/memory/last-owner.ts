/**
 * Who holds the buffers that were let go of until V8 has found them dead here: the system takes their pages back where they
 * are held last, which is in another thread then.
 *
 *   event loop                          last-owner-thread.ts
 *   let go of ───── id, buffer ──────>  holds it too
 *   found dead ──── id ──────────────>  lets go of it, collects: 64 MiB are unmapped, 5 ms
 *   gone       <─── ids ─────────────
 *
 * V8 would do it in a helper of the event loop's heap, for which the next collection waits, however short: 7 ms were seen
 * where a scavenge took 0.4.
 */

import type { Threads } from '../base/environment.ts';
import { RestingThread } from '../base/resting-thread.ts';
import { EXTENSION } from '../base/thread.ts';
import type { Clock } from '../base/time.ts';

/** To the thread: a buffer to be held, or none where it is to let go of the one of that number. */
export interface Held {
  readonly id: number;
  readonly buffer?: SharedArrayBuffer;
}

/** The thread's word: whose memory has gone. */
export type Gone = readonly number[];

export interface LastOwner {
  /** Holds a buffer until `release` is called. */
  hold(id: number, buffer: SharedArrayBuffer): void;
  /** Nobody else holds it any more; `gone` is called once nobody does. */
  release(id: number, gone: () => void): void;
}

/** Milliseconds for which the thread waits for more. */
const REST_MS = 2000;

export class OwningThread implements LastOwner {
  private readonly thread: RestingThread<Held, Gone>;
  private readonly held = new Set<number>();
  private readonly released = new Map<number, () => void>();

  constructor(clock: Clock, threads: Threads) {
    this.thread = new RestingThread<Held, Gone>({
      clock,
      threads,
      file: new URL(`./last-owner-thread.${EXTENSION}`, import.meta.url),
      restMs: REST_MS,
      told: (ids) => {
        for (const id of ids) this.gone(id);
      },
      died: () => this.died(),
    });
  }

  hold(id: number, buffer: SharedArrayBuffer): void {
    try {
      this.thread.post({ id, buffer });
      this.held.add(id);
    } catch {
      // Without a thread it goes where V8 finds it dead.
    }
  }

  release(id: number, gone: () => void): void {
    if (!this.held.delete(id)) {
      gone();
      return;
    }
    this.released.set(id, gone);
    this.thread.post({ id });
  }

  private gone(id: number): void {
    this.released.get(id)?.();
    this.released.delete(id);
    if (this.held.size + this.released.size === 0) this.thread.idle();
  }

  /** What it held has gone with it, or goes as if there had never been one. */
  private died(): void {
    this.held.clear();
    for (const id of [...this.released.keys()]) this.gone(id);
  }
}
