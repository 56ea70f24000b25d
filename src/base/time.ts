/**
 * Time is handed in: whoever needs it gets a `Clock`. The real one reads the machine's; a virtual one stands still until
 * a test advances it, and fires its timers in order of their time.
 *
 * Test runners put timers of their own in place of the global ones. The server's are those that Node has: it goes on answering,
 * and no timer of its own is lost when the runner's go. The date is asked for each time, so that keys live by the runner's.
 */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { assert } from './assert.ts';

const { timeOrigin } = performance;
const sinceOrigin = performance.now.bind(performance);

export interface Timer {
  cancel(): void;
  /** Lets the process end while it waits. */
  unref(): void;
}

export interface Clock {
  /** Milliseconds of wall time since 1970, whole. */
  now(): number;
  /** The same in microseconds. */
  micros(): number;
  /** Microseconds since some fixed moment, never going back: for measuring and for intervals. */
  monotonic(): number;
  /** Calls `action` once after `ms` milliseconds; there is no upper limit. */
  after(ms: number, action: () => void): Timer;
  /** Calls `action` once the event loop has looked at what has arrived; in the order of the calls. */
  soon(action: () => void): void;
}

/** Whole seconds of wall time since 1970. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** A slice of so many microseconds from now on: what tells whether it is over. */
export function sliceOf(micros: number, clock: Pick<Clock, 'monotonic'>): () => boolean {
  const end = clock.monotonic() + micros;
  return () => clock.monotonic() >= end;
}

/** So far apart the date and the time since the process began have nothing to do with each other. */
const DATE_SET_MS = 1000;
/** The longest that a timer of Node waits. */
const LONGEST_WAIT = 0x7fffffff;

class RealTimer implements Timer {
  private handle: NodeJS.Timeout | undefined;
  private readonly action: () => void;

  constructor(ms: number, action: () => void) {
    this.action = action;
    this.wait(Math.max(0, ms));
  }

  private wait(ms: number): void {
    const step = ms > LONGEST_WAIT ? LONGEST_WAIT : ms;
    this.handle = setTimeout(() => {
      if (ms > step) this.wait(ms - step);
      else this.action();
    }, step);
  }

  cancel(): void {
    clearTimeout(this.handle);
  }

  unref(): void {
    this.handle?.unref();
  }
}

export class RealClock implements Clock {
  now(): number {
    return Date.now();
  }

  micros(): number {
    const date = Date.now();
    const precise = timeOrigin + sinceOrigin();
    // The date may have been set since the process began.
    return Math.floor((Math.abs(precise - date) < DATE_SET_MS ? precise : date) * 1000);
  }

  monotonic(): number {
    return Math.floor(sinceOrigin() * 1000);
  }

  after(ms: number, action: () => void): Timer {
    return new RealTimer(ms, action);
  }

  soon(action: () => void): void {
    setImmediate(action);
  }
}

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

/** Stands still until it is advanced. */
export class VirtualClock implements Clock {
  private elapsed = 0;
  private readonly start: number;
  private order = 0;
  private readonly pending: Pending[] = [];

  /** `start` is the wall time at which it begins, in milliseconds. */
  constructor(start = 1_600_000_000_000) {
    this.start = start;
  }

  now(): number {
    return Math.floor(this.start + this.elapsed);
  }

  micros(): number {
    return Math.floor((this.start + this.elapsed) * 1000);
  }

  monotonic(): number {
    return Math.floor(this.elapsed * 1000);
  }

  after(ms: number, action: () => void): Timer {
    const entry: Pending = { at: this.elapsed + Math.max(0, ms), order: this.order++, action };
    this.pending.push(entry);
    this.pending.sort((a, b) => a.at - b.at || a.order - b.order);
    return {
      cancel: () => {
        const index = this.pending.indexOf(entry);
        if (index >= 0) this.pending.splice(index, 1);
      },
      unref: () => {},
    };
  }

  /** Time stands still, but not the event loop. */
  soon(action: () => void): void {
    setImmediate(action);
  }

  /** Milliseconds until the next timer fires; undefined where there is none. */
  get untilNext(): number | undefined {
    return this.pending.length === 0 ? undefined : this.pending[0].at - this.elapsed;
  }

  /** Moves on by `ms` milliseconds, firing on the way every timer that falls due, each at its own time. */
  advance(ms: number): void {
    assert(ms >= 0, 'time goes forward');
    const target = this.elapsed + ms;
    while (this.pending.length > 0 && this.pending[0].at <= target) {
      const due = this.pending.shift()!;
      this.elapsed = due.at;
      due.action();
    }
    this.elapsed = target;
  }
}
