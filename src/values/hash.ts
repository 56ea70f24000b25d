/**
 * The hash: a listpack of fields and values in turn while it is small, a dict of fields beyond.
 *
 * A field in a dict is one block. A value of up to 255 bytes lies in it behind the field; a longer one hangs off:
 *
 *   0  u32  next                                 0  u32  next
 *   4  u8   keyAt = 6                            4  u8   keyAt = 12
 *   5  u8   length of the value                  5       -
 *   6       key field: varint length, field      8  u32  the value's string (sds)
 *           then the value                      12       key field
 *
 *   xx xx xx xx  06 03  04 6e 61 6d 65  41 64 61  ..          field `name`, value `Ada`: one granule
 *
 * A hash only ever grows from the first form into the second.
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  DictCursor,
  dictDrain,
  dictExpand,
  dictFairRandom,
  dictFairRandoms,
  dictFind,
  dictInsert,
  dictNew,
  dictRelink,
  dictRemove,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
  dictVerify,
  entryKey,
  entryKeyEnd,
  keyFieldSize,
  writeKeyField,
} from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  LP_MAX_BYTES,
  lpAppend,
  lpAppendEncoded,
  lpBytes,
  lpDelete,
  lpDeleteRange,
  lpFind,
  lpFirst,
  lpGetBytes,
  lpLast,
  lpLength,
  lpNew,
  lpNext,
  lpReplace,
  lpSeek,
  lpVerify,
} from '../structures/listpack.ts';
import { sdsBytes, sdsFree, sdsNew, sdsOverwrite, sdsVerify } from '../structures/sds.ts';
import { ENC_HASHTABLE, ENC_LISTPACK, type Encoding } from './entry.ts';
import { pickDistinct } from './pick.ts';
import type { EntryBuffer } from './stream-node.ts';
import { ValueAccessor } from './value.ts';

/** Up to where a hash stays a listpack; the options hash-max-listpack-entries and -value write here. */
export class HashLimits {
  listpackEntries = 512;
  listpackValue = 64;
}

const VALUE_LENGTH = 5;
const VALUE_ADDRESS = 8;
const KEY_BEFORE_VALUE = 6;
const KEY_AFTER_ADDRESS = 12;
const INLINE_MAX = 255;
/** A block that is this much larger than what it is to hold is given back. */
const SLACK = 32;

const key = new Slice();
const content = new Slice();

// Entries of the dict.

/** The field of an entry that `scan` visits. */
export const hashEntryField = entryKey;

function isInline(r: Reader, e: Addr): boolean {
  return r.u8(e, 4) === KEY_BEFORE_VALUE;
}

/** The value of an entry that `scan` visits. */
export function hashEntryValue(r: Reader, e: Addr, into: Slice): Slice {
  if (isInline(r, e)) return r.borrow(into, e, entryKeyEnd(r, e), r.u8(e, VALUE_LENGTH));
  return sdsBytes(r, r.addr(e, VALUE_ADDRESS), into);
}

function newHashEntry(m: Memory, field: Slice, value: Slice): Addr {
  const fieldSize = keyFieldSize(field.length);
  if (value.length <= INLINE_MAX) {
    const e = m.allocate(KEY_BEFORE_VALUE + fieldSize + value.length);
    m.setU8(e, VALUE_LENGTH, value.length);
    m.write(e, writeKeyField(m, e, KEY_BEFORE_VALUE, field), value);
    return e;
  }
  const s = sdsNew(m, value);
  const e = m.allocate(KEY_AFTER_ADDRESS + fieldSize);
  m.setU32(e, VALUE_ADDRESS, s);
  writeKeyField(m, e, KEY_AFTER_ADDRESS, field);
  return e;
}

/** Moves a field's block, and a value that hangs off it, where memory wants that (Memory.moved). */
export function moveHashEntry(m: Memory, e: Addr): Addr {
  if (!isInline(m, e)) m.setU32(e, VALUE_ADDRESS, m.moved(m.addr(e, VALUE_ADDRESS)));
  return m.moved(e);
}

