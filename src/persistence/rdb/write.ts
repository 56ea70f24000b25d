/** A whole snapshot: what the file says of itself, then every key of every database. */
import { Slice, sliceOf } from '../../base/slice.ts';
import { databaseExpiring, databaseSize } from '../../keyspace/database.ts';
import { UsageClock } from '../../keyspace/usage.ts';
import type { Reader } from '../../memory/memory.ts';
import { entryExpiry, entryKey, entryLru } from '../../values/entry.ts';
import { type Dataset, DatasetCursor, type DatasetWriter } from '../save/dataset.ts';
import * as rdb from './format.ts';
import type { RdbOutput } from './output.ts';
import { ValueWriter } from './write-value.ts';

export class SnapshotWriter implements DatasetWriter {
  private readonly reader: Reader;
  private readonly set: Dataset;
  private readonly out: RdbOutput;
  private readonly cursor: DatasetCursor;
  private readonly values: ValueWriter;
  /** Null where use is not told. */
  private readonly usage: UsageClock | null;
  private readonly key = new Slice();
  private begun = false;

  constructor(reader: Reader, set: Dataset, out: RdbOutput) {
    this.reader = reader;
    this.set = set;
    this.out = out;
    this.cursor = new DatasetCursor(reader, set.roots);
    this.values = new ValueWriter(reader, out);
    const usage = new UsageClock(set.usage, { double01: () => 1 });
    usage.setNow(set.now);
    this.usage = set.use === 'none' ? null : usage;
  }

  step(): boolean {
    if (!this.begun) {
      this.begun = true;
      this.begin();
      return true;
    }
    if (this.cursor.next()) {
      if (this.cursor.begins) this.beginDatabase();
      this.writeKey();
      return true;
    }
    this.out.u8(rdb.OP_EOF);
    this.out.finish();
    return false;
  }

  private begin(): void {
    const { out, set } = this;
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
  }

  private beginDatabase(): void {
    const { out, reader } = this;
    const { db, root } = this.cursor;
    out.u8(rdb.OP_SELECTDB);
    out.size(db);
    out.u8(rdb.OP_RESIZEDB);
    out.size(databaseSize(reader, root));
    out.size(databaseExpiring(reader, root));
  }

  private writeKey(): void {
    const { out, reader, values, usage, key } = this;
    const { entry } = this.cursor;
    const expiry = entryExpiry(reader, entry);
    if (expiry >= 0) {
      out.u8(rdb.OP_EXPIRY_MS);
      out.i64(expiry);
    }
    if (usage !== null) writeUse(usage, entryLru(reader, entry), out);
    out.u8(values.typeOf(entry));
    out.string(entryKey(reader, entry, key));
    values.write(entry);
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
