/**
 * Values out of the forms of a snapshot, those of every version of Redis since 2.2.
 *
 * Packed forms are always tested before they go into the image, where a wrong byte would lead readers astray; `deep` (what
 * sanitize-dump-payload asks for) adds what costs more: doubles among fields and members, the order of an intset.
 *
 * With `checking` set, what is read is only looked at and dropped (check-rdb): then Redis's rules decide alone, and data of
 * modules is passed over.
 */
import { parseDouble } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import { dictExpand } from '../../structures/dict.ts';
import { hashBytes } from '../../structures/hash.ts';
import { intsetFromBytes, intsetLength, intsetValidate } from '../../structures/intset.ts';
import { ListpackCursor, lpBytes, lpFromBytes, lpLength, lpValidate } from '../../structures/listpack.ts';
import { qlAppendListpack, qlConfigure, qlLength, qlPushTail } from '../../structures/quicklist.ts';
import { sdsNewLength, sdsWrite } from '../../structures/sds.ts';
import { slOwner } from '../../structures/skiplist.ts';
import {
  ENC_HASHTABLE,
  ENC_INTSET,
  ENC_LISTPACK,
  ENC_QUICKLIST,
  ENC_RAW,
  ENC_SKIPLIST,
  ENC_STREAM,
  type Encoding,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
  type ValueType,
} from '../../values/entry.ts';
import { freeValue } from '../../values/free.ts';
import { type HashLimits, HashValue, hashNew } from '../../values/hash.ts';
import { type ListLimits, listNew } from '../../values/list.ts';
import { type SetLimits, SetValue, setNew } from '../../values/set.ts';
import { type StreamLimits, StreamValue, streamNew } from '../../values/stream.ts';
import { EntryBuffer } from '../../values/stream-node.ts';
import { LooseSlot } from '../../values/value.ts';
import { ZSET_ADDED, type ZsetLimits, ZsetValue, zsetNew } from '../../values/zset.ts';
import * as faults from './faults.ts';
import { damaged, type Fault } from './faults.ts';
import * as rdb from './format.ts';
import { corrupt, RdbError } from './format.ts';
import { type Measures, MoreNeeded, type RdbInput, Room } from './input.ts';
import { stringPieces } from './long-string.ts';
import { canonicalListpack, listpackOf } from './packing.ts';
import { type Elements, readPortion } from './portions.ts';
import { StreamReader } from './stream.ts';
import { eachOfZiplist, eachOfZipmap } from './ziplist.ts';

export interface ReadLimits {
  readonly list: ListLimits;
  readonly set: SetLimits;
  readonly hash: HashLimits;
  readonly zset: ZsetLimits;
  readonly stream: StreamLimits;
}

/** Room for elements is made ahead of them only up to here: their number is only claimed. */
const EXPECTED_MOST = 1 << 20;
/** From here up (and up to 2^60, beyond which its own sum runs over) Redis has no memory for a table of so many. */
const BEYOND_TABLES = 2 ** 44;
const LARGEST_TABLE = 2 ** 60;
/** Bytes of a listpack without elements. */
const EMPTY_LISTPACK = 7;
/** Of a larger listpack the names are not kept in the heap while they are compared. */
const SMALL_LISTPACK = 1 << 16;
/** So many bytes of pairs are appended at a time: the listpack is not made longer for each of them. */
const PAIRS_BYTES = 1 << 14;
const MODULE_SIGNED = 1;
const MODULE_UNSIGNED = 2;
const MODULE_FLOAT = 3;
const MODULE_DOUBLE = 4;
const MODULE_STRING = 5;

/** A value of which there is more to read. */
interface Growing {
  readonly type: ValueType;
  readonly slot: LooseSlot;
  readonly input: RdbInput;
  readonly elements: Elements;
}

