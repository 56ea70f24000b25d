/** A whole snapshot: what the file says of itself, then every key of every database. */
import { Slice, sliceOf } from '../../base/slice.ts';
import { databaseCursor, databaseExpiring, databaseSize } from '../../keyspace/database.ts';
import { UsageClock, type UsagePolicy } from '../../keyspace/usage.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Reader } from '../../memory/memory.ts';
import { entryExpiry, entryKey, entryLru } from '../../values/entry.ts';
import * as rdb from './format.ts';
import type { RdbOutput } from './output.ts';
import { ValueWriter } from './write-value.ts';

/** What is saved, in plain values that can be sent to a worker. */
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

/** Hears of progress; may take its time. */
export interface SaveProgress {
  key(): void;
}

/** Keys of all databases of the dataset. */
export function countKeys(r: Reader, roots: readonly Addr[]): number {
  let count = 0;
  for (const root of roots) count += databaseSize(r, root);
  return count;
}

export function writeDataset(r: Reader, set: Dataset, out: RdbOutput, progress: SaveProgress): void {
  out.text(`REDIS${String(rdb.VERSION_WRITTEN).padStart(4, '0')}`);
  for (const [name, value] of set.aux) {
    out.u8(rdb.OP_AUX);
    out.string(sliceOf(name));
    out.string(sliceOf(value));
  }
  for (const library of set.functions) {
    out.u8(rdb.OP_FUNCTION2);
    out.string(new Slice(library));
  }
  const usage = new UsageClock(set.usage, { double01: () => 1 });
  usage.setNow(set.now);
  const values = new ValueWriter(r, out);
  set.roots.forEach((root, index) => {
    const size = databaseSize(r, root);
    if (size === 0) return;
    out.u8(rdb.OP_SELECTDB);
    out.size(index);
    out.u8(rdb.OP_RESIZEDB);
    out.size(size);
    out.size(databaseExpiring(r, root));
    writeKeys(r, root, set.use === 'none' ? null : usage, out, values, progress);
  });
  out.u8(rdb.OP_EOF);
  out.finish();
}

function writeKeys(
  r: Reader,
  root: Addr,
  usage: UsageClock | null,
  out: RdbOutput,
  values: ValueWriter,
  progress: SaveProgress,
): void {
  const key = new Slice();
  const cursor = databaseCursor(r, root);
  for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
    const expiry = entryExpiry(r, e);
    if (expiry >= 0) {
      out.u8(rdb.OP_EXPIRY_MS);
      out.i64(expiry);
    }
    if (usage !== null) writeUse(usage, entryLru(r, e), out);
    out.u8(values.typeOf(e));
    out.string(entryKey(r, e, key));
    values.write(e);
    progress.key();
  }
}

function writeUse(usage: UsageClock, stamp: number, out: RdbOutput): void {
  if (usage.policy.lfu) {
    out.u8(rdb.OP_FREQ);
    out.u8(usage.frequency(stamp));
  } else {
    out.u8(rdb.OP_IDLE);
    out.size(usage.idleSeconds(stamp));
  }
}
