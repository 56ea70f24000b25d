/**
 * The set: an intset while all members are integers and few, a dict of members beyond.
 *
 * A member in a dict is one block that holds nothing else:
 *
 *   0  u32  next
 *   4  u8   keyAt = 5
 *   5       key field: varint length, then the member       up to 10 bytes fit the smallest block
 *
 * A set only ever grows from the first form into the second.
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
  dictLookup,
  dictNew,
  dictRemove,
  dictScan,
  dictShrinkIfNeeded,
  dictSize,
  dictVerify,
  entryKey,
  keyFieldSize,
  writeKeyField,
} from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  Int64,
  intsetInsert,
  intsetLength,
  intsetNew,
  intsetRemove,
  intsetSearch,
  intsetText,
  intsetVerify,
} from '../structures/intset.ts';
import { ENC_HASHTABLE, ENC_INTSET, type Encoding } from './entry.ts';
import { pickDistinct } from './pick.ts';
import { ValueAccessor } from './value.ts';

/** Up to where a set stays an intset; the option set-max-intset-entries writes here. */
export class SetLimits {
  intsetEntries = 512;
}

const KEY_AT = 5;
/** Redis's own ceiling over the limit. */
const MOST_INTSET_ENTRIES = 2 ** 30;

const integer = new Int64();
const key = new Slice();

/** The member of an entry that `scan` or a handle of the hashtable encoding names. */
export const setEntryMember = entryKey;

export class SetValue extends ValueAccessor {
  /** What the last `random` or `show` showed; good until the next store. */
  readonly member = new Slice();
  private readonly limits: SetLimits;
  private readonly walk: SetCursor;

  constructor(memory: Memory, limits: SetLimits) {
    super(memory, ENC_INTSET);
    this.limits = limits;
    this.walk = new SetCursor(memory);
  }

  override get length(): number {
    return setLength(this.m, this.slot.encoding, this.slot.root);
  }

  has(member: Slice): boolean {
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) return dictFind(this.m, root, member, hashBytes(this.m.seed, member)) !== NULL;
    return integer.parse(member) && intsetSearch(this.m, root, integer.hi, integer.lo) >= 0;
  }

  /** The same while a walk is under way, which may be over this very set: nothing moves. */
  holds(member: Slice): boolean {
    return setHas(this.m, this.m.seed, this.slot.encoding, this.slot.root, member);
  }

  /** Whether the member is new. */
  add(member: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding !== ENC_HASHTABLE) {
      if (integer.parse(member)) return this.addInteger(root);
      this.toHashtable();
      insertMember(m, this.slot.root, member, hashBytes(m.seed, member));
      return true;
    }
    const hash = hashBytes(m.seed, member);
    if (dictFind(m, root, member, hash) !== NULL) return false;
    insertMember(m, root, member, hash);
    return true;
  }

  private addInteger(root: Addr): boolean {
    const m = this.m;
    const at = intsetSearch(m, root, integer.hi, integer.lo);
    if (at >= 0) return false;
    const fresh = intsetInsert(m, root, ~at, integer.hi, integer.lo);
    if (fresh !== root) this.slot.update(fresh, ENC_INTSET);
    const length = intsetLength(m, fresh);
    if (length > this.limits.intsetEntries || length > MOST_INTSET_ENTRIES) this.toHashtable();
    return true;
  }

  /** Whether the member was there. */
  remove(member: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) {
      const e = dictRemove(m, root, member, hashBytes(m.seed, member));
      if (e === NULL) return false;
      m.release(e);
      dictShrinkIfNeeded(m, root);
      return true;
    }
    if (!integer.parse(member)) return false;
    const at = intsetSearch(m, root, integer.hi, integer.lo);
    if (at < 0) return false;
    const fresh = intsetRemove(m, root, at);
    if (fresh !== root) this.slot.update(fresh, ENC_INTSET);
    return true;
  }

  // Reading.

  /** A walk over all members; the accessor has one, so it ends where another begins. */
  cursor(): SetCursor {
    return this.walk.reset(this.m, this.slot.encoding, this.slot.root);
  }

  /** Shows a random member. */
  random(random: Random): Slice {
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) return entryKey(this.m, dictFairRandom(this.m, root, random), this.member);
    return intsetText(this.m, root, random.below(intsetLength(this.m, root)), this.member);
  }

  /**
   * Writes handles of `count` different random members into `out`, in random order; `count` is below the length. A handle
   * is shown with `show`, and stays good while no member is added and, of an intset, none is removed.
   */
  pick(count: number, random: Random, out: number[]): void {
    const { root, encoding } = this.slot;
    const m = this.m;
    const length = this.length;
    if (encoding === ENC_HASHTABLE) {
      const entries = new DictCursor(m).reset(m, root);
      pickDistinct(length, count, random, out, entries, (some, into) => this.pickAny(some, random, into));
    } else {
      pickDistinct(length, count, random, out, null, (some, into) => this.pickAny(some, random, into));
    }
  }

  /** Handles of `count` random members, any as often as it comes up, into `out` from its start. */
  pickAny(count: number, random: Random, out: number[]): void {
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) {
      dictFairRandoms(this.m, root, count, random, out as Addr[]);
      return;
    }
    const { length } = this;
    for (let i = 0; i < count; i++) out[i] = random.below(length);
  }

  show(handle: number): Slice {
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) return entryKey(this.m, handle as Addr, this.member);
    return intsetText(this.m, root, handle, this.member);
  }

  /** The dict of the hashtable encoding, for SCAN and DEBUG HTSTATS; null for an intset. */
  get dict(): Addr {
    return this.slot.encoding === ENC_HASHTABLE ? this.slot.root : NULL;
  }

  /** SCAN over the hashtable encoding: visits entries, whose member `setEntryMember` tells. */
  scan(cursor: number, visit: (entry: Addr) => void): number {
    return dictScan(this.m, this.slot.root, cursor, visit);
  }

  // Conversion.

  toHashtable(): void {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) return;
    const d = dictNew(m);
    const length = intsetLength(m, root);
    dictExpand(m, d, length);
    for (let i = 0; i < length; i++) {
      const member = intsetText(m, root, i, key);
      insertMember(m, d, member, hashBytes(m.seed, member));
    }
    m.release(root);
    this.slot.update(d, ENC_HASHTABLE);
  }

  verify(): void {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding === ENC_HASHTABLE) {
      dictVerify(m, root, m.seed);
      return;
    }
    assert(encoding === ENC_INTSET, 'set: one of two encodings');
    intsetVerify(m, root);
  }
}