export class ValueReader {
  /** What the last `read` gave: at `root`, which is the caller's, or a string's bytes in `text`, where that is NULL. */
  type: ValueType = TYPE_STRING;
  encoding: Encoding = ENC_RAW;
  root: Addr = NULL;
  readonly text = new Slice();
  /** Values that were tested deeply. */
  sanitized = 0;
  private readonly memory: Memory;
  private readonly limits: ReadLimits;
  private readonly sets: SetValue;
  private readonly hashes: HashValue;
  private readonly zsets: ZsetValue;
  private readonly streams: StreamValue;
  private readonly streamReader: StreamReader;
  private readonly room = new Room();
  private readonly first = new Slice();
  private readonly second = new Slice();
  private readonly walk = new ListpackCursor();
  /** Of a hash that is read: what is yet to be appended to its listpack. */
  private readonly pairs = new EntryBuffer();
  private growing: Growing | null = null;

  constructor(memory: Memory, limits: ReadLimits) {
    this.memory = memory;
    this.limits = limits;
    this.sets = new SetValue(memory, limits.set);
    this.hashes = new HashValue(memory, limits.hash);
    this.zsets = new ZsetValue(memory, limits.zset);
    this.streams = new StreamValue(memory, limits.stream);
    this.streamReader = new StreamReader(memory);
  }

  /** Whether nothing of what is read is kept. */
  get checking(): boolean {
    return this.streamReader.checking;
  }

  set checking(yes: boolean) {
    this.streamReader.checking = yes;
  }

  /** Reads a value of the form `type`. What it throws (RdbError, OutOfMemory) leaves nothing behind. */
  read(input: RdbInput, type: number, deep: boolean): void {
    this.begin(input, type, deep);
    while (!this.proceed());
  }

  /** Goes on with what `begin` has begun, for a moment; whether it is all there now. */
  proceed(): boolean {
    const { growing } = this;
    if (growing === null) return true;
    return this.guarded(growing, () => this.grow(growing));
  }

  /** Begins with a value of the form `type`; `proceed` says whether that was all of it. */
  begin(input: RdbInput, type: number, deep: boolean): void {
    const { memory: m } = this;
    this.growing = null;
    switch (type) {
      case rdb.STRING:
        this.type = TYPE_STRING;
        this.root = NULL;
        input.string(this.text);
        return;
      case rdb.LIST:
      case rdb.LIST_QUICKLIST:
      case rdb.LIST_QUICKLIST_2:
        this.open(input, TYPE_LIST, ENC_QUICKLIST, listNew(m), (slot) => this.list(input, type, slot.root, deep));
        return;
      case rdb.LIST_ZIPLIST:
        this.build(TYPE_LIST, ENC_QUICKLIST, listNew(m), (slot) => this.listOfOne(input, slot.root));
        return;
      case rdb.SET:
        this.open(input, TYPE_SET, ENC_INTSET, setNew(m), (slot) => this.set(input, slot));
        return;
      case rdb.SET_LISTPACK:
        this.build(TYPE_SET, ENC_INTSET, setNew(m), (slot) => this.packedSet(input, slot));
        return;
      case rdb.SET_INTSET:
        this.intset(input, deep);
        return;
      case rdb.ZSET:
      case rdb.ZSET_2:
        this.open(input, TYPE_ZSET, ENC_SKIPLIST, zsetNew(m, ENC_SKIPLIST), (slot) =>
          this.zset(input, type === rdb.ZSET_2, slot),
        );
        return;
      case rdb.HASH:
        this.open(input, TYPE_HASH, ENC_LISTPACK, hashNew(m), (slot) => this.hash(input, slot, deep));
        return;
      case rdb.HASH_ZIPMAP:
      case rdb.HASH_ZIPLIST:
      case rdb.HASH_LISTPACK:
        this.packed(input, type, TYPE_HASH, deep);
        return;
      case rdb.ZSET_ZIPLIST:
      case rdb.ZSET_LISTPACK:
        this.packed(input, type, TYPE_ZSET, deep);
        return;
      case rdb.STREAM_LISTPACKS:
      case rdb.STREAM_LISTPACKS_2:
      case rdb.STREAM_LISTPACKS_3:
        this.open(input, TYPE_STREAM, ENC_STREAM, streamNew(m), (slot) => this.stream(input, type, slot, deep));
        return;
      case rdb.MODULE:
      case rdb.MODULE_2:
        this.module(input, type);
        return;
      default:
        corrupt(`Unknown RDB encoding type ${type}`);
    }
  }

