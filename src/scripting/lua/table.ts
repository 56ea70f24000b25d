/**
 * Lua's table, with the sizes and the order of the reference, which scripts can see: # of a table with holes depends on
 * the size of the array part, next() walks the hash part in the order of its nodes.
 *
 *   array     values of the keys 1..array.length, nil among them; its length is the size of the reference's array part
 *   entries   all other keys: `slots` finds a key's number, by which `keys` and `values` hold it; at most `size`, the
 *             number of the reference's nodes. An entry whose value became nil stays: traversal may clear fields. Even
 *             nil for a key that isn't there makes an entry. A key longer than LONG_KEY is known to `slots` by a digest;
 *             one longer than HUGE_KEY by that of a part of it, with a number behind: what has the same digest is
 *             compared, and there is room in a script's memory for some thousand of those at most.
 *   nodes     which entry lies in which node (nodes.ts); null as long as nobody asks. As long as no entry came after
 *             one had died, the order can be had later: entries are numbered as they came, from `first` nodes on, which
 *             doubled whenever all were taken. `fixed` says that this is no longer so and `nodes` must be kept.
 *
 * Invariants: no key of 1..array.length is an entry; dead is the number of entries whose value is nil; fixed implies
 * nodes !== null; entries never outnumber size.
 *
 * When a new key finds all nodes taken, both parts get new sizes: the array part the largest 2^n of which more than half
 * is in use, the entries the next power of two.
 *
 * Nothing may hold everybody, and a new key can't be left half way: a table that then has LARGE entries, or keys of
 * MANY_CHARACTERS, has an order of our own from then on, that of its entries, without nodes. `shards` takes the place of
 * `slots`, `freed` names entries that have died, for new keys to take over; one is in it for good only while it is dead.
 *
 * What a table can hold besides, the other objects, is declared here as well: a table holds values, and is one.
 */
import { DIGEST_LENGTH, digest, HUGE_KEY, isLong, sample } from './digests.ts';
import { addressOf } from './identity.ts';
import { doubled, hashOf, Nodes } from './nodes.ts';
import { Shards } from './shards.ts';
import { bestSize, countKey, MAX_BITS, powerOfTwo } from './sizes.ts';
import { BYTES_SHIFT, work } from './work.ts';

/** Where hash entries begin in the numbering of positions that next() walks. */
const HASH_BASE = 0x20000000;
const MAX_INDEX = 0x7fffffff;
/** From so many entries on, or characters of their keys, a table is large. */
export const LARGE = 65_536;
const MANY_CHARACTERS = 1 << 22;
/** Of keys of more characters so many, as a shift, are hashed in one unit. */
const SOME_CHARACTERS = 256;
const HASH_SHIFT = 5;
/** Elements passed over in one go that count. */
const MANY = 64;
/** From here on an array grows at one go, which V8 then reads a little more slowly. */
const MANY_AT_ONCE = 1 << 18;

export type Value = undefined | boolean | number | string | LuaTable | LuaFunction | LuaUserdata | LuaThread;
export type Result = Value | readonly Value[];
/** `d` tells where the call stands: see depth.ts. */
export type Callable = (d: number, ...args: Value[]) => Result;

export class LuaFunction {
  call: Callable;
  readonly name: string;
  /** Compiled from Lua; what isn't is a function of the host. */
  readonly compiled: boolean;
  id = 0;

  constructor(name: string, call: Callable, compiled = false) {
    this.name = name;
    this.call = call;
    this.compiled = compiled;
  }
}

export class LuaUserdata {
  readonly name: string;
  meta: LuaTable | null = null;
  id = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** A coroutine; `frames` are its captured frames, outermost first. */
export class LuaThread {
  status: 'suspended' | 'running' | 'normal' | 'dead' = 'suspended';
  readonly frames: Continuation[];
  /** The level at which its function runs (depth.ts). */
  level = 0;
  /** The coroutine that resumed this one. */
  previous: LuaThread | null = null;
  id = 0;

  constructor(start: LuaFunction) {
    this.frames = [{ level: 0, resume: (args, d) => start.call(d, ...(args as readonly Value[])) }];
  }

