/** How long defragmentation has been at work, as INFO tells it. */
export class DefragFigures {
  /** Percent of the time that it takes now; 0 while it is not at work. */
  running = 0;
  private total = 0;
  private since = 0;

  begin(share: number, micros: number): void {
    this.running = Math.max(1, share);
    this.since = micros;
  }

  end(micros: number): void {
    this.total += micros - this.since;
    this.running = 0;
  }

  /** Milliseconds of all passes, and of the present one. */
  totalMilliseconds(micros: number): number {
    return Math.floor((this.total + (this.running > 0 ? micros - this.since : 0)) / 1000);
  }

  currentMilliseconds(micros: number): number {
    return this.running > 0 ? Math.floor((micros - this.since) / 1000) : 0;
  }

  reset(micros: number): void {
    this.total = 0;
    this.since = micros;
  }
}
