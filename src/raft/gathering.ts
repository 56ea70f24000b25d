/**
 * When what a leader has done is proposed. At the end of its turn; but while a proposal is under way, together with what comes
 * meanwhile: under load there are few proposals then, each of them with much, and whoever is alone waits for nothing. It waits
 * for no longer than a commit takes among neighbours: where members are far apart that is little beside the commit.
 *
 *   proposed ──> under way: what is done waits ──committed──> those who are told come back: it waits on ──> proposed
 *
 * Who is told of a commit mostly asks again at once. Otherwise clients would part into two halves, of which each waits for the
 * other's proposal and then for its own: twice as many proposals, each with half as much. So after a commit it is waited
 * until as much has been done again as was committed and was waiting then, but only while there is more with every look.
 */
import type { Clock, Timer } from '../base/time.ts';
import type { Effects } from './payloads.ts';

/** The most milliseconds for which a proposal waits for the one before it. */
const MOST_MS = 2;
/** Bytes of effects that wait for nothing. */
const ENOUGH_BYTES = 128 * 1024;
/** So few bytes are of one client or two: nobody else is waited for. */
const FEW_BYTES = 1024;
/** Looks in a row that bring nothing. The first may come before those who are told have heard of it. */
const IDLE_LOOKS = 2;

export class Gathering {
  private readonly clock: Clock;
  private readonly effects: Effects;
  private readonly propose: () => void;
  /** The last entry that was proposed, and when, in microseconds. */
  private last = 0;
  private since = 0;
  /** Bytes that it had. */
  private size = 0;
  /** Since it was committed so many bytes are expected, for so long; 0 before. */
  private expected = 0;
  private expectedUntil = 0;
  /** Ends the waiting for the commit. */
  private timer: Timer | null = null;
  /** It is looked again and again whether more comes; at the last look there were so many bytes, and there was no more so often. */
  private looking = false;
  private scheduled = false;
  private seen = 0;
  private idle = 0;

  /** `propose` is called when there is something that has waited for long enough. */
  constructor(clock: Clock, effects: Effects, propose: () => void) {
    this.clock = clock;
    this.effects = effects;
    this.propose = propose;
  }

  /** A turn ends. */
  turnEnds(commit: number): void {
    if (this.effects.empty) return;
    if (this.looking) {
      if (!this.expectsMore) this.propose();
    } else if (this.isOver(commit)) this.expectOrPropose();
    else
      this.timer ??= this.clock.after(MOST_MS, () => {
        this.timer = null;
        this.propose();
      });
  }

  /** More may be committed. */
  look(commit: number): void {
    const { last, expected, size, effects, clock } = this;
    if (last > 0 && last <= commit && expected === 0) {
      this.expected = size + effects.held;
      this.expectedUntil = clock.monotonic() + MOST_MS * 1000;
    }
    if (this.timer !== null && this.isOver(commit)) this.expectOrPropose();
  }

  /** All that was done is proposed: nothing waits. */
  taken(): void {
    this.timer?.cancel();
    this.timer = null;
    this.looking = false;
    this.size = this.effects.held;
    this.expected = 0;
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

  private expectOrPropose(): void {
    if (!this.expectsMore) {
      this.propose();
      return;
    }
    this.timer?.cancel();
    this.timer = null;
    this.looking = true;
    this.seen = this.effects.held;
    this.idle = 0;
    this.lookAgain();
  }

  private get expectsMore(): boolean {
    const { expected, expectedUntil, effects, clock } = this;
    if (expected < FEW_BYTES || effects.held >= Math.min(expected, ENOUGH_BYTES)) return false;
    return clock.monotonic() < expectedUntil;
  }

  private lookAgain(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.soon(() => {
      this.scheduled = false;
      if (!this.looking) return;
      const { held } = this.effects;
      this.idle = held > this.seen ? 0 : this.idle + 1;
      this.seen = held;
      if (this.idle < IDLE_LOOKS && this.expectsMore) this.lookAgain();
      else this.propose();
    });
  }

  private isOver(commit: number): boolean {
    const { last, since, effects, clock } = this;
    return last <= commit || effects.held >= ENOUGH_BYTES || clock.monotonic() >= since + MOST_MS * 1000;
  }
}
