/**
 * When and how often keys are used, in the 24 bits that an entry has for it.
 *
 *   LRU  [ seconds : 24 ]                          the server's clock, wrapping after 194 days
 *   LFU  [ minutes : 16 ][ counter : 8 ]           when the counter last decayed; a logarithmic counter of uses
 *
 * The counter grows with a chance of 1 / ((counter - 5) x lfu-log-factor + 1) and falls by one for each lfu-decay-time
 * minutes without use. New keys begin at 5, so that they are not evicted before they had a chance.
 */
export interface UsagePolicy {
  /** Whether maxmemory-policy is one of the LFU kind. */
  lfu: boolean;
  /** lfu-log-factor */
  logFactor: number;
  /** lfu-decay-time, minutes */
  decayMinutes: number;
}

const FRESH_COUNTER = 5;
const LRU_MASK = 0xffffff;

export class UsageClock {
  readonly policy: UsagePolicy;
  private readonly random: { double01(): number };
  private seconds = 0;
  private minutes = 0;

  constructor(policy: UsagePolicy, random: { double01(): number }) {
    this.policy = policy;
    this.random = random;
  }

  setNow(now: number): void {
    this.seconds = Math.floor(now / 1000) & LRU_MASK;
    this.minutes = Math.floor(now / 60_000) & 0xffff;
  }

  /** What a new entry is stamped with. */
  get fresh(): number {
    return this.policy.lfu ? (this.minutes << 8) | FRESH_COUNTER : this.seconds;
  }

  /** What an entry is stamped with when it is used. */
  touched(stamp: number): number {
    if (!this.policy.lfu) return this.seconds;
    const counter = this.decayed(stamp);
    return (this.minutes << 8) | this.grown(counter);
  }

  /** Seconds since an entry was last used. */
  idleSeconds(stamp: number): number {
    return (this.seconds - stamp) & LRU_MASK;
  }

  /** The counter as it stands now, decay included. */
  frequency(stamp: number): number {
    return this.decayed(stamp);
  }

  /** The stamp of an entry that was last used so many seconds ago (RESTORE's IDLETIME). */
  stampForIdle(idle: number): number {
    return (this.seconds - idle) & LRU_MASK;
  }

  /** The stamp of an entry with this counter (RESTORE's FREQ). */
  stampForFrequency(frequency: number): number {
    return (this.minutes << 8) | frequency;
  }

  private decayed(stamp: number): number {
    const counter = stamp & 0xff;
    if (this.policy.decayMinutes === 0) return counter;
    const passed = (this.minutes - (stamp >>> 8)) & 0xffff;
    return Math.max(0, counter - Math.floor(passed / this.policy.decayMinutes));
  }

  private grown(counter: number): number {
    if (counter === 255) return 255;
    const above = Math.max(0, counter - FRESH_COUNTER);
    return this.random.double01() < 1 / (above * this.policy.logFactor + 1) ? counter + 1 : counter;
  }
}