  /** Begins with a string whose bytes follow: it goes piece by piece to where it will stay. */
  beginLongString(input: RdbInput, measures: Measures): void {
    const m = this.memory;
    this.open(input, TYPE_STRING, ENC_RAW, sdsNewLength(m, measures.length), ({ root }) =>
      stringPieces(input, measures, (at, piece) => sdsWrite(m, root, at, piece)),
    );
  }

  /** Releases what the last `read` gave, where it is in the image. */
  drop(): void {
    if (this.root !== NULL) freeValue(this.memory, this.type, this.encoding, this.root);
  }

  /** A value that is read at one go. */
  private build(type: ValueType, encoding: Encoding, root: Addr, fill: (slot: LooseSlot) => void): void {
    const slot = new LooseSlot(this.memory, root, encoding);
    this.guarded({ type, slot }, () => fill(slot));
    this.built(type, slot);
  }

  /** A value that is read in portions. */
  private open(
    input: RdbInput,
    type: ValueType,
    encoding: Encoding,
    root: Addr,
    elements: (slot: LooseSlot) => Elements,
  ): void {
    const slot = new LooseSlot(this.memory, root, encoding);
    this.growing = { type, slot, input, elements: this.guarded({ type, slot }, () => elements(slot)) };
  }

  private grow({ type, slot, input, elements }: Growing): boolean {
    if (!readPortion(input, elements)) return false;
    this.growing = null;
    this.built(type, slot);
    return true;
  }

  private built(type: ValueType, { encoding, root }: LooseSlot): void {
    this.type = type;
    this.encoding = encoding;
    this.root = root;
  }

  /** Releases what has been read of a value that will not be read to its end. */
  abandon(): void {
    const { growing } = this;
    this.growing = null;
    if (growing !== null) freeValue(this.memory, growing.type, growing.slot.encoding, growing.slot.root);
  }

  /** What the step throws leaves nothing of the value behind, unless it goes on later. */
  private guarded<T>({ type, slot }: Pick<Growing, 'type' | 'slot'>, step: () => T): T {
    try {
      return step();
    } catch (error) {
      if (error instanceof MoreNeeded && this.growing?.slot === slot) throw error;
      this.growing = null;
      freeValue(this.memory, type, slot.encoding, slot.root);
      throw error;
    }
  }

  // Lists.

  private list(input: RdbInput, type: number, root: Addr, deep: boolean): Elements {
    const { memory: m, limits } = this;
    const { fill, compressDepth, plainFrom } = limits.list;
    qlConfigure(m, root, fill, compressDepth);
    return {
      left: notEmpty(input.size()),
      one: () => {
        if (type === rdb.LIST) qlPushTail(m, root, input.string(this.first), plainFrom);
        else if (type === rdb.LIST_QUICKLIST) this.node(present(input.string(this.first)), root, faults.BAD_LIST_NODE);
        else this.container(input, root, deep);
      },
      end: () => notEmpty(qlLength(m, root)),
    };
  }

  private listOfOne(input: RdbInput, root: Addr): void {
    const { fill, compressDepth } = this.limits.list;
    qlConfigure(this.memory, root, fill, compressDepth);
    this.node(input.string(this.first), root, faults.BAD_LIST_ZIPLIST);
    notEmpty(qlLength(this.memory, root));
  }

  /** Appends a node of the elements of a ziplist. */
  private node(ziplist: Slice, root: Addr, fault: Fault): void {
    qlAppendListpack(
      this.memory,
      root,
      listpackOf((take) => eachOfZiplist(ziplist, fault, take)),
    );
  }

