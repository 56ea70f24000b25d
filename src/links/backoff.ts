/** How long to wait before the next attempt: twice as long each time, up to a bound, and a part of it by chance. */
import type { Random } from '../base/random.ts';

export class Backoff {
  private readonly least: number;
  private readonly most: number;
  private readonly random: Random;
  private failures = 0;

  /** Milliseconds. */
  constructor(least: number, most: number, random: Random) {
    this.least = least;
    this.most = most;
    this.random = random;
  }

  /** One more attempt has failed: the wait before the next, from half of its bound up, so that many don't come at once. */
  next(): number {
    const bound = Math.min(this.most, this.least * 2 ** this.failures);
    if (bound < this.most) this.failures++;
    return bound * (0.5 + this.random.double01() / 2);
  }

  /** An attempt went well. */
  reset(): void {
    this.failures = 0;
  }
}
