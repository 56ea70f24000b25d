/** When the machine was away while something was measured, by threads that would have run then (witness.ts). */
import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../test/support/worker.ts';
import type { Probed } from './prober.ts';
import type { WitnessTask } from './witness.ts';

/** What is left of requests without those during which the machine was away. */
export interface Kept {
  /** Milliseconds of each. */
  readonly taken: Float64Array;
  readonly without: number;
}

interface Witness {
  readonly thread: Worker;
  readonly ended: Int32Array<SharedArrayBuffer>;
}

export class Stalls {
  private readonly witnesses: readonly Witness[];

  private constructor(witnesses: readonly Witness[]) {
    this.witnesses = witnesses;
  }

  /** Looks on these cores from now on; on none where a thread may not go before all others, since then it can't tell. */
  static async seenOn(cores: readonly string[]): Promise<Stalls> {
    const witnesses: Witness[] = [];
    // One after the other: a thread is told from others by its priority while it begins.
    for (const core of cores) {
      const ended = new Int32Array(new SharedArrayBuffer(4));
      const thread = startWorker(new URL('./witness.ts', import.meta.url));
      thread.postMessage({ core, ended } satisfies WitnessTask);
      const isFirst = await new Promise((told) => thread.once('message', told));
      if (isFirst === true) witnesses.push({ thread, ended });
      else await thread.terminate();
    }
    return new Stalls(witnesses);
  }

  /** Looks no longer. */
  async without({ begun, taken }: Probed): Promise<Kept> {
    const away = await this.end();
    let next = 0;
    const kept = taken.filter((milliseconds, i) => {
      const [from, to] = [begun[i], begun[i] + milliseconds];
      while (next < away.length && away[next][1] < from) next++;
      return next === away.length || away[next][0] > to;
    });
    return { taken: kept, without: taken.length - kept.length };
  }

  /** From when to when, in milliseconds, in their order. */
  private async end(): Promise<(readonly [number, number])[]> {
    const all: [number, number][] = [];
    for (const { thread, ended } of this.witnesses) {
      const told = new Promise<Float64Array>((resolve) => thread.once('message', resolve));
      Atomics.store(ended, 0, 1);
      const stalls = await told;
      await thread.terminate();
      for (let i = 0; i < stalls.length; i += 2) all.push([stalls[i], stalls[i + 1]]);
    }
    all.sort((a, b) => a[0] - b[0]);
    // Of two that overlap the one is within the other or goes on beyond it: together they are one.
    const merged: [number, number][] = [];
    for (const each of all) {
      const last = merged.at(-1);
      if (last !== undefined && each[0] <= last[1]) last[1] = Math.max(last[1], each[1]);
      else merged.push(each);
    }
    return merged;
  }
}
