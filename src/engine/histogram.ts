/**
 * A latency histogram of bounded error: for each doubling of a duration in microseconds, 16 equal steps.
 *
 *   index = 16 x (bit length - 5) + top five bits - 16, below 32 exact
 *
 * 30 doublings and 32 exact steps make 512 counters, made when a command is first called.
 */
const STEPS = 16;
const COUNTERS = 512;

export class LatencyHistogram {
  private readonly counts = new Float64Array(COUNTERS);
  total = 0;

  record(microseconds: number): void {
    this.counts[indexOf(microseconds)]++;
    this.total++;
  }

  /** Counts what `other` has counted as well, or takes that away again. */
  merge(other: LatencyHistogram, times: 1 | -1 = 1): void {
    for (let i = 0; i < COUNTERS; i++) this.counts[i] += times * other.counts[i];
    this.total += times * other.total;
  }

  /** The duration in microseconds that `percent` of the calls did not pass. */
  percentile(percent: number): number {
    if (this.total === 0) return 0;
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.total));
    let seen = 0;
    for (let i = 0; i < COUNTERS; i++) {
      seen += this.counts[i];
      if (seen >= wanted) return upperBound(i);
    }
    return upperBound(COUNTERS - 1);
  }

  /** Calls that took at most 1, 2, 4 ... microseconds, cumulated, up to the last power of two that adds any. */
  cumulative(): [microseconds: number, calls: number][] {
    const rows: [number, number][] = [];
    let seen = 0;
    let i = 0;
    for (let bound = 1; seen < this.total && i < COUNTERS; bound *= 2) {
      const before = seen;
      while (i < COUNTERS && lowerBound(i) <= bound) seen += this.counts[i++];
      if (seen > before) rows.push([bound, seen]);
    }
    return rows;
  }
}

function indexOf(microseconds: number): number {
  const value = microseconds < 0 ? 0 : microseconds > 0x7fffffff ? 0x7fffffff : Math.floor(microseconds);
  if (value < 32) return value;
  const shift = 27 - Math.clz32(value);
  const index = shift * STEPS + (value >>> shift);
  return index < COUNTERS ? index : COUNTERS - 1;
}

function lowerBound(index: number): number {
  if (index < 32) return index;
  const shift = (index >>> 4) - 1;
  return ((index & 15) + STEPS) * 2 ** shift;
}

function upperBound(index: number): number {
  return index < 32 ? index : lowerBound(index + 1) - 1;
}