function freeHashEntry(m: Memory, e: Addr): void {
  if (!isInline(m, e)) sdsFree(m, m.addr(e, VALUE_ADDRESS));
  m.release(e);
}

/** Writes the value where it lies if it fits there without much waste, and says whether it did. */
function overwriteValue(m: Memory, e: Addr, value: Slice): boolean {
  if (!isInline(m, e)) {
    if (value.length <= INLINE_MAX) return false;
    const s = m.addr(e, VALUE_ADDRESS);
    if (!sdsOverwrite(m, s, value)) {
      m.setU32(e, VALUE_ADDRESS, sdsNew(m, value));
      sdsFree(m, s);
    }
    return true;
  }
  if (value.length > INLINE_MAX) return false;
  const at = entryKeyEnd(m, e);
  const size = m.sizeOf(e);
  const wanted = at + value.length;
  if (wanted > size || size - wanted >= SLACK + (size >>> 3)) return false;
  m.write(e, at, value);
  m.setU8(e, VALUE_LENGTH, value.length);
  return true;
}

export class HashValue extends ValueAccessor {
  /** What the last `random` or `show` showed; good until the next store. */
  readonly field = new Slice();
  readonly value = new Slice();
  private readonly limits: HashLimits;
  private readonly walk: HashCursor;

  constructor(memory: Memory, limits: HashLimits) {
    super(memory, ENC_LISTPACK);
    this.limits = limits;
    this.walk = new HashCursor(memory);
  }

  override get length(): number {
    return hashLength(this.m, this.slot.encoding, this.slot.root);
  }

