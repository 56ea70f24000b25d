/**
 * Values out of the forms of a snapshot, those of every version of Redis since 2.2.
 *
 * Packed forms are always tested before they go into the image, where a wrong byte would lead readers astray; `deep` (what
 * sanitize-dump-payload asks for) adds what costs more: doubles among fields and members, the order of an intset.
 */
import { parseDouble } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Addr } from '../../memory/address.ts';
import type { Memory } from '../../memory/memory.ts';
import { dictExpand } from '../../structures/dict.ts';
import { intsetFromBytes, intsetLength, intsetValidate } from '../../structures/intset.ts';
import {
  ListpackCursor,
  lpAppend,
  lpBytes,
  lpFromBytes,
  lpLength,
  lpNew,
  lpValidate,
} from '../../structures/listpack.ts';
import { qlAppendListpack, qlConfigure, qlLength, qlPushTail } from '../../structures/quicklist.ts';
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
import { LooseSlot } from '../../values/value.ts';
import { ZSET_ADDED, type ZsetLimits, ZsetValue, zsetNew } from '../../values/zset.ts';
import * as rdb from './format.ts';
import { corrupt, RdbError } from './format.ts';
import { type RdbInput, Room } from './input.ts';
import { StreamReader } from './stream.ts';
import { ziplistElements, zipmapElements } from './ziplist.ts';

export interface ReadLimits {
  readonly list: ListLimits;
  readonly set: SetLimits;
  readonly hash: HashLimits;
  readonly zset: ZsetLimits;
  readonly stream: StreamLimits;
}

/** Room for elements is made ahead of them only up to here: their number is only claimed. */
const EXPECTED_MOST = 1 << 20;
const MODULE_SIGNED = 1;
const MODULE_UNSIGNED = 2;
const MODULE_FLOAT = 3;
const MODULE_DOUBLE = 4;
const MODULE_STRING = 5;

export class ValueReader {
  /** What the last `read` gave: a string's bytes in `text`, anything else at `root`, which is the caller's. */
  type: ValueType = TYPE_STRING;
  encoding: Encoding = ENC_RAW;
  root: Addr = 0 as Addr;
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

  constructor(memory: Memory, limits: ReadLimits) {
    this.memory = memory;
    this.limits = limits;
    this.sets = new SetValue(memory, limits.set);
    this.hashes = new HashValue(memory, limits.hash);
    this.zsets = new ZsetValue(memory, limits.zset);
    this.streams = new StreamValue(memory, limits.stream);
    this.streamReader = new StreamReader(memory);
  }

  /** Reads a value of the form `type`. What it throws (RdbError, OutOfMemory) leaves nothing behind. */
  read(input: RdbInput, type: number, deep: boolean): void {
    switch (type) {
      case rdb.STRING:
        this.type = TYPE_STRING;
        input.string(this.text);
        return;
      case rdb.LIST:
      case rdb.LIST_ZIPLIST:
      case rdb.LIST_QUICKLIST:
      case rdb.LIST_QUICKLIST_2:
        this.build(TYPE_LIST, ENC_QUICKLIST, listNew(this.memory), (slot) => this.list(input, type, slot.root));
        return;
      case rdb.SET:
      case rdb.SET_LISTPACK:
        this.build(TYPE_SET, ENC_INTSET, setNew(this.memory), (slot) => this.set(input, type, slot));
        return;
      case rdb.SET_INTSET:
        this.intset(input, deep);
        return;
      case rdb.ZSET:
      case rdb.ZSET_2:
        this.build(TYPE_ZSET, ENC_SKIPLIST, zsetNew(this.memory, ENC_SKIPLIST), (slot) =>
          this.zset(input, type === rdb.ZSET_2, slot),
        );
        return;
      case rdb.HASH:
        this.build(TYPE_HASH, ENC_LISTPACK, hashNew(this.memory), (slot) => this.hash(input, slot));
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
        this.build(TYPE_STREAM, ENC_STREAM, streamNew(this.memory), (slot) => {
          if (deep) this.sanitized++;
          this.streamReader.read(input, type, this.streams.bind(slot), deep);
        });
        return;
      case rdb.MODULE:
      case rdb.MODULE_2:
        throw new RdbError('refused', this.moduleRefusal(input));
      default:
        corrupt(`Unknown RDB encoding type ${type}`);
    }
  }

  /** Releases what the last `read` gave, where it is not a string. */
  drop(): void {
    if (this.type !== TYPE_STRING) freeValue(this.memory, this.type, this.encoding, this.root);
  }