  /** Puts it on another level. */
  move(level: number): void {
    if (level === this.level) return;
    this.level = level;
    for (const frame of this.frames) frame.level = level;
  }
}

/** A captured activation: it goes on when what it called has a result. */
export interface Continuation {
  /** That of the `d` at which it goes on (depth.ts). */
  level: number;
  resume(result: Result, d: number): Result;
  /** Where set, errors of what it called end here. */
  caught?(error: unknown, d: number): Result;
}

export class LuaTable {
  array: Value[];
  private slots: Map<Value, number> | null = null;
  /** Of a large table. */
  private shards: Shards<Value> | null = null;
  private freed: number[] = NO_NUMBERS;
  private keys: Value[] = NO_VALUES;
  private values: Value[] = NO_VALUES;
  private size: number;
  private first: number;
  private dead = 0;
  private nodes: Nodes | null = null;
  private fixed = false;
  meta: LuaTable | null = null;
  readonly = false;
  id = 0;

  /** With room for as many items and as many fields. */
  constructor(items = 0, fields = 0) {
    const array: Value[] = [];
    for (let i = 0; i < items; i++) array.push(undefined);
    this.array = array;
    this.size = this.first = powerOfTwo(fields);
  }

  /** A table of these items; the list is the table's from now on. */
  static of(items: Value[], fields = 0): LuaTable {
    const table = new LuaTable(0, fields);
    table.array = items;
    return table;
  }

  /** A table of these items as it is when they have been set one by one; the list is the table's from now on. */
  static sequence(items: Value[]): LuaTable {
    if (items.length <= LARGE && items.includes(undefined)) {
      const table = new LuaTable();
      for (let i = 0; i < items.length; i++) table.set(i + 1, items[i]);
      return table;
    }
    for (let missing = powerOfTwo(items.length) - items.length; missing > 0; missing--) items.push(undefined);
    return LuaTable.of(items);
  }

  /** Sets the positional items of a constructor. */
  fill(items: readonly Value[], from: number): void {
    const end = from + items.length;
    if (end > this.array.length) {
      if (this.keys.length > 0) this.rearrange(end, this.size);
      else this.sizeArray(end);
    }
    for (let i = 0; i < items.length; i++) this.array[from + i] = items[i];
  }

  // ---- values by key

  getStr(key: string): Value {
    if (this.slots === null) return this.amongMany(key);
    const at = this.slots.get(key);
    return at === undefined ? undefined : this.values[at];
  }

  get(key: Value): Value {
    if (typeof key === 'number') {
      const at = key - 1;
      if (at >= 0 && at < this.array.length && at === (at | 0)) return this.array[at];
    }
    if (this.slots === null) return this.amongMany(key);
    const at = isLong(key) ? this.slots.get(this.slotOf(key)) : this.slots.get(key);
    return at === undefined ? undefined : this.values[at];
  }

  private amongMany(key: Value): Value {
    if (this.shards === null) return undefined;
    const at = this.shards.get(isLong(key) ? this.slotOf(key) : key);
    return at === undefined ? undefined : this.values[at];
  }

  /** Raw assignment; the key is neither nil nor NaN. */
  set(key: Value, value: Value): void {
    if (typeof key === 'number') {
      const at = key - 1;
      if (at >= 0 && at < this.array.length && at === (at | 0)) {
        this.array[at] = value;
        return;
      }
      if (key === 0) key = 0;
    }
    this.setHash(key, value);
  }

  /** The same for a key that the array part can't hold. */
  setHash(key: Value, value: Value): void {
    const at = this.entryOf(key);
    if (at === undefined) {
      this.insert(key, value);
      return;
    }
    const old = this.values[at];
    this.values[at] = value;
    if (value === undefined) {
      if (old === undefined) return;
      this.dead++;
      if (this.shards !== null) this.free(at);
    } else if (old === undefined) this.dead--;
  }

  /** The number of a key's entry. */
  private entryOf(key: Value): number | undefined {
    if (this.slots !== null) return this.slots.get(isLong(key) ? this.slotOf(key) : key);
    return this.shards?.get(this.slotOf(key));
  }

  /** By what `slots` knows a key, or would. Keys of which the same is digested are numbered from 0 on without a gap. */
  private slotOf(key: Value): Value {
    if (!isLong(key)) return key;
    if (key.length <= HUGE_KEY) return digest(key);
    const start = digest(sample(key));
    for (let number = 0; ; number++) {
      const slot = start + number;
      const entry = (this.slots ?? this.shards)!.get(slot);
      if (entry === undefined) return slot;
      work.counter.charge(key.length >>> BYTES_SHIFT);
      if (this.keys[entry] === key) return slot;
    }
  }

