/**
 * Connections of browsers: how many there may be, and how long each may take for what.
 *
 *   accepted ──HEAD──> asked ──BODY──> worked on ──> answered ──ANSWER──> taken ──IDLE──> closed
 *                      ^                                                   │
 *                      └──────────────────── the next ────────────────────────┘
 *
 * What does not go on within such a time is ended. What waits for the server (a stream of events, a command that blocks) has all
 * the time there is.
 */
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/time.ts';

/** So many connections at a time; further ones are closed at once. */
const MOST = 128;
/** Milliseconds. */
export const HEAD_MS = 10_000;
export const BODY_MS = 30_000;
export const ANSWER_MS = 60_000;
export const IDLE_MS = 60_000;
const LOOK_MS = 1000;

export class Connections {
  private readonly clock: Clock;
  /** Until when something must have happened, in monotonic microseconds. */
  private readonly deadlines = new Map<Duplex, number>();
  private timer: Timer | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.deadlines.size;
  }

  /** False where there are too many: it is closed. */
  admit(stream: Duplex): boolean {
    stream.on('error', () => stream.destroy());
    if (this.deadlines.size >= MOST) {
      stream.destroy();
      return false;
    }
    this.deadlines.set(stream, 0);
    this.expect(stream, HEAD_MS);
    stream.once('close', () => this.deadlines.delete(stream));
    this.look();
    return true;
  }

  /** It is ended unless something happens within so many milliseconds. */
  expect(stream: Duplex, ms: number): void {
    if (this.deadlines.has(stream)) this.deadlines.set(stream, this.clock.monotonic() + ms * 1000);
  }

  close(): void {
    this.timer?.cancel();
    this.timer = null;
    for (const stream of this.deadlines.keys()) stream.destroy();
    this.deadlines.clear();
  }

  private look(): void {
    this.timer ??= this.clock.after(LOOK_MS, () => {
      this.timer = null;
      const now = this.clock.monotonic();
      for (const [stream, deadline] of this.deadlines) if (deadline < now) stream.destroy();
      if (this.deadlines.size > 0) this.look();
    });
    this.timer.unref();
  }
}
