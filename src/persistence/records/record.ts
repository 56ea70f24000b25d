/**
 * What travels from one format to another: what a file says of itself, libraries of functions, keys.
 *
 * A key's value lies in a scratch image, one at a time: a source builds it there and hands it to the sink, which has used it
 * when it returns. So a file of any size takes the memory of its largest value.
 */
import type { Slice } from '../../base/slice.ts';
import { RealClock } from '../../base/time.ts';
import { Accessors } from '../../engine/accessors.ts';
import type { Database } from '../../keyspace/database.ts';
import { Keyspaces } from '../../keyspace/keyspaces.ts';
import type { Addr } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import type { ReadLimits } from '../rdb/read-value.ts';
import { scratchMemory, usualLimits } from './scratch.ts';

export interface KeyRecord {
  readonly db: number;
  readonly key: Slice;
  /** The entry that holds the value, in the desk's image. */
  readonly entry: Addr;
  /** Unix time in milliseconds, -1 for none. */
  readonly expiry: number;
  /** Seconds without use and the counter of use, -1 where nothing is said. */
  readonly idle: number;
  readonly frequency: number;
}

export interface Sink {
  aux(name: Slice, value: Slice): void;
  library(source: Slice): void;
  key(record: KeyRecord): void;
  /** Everything has come. */
  end(): void;
}

/** What is wrong with the input, in words for the user. */
export class RecordError extends Error {
  override name = 'RecordError';
}

/** Where the values of records lie. */
export interface Bench {
  readonly memory: Memory;
  readonly accessors: Accessors;
}

/** Where values are put together and taken apart. */
export class Desk implements Bench {
  readonly memory: Memory = scratchMemory();
  readonly limits: ReadLimits = usualLimits();
  readonly db: Database;
  readonly accessors: Accessors;
  private readonly keyspaces: Keyspaces;

  constructor() {
    const policy = { lfu: false, logFactor: 10, decayMinutes: 1 };
    this.keyspaces = new Keyspaces(this.memory, new RealClock(), 1, policy, { double01: () => 1 });
    this.db = this.keyspaces.databases[0];
    this.accessors = new Accessors(this.memory, this.limits);
  }

  /** Takes the key off again. */
  clear(key: Slice): void {
    this.db.remove(key, this.db.hash(key));
  }
}