  private forget(key: Value): void {
    const slots = (this.slots ?? this.shards)!;
    const slot = this.slotOf(key);
    if (isLong(key) && key.length > HUGE_KEY) {
      const start = (slot as string).slice(0, DIGEST_LENGTH);
      let number = Number((slot as string).slice(DIGEST_LENGTH));
      const gap = number;
      while (slots.has(start + (number + 1))) number++;
      slots.set(start + gap, slots.get(start + number)!);
      slots.delete(start + number);
    } else slots.delete(slot);
  }

  // ---- new keys

  private insert(key: Value, value: Value): void {
    if (this.shards !== null) this.insertAmongMany(key, value);
    else if (this.dead > 0 || this.fixed) this.insertAmongDead(key, value);
    else if (this.keys.length === this.size) this.rehash(key, value);
    else {
      if (this.nodes !== null) this.place(this.keys.length, key);
      this.append(key, value);
    }
  }

  private append(key: Value, value: Value): void {
    if (this.slots === null && this.shards === null) {
      this.slots = new Map();
      this.keys = [];
      this.values = [];
    }
    // V8 puts a key together and hashes it when it is first used as one.
    if (typeof key === 'string' && key.length > SOME_CHARACTERS) work.counter.charge(key.length >>> HASH_SHIFT);
    const slot = this.slotOf(key);
    if (this.slots !== null) this.slots.set(slot, this.keys.length);
    else this.shards!.set(slot, this.keys.length);
    this.keys.push(key);
    this.values.push(value);
    if (value === undefined) this.dead++;
  }

  private place(entry: number, key: Value): boolean {
    const nodes = this.nodes!;
    return nodes.add(entry, nodes.mainNode(key, hashOf(key, addressOf)));
  }

  private insertAmongDead(key: Value, value: Value): void {
    const nodes = this.arrangement();
    if (nodes === null) {
      this.insertAmongMany(key, value);
      return;
    }
    this.fixed = true;
    const main = nodes.mainNode(key, hashOf(key, addressOf));
    const occupant = nodes.entryAt(main);
    if (occupant >= 0 && this.values[occupant] === undefined) {
      this.replace(occupant, key, value);
      nodes.takeOver(occupant, main);
    } else if (this.keys.length < this.size && this.place(this.keys.length, key)) this.append(key, value);
    else this.rehash(key, value);
  }

  /** The key of a dead entry makes room for another. */
  private replace(entry: number, key: Value, value: Value): void {
    this.forget(this.keys[entry]);
    (this.slots ?? this.shards)!.set(this.slotOf(key), entry);
    this.keys[entry] = key;
    this.values[entry] = value;
    if (value !== undefined) this.dead--;
  }

  /** The nodes as they are now; null where the table is large, from now on at the latest. */
  private arrangement(): Nodes | null {
    if (this.nodes !== null || this.shards !== null) return this.nodes;
    if (this.isMuch) {
      this.turnLarge();
      return null;
    }
    const { keys, size } = this;
    work.counter.charge(size >>> 1);
    const hashes = keys.map((key) => hashOf(key, addressOf));
    let nodes = new Nodes(this.first);
    for (let entry = 0; entry < keys.length; entry++) {
      if (entry === nodes.size) nodes = doubled(nodes, keys, hashes);
      nodes.add(entry, nodes.mainNode(keys[entry], hashes[entry]));
    }
    if (nodes.size < size) nodes = doubled(nodes, keys, hashes);
    this.nodes = nodes;
    return nodes;
  }

  // ---- large tables

  /** Whether to go through all entries takes too long to be done at one go. */
  private get isMuch(): boolean {
    const { keys } = this;
    if (keys.length >= LARGE) return true;
    let characters = 0;
    for (const key of keys) if (typeof key === 'string') characters += key.length;
    return characters > MANY_CHARACTERS;
  }

  private turnLarge(): void {
    work.counter.charge(this.keys.length);
    this.shards = new Shards<Value>(this.slots ?? [], addressOf);
    this.slots = null;
    this.nodes = null;
    this.fixed = false;
    this.freed = this.deadEntries();
  }

  private deadEntries(): number[] {
    const { values } = this;
    const entries: number[] = [];
    for (let entry = 0; entry < values.length; entry++) if (values[entry] === undefined) entries.push(entry);
    return entries;
  }

