/** A snapshot of version 10 out of records. */
import { type Slice, sliceOf } from '../../base/slice.ts';
import { REDIS_VERSION } from '../../base/version.ts';
import * as rdb from '../rdb/format.ts';
import { RdbOutput } from '../rdb/output.ts';
import { ValueWriter } from '../rdb/write-value.ts';
import type { Bench, KeyRecord, Sink } from './record.ts';

export class RdbSink implements Sink {
  private readonly out: RdbOutput;
  private readonly values: ValueWriter;
  private db = -1;
  private named = false;

  constructor(bench: Bench, write: (bytes: Uint8Array) => void) {
    this.out = new RdbOutput({ compress: true, checksum: true, sink: write });
    this.values = new ValueWriter(bench.memory, this.out);
    this.out.text(`REDIS${String(rdb.VERSION_WRITTEN).padStart(4, '0')}`);
  }

  aux(name: Slice, value: Slice): void {
    this.named = true;
    this.out.u8(rdb.OP_AUX);
    this.out.string(name);
    this.out.string(value);
  }

  library(source: Slice): void {
    this.introduce();
    this.out.u8(rdb.OP_FUNCTION2);
    this.out.string(source);
  }

  key({ db, key, entry, expiry, idle, frequency }: KeyRecord): void {
    const { out, values } = this;
    this.introduce();
    if (db !== this.db) {
      out.u8(rdb.OP_SELECTDB);
      out.size(db);
      this.db = db;
    }
    if (expiry >= 0) {
      out.u8(rdb.OP_EXPIRY_MS);
      out.i64(expiry);
    }
    if (idle >= 0) {
      out.u8(rdb.OP_IDLE);
      out.size(idle);
    }
    if (frequency >= 0) {
      out.u8(rdb.OP_FREQ);
      out.u8(frequency);
    }
    out.u8(values.typeOf(entry));
    out.string(key);
    values.write(entry);
  }

  end(): void {
    this.introduce();
    this.out.u8(rdb.OP_EOF);
    this.out.finish();
  }

  /** A file that says nothing of itself says at least which version's it is. */
  private introduce(): void {
    if (this.named) return;
    this.aux(sliceOf('redis-ver'), sliceOf(REDIS_VERSION));
    this.aux(sliceOf('redis-bits'), sliceOf('64'));
  }
}
