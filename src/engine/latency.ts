/**
 * LATENCY's samples: for each kind of event (command, expire-cycle ...) the spikes of the last 160 seconds in which there
 * was one, the largest of each second.
 */
const SAMPLES = 160;

export interface LatencySample {
  /** Unix time in seconds. */
  readonly time: number;
  readonly milliseconds: number;
}

export interface LatencySeries {
  readonly samples: readonly LatencySample[];
  readonly max: number;
}

interface Series {
  samples: LatencySample[];
  max: number;
}

export class LatencyMonitor {
  /** Milliseconds from which an event counts; 0 turns the monitor off. */
  threshold = 0;
  private readonly events = new Map<string, Series>();

  /** Adds an event of so many milliseconds if it is long enough; `now` in ms. */
  observe(event: string, milliseconds: number, now: number): void {
    if (this.threshold === 0 || milliseconds < this.threshold) return;
    const series = this.events.get(event) ?? { samples: [], max: 0 };
    this.events.set(event, series);
    const whole = Math.floor(milliseconds);
    const time = Math.floor(now / 1000);
    if (whole > series.max) series.max = whole;
    const last = series.samples.at(-1);
    if (last?.time === time) {
      if (whole > last.milliseconds) series.samples[series.samples.length - 1] = { time, milliseconds: whole };
      return;
    }
    series.samples.push({ time, milliseconds: whole });
    if (series.samples.length > SAMPLES) series.samples.shift();
  }

  names(): string[] {
    return [...this.events.keys()];
  }

  series(event: string): LatencySeries | undefined {
    return this.events.get(event);
  }

  /** Forgets one kind of event; says whether there was any of it. */
  reset(event: string): boolean {
    return this.events.delete(event);
  }
}