  /** An entry has died. One that lives and dies again and again is named many times, until that is too much. */
  private free(entry: number): void {
    this.freed.push(entry);
    if (this.freed.length > 2 * this.keys.length) this.freed = this.deadEntries();
  }

  private insertAmongMany(key: Value, value: Value): void {
    if (value === undefined) return;
    for (let entry = this.freed.pop(); entry !== undefined; entry = this.freed.pop()) {
      if (this.values[entry] !== undefined) continue;
      this.replace(entry, key, value);
      return;
    }
    if (this.keys.length < this.size) {
      this.append(key, value);
      return;
    }
    work.counter.charge((this.array.length >>> 4) + (this.keys.length >>> 1));
    const [items] = bestSize(this.countIntegers(key));
    if (items > this.array.length) this.absorb(items);
    else this.size *= 2;
    this.set(key, value);
  }

  /** The array part grows, and takes in the values of its keys; their entries are dead from then on. */
  private absorb(items: number): void {
    const { keys, values } = this;
    this.sizeArray(items);
    const { array, freed } = this;
    for (let entry = 0; entry < keys.length; entry++) {
      const key = keys[entry];
      const value = values[entry];
      if (typeof key !== 'number' || value === undefined || key < 1 || key > items || key !== (key | 0)) continue;
      array[key - 1] = value;
      values[entry] = undefined;
      freed.push(entry);
      this.dead++;
    }
    if (this.dead === keys.length) this.startAnew(1);
  }

  /** There are no entries any more. */
  private startAnew(size: number): void {
    this.slots = null;
    this.shards = null;
    this.freed = NO_NUMBERS;
    this.keys = this.values = NO_VALUES;
    this.nodes = null;
    this.fixed = false;
    this.dead = 0;
    this.size = this.first = size;
  }

  // ---- sizes

  /** All nodes are taken: new sizes for both parts, and the key goes into one of them. */
  private rehash(key: Value, value: Value): void {
    if (this.isMuch) {
      this.turnLarge();
      this.set(key, value);
      return;
    }
    work.counter.charge((this.array.length >>> 4) + (this.keys.length >>> 1));
    const [best, used] = bestSize(this.countIntegers(key));
    const items = this.itemsBeyond(best) > LARGE ? this.array.length : best;
    if (items === this.array.length && this.dead === 0 && !this.fixed) {
      this.size = this.size === 0 ? 1 : this.size * 2;
      if (this.keys.length === 0) this.first = 1;
      this.nodes = null;
    } else {
      let total = 1 + this.keys.length - this.dead;
      if (items === best) total += this.itemsBeyond(0) - used;
      this.rearrange(items, powerOfTwo(total));
    }
    this.set(key, value);
  }

  /** How many items the array part has behind its first ones. */
  private itemsBeyond(first: number): number {
    const { array } = this;
    let count = 0;
    for (let i = first; i < array.length; i++) if (array[i] !== undefined) count++;
    return count;
  }

  /** By i: integer keys above 2^(i-1) and up to 2^i, of the table and a new one. */
  private countIntegers(newKey: Value): number[] {
    const counts: number[] = new Array(MAX_BITS + 1).fill(0);
    const { array, keys, values } = this;
    for (let i = 0, bound = 1, from = 0; from < array.length; i++, bound *= 2) {
      const to = Math.min(bound, array.length);
      let count = 0;
      for (; from < to; from++) if (array[from] !== undefined) count++;
      counts[i] += count;
    }
    for (let entry = 0; entry < keys.length; entry++) if (values[entry] !== undefined) countKey(counts, keys[entry]);
    countKey(counts, newKey);
    return counts;
  }

  /** Gives the parts these sizes; entries come anew as the reference moves them: from the last node to the first. */
  private rearrange(items: number, size: number): void {
    const { array, keys, values } = this;
    const nodes = keys.length > 0 ? this.arrangement() : null;
    if (this.shards !== null) {
      this.absorb(Math.max(items, array.length));
      return;
    }
    const surplus = array.length > items ? array.slice(items) : NO_VALUES;
    this.sizeArray(items);
    this.startAnew(size);
    for (let i = 0; i < surplus.length; i++) if (surplus[i] !== undefined) this.set(items + i + 1, surplus[i]);
    if (nodes === null) return;
    for (let node = nodes.size - 1; node >= 0; node--) {
      const entry = nodes.entryAt(node);
      if (entry >= 0 && values[entry] !== undefined) this.set(keys[entry], values[entry]);
    }
  }

