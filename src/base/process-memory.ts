/**
 * The resident memory of the process, and how much of it is the runtime's: Node's code, its heap, compiled functions.
 *
 * What was resident at the start and is nobody's data is the runtime's, and so is its heap, but for what is known to be
 * data in it. Beyond that the runtime grows a little as it warms up; more than SLACK of what nobody can explain is not
 * taken for its own, so that memory which is held and shouldn't be shows in the server's ratios.
 *
 * To ask the system takes some 20 us, five times what all the rest of INFO does: it is asked ten times a second at most, as
 * often as Redis asks.
 */
import type { Clock } from './time.ts';
import type { Usage } from './usage.ts';

const SLACK = 16 * 1024 * 1024;
const FRESH_MICROSECONDS = 100_000;

export interface ProcessFigures {
  /** Bytes that the system counts as the process's. */
  readonly resident: number;
  readonly runtime: number;
}

export class ProcessMemory {
  private readonly usage: Usage;
  private readonly clock: Clock;
  private base = Number.POSITIVE_INFINITY;
  private asked: ReturnType<Usage['memory']> | null = null;
  private askedAt = 0;

  constructor(usage: Usage, clock: Clock) {
    this.usage = usage;
    this.clock = clock;
  }

  /** The server is at its start; `data` bytes of what is resident now are its own, `inHeap` of them in the heap. */
  begin(data: number, inHeap: number): void {
    const { rss, heapTotal } = this.usage.memory();
    this.base = rss - heapTotal - (data - inHeap);
  }

  figures(data: number, inHeap: number): ProcessFigures {
    const { rss, heapTotal } = this.recent();
    const rest = Math.max(0, rss - data);
    return { resident: rss, runtime: Math.min(rest, this.base + Math.max(0, heapTotal - inHeap) + SLACK) };
  }

  private recent(): ReturnType<Usage['memory']> {
    const now = this.clock.monotonic();
    if (this.asked === null || now - this.askedAt >= FRESH_MICROSECONDS) {
      this.asked = this.usage.memory();
      this.askedAt = now;
    }
    return this.asked;
  }
}
