/** How often rewrites are tried that fail: after three in a row only after a minute, then two, four ... up to an hour. */
import type { Log } from '../../engine/server-port.ts';

const FAILURES = 3;
const MOST_MINUTES = 60;

export class RewriteLimit {
  /** Rewrites that have failed since the last that did not. */
  failures = 0;
  private readonly log: Log;
  private minutes = 0;
  /** Unix time in seconds before which none is tried; 0 where there is none. */
  private until = 0;

  constructor(log: Log) {
    this.log = log;
  }

  reset(): void {
    this.failures = 0;
  }

  failed(): void {
    this.failures++;
  }

  /** Whether a rewrite has to wait. */
  holds(now: number): boolean {
    if (this.failures < FAILURES) {
      this.minutes = 0;
      this.until = 0;
      return false;
    }
    if (this.until !== 0) {
      if (now < this.until) return true;
      this.until = 0;
      return false;
    }
    this.minutes = this.minutes === 0 ? 1 : Math.min(MOST_MINUTES, 2 * this.minutes);
    this.until = now + this.minutes * 60;
    this.log.warning(
      `Background AOF rewrite has repeatedly failed and triggered the limit, will retry in ${this.minutes} minutes`,
    );
    return true;
  }
}
