/** What is saved, whatever the format and wherever the bytes go. */
import type { StreamContext } from '../../engine/replication-port.ts';
import { databaseCursor, databaseSize } from '../../keyspace/database.ts';
import type { EntryCursor } from '../../keyspace/key-table.ts';
import type { UsagePolicy } from '../../keyspace/usage.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Reader } from '../../memory/memory.ts';

/** In plain values that can be sent to a thread. */
export interface Dataset {
  /** Root blocks of the databases, by number. */
  readonly roots: readonly Addr[];
  /** What the file says of itself, in order. */
  readonly aux: readonly (readonly [name: string, value: string])[];
  /** Source text of the libraries of functions. */
  readonly functions: readonly Uint8Array[];
  /** How use is told: 'lru' and 'lfu' with the policies of those kinds, else not at all. */
  readonly use: 'lru' | 'lfu' | 'none';
  readonly usage: UsagePolicy;
  /** Unix time of the snapshot, ms. */
  readonly now: number;
}

/** The AUX fields that tell where the dataset stands in a stream, which stand behind `used-mem`. */
export function replicationAux({ db, id, offset }: StreamContext): Dataset['aux'] {
  return [
    ['repl-stream-db', String(db)],
    ['repl-id', id],
    ['repl-offset', String(offset)],
  ];
}

/** Hears of progress; may take its time. */
export interface SaveProgress {
  key(): void;
}

/** A dataset on its way into some format, a key at a time. */
export interface DatasetWriter {
  /** Writes the next key, or what comes before all or behind all; false once everything has been written and handed on. */
  step(): boolean;
}

/** Keys of all databases of the dataset. */
export function countKeys(r: Reader, roots: readonly Addr[]): number {
  let count = 0;
  for (const root of roots) count += databaseSize(r, root);
  return count;
}

/** Goes over the entries of all databases. */
export class DatasetCursor {
  /** The entry at hand, and the number and root of its database. */
  entry: Addr = NULL;
  db = -1;
  /** Whether it is the first of its database. */
  begins = false;
  private readonly reader: Reader;
  private readonly roots: readonly Addr[];
  private cursor: EntryCursor | null = null;

  constructor(reader: Reader, roots: readonly Addr[]) {
    this.reader = reader;
    this.roots = roots;
  }

  get root(): Addr {
    return this.roots[this.db];
  }

  /** Goes on to the next entry; false behind the last. */
  next(): boolean {
    this.begins = false;
    for (;;) {
      if (this.cursor !== null) {
        this.entry = this.cursor.next();
        if (this.entry !== NULL) return true;
        this.cursor = null;
      }
      if (this.db + 1 >= this.roots.length) return false;
      this.db++;
      this.begins = true;
      if (databaseSize(this.reader, this.root) > 0) this.cursor = databaseCursor(this.reader, this.root);
    }
  }
}
