/**
 * What several parts of a server do again and again, each time at the same moment for all: a process that does nothing else
 * is woken once for them, not once for each.
 *
 *   next(a), next(b) ── 100 ms ──> a, b: each asks for the next beat anew, where it wants one
 *   next(c, 10) ── a second, or with a beat shortly before ──> c, unless somebody says `hurry`: then with the next beat
 *   waiting(d, 10) ── the same ──> d, whatever the others say
 *
 * Whoever joins in the middle waits for less the first time. Invariant: the timer runs if and only if somebody waits, and
 * strikes no later than the first of them is due.
 */
import type { Clock, Timer } from './time.ts';

export const BEATS_A_SECOND = 10;
const PERIOD = 1000 / BEATS_A_SECOND;
/** Who is due so soon goes along with a beat. */
const ALONG = PERIOD / 2;

/** `action` is null once it is cancelled; `at` in monotonic ms. */
type Place = { action: (() => void) | null; at: number; readonly hurries: boolean };

export class Beat {
  private readonly clock: Clock;
  private places: Place[] = [];
  private timer: Timer | null = null;
  /** When the timer strikes. */
  private at = 0;
  private striking = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `action` once, with the next beat, or within so many; in the order of the calls. */
  next(action: () => void, beats = 1): Pick<Timer, 'cancel'> {
    return this.take(action, beats, true);
  }

  /** The same for one whom `hurry` does not concern: what goes on is nothing to him. */
  waiting(action: () => void, beats: number): Pick<Timer, 'cancel'> {
    return this.take(action, beats, false);
  }

  private take(action: () => void, beats: number, hurries: boolean): Pick<Timer, 'cancel'> {
    const latest = this.now + beats * PERIOD;
    const at = beats === 1 && this.timer !== null ? Math.min(this.at, latest) : latest;
    const place: Place = { action, at, hurries };
    this.places.push(place);
    if (!this.striking) this.wind();
    return { cancel: () => this.cancel(place) };
  }

  /** Something is going on: whoever waits for longer is called with the next beat. */
  hurry(): void {
    const latest = this.now + PERIOD;
    for (const place of this.places) if (place.hurries) place.at = Math.min(place.at, latest);
    if (!this.striking) this.wind();
  }

  private get now(): number {
    return this.clock.monotonic() / 1000;
  }

  private cancel(place: Place): void {
    place.action = null;
    this.places = this.places.filter((other) => other !== place);
    if (this.places.length === 0 && !this.striking) this.wind();
  }

  /** Sets the timer for whoever waits shortest. */
  private wind(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const place of this.places) at = Math.min(at, place.at);
    if (this.timer !== null && this.at <= at && at < Number.POSITIVE_INFINITY) return;
    this.timer?.cancel();
    this.at = at;
    const wait = Math.max(0, at - this.now);
    this.timer = at === Number.POSITIVE_INFINITY ? null : this.clock.after(wait, () => this.strike());
  }

  private strike(): void {
    const limit = this.now + ALONG;
    const due = this.places.filter(({ at }) => at <= limit);
    this.places = this.places.filter(({ at }) => at > limit);
    this.timer = null;
    this.striking = true;
    this.go(due, 0);
  }

  /** Where one throws, the others are called all the same. */
  private go(due: readonly Place[], from: number): void {
    let at = from;
    try {
      while (at < due.length) due[at++].action?.();
    } finally {
      if (at < due.length) this.clock.soon(() => this.go(due, at));
      else {
        this.striking = false;
        this.wind();
      }
    }
  }
}
