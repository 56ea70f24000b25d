/**
 * What a value's accessor and the keyspace know of each other.
 *
 * An accessor (ListValue, HashValue ...) serves every encoding of its type. It is made once, bound to a slot, used at once and
 * never kept beyond the command: the slot names where the value hangs, and is told when the root moves or the encoding
 * changes.
 */
import type { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import type { Encoding } from './entry.ts';

export interface ValueSlot {
  readonly memory: Memory;
  readonly root: Addr;
  readonly encoding: Encoding;
  /** The value hangs off `root` in `encoding` from now on. */
  update(root: Addr, encoding: Encoding): void;
}

/** A member that is looked up in one value after another: hashed at most once, and only for one that has a dict. */
export interface Sought {
  readonly member: Slice;
  readonly hash: number;
}

/** What the accessors of all types share: the slot that they are bound to. */
export abstract class ValueAccessor {
  protected slot: ValueSlot;
  protected m: Memory;

  /** `encoding` is that of an empty value, for as long as nothing is bound. */
  constructor(memory: Memory, encoding: Encoding) {
    this.slot = new LooseSlot(memory, NULL, encoding);
    this.m = memory;
  }

  bind(slot: ValueSlot): this {
    this.slot = slot;
    this.m = slot.memory;
    return this;
  }

  get encoding(): Encoding {
    return this.slot.encoding;
  }

  get root(): Addr {
    return this.slot.root;
  }

  /** Elements. */
  abstract get length(): number;
}

/** A slot that belongs to no key yet: how a value is built before it is stored under one. */
export class LooseSlot implements ValueSlot {
  readonly memory: Memory;
  root: Addr;
  encoding: Encoding;

  constructor(memory: Memory, root: Addr, encoding: Encoding) {
    this.memory = memory;
    this.root = root;
    this.encoding = encoding;
  }

  update(root: Addr, encoding: Encoding): void {
    this.root = root;
    this.encoding = encoding;
  }
}
