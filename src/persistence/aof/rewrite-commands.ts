/**
 * The data as commands that make it anew: the base of the append-only file where aof-use-rdb-preamble is off. Read through a
 * Reader, so from the live image or from a frozen view of it.
 *
 *   #TS:1628217470                                     with aof-timestamp-enabled
 *   FUNCTION LOAD <source>                             each library
 *   SELECT 0                                           each database that holds keys
 *   SET key value | RPUSH key a b ... | SADD | ZADD | HMSET, no more than 64 elements each | XADD ... (rewrite-stream.ts)
 *   PEXPIREAT key 1795258916067                        behind a key that expires
 */
import { formatDouble } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Addr } from '../../memory/address.ts';
import type { Reader } from '../../memory/memory.ts';
import { QuicklistCursor } from '../../structures/quicklist-cursor.ts';
import {
  type Encoding,
  entryEncoding,
  entryExpiry,
  entryKey,
  entryType,
  entryValue,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../values/entry.ts';
import { HashCursor, hashLength } from '../../values/hash.ts';
import { listLength } from '../../values/list.ts';
import { SetCursor, setLength } from '../../values/set.ts';
import { stringBytes } from '../../values/string.ts';
import { zsetLength } from '../../values/zset.ts';
import { ZsetCursor } from '../../values/zset-cursor.ts';
import { type Dataset, DatasetCursor, type DatasetWriter } from '../save/dataset.ts';
import type { CommandOutput } from './command-output.ts';
import { StreamCommands } from './rewrite-stream.ts';

/** Elements that one command makes. */
const ELEMENTS = 64;

export class CommandsWriter implements DatasetWriter {
  private readonly set: Dataset;
  private readonly out: CommandOutput;
  private readonly stamped: boolean;
  private readonly cursor: DatasetCursor;
  private readonly keys: KeyCommands;
  private begun = false;

  /** `stamped` with the time at the beginning. */
  constructor(reader: Reader, set: Dataset, out: CommandOutput, stamped: boolean) {
    this.set = set;
    this.out = out;
    this.stamped = stamped;
    this.cursor = new DatasetCursor(reader, set.roots);
    this.keys = new KeyCommands(reader, out);
  }

  step(): boolean {
    const { set, out, cursor } = this;
    if (!this.begun) {
      this.begun = true;
      if (this.stamped) out.plain(`#TS:${Math.floor(set.now / 1000)}\r\n`);
      for (const library of set.functions) writeLibrary(out, new Slice(library));
      return true;
    }
    if (cursor.next()) {
      if (cursor.begins) writeSelect(out, cursor.db);
      this.keys.write(cursor.entry);
      return true;
    }
    out.flush();
    return false;
  }
}

export function writeLibrary(out: CommandOutput, source: Slice): void {
  out.begin(3);
  out.text('FUNCTION');
  out.text('LOAD');
  out.bytes(source);
}

export function writeSelect(out: CommandOutput, db: number): void {
  out.begin(2);
  out.text('SELECT');
  out.integer(db);
}

/** One key after another, as commands. */
export class KeyCommands {
  private readonly reader: Reader;
  private readonly out: CommandOutput;
  private readonly key = new Slice();
  private readonly scratch = new Slice();
  private readonly lists = new QuicklistCursor();
  private readonly sets: SetCursor;
  private readonly hashes: HashCursor;
  private readonly zsets: ZsetCursor;
  private readonly streams: StreamCommands;

  constructor(reader: Reader, out: CommandOutput) {
    this.reader = reader;
    this.out = out;
    this.sets = new SetCursor(reader);
    this.hashes = new HashCursor(reader);
    this.zsets = new ZsetCursor(reader);
    this.streams = new StreamCommands(reader, out);
  }

  write(e: Addr): void {
    const { reader: r, out, key } = this;
    const expiry = entryExpiry(r, e);
    entryKey(r, e, key);
    this.value(e);
    if (expiry < 0) return;
    out.begin(3);
    out.text('PEXPIREAT');
    out.bytes(key);
    if (Number.isSafeInteger(expiry)) out.integer(expiry);
    else out.text(BigInt(expiry).toString());
  }

  private value(e: Addr): void {
    const { reader: r, out, key } = this;
    const type = entryType(r, e);
    if (type === TYPE_STRING) {
      out.begin(3);
      out.text('SET');
      out.bytes(key);
      out.bytes(stringBytes(r, e, this.scratch));
      return;
    }
    const encoding = entryEncoding(r, e);
    const root = entryValue(r, e);
    if (type === TYPE_LIST) this.list(root);
    else if (type === TYPE_SET) this.set(encoding, root);
    else if (type === TYPE_HASH) this.hash(encoding, root);
    else if (type === TYPE_ZSET) this.zset(encoding, root);
    else this.streams.write(key, root);
  }

  /** Begins a command where the one before is full; `left` elements of `width` parts are still to come. */
  private batch(name: string, index: number, left: number, width: number): void {
    if (index % ELEMENTS !== 0) return;
    this.out.begin(2 + Math.min(left, ELEMENTS) * width);
    this.out.text(name);
    this.out.bytes(this.key);
  }

  private list(root: Addr): void {
    const { out, lists, scratch } = this;
    const length = listLength(this.reader, root);
    lists.reset(this.reader, root, 0);
    for (let i = 0; i < length; i++, lists.next()) {
      this.batch('RPUSH', i, length - i, 1);
      out.bytes(lists.bytes(scratch));
    }
  }

  private set(encoding: Encoding, root: Addr): void {
    const { out } = this;
    const length = setLength(this.reader, encoding, root);
    const cursor = this.sets.reset(this.reader, encoding, root);
    for (let i = 0; cursor.next(); i++) {
      this.batch('SADD', i, length - i, 1);
      out.bytes(cursor.member);
    }
  }

  private hash(encoding: Encoding, root: Addr): void {
    const { out } = this;
    const length = hashLength(this.reader, encoding, root);
    const cursor = this.hashes.reset(this.reader, encoding, root);
    for (let i = 0; cursor.next(); i++) {
      this.batch('HMSET', i, length - i, 2);
      out.bytes(cursor.field);
      out.bytes(cursor.value);
    }
  }

  private zset(encoding: Encoding, root: Addr): void {
    const { out } = this;
    const length = zsetLength(this.reader, encoding, root);
    const cursor = this.zsets.reset(this.reader, encoding, root);
    for (let i = 0; cursor.next(); i++) {
      this.batch('ZADD', i, length - i, 2);
      out.text(formatDouble(cursor.score));
      out.bytes(cursor.member);
    }
  }
}
