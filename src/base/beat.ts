/**
 * What several parts of a server do again and again, each time at the same moment for all: a process that does nothing else
 * is woken once for them, not once for each.
 *
 *   next(a), next(b) ── 100 ms ──> a, b: each asks for the next beat anew, where it wants one
 *
 * Whoever joins in the middle waits for less the first time.
 */
import type { Clock, Timer } from './time.ts';

export const BEATS_A_SECOND = 10;

/** Null once it is cancelled. */
type Place = { action: (() => void) | null };

export class Beat {
  private readonly clock: Clock;
  private places: Place[] = [];
  /** Places that are not cancelled. */
  private live = 0;
  private timer: Timer | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `action` once, with the next beat, in the order of the calls. */
  next(action: () => void): Pick<Timer, 'cancel'> {
    const place: Place = { action };
    this.places.push(place);
    this.live++;
    this.timer ??= this.clock.after(1000 / BEATS_A_SECOND, () => this.strike());
    return { cancel: () => this.cancel(place) };
  }

  private cancel(place: Place): void {
    const waits = this.places.includes(place) && place.action !== null;
    place.action = null;
    if (!waits || --this.live > 0) return;
    this.places = [];
    this.timer?.cancel();
    this.timer = null;
  }

  private strike(): void {
    const due = this.places;
    this.places = [];
    this.live = 0;
    this.timer = null;
    this.go(due, 0);
  }

  /** Where one throws, the others are called all the same. */
  private go(due: readonly Place[], from: number): void {
    let at = from;
    try {
      while (at < due.length) due[at++].action?.();
    } finally {
      if (at < due.length) this.clock.soon(() => this.go(due, at));
    }
  }
}
