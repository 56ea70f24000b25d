/**
 * Keys with short strings that have been read and are yet to be stored. Where a key belongs is a place like any other in a
 * large table, which the processor has to fetch from afar; those of a batch it fetches all at a time, which takes a third
 * off the loading of many small keys.
 *
 *   bytes   k0 v0 k1 v1 ...      keyEnds, valueEnds: where they end
 */

import { copyBytes } from '../../base/copy.ts';
import type { Slice } from '../../base/slice.ts';
import type { Database } from '../../keyspace/database.ts';

const KEYS = 32;
/** The longest key and string that are worth the copy; of a longer one the copying is what takes time. */
const LONGEST = 128;

/** Takes a key of the batch, in the order in which they were added. */
export type Store = (key: Slice, hash: number, value: Slice, expiry: number, idle: number, frequency: number) => void;

export class StringBatch {
  count = 0;
  private readonly bytes = new Uint8Array(KEYS * 2 * LONGEST);
  private readonly keyEnds = new Int32Array(KEYS);
  private readonly valueEnds = new Int32Array(KEYS);
  private readonly hashes = new Int32Array(KEYS);
  private readonly expiries = new Float64Array(KEYS);
  private readonly idles = new Float64Array(KEYS);
  private readonly frequencies = new Int32Array(KEYS);
  private end = 0;

  get full(): boolean {
    return this.count === KEYS;
  }

  /** Keeps the key's bytes, and shows them through it; false where it is too long. */
  takeKey(key: Slice): boolean {
    const start = this.count === 0 ? 0 : this.valueEnds[this.count - 1];
    return this.take(key, start);
  }

  /** The same with the string of that key. */
  takeValue(value: Slice): boolean {
    return this.take(value, this.end);
  }

  /** Adds what was taken last. */
  add(keyLength: number, hash: number, expiry: number, idle: number, frequency: number): void {
    const { count } = this;
    const start = count === 0 ? 0 : this.valueEnds[count - 1];
    this.keyEnds[count] = start + keyLength;
    this.valueEnds[count] = this.end;
    this.hashes[count] = hash;
    this.expiries[count] = expiry;
    this.idles[count] = idle;
    this.frequencies[count] = frequency;
    this.count++;
  }

  /** Hands all of them over; those behind one that is refused are forgotten. */
  empty(db: Database, key: Slice, value: Slice, store: Store): void {
    const { count, bytes, keyEnds, valueEnds } = this;
    this.count = 0;
    db.warm(this.hashes, count);
    let start = 0;
    for (let i = 0; i < count; i++) {
      key.set(bytes, start, keyEnds[i] - start);
      value.set(bytes, keyEnds[i], valueEnds[i] - keyEnds[i]);
      store(key, this.hashes[i], value, this.expiries[i], this.idles[i], this.frequencies[i]);
      start = valueEnds[i];
    }
  }

  private take(slice: Slice, at: number): boolean {
    const { length } = slice;
    if (length > LONGEST) return false;
    copyBytes(this.bytes, at, slice.buffer, slice.start, length);
    slice.set(this.bytes, at, length);
    this.end = at + length;
    return true;
  }
}