  private sizeArray(items: number): void {
    const { array } = this;
    if (items > MANY) {
      work.counter.charge(items >>> 3);
      work.counter.reserve(items * 8);
    }
    const from = array.length;
    if (from > items) array.length = items;
    else if (items - from >= MANY_AT_ONCE) {
      array.length = items;
      array.fill(undefined, from);
    } else while (array.length < items) array.push(undefined);
  }

  /** A border: the length that # gives. */
  length(): number {
    const { array } = this;
    const end = array.length;
    if (end > 0 && array[end - 1] === undefined) {
      let below = 0;
      let above = end;
      while (above - below > 1) {
        const middle = (above + below) >>> 1;
        if (array[middle - 1] === undefined) above = middle;
        else below = middle;
      }
      return below;
    }
    return this.size === 0 ? end : this.borderBeyond(end);
  }

  /** A border among the entries, for an array part without nil at its end. */
  private borderBeyond(end: number): number {
    let below = end;
    let above = end + 1;
    while (this.get(above) !== undefined) {
      below = above;
      above *= 2;
      if (above > MAX_INDEX) {
        // Somebody has laid out powers of two: from the beginning then, where that doesn't take long.
        if (this.shards !== null) {
          if (this.get(MAX_INDEX) !== undefined) return MAX_INDEX;
          above = MAX_INDEX;
          break;
        }
        let at = 1;
        while (this.get(at) !== undefined) at++;
        work.counter.charge(at >>> 1);
        return at - 1;
      }
    }
    while (above - below > 1) {
      const middle = Math.floor((above + below) / 2);
      if (this.get(middle) === undefined) above = middle;
      else below = middle;
    }
    return below;
  }

  // ---- traversal

  /** How many keys it has. */
  count(): number {
    let count = this.keys.length - this.dead;
    work.counter.charge(this.array.length >>> 4);
    for (const item of this.array) if (item !== undefined) count++;
    return count;
  }

  /** The position of the first entry at or after `position`, or -1. Traversal begins at 0. */
  seek(position: number): number {
    if (position < HASH_BASE) {
      for (let i = position; i < this.array.length; i++) if (this.array[i] !== undefined) return passed(position, i);
      passed(position, this.array.length);
      position = HASH_BASE;
    }
    if (this.keys.length === 0) return -1;
    const nodes = this.nodes ?? this.arrangement();
    if (nodes === null) return this.seekAmongMany(position);
    for (let node = position - HASH_BASE; node < nodes.size; node++) {
      const entry = nodes.entryAt(node);
      if (entry >= 0 && this.values[entry] !== undefined) return passed(position, HASH_BASE + node);
    }
    passed(position, HASH_BASE + nodes.size);
    return -1;
  }

  private seekAmongMany(position: number): number {
    const { values } = this;
    let entry = position - HASH_BASE;
    while (entry < values.length && values[entry] === undefined) entry++;
    passed(position, HASH_BASE + entry);
    return entry < values.length ? HASH_BASE + entry : -1;
  }

  private entryAt(position: number): number {
    const place = position - HASH_BASE;
    return this.nodes === null ? place : this.nodes.entryAt(place);
  }

  keyAt(position: number): Value {
    return position < HASH_BASE ? position + 1 : this.keys[this.entryAt(position)];
  }

  valueAt(position: number): Value {
    return position < HASH_BASE ? this.array[position] : this.values[this.entryAt(position)];
  }

  /** The position after a key's, or -1 when the key isn't there. */
  after(key: Value): number {
    if (key === undefined) return 0;
    if (typeof key === 'number' && key >= 1 && key <= this.array.length && Number.isInteger(key)) return key;
    const entry = this.entryOf(key);
    if (entry === undefined) return -1;
    const nodes = this.arrangement();
    return HASH_BASE + (nodes === null ? entry : nodes.placeOf(entry)) + 1;
  }
}

/** Stands for the lists of tables that have no entries; never written. */
const NO_VALUES: Value[] = [];
const NO_NUMBERS: number[] = [];

/** Counts what traversal had to pass over on its way to `to`, which it gives. */
function passed(from: number, to: number): number {
  if (to - from > MANY) work.counter.charge((to - from) >>> 4);
  return to;
}
