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
  dictBuckets,
  dictDrain,
  dictExpand,
  dictFairRandom,
  dictFairRandoms,
  dictFind,
  dictFindEntryIn,
  dictHashBits,
  dictInsert,
  dictIsResizing,
  dictLookup,
  dictLookupEntry,
  dictMask,
  dictNew,
  dictRehashFor,
  dictRemove,
  dictScan,
  dictShrink,
  dictShrinkIfNeeded,
  dictSize,
  dictTable,
  dictVerify,
  entryKey,
  entryKeyEnd,
  keyFieldSize,
  writeKeyField,
} from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';
import {
  Int64,
  intsetGet,
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
/** A dict with more buckets than so many a member is made smaller once all members are there. */
const SPARSE = 4;
/** Redis's own ceiling over the limit. */
const MOST_INTSET_ENTRIES = 2 ** 30;

const integer = new Int64();
const key = new Slice();

/** The member of an entry that `scan` or a handle of the hashtable encoding names. */
export const setEntryMember = entryKey;

export class SetValue extends ValueAccessor {
  /** What the last `random` or `show` showed; good until the next store. */
  readonly member = new Slice();
  /** Members that a dict is made for, should there be one. */
  room = 0;
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

  /** What finds members of walks over other sets in this one, until one of them changes. */
  lookup(): MemberLookup {
    return new MemberLookup(this.m, this.slot.encoding, this.slot.root);
  }

  /** Whether the member is new. */
  add(member: Slice): boolean {
    const m = this.m;
    const { root, encoding } = this.slot;
    if (encoding !== ENC_HASHTABLE) {
      if (integer.parse(member)) return this.addInteger(root, integer);
      this.toHashtable();
      insertMember(m, this.slot.root, member, hashBytes(m.seed, member));
      return true;
    }
    const hash = hashBytes(m.seed, member);
    if (dictFind(m, root, member, hash) !== NULL) return false;
    insertMember(m, root, member, hash);
    return true;
  }

  /** Adds the member that a walk over another set has stepped to. */
  addAt(cursor: SetCursor): boolean {
    const { m } = this;
    const { root, encoding } = this.slot;
    const { entry } = cursor;
    if (encoding !== ENC_HASHTABLE)
      return entry === NULL ? this.addInteger(root, cursor.integer) : this.add(cursor.show());
    if (entry === NULL) return this.add(cursor.show());
    const hash = cursor.hash(m.seed, dictHashBits(m, root));
    if (dictLookupEntry(m, root, entry, hash) !== NULL) return false;
    const size = entryKeyEnd(m, entry);
    const e = m.allocate(size);
    m.copy(e, KEY_AT - 1, entry, KEY_AT - 1, size - (KEY_AT - 1));
    dictInsert(m, root, e, hash);
    return true;
  }

  private addInteger(root: Addr, { hi, lo }: Int64): boolean {
    const m = this.m;
    const at = intsetSearch(m, root, hi, lo);
    if (at >= 0) return false;
    const fresh = intsetInsert(m, root, ~at, hi, lo);
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
    dictExpand(m, d, Math.max(length, this.room));
    for (let i = 0; i < length; i++) {
      const member = intsetText(m, root, i, key);
      insertMember(m, d, member, hashBytes(m.seed, member));
    }
    m.release(root);
    this.slot.update(d, ENC_HASHTABLE);
  }

  /** Gives back what a dict has of room for many more members than there are. */
  fit(): void {
    const { m } = this;
    const { root, encoding } = this.slot;
    // Under a frozen view moving entries would have every page preserved.
    if (encoding !== ENC_HASHTABLE || m.frozen || dictSize(m, root) * SPARSE > dictBuckets(m, root)) return;
    if (dictShrink(m, root)) dictRehashFor(m, root, () => false);
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
 *
 * Where members are looked up in other sets, `while (cursor.step())` does without showing them (`lookup`, `addAt`).
 */
export class SetCursor {
  readonly member = new Slice();
  /** Of a dict: the entry of the member. NULL where the member is `integer`. */
  entry: Addr = NULL;
  readonly integer = new Int64();
  private readonly entries: DictCursor;
  private reader: Reader;
  private root: Addr = NULL;
  /** The next index of an intset; -1 when the entries of a dict are walked. */
  private index = 0;
  private length = 0;
  /** The hash of the member, or -1. */
  private whole = -1;

  constructor(reader: Reader) {
    this.reader = reader;
    this.entries = new DictCursor(reader);
  }

  reset(reader: Reader, encoding: Encoding, root: Addr): this {
    this.reader = reader;
    this.root = root;
    this.entry = NULL;
    if (encoding === ENC_HASHTABLE) {
      this.index = -1;
      this.entries.reset(reader, root);
    } else {
      this.index = 0;
      this.length = intsetLength(reader, root);
    }
    return this;
  }

  /** Steps to the next member, and shows it; false when there is none. */
  next(): boolean {
    if (this.index < 0) {
      const e = this.entries.next();
      if (e === NULL) return false;
      entryKey(this.reader, e, this.member);
      return true;
    }
    if (this.index >= this.length) return false;
    intsetText(this.reader, this.root, this.index++, this.member);
    return true;
  }

  /** Steps to the next member; false when there is none. */
  step(): boolean {
    this.whole = -1;
    if (this.index < 0) {
      this.entry = this.entries.next();
      return this.entry !== NULL;
    }
    if (this.index >= this.length) return false;
    intsetGet(this.reader, this.root, this.index++, this.integer);
    return true;
  }

  /** Shows the member that has been stepped to. */
  show(): Slice {
    const { entry } = this;
    if (entry !== NULL) return entryKey(this.reader, entry, this.member);
    return intsetText(this.reader, this.root, this.index - 1, this.member);
  }

  /** The `bits` of the hash of a member in a dict: as good as free where its own table looks at no fewer. */
  hash(seed: Uint32Array, bits: number): number {
    if ((bits & ~this.entries.hashBits) === 0) return this.entries.hash;
    if (this.whole < 0) this.whole = hashBytes(seed, this.show());
    return this.whole;
  }
}

/** Looks members of other sets up in one, while none of them changes. */
export class MemberLookup {
  private readonly m: Memory;
  private readonly encoding: Encoding;
  private readonly root: Addr;
  /** Of a dict that is not being resized, else NULL. */
  private readonly table: Addr = NULL;
  private readonly mask: number = 0;

  constructor(m: Memory, encoding: Encoding, root: Addr) {
    this.m = m;
    this.encoding = encoding;
    this.root = root;
    if (encoding !== ENC_HASHTABLE || dictIsResizing(m, root)) return;
    this.table = dictTable(m, root, 0);
    this.mask = dictMask(m, root, 0);
  }

  /** Whether the member that a walk has stepped to is in the set. */
  has(cursor: SetCursor): boolean {
    const { m, table, mask, root, encoding } = this;
    const { entry } = cursor;
    if (entry !== NULL && table !== NULL)
      return dictFindEntryIn(m, table, mask, entry, cursor.hash(m.seed, mask)) !== NULL;
    if (entry === NULL && encoding === ENC_INTSET)
      return intsetSearch(m, root, cursor.integer.hi, cursor.integer.lo) >= 0;
    return setHas(m, m.seed, encoding, root, cursor.show());
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
