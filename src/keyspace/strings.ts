/**
 * Strings under keys of a database: every way in which one is stored or changed. What the value is for is the caller's
 * business; here is where it lies.
 *
 * `old` is always the entry that the key has now, or NULL; what comes back is the entry from then on.
 */
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { sdsAppend, sdsFree, sdsGrow, sdsNew, sdsOverwrite, sdsWrite, sdsZeroes } from '../structures/sds.ts';
import {
  ENC_RAW,
  type Encoding,
  entryEncoding,
  entryExpiry,
  entryHasExpiry,
  entryLru,
  entryType,
  entryValue,
  isInline,
  overwriteExpiry,
  setEntryLru,
  TYPE_STRING,
} from '../values/entry.ts';
import { stringBytes, stringEncoding } from '../values/string.ts';
import type { Database } from './database.ts';

const scratch = new Slice();

/** Stores `value` whole under `key`, as SET does; `expiry` is unix time in milliseconds, or -1 for none. */
export function setString(db: Database, key: Slice, hash: number, old: Addr, value: Slice, expiry: number): Addr {
  return storeString(db, key, hash, old, stringEncoding(value), value, expiry);
}

/** The same in a given encoding, which must suit the value. */
export function storeString(
  db: Database,
  key: Slice,
  hash: number,
  old: Addr,
  encoding: Encoding,
  value: Slice,
  expiry: number,
): Addr {
  if (isInline(encoding)) return db.storeInline(key, hash, old, encoding, value, expiry);
  const m = db.memory;
  if (old !== NULL && isRaw(db, old) && entryHasExpiry(m, old) === expiry >= 0) {
    if (sdsOverwrite(m, entryValue(m, old), value)) {
      if (expiry >= 0) overwriteExpiry(m, old, expiry);
      setEntryLru(m, old, db.rules.overwritten(entryLru(m, old)));
      return old;
    }
  }
  return storeRoot(db, key, hash, old, sdsNew(m, value), expiry);
}

/** A new key with a raw string of `length` zeroes, for what is written piece by piece. */
export function storeZeroes(db: Database, key: Slice, hash: number, length: number): Addr {
  return storeRoot(db, key, hash, NULL, sdsZeroes(db.memory, length), -1);
}

/** Stores a finished raw string, which is released where it can't be. */
export function storeRoot(db: Database, key: Slice, hash: number, old: Addr, root: Addr, expiry: number): Addr {
  try {
    return db.store(key, hash, old, TYPE_STRING, ENC_RAW, root, expiry);
  } catch (error) {
    sdsFree(db.memory, root);
    throw error;
  }
}

function isRaw(db: Database, e: Addr): boolean {
  return entryType(db.memory, e) === TYPE_STRING && entryEncoding(db.memory, e) === ENC_RAW;
}

/** Makes the string of `e` raw, so that it can be changed in place; expiry and LRU stay. */
export function makeRaw(db: Database, key: Slice, hash: number, e: Addr): Addr {
  if (isRaw(db, e)) return e;
  const m = db.memory;
  const root = sdsNew(m, stringBytes(m, e, scratch));
  try {
    return db.rehang(key, hash, e, ENC_RAW, root);
  } catch (error) {
    sdsFree(m, root);
    throw error;
  }
}

/** Appends to the string of `e`, which becomes raw. */
export function appendString(db: Database, key: Slice, hash: number, e: Addr, value: Slice): Addr {
  const m = db.memory;
  const raw = makeRaw(db, key, hash, e);
  const root = entryValue(m, raw);
  const grown = sdsAppend(m, root, value);
  return grown === root ? raw : db.rehang(key, hash, raw, ENC_RAW, grown);
}

/** Makes the string of `e` raw and at least `length` long, padded with zeroes. */
export function growString(db: Database, key: Slice, hash: number, e: Addr, length: number): Addr {
  const m = db.memory;
  const raw = makeRaw(db, key, hash, e);
  const root = entryValue(m, raw);
  const grown = sdsGrow(m, root, length);
  return grown === root ? raw : db.rehang(key, hash, raw, ENC_RAW, grown);
}

/** Writes `value` over the bytes at `at` of the string of `e`, which becomes raw and grows as needed. */
export function overwriteString(db: Database, key: Slice, hash: number, e: Addr, at: number, value: Slice): Addr {
  const raw = growString(db, key, hash, e, at + value.length);
  sdsWrite(db.memory, entryValue(db.memory, raw), at, value);
  return raw;
}

/** When the key of `e` expires, -1 when it doesn't or when there is none. */
export function expiryOf(db: Database, e: Addr): number {
  return e === NULL ? -1 : entryExpiry(db.memory, e);
}
