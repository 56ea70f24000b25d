/**
 * Which core does what while waits are measured. Where there are as many busy threads as cores, the system takes the core from
 * the one that is measured, for ticks of 4 ms at a time, and what a client waits for is the system's choice. On larger
 * machines it has no such choice to make; on a small one the choice is taken from it.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import type { ServerProcess } from '../../test/support/server-process.ts';

const THEIRS = '0';

/** Milliseconds after which threads that a server has started meanwhile are seen. */
const LOOK_EVERY = 20;

function place(...options: string[]): void {
  execFileSync('taskset', options, { stdio: 'ignore' });
}

/** A thread that the system's own work on its core must not keep waiting for a tick. */
function goBefore(thread: string): void {
  try {
    execFileSync('renice', ['-n', '-20', '-p', thread], { stdio: 'ignore' });
  } catch {
    // Only root may.
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Gives main threads of servers a core to themselves, where `wanted` and where Linux and its `taskset` can. */
export class Apart {
  /** The cores of everything else; undefined where the system decides. */
  private readonly rest: string | undefined;

  /** Takes this process, and what it starts from now on, off that core. */
  constructor(wanted: boolean) {
    if (!wanted || cpus().length < 2) return;
    try {
      const rest = `1-${cpus().length - 1}`;
      place('-acp', rest, String(process.pid));
      this.rest = rest;
    } catch {
      // There is no taskset, or it may not.
    }
  }

  /** For a heading. */
  get told(): string {
    return this.rest === undefined
      ? 'cores as the system shares them'
      : 'a core for the main thread, the rest for all else';
  }

  /** Moves a server's threads to where they belong, those as well that it starts while `measure` runs. */
  async during<T>({ pid }: ServerProcess, measure: () => Promise<T>): Promise<T> {
    const { rest } = this;
    if (rest === undefined) return measure();
    const main = String(pid);
    const placed = new Set([main]);
    place('-cp', THEIRS, main);
    goBefore(main);
    const placeNew = (): void => {
      for (const thread of threadsOf(pid)) {
        if (placed.has(thread)) continue;
        placed.add(thread);
        place('-cp', rest, thread);
      }
    };
    placeNew();
    const timer = setInterval(placeNew, LOOK_EVERY);
    try {
      return await measure();
    } finally {
      clearInterval(timer);
    }
  }
}