  /** Shows the field's value through `into`; false when there is no such field. */
  get(field: Slice, into: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      const p = findField(m, root, field);
      if (p === 0) return false;
      lpGetBytes(m, root, lpNext(m, root, p), into);
      return true;
    }
    const e = dictFind(m, root, field, hashBytes(m.seed, field));
    if (e === NULL) return false;
    hashEntryValue(m, e, into);
    return true;
  }

  has(field: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) return findField(m, root, field) !== 0;
    return dictFind(m, root, field, hashBytes(m.seed, field)) !== NULL;
  }

  /** Writes a field; whether it is new. */
  put(field: Slice, value: Slice): boolean {
    if (this.slot.encoding === ENC_LISTPACK) {
      if (this.fits(field, value)) return this.putPacked(field, value);
      this.toHashtable();
    }
    const m = this.m;
    const d = this.slot.root;
    const hash = hashBytes(m.seed, field);
    const e = dictFind(m, d, field, hash);
    if (e === NULL) {
      dictInsert(m, d, newHashEntry(m, field, value), hash);
      return true;
    }
    if (!overwriteValue(m, e, value)) {
      const fresh = newHashEntry(m, field, value);
      dictRelink(m, d, e, fresh, hash);
      freeHashEntry(m, e);
    }
    return false;
  }

  /** Appends pairs, of fields that are new and of which each `fits` with those before it, to a hash that stays a listpack. */
  appendEncoded(pairs: EntryBuffer): void {
    const { root } = this.slot;
    const fresh = lpAppendEncoded(this.m, root, pairs.bytes, pairs.length, pairs.count);
    if (fresh !== root) this.slot.update(fresh, ENC_LISTPACK);
  }

  /** Whether a listpack may hold the pair, with `more` bytes beside what it has. */
  fits(field: Slice, value: Slice, more = 0): boolean {
    const { listpackValue } = this.limits;
    return (
      field.length <= listpackValue &&
      value.length <= listpackValue &&
      lpBytes(this.m, this.slot.root) + more + field.length + value.length <= LP_MAX_BYTES
    );
  }

  private putPacked(field: Slice, value: Slice): boolean {
    const m = this.m;
    const lp = this.slot.root;
    const p = findField(m, lp, field);
    if (p !== 0) {
      const fresh = lpReplace(m, lp, lpNext(m, lp, p), value);
      if (fresh !== lp) this.slot.update(fresh, ENC_LISTPACK);
      return false;
    }
    this.appendPacked(field, value);
    return true;
  }

  /** Both or, when memory runs out between them, neither. */
  private appendPacked(field: Slice, value: Slice): void {
    const m = this.m;
    const lp = this.slot.root;
    const half = lpAppend(m, lp, field);
    if (half !== lp) this.slot.update(half, ENC_LISTPACK);
    try {
      const fresh = lpAppend(m, half, value);
      if (fresh !== half) this.slot.update(fresh, ENC_LISTPACK);
    } catch (error) {
      this.slot.update(lpDelete(m, half, lpLast(m, half)), ENC_LISTPACK);
      throw error;
    }
    if (lpLength(m, this.slot.root) >>> 1 > this.limits.listpackEntries) this.toHashtable();
  }

  /** Whether the field was there. */
  remove(field: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      const p = findField(m, root, field);
      if (p === 0) return false;
      const fresh = lpDeleteRange(m, root, p, 2);
      if (fresh !== root) this.slot.update(fresh, ENC_LISTPACK);
      return true;
    }
    const e = dictRemove(m, root, field, hashBytes(m.seed, field));
    if (e === NULL) return false;
    freeHashEntry(m, e);
    dictShrinkIfNeeded(m, root);
    return true;
  }

  // Reading.

  /** A walk over all fields; the accessor has one, so it ends where another begins. */
  cursor(): HashCursor {
    return this.walk.reset(this.m, this.slot.encoding, this.slot.root);
  }

  /** Shows a random field and its value. */
  random(random: Random): void {
    const { root, encoding } = this.slot;
    const m = this.m;
    if (encoding === ENC_HASHTABLE) this.show(dictFairRandom(m, root, random));
    else this.show(lpSeek(m, root, random.below(lpLength(m, root) >>> 1) * 2));
  }

  /** Handles of `count` different random fields, in random order, into `out`; `count` is below the length. See `show`. */
  pick(count: number, random: Random, out: number[]): void {
    const { root, encoding } = this.slot;
    const m = this.m;
    const length = this.length;
    if (encoding === ENC_HASHTABLE) {
      const entries = new DictCursor(m).reset(m, root);
      pickDistinct(length, count, random, out, entries, (some, into) => {
        dictFairRandoms(m, root, some, random, into as Addr[]);
      });
      return;
    }
    const positions = this.positions();
    pickDistinct(length, count, random, out, null, (some, into) => {
      for (let i = 0; i < some; i++) into[i] = random.below(length);
    });
    for (let i = 0; i < count; i++) out[i] = positions[out[i]];
  }

  /** Handles of `count` random fields, any as often as it comes up, into `out`. */
  pickAny(count: number, random: Random, out: number[]): void {
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) {
      dictFairRandoms(this.m, root, count, random, out as Addr[]);
      return;
    }
    const positions = this.positions();
    for (let i = 0; i < count; i++) out[i] = positions[random.below(positions.length)];
  }

  private positions(): number[] {
    const m = this.m;
    const lp = this.slot.root;
    const positions: number[] = [];
    for (let p = lpFirst(m, lp); p !== 0; p = lpNext(m, lp, lpNext(m, lp, p))) positions.push(p);
    return positions;
  }

  /** Shows what a handle names in `field` and `value`; handles are good while the hash does not change. */
  show(handle: number): void {
    const { root, encoding } = this.slot;
    const m = this.m;
    if (encoding === ENC_HASHTABLE) {
      entryKey(m, handle as Addr, this.field);
      hashEntryValue(m, handle as Addr, this.value);
      return;
    }
    lpGetBytes(m, root, handle, this.field);
    lpGetBytes(m, root, lpNext(m, root, handle), this.value);
  }

  /** The dict of the hashtable encoding, for SCAN and DEBUG HTSTATS; null for a listpack. */
  get dict(): Addr {
    return this.slot.encoding === ENC_HASHTABLE ? this.slot.root : NULL;
  }

  /** SCAN over the hashtable encoding: visits entries, which `hashEntryField` and `hashEntryValue` read. */
  scan(cursor: number, visit: (entry: Addr) => void): number {
    return dictScan(this.m, this.slot.root, cursor, visit);
  }

  // Conversion.

  toHashtable(): void {
    const m = this.m;
    const { root: lp, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) return;
    const d = dictNew(m);
    dictExpand(m, d, lpLength(m, lp) >>> 1);
    for (let p = lpFirst(m, lp); p !== 0; ) {
      const field = lpGetBytes(m, lp, p, key);
      p = lpNext(m, lp, p);
      const hash = hashBytes(m.seed, field);
      // What was restored without deep tests may hold a field twice: the first is the one that was seen.
      if (dictFind(m, d, field, hash) === NULL)
        dictInsert(m, d, newHashEntry(m, field, lpGetBytes(m, lp, p, content)), hash);
      p = lpNext(m, lp, p);
    }
    m.release(lp);
    this.slot.update(d, ENC_HASHTABLE);
  }

  verify(): void {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_LISTPACK) {
      lpVerify(m, root);
      assert(lpLength(m, root) % 2 === 0, 'hash: every field has a value');
      return;
    }
    dictVerify(m, root, m.seed);
    const cursor = new DictCursor(m).reset(m, root);
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      if (isInline(m, e))
        assert(entryKeyEnd(m, e) + m.u8(e, VALUE_LENGTH) <= m.sizeOf(e), 'hash: a value in its block');
      else sdsVerify(m, m.addr(e, VALUE_ADDRESS));
    }
  }
}

