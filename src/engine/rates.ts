/** INFO's instantaneous figures: the mean rate over the last 16 samples, which the cron takes every 100 ms. */
const SAMPLES = 16;

class Rate {
  private readonly samples = new Float64Array(SAMPLES);
  private at = 0;
  private last = 0;

  sample(total: number, elapsedMicros: number): void {
    // After CONFIG RESETSTAT the total has gone back.
    const delta = total < this.last ? total : total - this.last;
    this.samples[this.at] = elapsedMicros > 0 ? (delta * 1e6) / elapsedMicros : 0;
    this.at = (this.at + 1) % SAMPLES;
    this.last = total;
  }

  get mean(): number {
    let sum = 0;
    for (const each of this.samples) sum += each;
    return sum / SAMPLES;
  }

  reset(): void {
    this.samples.fill(0);
    this.last = 0;
  }
}

/** Counted since the start, or CONFIG RESETSTAT. */
export interface Totals {
  readonly commands: number;
  readonly netInput: number;
  readonly netOutput: number;
  readonly netReplInput: number;
  readonly netReplOutput: number;
}

export class Rates {
  private readonly commandRate = new Rate();
  private readonly inputRate = new Rate();
  private readonly outputRate = new Rate();
  private readonly replInputRate = new Rate();
  private readonly replOutputRate = new Rate();
  private lastMicros = -1;

  /** `micros` is monotonic time; the others are totals since start. */
  sample(micros: number, { commands, netInput, netOutput, netReplInput, netReplOutput }: Totals): void {
    const elapsed = this.lastMicros < 0 ? 0 : micros - this.lastMicros;
    this.lastMicros = micros;
    this.commandRate.sample(commands, elapsed);
    this.inputRate.sample(netInput, elapsed);
    this.outputRate.sample(netOutput, elapsed);
    this.replInputRate.sample(netReplInput, elapsed);
    this.replOutputRate.sample(netReplOutput, elapsed);
  }

  /** Commands a second. */
  get commands(): number {
    return Math.floor(this.commandRate.mean);
  }

  /** Kilobytes a second. */
  get input(): number {
    return this.inputRate.mean / 1024;
  }

  get output(): number {
    return this.outputRate.mean / 1024;
  }

  get replInput(): number {
    return this.replInputRate.mean / 1024;
  }

  get replOutput(): number {
    return this.replOutputRate.mean / 1024;
  }

  reset(): void {
    this.commandRate.reset();
    this.inputRate.reset();
    this.outputRate.reset();
    this.replInputRate.reset();
    this.replOutputRate.reset();
  }
}