  private container(input: RdbInput, root: Addr, deep: boolean): void {
    const container = input.size();
    if (container !== rdb.NODE_PLAIN && container !== rdb.NODE_PACKED) damaged(faults.BAD_CONTAINER);
    const content = present(input.string(this.first));
    if (container === rdb.NODE_PLAIN) {
      qlPushTail(this.memory, root, content, 0);
      return;
    }
    if (deep) this.sanitized++;
    if (!lpValidate(content, true)) damaged(faults.BAD_LIST_LISTPACK);
    if (content.length > EMPTY_LISTPACK) qlAppendListpack(this.memory, root, canonicalListpack(content));
  }

  // Sets.

  private packedSet(input: RdbInput, slot: LooseSlot): void {
    const set = this.sets.bind(slot);
    const bytes = this.listpack(input, faults.BAD_SET_LISTPACK);
    const member = this.second;
    const all = new Slice(bytes.copy());
    for (this.walk.resetBytes(all, 6); this.walk.more; this.walk.next()) {
      if (!set.add(this.walk.bytes(member))) damaged(faults.SAME_MEMBER);
    }
  }

  private set(input: RdbInput, slot: LooseSlot): Elements {
    const set = this.sets.bind(slot);
    const count = notEmpty(input.size());
    if (count > this.limits.set.intsetEntries) {
      expectable(input, count, faults.TOO_MANY_MEMBERS);
      set.toHashtable();
      dictExpand(this.memory, slot.root, Math.min(count, EXPECTED_MOST));
    }
    const one = (): void => {
      if (set.add(input.string(this.first))) return;
      damaged(slot.encoding === ENC_HASHTABLE ? faults.SAME_MEMBER : faults.SAME_INTEGER);
    };
    return { left: count, one, end: () => {} };
  }

  private intset(input: RdbInput, deep: boolean): void {
    const bytes = input.string(this.first);
    if (deep) this.sanitized++;
    // Its order is tested always: numbers out of order or twice would lead readers astray.
    if (!intsetValidate(bytes, true)) damaged(faults.BAD_INTSET);
    this.build(TYPE_SET, ENC_INTSET, intsetFromBytes(this.memory, bytes), (slot) => {
      if (intsetLength(this.memory, slot.root) > this.limits.set.intsetEntries) this.sets.bind(slot).toHashtable();
    });
  }

  // Sorted sets.

  private zset(input: RdbInput, binary: boolean, slot: LooseSlot): Elements {
    const zset = this.zsets.bind(slot);
    const count = notEmpty(input.size());
    expectable(input, count, faults.TOO_MANY_SCORES);
    dictExpand(this.memory, slOwner(this.memory, slot.root), Math.min(count, EXPECTED_MOST));
    let longest = 0;
    const one = (): void => {
      const member = input.keep(this.room, this.first);
      const score = binary ? input.f64() : this.scoreText(input);
      if (Number.isNaN(score)) damaged(faults.SCORE_NAN);
      if (member.length > longest) longest = member.length;
      if (zset.add(member, score) !== ZSET_ADDED) damaged(faults.SAME_SCORED);
    };
    return { left: count, one, end: () => zset.settle(longest) };
  }

  /** A score as versions before 8 wrote it: a length and its text, or one of three special lengths. */
  private scoreText(input: RdbInput): number {
    const length = input.u8();
    if (length === 255) return Number.NEGATIVE_INFINITY;
    if (length === 254) return Number.POSITIVE_INFINITY;
    if (length === 253) return Number.NaN;
    return leadingNumber(input.bytes(length, this.second)) ?? unreadable();
  }

  // Hashes.

  private hash(input: RdbInput, slot: LooseSlot, deep: boolean): Elements {
    const hash = this.hashes.bind(slot);
    const count = notEmpty(input.size());
    if (count > this.limits.hash.listpackEntries) {
      expectable(input, count, faults.TOO_MANY_FIELDS);
      hash.toHashtable();
      dictExpand(this.memory, slot.root, Math.min(count, EXPECTED_MOST));
    }
    // A field whose hash is new need not be looked for in a listpack, from its first field to its last.
    const hashes = new Set<number>();
    const { pairs } = this;
    pairs.clear();
    const one = (): void => {
      const field = input.keep(this.room, this.first);
      const value = input.string(this.second);
      const packed = slot.encoding === ENC_LISTPACK;
      if (packed && hash.fits(field, value, pairs.length)) {
        if (hashes.size < hashes.add(hashBytes(this.memory.seed, field)).size) {
          pairs.value(field);
          pairs.value(value);
          if (pairs.length > PAIRS_BYTES) this.appendPairs(hash);
          return;
        }
      }
      this.appendPairs(hash);
      if (!hash.put(field, value)) damaged(packed && deep ? faults.SAME_FIELD : faults.SAME_FIELD_OF_MANY);
    };
    return { left: count, one, end: () => this.appendPairs(hash) };
  }