function findField(r: Reader, lp: Addr, field: Slice): number {
  return lpFind(r, lp, lpFirst(r, lp), field, 1);
}

/**
 * A walk over the fields of a hash, over live or frozen memory: `while (cursor.next()) ... cursor.field, cursor.value`. The
 * hash must not change meanwhile; both are good until the next step.
 */
export class HashCursor {
  readonly field = new Slice();
  readonly value = new Slice();
  private readonly entries: DictCursor;
  private reader: Reader;
  private root: Addr = NULL;
  private packed = false;
  /** The position of the next field of a listpack, 0 at the end. */
  private position = 0;

  constructor(reader: Reader) {
    this.reader = reader;
    this.entries = new DictCursor(reader);
  }

  reset(reader: Reader, encoding: Encoding, root: Addr): this {
    this.reader = reader;
    this.root = root;
    this.packed = encoding === ENC_LISTPACK;
    if (this.packed) this.position = lpFirst(reader, root);
    else this.entries.reset(reader, root);
    return this;
  }

  /** Steps to the next field; false when there is none. */
  next(): boolean {
    const r = this.reader;
    if (!this.packed) {
      const e = this.entries.next();
      if (e === NULL) return false;
      entryKey(r, e, this.field);
      hashEntryValue(r, e, this.value);
      return true;
    }
    if (this.position === 0) return false;
    lpGetBytes(r, this.root, this.position, this.field);
    const at = lpNext(r, this.root, this.position);
    lpGetBytes(r, this.root, at, this.value);
    this.position = lpNext(r, this.root, at);
    return true;
  }
}

/** An empty hash's root, in the encoding given. */
export function hashNew(m: Memory, encoding: Encoding = ENC_LISTPACK): Addr {
  return encoding === ENC_HASHTABLE ? dictNew(m) : lpNew(m);
}

export function hashLength(r: Reader, encoding: Encoding, root: Addr): number {
  return encoding === ENC_HASHTABLE ? dictSize(r, root) : lpLength(r, root) >>> 1;
}

/** Releases about `budget` fields of a hash that is going away; true when all of it is gone. */
export function hashFreeSome(m: Memory, encoding: Encoding, root: Addr, budget: number): boolean {
  if (encoding === ENC_HASHTABLE) return dictDrain(m, root, budget, (e) => freeHashEntry(m, e));
  m.release(root);
  return true;
}
