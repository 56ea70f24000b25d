/** The accessors of aggregate values, made once a server and bound to an entry at each use. */
import { assert } from '../base/assert.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { type Encoding, entryEncoding, entryValue, setEntryValue } from '../values/entry.ts';
import { type HashLimits, HashValue } from '../values/hash.ts';
import { type ListLimits, ListValue } from '../values/list.ts';
import { type SetLimits, SetValue } from '../values/set.ts';
import { type StreamLimits, StreamValue } from '../values/stream.ts';
import type { ValueAccessor, ValueSlot } from '../values/value.ts';
import { type ZsetLimits, ZsetValue } from '../values/zset.ts';

/** The slot of a value that hangs off a keyspace entry. */
export class EntrySlot implements ValueSlot {
  readonly memory: Memory;
  root: Addr = NULL;
  encoding: Encoding = 0;
  private entry: Addr = NULL;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  attach(entry: Addr): this {
    this.entry = entry;
    this.root = entryValue(this.memory, entry);
    this.encoding = entryEncoding(this.memory, entry);
    return this;
  }

  update(root: Addr, encoding: Encoding): void {
    this.root = root;
    this.encoding = encoding;
    setEntryValue(this.memory, this.entry, encoding, root);
  }
}

export interface ValueLimits {
  readonly list: ListLimits;
  readonly set: SetLimits;
  readonly hash: HashLimits;
  readonly zset: ZsetLimits;
  readonly stream: StreamLimits;
}

/** Values of one type that a command has open at once. One that names many keys, a million perhaps, goes from one to the next. */
const MOST = 4;

/** Accessors of one type, made when first asked for. */
class AccessorPool<T extends ValueAccessor> {
  private readonly memory: Memory;
  private readonly make: () => T;
  private readonly accessors: T[] = [];
  private readonly slots: EntrySlot[] = [];

  constructor(memory: Memory, make: () => T) {
    this.memory = memory;
    this.make = make;
  }

  /** Accessor number `which`, bound to the value of `entry`. */
  open(entry: Addr, which: number): T {
    assert(which < MOST, 'accessors stay for as long as the server, so there are few');
    while (this.accessors.length <= which) {
      this.accessors.push(this.make());
      this.slots.push(new EntrySlot(this.memory));
    }
    return this.accessors[which].bind(this.slots[which].attach(entry));
  }
}

export class Accessors {
  readonly limits: ValueLimits;
  private readonly lists: AccessorPool<ListValue>;
  private readonly sets: AccessorPool<SetValue>;
  private readonly hashes: AccessorPool<HashValue>;
  private readonly zsets: AccessorPool<ZsetValue>;
  private readonly streams: AccessorPool<StreamValue>;

  constructor(memory: Memory, limits: ValueLimits) {
    this.limits = limits;
    this.lists = new AccessorPool(memory, () => new ListValue(memory, limits.list));
    this.sets = new AccessorPool(memory, () => new SetValue(memory, limits.set));
    this.hashes = new AccessorPool(memory, () => new HashValue(memory, limits.hash));
    this.zsets = new AccessorPool(memory, () => new ZsetValue(memory, limits.zset));
    this.streams = new AccessorPool(memory, () => new StreamValue(memory, limits.stream));
  }

  list(entry: Addr, which = 0): ListValue {
    return this.lists.open(entry, which);
  }

  set(entry: Addr, which = 0): SetValue {
    return this.sets.open(entry, which);
  }

  hash(entry: Addr, which = 0): HashValue {
    return this.hashes.open(entry, which);
  }

  zset(entry: Addr, which = 0): ZsetValue {
    return this.zsets.open(entry, which);
  }

  stream(entry: Addr, which = 0): StreamValue {
    return this.streams.open(entry, which);
  }
}