  private appendPairs(hash: HashValue): void {
    const { pairs } = this;
    if (pairs.count === 0) return;
    hash.appendEncoded(pairs);
    pairs.clear();
    pairs.taken();
  }

  // Streams.

  private stream(input: RdbInput, type: number, slot: LooseSlot, deep: boolean): Elements {
    return this.streamReader.open(input, type, this.streams.bind(slot), deep, (nodes) => {
      if (deep) this.sanitized += nodes;
    });
  }

  // What was packed.

  private packed(input: RdbInput, form: number, type: ValueType, deep: boolean): void {
    const m = this.memory;
    let root: Addr;
    let doubles = deep;
    if (form === rdb.HASH_LISTPACK || form === rdb.ZSET_LISTPACK) {
      root = lpFromBytes(m, canonicalListpack(this.listpack(input, PACKED[form])));
    } else {
      const bytes = input.string(this.first);
      const elements = listpackOf((take) =>
        form === rdb.HASH_ZIPMAP ? eachOfZipmap(bytes, take) : eachOfZiplist(bytes, PACKED[form], take),
      );
      root = lpFromBytes(m, elements);
      doubles = true;
    }
    if (deep) this.sanitized++;
    this.build(type, ENC_LISTPACK, root, (slot) => this.finishPacked(type, form, slot, doubles));
  }

  /** Tests pairs in a listpack, and gives them the encoding that the limits ask for. */
  private finishPacked(type: ValueType, form: number, slot: LooseSlot, doubles: boolean): void {
    const m = this.memory;
    const length = lpLength(m, slot.root);
    if (length % 2 !== 0) damaged(PACKED[form]);
    if (length === 0) notEmpty(0);
    const limits = type === TYPE_HASH ? this.limits.hash : this.limits.zset;
    const many = length / 2 > limits.listpackEntries;
    const longest = doubles || many ? this.longestOf(type, form, slot.root) : 0;
    if (this.checking || (!many && (form !== rdb.HASH_ZIPMAP || longest <= limits.listpackValue))) return;
    if (type === TYPE_HASH) this.hashes.bind(slot).toHashtable();
    else this.zsets.bind(slot).toSkiplist();
  }

  /** The longest member, field or value of a listpack of pairs; throws where a member or field is there twice. */
  private longestOf(type: ValueType, form: number, lp: Addr): number {
    const m = this.memory;
    if (lpBytes(m, lp) <= SMALL_LISTPACK) {
      const names = new Set<string>();
      return this.testPairs(type, form, lp, (name) => names.size < names.add(name.beginning(SMALL_LISTPACK)).size);
    }
    const slot = new LooseSlot(m, setNew(m), ENC_INTSET);
    const names = this.sets.bind(slot);
    try {
      names.toHashtable();
      return this.testPairs(type, form, lp, (name) => names.add(name));
    } finally {
      freeValue(m, TYPE_SET, slot.encoding, slot.root);
    }
  }

  private testPairs(type: ValueType, form: number, lp: Addr, isNew: (name: Slice) => boolean): number {
    const { memory: m, walk, second: element } = this;
    let longest = 0;
    let index = 0;
    for (walk.reset(m, lp, 6); walk.more; walk.next(), index++) {
      const isScore = type === TYPE_ZSET && index % 2 === 1;
      walk.bytes(element);
      if (isScore) {
        if (!this.checking && parseDouble(element) === undefined) damaged(PACKED[form]);
        continue;
      }
      if (element.length > longest) longest = element.length;
      if (index % 2 === 1) continue;
      if (isNew(element)) continue;
      if (form !== rdb.HASH_ZIPMAP) damaged(PACKED[form]);
      else damaged(faults.SAME_ZIPMAP_FIELD, ` (${element.length})`);
    }
    return longest;
  }

