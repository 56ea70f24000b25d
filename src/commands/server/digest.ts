/**
 * DEBUG DIGEST: 20 bytes that two servers share when they hold the same data, whatever its encoding.
 *
 *   xor(d, bytes)   d ^= sha1(bytes)                  order does not matter
 *   mix(d, bytes)   d ^= sha1(bytes); d = sha1(d)     order matters
 *
 * A value: mix its type (u32, big endian), then by type. A key: mix the key, then its value. A database: mix its number
 * (u32, big endian), then xor the digests of its keys' digests' bytes in.
 */
import { hash } from 'node:crypto';
import { formatDouble } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Database } from '../../keyspace/database.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import {
  entryExpiry,
  entryHasExpiry,
  entryKey,
  entryType,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../values/entry.ts';
import { stringBytes } from '../../values/string.ts';

const SIZE = 20;
const EXPIRE_MARK = Buffer.from('!!expire!!', 'latin1');

export class Digest {
  readonly bytes = new Uint8Array(SIZE);

  xor(bytes: Uint8Array): this {
    this.fold(sha1(bytes));
    return this;
  }

  mix(bytes: Uint8Array): this {
    this.fold(sha1(bytes));
    this.bytes.set(sha1(this.bytes));
    return this;
  }

  /** Folds a digest in without hashing it again. */
  fold(digest: Uint8Array): void {
    for (let i = 0; i < SIZE; i++) this.bytes[i] ^= digest[i];
  }

  get hex(): string {
    return Buffer.from(this.bytes).toString('hex');
  }
}

function sha1(bytes: Uint8Array): Uint8Array {
  return hash('sha1', bytes, 'buffer');
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Adds the value of entry `e` of `db` to a digest. */
export function digestValue(engine: Engine, db: Database, e: Addr, digest: Digest): void {
  const { memory } = engine;
  const type = entryType(memory, e);
  digest.mix(bigEndian(type === TYPE_STRING || type <= TYPE_HASH ? type : 6));
  if (type === TYPE_STRING) digest.mix(stringBytes(memory, e, new Slice()).copy());
  else if (type === TYPE_LIST) digestList(engine, e, digest);
  else if (type === TYPE_SET) digestSet(engine, e, digest);
  else if (type === TYPE_ZSET) digestZset(engine, e, digest);
  else if (type === TYPE_HASH) digestHash(engine, e, digest);
  else if (type === TYPE_STREAM) digestStream(engine, e, digest);
  if (entryHasExpiry(db.memory, e) && entryExpiry(db.memory, e) >= 0) digest.xor(EXPIRE_MARK);
}

function digestList(engine: Engine, e: Addr, digest: Digest): void {
  const list = engine.accessors.list(e, 1);
  const element = new Slice();
  const { cursor } = list;
  for (list.seek(0); cursor.more; cursor.next()) digest.mix(cursor.bytes(element).copy());
}

function digestSet(engine: Engine, e: Addr, digest: Digest): void {
  const cursor = engine.accessors.set(e, 1).cursor();
  while (cursor.next()) digest.xor(cursor.member.copy());
}

function digestZset(engine: Engine, e: Addr, digest: Digest): void {
  const cursor = engine.accessors.zset(e, 1).cursor();
  while (cursor.next()) {
    const score = Buffer.from(formatDouble(cursor.score), 'latin1');
    digest.xor(new Digest().mix(cursor.member.copy()).mix(score).bytes);
  }
}

function digestHash(engine: Engine, e: Addr, digest: Digest): void {
  const cursor = engine.accessors.hash(e, 1).cursor();
  while (cursor.next()) digest.xor(new Digest().mix(cursor.field.copy()).mix(cursor.value.copy()).bytes);
}

function digestStream(engine: Engine, e: Addr, digest: Digest): void {
  const cursor = engine.accessors.stream(e, 1).cursor();
  while (cursor.next()) {
    digest.mix(Buffer.from(cursor.id.text.replace('-', '.'), 'latin1'));
    for (let i = 0; i < cursor.fields; i++) {
      cursor.nextField();
      digest.mix(cursor.field.copy()).mix(cursor.value.copy());
    }
  }
}

/** The digest of all databases. */
export function digestAll(engine: Engine): string {
  const { memory, keyspaces } = engine;
  const all = new Digest();
  const key = new Slice();
  for (const db of keyspaces.databases) {
    if (db.size === 0) continue;
    all.mix(bigEndian(db.index));
    const cursor = db.keys.cursor();
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      const one = new Digest().mix(entryKey(memory, e, key).copy());
      digestValue(engine, db, e, one);
      all.xor(one.bytes);
    }
  }
  return all.hex;
}