  private build(type: ValueType, encoding: Encoding, root: Addr, fill: (slot: LooseSlot) => void): void {
    const slot = new LooseSlot(this.memory, root, encoding);
    try {
      fill(slot);
    } catch (error) {
      freeValue(this.memory, type, slot.encoding, slot.root);
      throw error;
    }
    this.type = type;
    this.encoding = slot.encoding;
    this.root = slot.root;
  }

  // Lists.

  private list(input: RdbInput, type: number, root: Addr): void {
    const { memory: m, limits } = this;
    const { fill, compressDepth, plainFrom } = limits.list;
    qlConfigure(m, root, fill, compressDepth);
    if (type === rdb.LIST_ZIPLIST) {
      this.node(root, ziplistElements(input.string(this.first), 'List'));
    } else {
      for (let left = notEmpty(input.size()); left > 0; left--) {
        if (type === rdb.LIST) qlPushTail(m, root, input.string(this.first), plainFrom);
        else if (type === rdb.LIST_QUICKLIST) this.node(root, ziplistElements(input.string(this.first), 'Quicklist'));
        else this.container(input, root);
      }
    }
    notEmpty(qlLength(m, root));
  }

  private container(input: RdbInput, root: Addr): void {
    const container = input.size();
    const content = container === rdb.NODE_PLAIN || container === rdb.NODE_PACKED ? input.string(this.first) : null;
    if (content === null || content.length === 0) corrupt('Quicklist integrity check failed.');
    if (container === rdb.NODE_PLAIN) {
      qlPushTail(this.memory, root, content, 0);
      return;
    }
    if (!lpValidate(content, true)) corrupt('Quicklist listpack integrity check failed.');
    qlAppendListpack(this.memory, root, content);
  }

  /** Appends elements as one node. */
  private node(root: Addr, elements: readonly Slice[]): void {
    const m = this.memory;
    const lp = this.listpackOf(elements);
    const bytes = m.borrow(this.second, lp, 0, lpBytes(m, lp)).copy();
    m.release(lp);
    qlAppendListpack(m, root, new Slice(bytes));
  }

  private listpackOf(elements: readonly Slice[]): Addr {
    const m = this.memory;
    let lp = lpNew(m);
    try {
      for (const element of elements) lp = lpAppend(m, lp, element);
    } catch (error) {
      m.release(lp);
      throw error;
    }
    return lp;
  }

  // Sets.

  private set(input: RdbInput, type: number, slot: LooseSlot): void {
    const set = this.sets.bind(slot);
    if (type === rdb.SET_LISTPACK) {
      const bytes = this.listpack(input, 'Set');
      const member = this.second;
      const all = new Slice(bytes.copy());
      for (this.walk.resetBytes(all, 6); this.walk.more; this.walk.next()) {
        if (!set.add(this.walk.bytes(member))) corrupt('Duplicate set members detected');
      }
      return;
    }
    const count = notEmpty(input.size());
    if (count > this.limits.set.intsetEntries) {
      set.toHashtable();
      dictExpand(this.memory, slot.root, Math.min(count, EXPECTED_MOST));
    }
    for (let left = count; left > 0; left--) {
      const added = set.add(input.string(this.first));
      if (!added && slot.encoding === ENC_HASHTABLE) corrupt('Duplicate set members detected');
    }
  }

  private intset(input: RdbInput, deep: boolean): void {
    const bytes = input.string(this.first);
    if (deep) this.sanitized++;
    if (!intsetValidate(bytes, deep)) corrupt('Intset integrity check failed.');
    this.build(TYPE_SET, ENC_INTSET, intsetFromBytes(this.memory, bytes), (slot) => {
      if (intsetLength(this.memory, slot.root) > this.limits.set.intsetEntries) this.sets.bind(slot).toHashtable();
    });
  }

  // Sorted sets.

  private zset(input: RdbInput, binary: boolean, slot: LooseSlot): void {
    const zset = this.zsets.bind(slot);
    const count = notEmpty(input.size());
    dictExpand(this.memory, slOwner(this.memory, slot.root), Math.min(count, EXPECTED_MOST));
    let longest = 0;
    for (let left = count; left > 0; left--) {
      const member = input.keep(this.room, this.first);
      const score = binary ? input.f64() : this.scoreText(input);
      if (Number.isNaN(score)) corrupt('Zset with NAN score detected');
      if (member.length > longest) longest = member.length;
      if (zset.add(member, score) !== ZSET_ADDED) corrupt('Duplicate zset fields detected');
    }
    zset.settle(longest);
  }

  /** A score as versions before 8 wrote it: a length and its text, or one of three special lengths. */
  private scoreText(input: RdbInput): number {
    const length = input.u8();
    if (length === 255) return Number.NEGATIVE_INFINITY;
    if (length === 254) return Number.POSITIVE_INFINITY;
    if (length === 253) return Number.NaN;
    return parseDouble(input.bytes(length, this.second)) ?? corrupt('a score that is no number');
  }