  private listpack(input: RdbInput, what: Fault): Slice {
    const bytes = input.string(this.first);
    if (!lpValidate(bytes, true)) damaged(what);
    if (bytes.length <= EMPTY_LISTPACK) notEmpty(0);
    return bytes;
  }

  /** Data of a module, which there is nothing to hold; only where its form tells its end it can be passed over. */
  private module(input: RdbInput, type: number): void {
    const name = moduleName(whole(faults.SHORT_MODULE, '', () => input.size64()));
    if (!this.checking || type === rdb.MODULE) damaged(faults.UNKNOWN_MODULE, ` '${name}'`);
    skipModule(input, name);
    this.type = TYPE_STRING;
    this.root = NULL;
    this.text.length = 0;
  }
}

/** What a packed form is said to be when it isn't. */
const PACKED: Readonly<Record<number, Fault>> = {
  [rdb.HASH_ZIPMAP]: faults.BAD_ZIPMAP,
  [rdb.HASH_ZIPLIST]: faults.BAD_HASH_ZIPLIST,
  [rdb.HASH_LISTPACK]: faults.BAD_HASH_LISTPACK,
  [rdb.ZSET_ZIPLIST]: faults.BAD_ZSET_ZIPLIST,
  [rdb.ZSET_LISTPACK]: faults.BAD_ZSET_LISTPACK,
};

function expectable(input: RdbInput, count: number, fault: Fault): void {
  if (count >= BEYOND_TABLES && count <= LARGEST_TABLE) damaged(fault, ` ${input.exactSize}`);
}

function notEmpty(count: number): number {
  if (count === 0) throw new RdbError('empty', 'an aggregate without elements');
  return count;
}

/** The number that a text begins with, behind any space: all of it but for damage, which Redis overlooks. */
function leadingNumber(text: Slice): number | undefined {
  const part = new Slice().like(text);
  for (; part.length > 0 && isSpace(part.at(0)); part.length--) part.start++;
  for (; part.length > 0; part.length--) {
    const number = parseDouble(part);
    if (number !== undefined) return number;
  }
  return undefined;
}

/** Of ASCII's white space: tabs, ends of lines and pages, the space itself. */
function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** A node of no bytes counts as one that could not be read. */
function present(node: Slice): Slice {
  return node.length === 0 ? unreadable() : node;
}

/** What Redis takes for the end of the file, though bytes may follow. */
function unreadable(): never {
  throw new RdbError('short', 'Unexpected EOF reading RDB file');
}

const MODULE_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The nine characters that a module type's number stands for. */
export function moduleName(id: bigint): string {
  let name = '';
  for (let i = 8; i >= 0; i--) name += MODULE_ALPHABET[Number((id >> BigInt(10 + i * 6)) & 63n)];
  return name;
}

/** Passes over data of the module type `name`. What is of no kind is passed over as well, as Redis does. */
export function skipModule(input: RdbInput, name: string): void {
  const rest = ` ${name} value`;
  for (let kind = input.size(); kind !== 0; kind = input.size()) {
    if (kind === MODULE_SIGNED || kind === MODULE_UNSIGNED)
      whole(faults.BAD_MODULE_INTEGER, rest, () => input.size64());
    else if (kind === MODULE_FLOAT) whole(faults.BAD_MODULE_FLOAT, rest, () => input.f32());
    else if (kind === MODULE_DOUBLE) whole(faults.BAD_MODULE_DOUBLE, rest, () => input.f64());
    else if (kind === MODULE_STRING) whole(faults.BAD_MODULE_STRING, rest, () => input.skipString());
  }
}

/** What `read` gives; where the bytes end before that, `fault`. */
function whole<T>(fault: Fault, rest: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RdbError && error.fault === 'short') damaged(fault, rest);
    throw error;
  }
}
