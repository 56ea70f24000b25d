/** The faces of aggregate values, made once a server and bound to an entry at each use. */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { type Encoding, entryEncoding, entryValue, setEntryValue } from '../values/entry.ts';
import { type HashLimits, HashValue } from '../values/hash.ts';
import { type ListLimits, ListValue } from '../values/list.ts';
import { type SetLimits, SetValue } from '../values/set.ts';
import type { ValueSlot } from '../values/value.ts';
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
}

interface Bound<T> {
  readonly face: T;
  readonly slot: EntrySlot;
}

export class Faces {
  readonly limits: ValueLimits;
  private readonly memory: Memory;
  private readonly lists: Bound<ListValue>[] = [];
  private readonly sets: Bound<SetValue>[] = [];
  private readonly hashes: Bound<HashValue>[] = [];
  private readonly zsets: Bound<ZsetValue>[] = [];

  constructor(memory: Memory, limits: ValueLimits) {
    this.memory = memory;
    this.limits = limits;
  }

  list(entry: Addr, which = 0): ListValue {
    while (this.lists.length <= which)
      this.lists.push({ face: new ListValue(this.memory, this.limits.list), slot: new EntrySlot(this.memory) });
    const { face, slot } = this.lists[which];
    return face.bind(slot.attach(entry));
  }

  set(entry: Addr, which = 0): SetValue {
    while (this.sets.length <= which)
      this.sets.push({ face: new SetValue(this.memory, this.limits.set), slot: new EntrySlot(this.memory) });
    const { face, slot } = this.sets[which];
    return face.bind(slot.attach(entry));
  }

  hash(entry: Addr, which = 0): HashValue {
    while (this.hashes.length <= which)
      this.hashes.push({ face: new HashValue(this.memory, this.limits.hash), slot: new EntrySlot(this.memory) });
    const { face, slot } = this.hashes[which];
    return face.bind(slot.attach(entry));
  }

  zset(entry: Addr, which = 0): ZsetValue {
    while (this.zsets.length <= which)
      this.zsets.push({ face: new ZsetValue(this.memory, this.limits.zset), slot: new EntrySlot(this.memory) });
    const { face, slot } = this.zsets[which];
    return face.bind(slot.attach(entry));
  }
}