function insertMember(m: Memory, d: Addr, member: Slice, hash: number): void {
  const e = m.allocate(KEY_AT + keyFieldSize(member.length));
  writeKeyField(m, e, KEY_AT, member);
  dictInsert(m, d, e, hash);
}

/**
 * A walk over the members of a set, over live or frozen memory: `while (cursor.next()) ... cursor.member`. The set must not
 * change meanwhile; the member is good until the next step.
 */
export class SetCursor {
  readonly member = new Slice();
  private readonly entries: DictCursor;
  private reader: Reader;
  private root: Addr = NULL;
  /** The next index of an intset; -1 when the entries of a dict are walked. */
  private index = 0;
  private length = 0;

  constructor(reader: Reader) {
    this.reader = reader;
    this.entries = new DictCursor(reader);
  }

  reset(reader: Reader, encoding: Encoding, root: Addr): this {
    this.reader = reader;
    this.root = root;
    if (encoding === ENC_HASHTABLE) {
      this.index = -1;
      this.entries.reset(reader, root);
    } else {
      this.index = 0;
      this.length = intsetLength(reader, root);
    }
    return this;
  }

  /** Steps to the next member; false when there is none. */
  next(): boolean {
    if (this.index >= 0) {
      if (this.index >= this.length) return false;
      intsetText(this.reader, this.root, this.index++, this.member);
      return true;
    }
    const e = this.entries.next();
    if (e === NULL) return false;
    entryKey(this.reader, e, this.member);
    return true;
  }
}

/** An empty set's root, in the encoding given. */
export function setNew(m: Memory, encoding: Encoding = ENC_INTSET): Addr {
  return encoding === ENC_HASHTABLE ? dictNew(m) : intsetNew(m);
}

export function setLength(r: Reader, encoding: Encoding, root: Addr): number {
  return encoding === ENC_HASHTABLE ? dictSize(r, root) : intsetLength(r, root);
}

/** Whether `member` is in the set, for reading code: a rehash under way stays where it is. */
export function setHas(r: Reader, seed: Uint32Array, encoding: Encoding, root: Addr, member: Slice): boolean {
  if (encoding === ENC_HASHTABLE) return dictLookup(r, root, member, hashBytes(seed, member)) !== NULL;
  return integer.parse(member) && intsetSearch(r, root, integer.hi, integer.lo) >= 0;
}

export function setFree(m: Memory, encoding: Encoding, root: Addr): void {
  setFreeSome(m, encoding, root, Number.POSITIVE_INFINITY);
}

/** Releases about `budget` members of a set that is going away; true when all of it is gone. */
export function setFreeSome(m: Memory, encoding: Encoding, root: Addr, budget: number): boolean {
  if (encoding === ENC_HASHTABLE) return dictDrain(m, root, budget, (e) => m.release(e));
  m.release(root);
  return true;
}