  // Hashes.

  private hash(input: RdbInput, slot: LooseSlot): void {
    const hash = this.hashes.bind(slot);
    const count = notEmpty(input.size());
    if (count > this.limits.hash.listpackEntries) {
      hash.toHashtable();
      dictExpand(this.memory, slot.root, Math.min(count, EXPECTED_MOST));
    }
    for (let left = count; left > 0; left--) {
      const field = input.keep(this.room, this.first);
      if (!hash.put(field, input.string(this.second))) corrupt('Duplicate hash fields detected');
    }
  }

  // What was packed.

  private packed(input: RdbInput, form: number, type: ValueType, deep: boolean): void {
    const m = this.memory;
    let root: Addr;
    let doubles = deep;
    if (form === rdb.HASH_LISTPACK || form === rdb.ZSET_LISTPACK) {
      const bytes = this.listpack(input, type === TYPE_HASH ? 'Hash' : 'Zset');
      root = lpFromBytes(m, bytes);
    } else {
      const bytes = input.string(this.first);
      const what = type === TYPE_HASH ? 'Hash' : 'Zset';
      const elements = form === rdb.HASH_ZIPMAP ? zipmapElements(bytes) : ziplistElements(bytes, what);
      root = this.listpackOf(elements);
      doubles = true;
    }
    if (deep) this.sanitized++;
    this.build(type, ENC_LISTPACK, root, (slot) => this.finishPacked(type, form, slot, doubles));
  }

  /** Tests pairs in a listpack, and gives them the encoding that the limits ask for. */
  private finishPacked(type: ValueType, form: number, slot: LooseSlot, doubles: boolean): void {
    const m = this.memory;
    const length = lpLength(m, slot.root);
    if (length % 2 !== 0) corrupt('Listpack integrity check failed: half a pair.');
    notEmpty(length);
    const limits = type === TYPE_HASH ? this.limits.hash : this.limits.zset;
    const many = length / 2 > limits.listpackEntries;
    const longest = doubles || many ? this.longestOf(type, slot.root) : 0;
    if (!many && (form !== rdb.HASH_ZIPMAP || longest <= limits.listpackValue)) return;
    if (type === TYPE_HASH) this.hashes.bind(slot).toHashtable();
    else this.zsets.bind(slot).toSkiplist();
  }

  /** The longest member, field or value of a listpack of pairs; throws where a member or field is there twice. */
  private longestOf(type: ValueType, lp: Addr): number {
    const { memory: m, walk, second: element } = this;
    const seen = new Set<string>();
    let longest = 0;
    let index = 0;
    for (walk.reset(m, lp, 6); walk.more; walk.next(), index++) {
      const isScore = type === TYPE_ZSET && index % 2 === 1;
      walk.bytes(element);
      if (isScore) {
        if (parseDouble(element) === undefined) corrupt('Listpack integrity check failed: a score that is no number.');
        continue;
      }
      if (element.length > longest) longest = element.length;
      if (index % 2 === 1) continue;
      const name = element.latin1();
      if (seen.has(name)) corrupt('Listpack integrity check failed: doubles.');
      seen.add(name);
    }
    return longest;
  }

  private listpack(input: RdbInput, what: string): Slice {
    const bytes = input.string(this.first);
    if (!lpValidate(bytes, true)) corrupt(`${what} listpack integrity check failed.`);
    if (bytes.length <= 7) notEmpty(0);
    return bytes;
  }

  private moduleRefusal(input: RdbInput): string {
    const name = moduleName(input.size64());
    return `The RDB file contains module data I can't load: no matching module type '${name}'`;
  }
}

function notEmpty(count: number): number {
  if (count === 0) throw new RdbError('empty', 'an aggregate without elements');
  return count;
}

const MODULE_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The nine characters that a module type's number stands for. */
export function moduleName(id: bigint): string {
  let name = '';
  for (let i = 8; i >= 0; i--) name += MODULE_ALPHABET[Number((id >> BigInt(10 + i * 6)) & 63n)];
  return name;
}

/** Passes over what a module has written beside the keys. */
export function skipModule(input: RdbInput): void {
  for (let kind = input.size(); kind !== 0; kind = input.size()) {
    if (kind === MODULE_SIGNED || kind === MODULE_UNSIGNED) input.size64();
    else if (kind === MODULE_FLOAT) input.f32();
    else if (kind === MODULE_DOUBLE) input.f64();
    else if (kind === MODULE_STRING) input.skipString();
    else corrupt(`unknown part ${kind} of a module's data`);
  }
}
