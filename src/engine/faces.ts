/** The faces of aggregate values, made once a server and bound to an entry at each use. */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { type Encoding, entryEncoding, entryValue, setEntryValue } from '../values/entry.ts';
import { type HashLimits, HashValue } from '../values/hash.ts';
import { type ListLimits, ListValue } from '../values/list.ts';
import { type SetLimits, SetValue } from '../values/set.ts';
import { type StreamLimits, StreamValue } from '../values/stream.ts';
import type { ValueFace, ValueSlot } from '../values/value.ts';
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

/** Faces of one type, made when first asked for. */
class FacePool<T extends ValueFace> {
  private readonly memory: Memory;
  private readonly make: () => T;
  private readonly faces: T[] = [];
  private readonly slots: EntrySlot[] = [];

  constructor(memory: Memory, make: () => T) {
    this.memory = memory;
    this.make = make;
  }

  /** Face number `which`, bound to the value of `entry`. */
  open(entry: Addr, which: number): T {
    while (this.faces.length <= which) {
      this.faces.push(this.make());
      this.slots.push(new EntrySlot(this.memory));
    }
    return this.faces[which].bind(this.slots[which].attach(entry));
  }
}

export class Faces {
  readonly limits: ValueLimits;
  private readonly lists: FacePool<ListValue>;
  private readonly sets: FacePool<SetValue>;
  private readonly hashes: FacePool<HashValue>;
  private readonly zsets: FacePool<ZsetValue>;
  private readonly streams: FacePool<StreamValue>;

  constructor(memory: Memory, limits: ValueLimits) {
    this.limits = limits;
    this.lists = new FacePool(memory, () => new ListValue(memory, limits.list));
    this.sets = new FacePool(memory, () => new SetValue(memory, limits.set));
    this.hashes = new FacePool(memory, () => new HashValue(memory, limits.hash));
    this.zsets = new FacePool(memory, () => new ZsetValue(memory, limits.zset));
    this.streams = new FacePool(memory, () => new StreamValue(memory, limits.stream));
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
