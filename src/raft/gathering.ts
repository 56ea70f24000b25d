/**
 * When what a leader has done is proposed. At the end of its turn; but while a proposal is under way, together with what comes
 * meanwhile: under load there are few proposals then, each of them with much, and whoever is alone waits for nothing. It waits
 * for no longer than a commit takes among neighbours: where members are far apart that is little beside the commit.
 */
import type { Clock, Timer } from '../base/time.ts';
import type { Effects } from './payloads.ts';

/** The most milliseconds for which a proposal waits for the one before it. */
const MOST_MS = 2;
/** Bytes of effects that wait for nothing. */
const ENOUGH_BYTES = 128 * 1024;

export class Gathering {
  private readonly clock: Clock;
  private readonly effects: Effects;
  private readonly propose: () => void;
  /** The last entry that was proposed, and when, in microseconds. */
  private last = 0;
  private since = 0;
  /** Ends the waiting. */
  private timer: Timer | null = null;

  /** `propose` is called when there is something that has waited for long enough. */
  constructor(clock: Clock, effects: Effects, propose: () => void) {
    this.clock = clock;
    this.effects = effects;
    this.propose = propose;
  }

  /** A turn ends. */
  turnEnds(commit: number): void {
    if (this.effects.empty) return;
    if (this.isOver(commit)) this.propose();
    else
      this.timer ??= this.clock.after(MOST_MS, () => {
        this.timer = null;
        this.propose();
      });
  }

  /** More may be committed. */
  look(commit: number): void {
    if (this.timer !== null && this.isOver(commit)) this.propose();
  }

  /** All that was done is proposed: nothing waits. */
  taken(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** The entry, and those before it, are under way. */
  proposed(index: number): void {
    this.last = index;
    this.since = this.clock.monotonic();
  }

  /** The lead is over. */
  stop(): void {
    this.taken();
    this.last = 0;
  }

  private isOver(commit: number): boolean {
    const { last, since, effects, clock } = this;
    return last <= commit || effects.held >= ENOUGH_BYTES || clock.monotonic() >= since + MOST_MS * 1000;
  }
}
