/** Snapshots of every version as a source of records. */
import { Slice } from '../../base/slice.ts';
import { NULL } from '../../memory/address.ts';
import type { ByteSource } from '../chunks.ts';
import * as rdb from '../rdb/format.ts';
import { RdbError } from '../rdb/format.ts';
import { RdbInput, Room } from '../rdb/input.ts';
import { readLibrary } from '../rdb/library.ts';
import { storeValue } from '../rdb/load.ts';
import { moduleName, skipModule, ValueReader } from '../rdb/read-value.ts';
import { type Desk, RecordError, type Sink } from './record.ts';

export class RdbSource {
  private readonly input: RdbInput;
  private readonly desk: Desk;
  private readonly sink: Sink;
  private readonly values: ValueReader;
  private readonly warn: (text: string) => void;
  private version = 0;
  private db = 0;
  private expiry = -1;
  private idle = -1;
  private frequency = -1;
  private readonly room = new Room();
  private readonly key = new Slice();
  private readonly text = new Slice();

  constructor(source: ByteSource, desk: Desk, sink: Sink, warn: (text: string) => void) {
    this.input = RdbInput.from(source, true);
    this.desk = desk;
    this.sink = sink;
    this.warn = warn;
    this.values = new ValueReader(desk.memory, desk.limits);
  }

  run(): void {
    try {
      this.file(this.input);
    } catch (error) {
      if (error instanceof RdbError) throw new RecordError(`offset ${this.input.offset}: ${error.message}`);
      throw error;
    }
    this.sink.end();
  }

  private file(input: RdbInput): void {
    const head = input.bytes(9, this.text).keyword();
    this.version = Number.parseInt(head.slice(5), 10) || 0;
    if (!head.startsWith('REDIS')) throw new RecordError('not a snapshot: it does not begin with REDIS');
    if (this.version < 1 || this.version > rdb.VERSION_READ)
      throw new RecordError(`snapshots of version ${this.version} are not known`);
    for (let type = input.u8(); type !== rdb.OP_EOF; type = input.u8()) this.record(input, type);
    if (this.version >= 5) this.verify(input);
    if (!this.ended(input))
      throw new RecordError('something follows the snapshot; if it is an append-only file, say --from aof');
  }

  private ended(input: RdbInput): boolean {
    try {
      input.u8();
      return false;
    } catch (error) {
      if (error instanceof RdbError && error.fault === 'short') return true;
      throw error;
    }
  }

  private verify(input: RdbInput): void {
    const sum = input.checksum()!;
    const stored = input.bytes(8, this.text).view();
    if (stored.some((byte) => byte !== 0) && stored.some((byte, i) => byte !== sum[i]))
      throw new RecordError('the checksum is wrong: the snapshot is damaged');
  }

  private record(input: RdbInput, type: number): void {
    if (rdb.isValueType(type)) {
      this.entry(input, type);
      return;
    }
    switch (type) {
      case rdb.OP_EXPIRY:
        this.expiry = input.i32() * 1000;
        return;
      case rdb.OP_EXPIRY_MS:
        this.expiry = input.i64();
        return;
      case rdb.OP_IDLE:
        this.idle = input.size();
        return;
      case rdb.OP_FREQ:
        this.frequency = input.u8();
        return;
      case rdb.OP_SELECTDB:
        this.db = input.size();
        return;
      case rdb.OP_RESIZEDB:
        input.size();
        input.size();
        return;
      case rdb.OP_SLOT_INFO:
        for (let i = 0; i < 3; i++) input.size();
        return;
      case rdb.OP_AUX:
        this.sink.aux(input.keep(this.room, this.key), input.string(this.text));
        return;
      case rdb.OP_FUNCTION_PRE:
      case rdb.OP_FUNCTION2:
        this.sink.library(new Slice(readLibrary(input, type)));
        return;
      case rdb.OP_MODULE_AUX:
        this.moduleAux(input);
        return;
      default:
        throw new RecordError(`offset ${input.offset}: record of an unknown kind, ${type}`);
    }
  }

  private moduleAux(input: RdbInput): void {
    const name = moduleName(input.size64());
    input.size();
    input.size();
    skipModule(input, name);
    this.warn(`data that module '${name}' keeps beside the keys is left out`);
  }

  private entry(input: RdbInput, type: number): void {
    const { desk, values, expiry, idle, frequency } = this;
    const key = input.keep(this.room, this.key);
    this.expiry = -1;
    this.idle = -1;
    this.frequency = -1;
    try {
      values.read(input, type, true);
    } catch (error) {
      if (!(error instanceof RdbError) || error.fault !== 'empty') throw error;
      this.warn(`key '${key.shown()}' has no elements and is left out`);
      return;
    }
    const entry = storeValue(desk.db, key, desk.db.hash(key), NULL, values, expiry);
    this.sink.key({ db: this.db, key, entry, expiry, idle, frequency });
    desk.clear(key);
  }
}
