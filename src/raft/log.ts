/**
 * The log in memory: the entries that are not compacted yet, with what is on the disk of them.
 *
 *        base         durable        last
 *   ......|--------------|------------|      `base` is the last entry that is gone, or the beginning: index 0, term 0
 *
 * Terms never fall. Entries up to `durable` survive a crash; after a snapshot was installed it lies below `base` until that
 * is on the disk. Only what is not committed is ever cut off at the end, and only what is applied at the beginning; those who
 * call see to both.
 */
import { assert } from '../base/assert.ts';
import type { Configuration } from './configuration.ts';
import { Entries } from './entries.ts';
import { type Entry, type Mark, sizeOf } from './entry.ts';

/** `term` of an entry that is compacted, or not there yet. */
export const UNKNOWN = -1;

interface Place {
  readonly index: number;
  readonly configuration: Configuration;
}

export class Log {
  durable: number;
  private baseIndex: number;
  private baseTerm: number;
  private entries = new Entries();
  /** The configuration at the base, and those in entries, in their order. */
  private configurations: Place[];

  /** What a restart has found is on the disk. */
  constructor({ index, term, configuration }: Mark, entries: readonly Entry[]) {
    this.baseIndex = index;
    this.baseTerm = term;
    this.configurations = [{ index, configuration }];
    for (const entry of entries) this.append(entry);
    this.durable = this.last;
  }

  /** Of all entries in memory. */
  get bytes(): number {
    return this.entries.bytes;
  }

  /** The first entry that is here, were there one. */
  get first(): number {
    return this.baseIndex + 1;
  }

  get last(): number {
    return this.baseIndex + this.entries.length;
  }

  get lastTerm(): number {
    return this.entries.length === 0 ? this.baseTerm : this.entries.at(this.entries.length - 1).term;
  }

  /** The one that counts. */
  get configuration(): Configuration {
    return this.configurations[this.configurations.length - 1].configuration;
  }

  get configurationIndex(): number {
    return this.configurations[this.configurations.length - 1].index;
  }

  /** The one before it, or it where that is compacted. */
  get formerConfiguration(): Configuration {
    return this.configurations[Math.max(this.configurations.length - 2, 0)].configuration;
  }

  /** The end of what is compacted. */
  get base(): Mark {
    return { index: this.baseIndex, term: this.baseTerm, configuration: this.configurations[0].configuration };
  }

  /** The term of the entry at the index; UNKNOWN before the base and after the last. */
  term(index: number): number {
    if (index === this.baseIndex) return this.baseTerm;
    if (index < this.baseIndex || index > this.last) return UNKNOWN;
    return this.entries.at(index - this.baseIndex - 1).term;
  }

  entry(index: number): Entry {
    assert(index > this.baseIndex && index <= this.last, 'only entries that are here are looked at');
    return this.entries.at(index - this.baseIndex - 1);
  }

  mark(index: number): Mark {
    const term = this.term(index);
    assert(term !== UNKNOWN, 'only an entry that is known is marked');
    const place = this.configurations.findLast((each) => each.index <= index)!;
    return { index, term, configuration: place.configuration };
  }

  /** Entries from an index to `to`, no more than `bytes` of them, but one where there is one. */
  from(index: number, to = this.last, bytes = Number.POSITIVE_INFINITY): readonly Entry[] {
    const start = index - this.baseIndex - 1;
    let end = start;
    const limit = to - this.baseIndex;
    for (let left = bytes; end < limit; end++) {
      left -= sizeOf(this.entries.at(end));
      if (left < 0 && end > start) break;
    }
    return this.entries.slice(start, end);
  }

  /** Whether the entries from `index` on take so many bytes. */
  reaches(index: number, bytes: number): boolean {
    let left = bytes;
    for (let at = index - this.baseIndex - 1; at < this.entries.length && left > 0; at++)
      left -= sizeOf(this.entries.at(at));
    return left <= 0;
  }

  append(entry: Entry): void {
    assert(entry.index === this.last + 1, 'a log has no gaps');
    assert(entry.term >= this.lastTerm, 'the terms of a log never fall');
    this.entries.push(entry);
    if (entry.configuration !== null)
      this.configurations.push({ index: entry.index, configuration: entry.configuration });
  }

  /** Cuts off the entry at the index and all after it. */
  truncate(index: number): void {
    assert(index > this.baseIndex, 'what is compacted is not cut off');
    this.entries.truncate(index - this.baseIndex - 1);
    this.durable = Math.min(this.durable, index - 1);
    while (this.configurations.length > 1 && this.configurationIndex >= index) this.configurations.pop();
  }

  /** Forgets the entries up to the index. */
  compact(index: number): void {
    if (index <= this.baseIndex) return;
    const { term, configuration } = this.mark(index);
    this.entries.drop(index - this.baseIndex);
    this.baseIndex = index;
    this.baseTerm = term;
    this.configurations = [{ index, configuration }, ...this.configurations.filter((each) => each.index > index)];
  }

  /** Forgets all: a snapshot stands for it. */
  restart({ index, term, configuration }: Mark): void {
    this.entries = new Entries();
    this.baseIndex = index;
    this.baseTerm = term;
    this.configurations = [{ index, configuration }];
    this.durable = 0;
  }

  /**
   * The last entry up to the index whose term is no greater; the base where there is none. Where two logs differ at the
   * index, and the other has this term there, they can't be the same between the two.
   */
  lastUpTo(index: number, term: number): number {
    let at = Math.min(index, this.last);
    while (at > this.baseIndex && this.term(at) > term) at--;
    return at;
  }

  /** Whether a log that ends so has all that this one may have committed. */
  isNoNewerThan(index: number, term: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.last);
  }

  verify(): void {
    let { baseTerm: term, baseIndex: index } = this;
    let bytes = 0;
    const entries = this.entries.slice(0, this.entries.length);
    for (const entry of entries) {
      assert(entry.index === ++index && entry.term >= term, 'a log has no gaps, and its terms never fall');
      term = entry.term;
      bytes += sizeOf(entry);
    }
    assert(bytes === this.bytes, 'bytes are counted');
    assert(this.durable <= this.last, 'only what is there is on the disk');
    const places = entries.filter(({ kind }) => kind === 'configuration').map((entry) => entry.index);
    const known = this.configurations.slice(1).map((place) => place.index);
    assert(places.join() === known.join(), 'configurations are those of the entries');
  }
}
