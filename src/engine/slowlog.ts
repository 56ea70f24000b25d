/** SLOWLOG's entries: the latest commands that took long, newest first. */

export interface SlowEntry {
  readonly id: number;
  /** Unix time in seconds. */
  readonly time: number;
  readonly microseconds: number;
  /** One byte a character, long ones cut. */
  readonly args: readonly string[];
  readonly address: string;
  readonly name: string;
}

export class SlowLog {
  private readonly entries: SlowEntry[] = [];
  private nextId = 0;
  private limit = 128;

  /** How many entries are kept. */
  get max(): number {
    return this.limit;
  }

  set max(limit: number) {
    this.limit = limit;
    this.entries.length = Math.min(this.entries.length, limit);
  }

  get length(): number {
    return this.entries.length;
  }

  add(entry: Omit<SlowEntry, 'id'>): void {
    this.entries.unshift({ ...entry, id: this.nextId++ });
    if (this.entries.length > this.limit) this.entries.length = this.limit;
  }

  latest(count: number): readonly SlowEntry[] {
    return this.entries.slice(0, count);
  }

  reset(): void {
    this.entries.length = 0;
  }
}
