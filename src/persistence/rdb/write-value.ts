/** Values in the forms of a snapshot, read through a Reader: from the live image (DUMP, SAVE) or from a frozen view of it. */
import { Slice } from '../../base/slice.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Reader } from '../../memory/memory.ts';
import { intsetBytes } from '../../structures/intset.ts';
import { lpBytes } from '../../structures/listpack.ts';
import { qlHead, qlNodes } from '../../structures/quicklist.ts';
import { nodeBytes, nodeIsPlain, nodeNext, nodePacked, nodeStored } from '../../structures/quicklist-node.ts';
import { slLength } from '../../structures/skiplist.ts';
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_SKIPLIST,
  type Encoding,
  entryEncoding,
  entryType,
  entryValue,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../values/entry.ts';
import { HashCursor, hashLength } from '../../values/hash.ts';
import { SetCursor, setLength } from '../../values/set.ts';
import { stringBytes } from '../../values/string.ts';
import { ZsetCursor } from '../../values/zset-cursor.ts';
import * as rdb from './format.ts';
import type { RdbOutput } from './output.ts';
import { writeStream } from './stream.ts';

export class ValueWriter {
  private readonly reader: Reader;
  private readonly out: RdbOutput;
  private readonly sets: SetCursor;
  private readonly hashes: HashCursor;
  private readonly zsets: ZsetCursor;
  private readonly scratch = new Slice();

  constructor(reader: Reader, out: RdbOutput) {
    this.reader = reader;
    this.out = out;
    this.sets = new SetCursor(reader);
    this.hashes = new HashCursor(reader);
    this.zsets = new ZsetCursor(reader);
  }

  /** The byte that names the form in which the value of entry `e` is written. */
  typeOf(e: Addr): number {
    const encoding = entryEncoding(this.reader, e);
    switch (entryType(this.reader, e)) {
      case TYPE_STRING:
        return rdb.STRING;
      case TYPE_LIST:
        return rdb.LIST_QUICKLIST_2;
      case TYPE_SET:
        return encoding === ENC_INTSET ? rdb.SET_INTSET : rdb.SET;
      case TYPE_ZSET:
        return encoding === ENC_SKIPLIST ? rdb.ZSET_2 : rdb.ZSET_LISTPACK;
      case TYPE_HASH:
        return encoding === ENC_HASHTABLE ? rdb.HASH : rdb.HASH_LISTPACK;
      default:
        return rdb.STREAM_LISTPACKS_2;
    }
  }

  /** Writes the value of entry `e`. */
  write(e: Addr): void {
    const r = this.reader;
    const type = entryType(r, e);
    if (type === TYPE_STRING) {
      this.out.string(stringBytes(r, e, this.scratch));
      return;
    }
    const encoding = entryEncoding(r, e);
    const root = entryValue(r, e);
    if (type === TYPE_LIST) this.list(root);
    else if (encoding === ENC_LISTPACK) this.out.string(r.borrow(this.scratch, root, 0, lpBytes(r, root)));
    else if (encoding === ENC_INTSET) this.out.string(r.borrow(this.scratch, root, 0, intsetBytes(r, root)));
    else if (type === TYPE_SET) this.set(encoding, root);
    else if (type === TYPE_HASH) this.hash(encoding, root);
    else if (type === TYPE_ZSET) this.zset(encoding, root);
    else writeStream(r, this.out, root);
  }

  private list(ql: Addr): void {
    const { reader: r, out, scratch } = this;
    out.size(qlNodes(r, ql));
    for (let n = qlHead(r, ql); n !== NULL; n = nodeNext(r, n)) {
      out.size(nodeIsPlain(r, n) ? rdb.NODE_PLAIN : rdb.NODE_PACKED);
      const packed = nodePacked(r, n);
      const stored = nodeStored(r, n, scratch);
      if (packed === 0) out.string(stored);
      else out.packedString(stored, nodeBytes(r, n));
    }
  }

  private set(encoding: Encoding, root: Addr): void {
    this.out.size(setLength(this.reader, encoding, root));
    const cursor = this.sets.reset(this.reader, encoding, root);
    while (cursor.next()) this.out.string(cursor.member);
  }

  private hash(encoding: Encoding, root: Addr): void {
    this.out.size(hashLength(this.reader, encoding, root));
    const cursor = this.hashes.reset(this.reader, encoding, root);
    while (cursor.next()) {
      this.out.string(cursor.field);
      this.out.string(cursor.value);
    }
  }

  /** From the last to the first: whoever loads it puts every member before all that are there. */
  private zset(encoding: Encoding, root: Addr): void {
    this.out.size(slLength(this.reader, root));
    const cursor = this.zsets.reset(this.reader, encoding, root, 0, true);
    while (cursor.next()) {
      this.out.string(cursor.member);
      this.out.f64(cursor.score);
    }
  }
}
