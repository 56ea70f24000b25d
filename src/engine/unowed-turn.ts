/** A turn of the event loop in which nobody is owed a reply, so that it has to be ended by itself: of a master's stream, of the bus. */
import type { Clock } from '../base/time.ts';

export interface TurnHost {
  readonly clock: Clock;
  enter(): void;
  beforeWrite(): void;
}

export class UnowedTurn {
  private readonly host: TurnHost;
  private ends = false;
  /** `within` ends it. */
  private isWithin = false;

  constructor(host: TurnHost) {
    this.host = host;
  }

  /** The clock is read, and what is done until the end of this turn goes into the log then. */
  begin(): void {
    const { host } = this;
    host.enter();
    if (this.ends) return;
    this.ends = true;
    if (!this.isWithin) host.clock.soon(() => this.end());
  }

  /** What is begun in the action ends with it: the event loop does not go round once more for that. */
  within(action: () => void): void {
    if (this.ends || this.isWithin) {
      action();
      return;
    }
    this.isWithin = true;
    try {
      action();
    } finally {
      this.isWithin = false;
      if (this.ends) this.end();
    }
  }

  private end(): void {
    this.ends = false;
    this.host.beforeWrite();
  }
}
