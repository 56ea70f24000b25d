/**
 * The list: always a quicklist, whose root never moves, so that the slot is never told anything.
 *
 * A list takes its fill and its compression depth from the limits at its first element, and keeps them.
 */
import type { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory, Reader } from '../memory/memory.ts';
import {
  QL_PLAIN_FROM,
  qlConfigure,
  qlCopy,
  qlDebugText,
  qlDeleteRange,
  qlDropHead,
  qlDropTail,
  qlFootprint,
  qlFreeSome,
  qlInsert,
  qlLength,
  qlNew,
  qlNodes,
  qlPeek,
  qlPushHead,
  qlPushTail,
  qlRemove,
  qlReplace,
  qlVerify,
} from '../structures/quicklist.ts';
import { QuicklistCursor } from '../structures/quicklist-cursor.ts';
import { ENC_QUICKLIST, type Encoding } from './entry.ts';
import { ValueAccessor } from './value.ts';

/** list-max-listpack-size, list-compress-depth, and DEBUG QUICKLIST-PACKED-THRESHOLD. */
export class ListLimits {
  fill = -2;
  compressDepth = 0;
  plainFrom = QL_PLAIN_FROM;
}

/** An empty list; what it is to be configured with is read when something is pushed. */
export function listNew(m: Memory): Addr {
  return qlNew(m, -2, 0);
}

/** Releases up to `budget` nodes of a list that is going away; true when all of it is gone. */
export function listFreeSome(m: Memory, _encoding: Encoding, root: Addr, budget: number): boolean {
  return qlFreeSome(m, root, budget) === NULL;
}

export function listLength(r: Reader, root: Addr): number {
  return qlLength(r, root);
}

/** Blocks that releasing the list takes, about. */
export function listNodes(r: Reader, root: Addr): number {
  return qlNodes(r, root);
}

/** A list of the same elements, in blocks of its own. */
export function listCopy(m: Memory, root: Addr): Addr {
  return qlCopy(m, root);
}

/** Bytes that the list takes, estimated from `samples` nodes; all of them when 0. */
export function listFootprint(m: Memory, root: Addr, samples = 0): number {
  return qlFootprint(m, root, samples > 0 ? samples : Number.POSITIVE_INFINITY);
}

/** DEBUG OBJECT's figures. */
export function listDebugText(r: Reader, root: Addr): string {
  return qlDebugText(r, root);
}

export class ListValue extends ValueAccessor {
  /** A walk that belongs to this accessor: nothing may be written while it is in use. */
  readonly cursor = new QuicklistCursor();
  private readonly limits: ListLimits;

  constructor(memory: Memory, limits: ListLimits) {
    super(memory, ENC_QUICKLIST);
    this.limits = limits;
  }

  override get length(): number {
    return qlLength(this.m, this.slot.root);
  }

  /** Whether both accessors are bound to the same list. */
  isSame(other: ListValue): boolean {
    return this.slot.root === other.slot.root;
  }

  push(value: Slice, atHead: boolean): void {
    const { root } = this.slot;
    const { limits } = this;
    if (qlLength(this.m, root) === 0) qlConfigure(this.m, root, limits.fill, limits.compressDepth);
    if (atHead) qlPushHead(this.m, root, value, limits.plainFrom);
    else qlPushTail(this.m, root, value, limits.plainFrom);
  }

  /** The element at one end of a list that has any; good until the list changes. */
  peek(atHead: boolean, into: Slice): Slice {
    return qlPeek(this.m, this.slot.root, atHead, into);
  }

  /** Removes the element at one end of a list that has any. */
  drop(atHead: boolean): void {
    if (atHead) qlDropHead(this.m, this.slot.root);
    else qlDropTail(this.m, this.slot.root);
  }

  /** Sets the cursor on element `index`, from the tail when negative; false when there is none. */
  seek(index: number, backwards = false): boolean {
    this.cursor.reset(this.m, this.slot.root, index, backwards);
    return this.cursor.more;
  }

  /** Replaces element `index`; false when there is none. */
  set(index: number, value: Slice): boolean {
    if (!this.seek(index)) return false;
    const { node, position } = this.cursor;
    qlReplace(this.m, this.slot.root, node, position, value, this.limits.plainFrom);
    return true;
  }

  /** Puts `value` before or behind the first element equal to `pivot`; false when there is none. */
  insert(pivot: Slice, after: boolean, value: Slice): boolean {
    const { cursor } = this;
    cursor.aim(pivot);
    cursor.reset(this.m, this.slot.root, 0);
    while (cursor.more && !cursor.hit(pivot)) cursor.next();
    if (!cursor.more) return false;
    qlInsert(this.m, this.slot.root, cursor.node, cursor.position, after, value, this.limits.plainFrom);
    return true;
  }

  /** Removes up to `limit` elements equal to `value`, from the tail when `backwards`; says how many. */
  remove(value: Slice, limit: number, backwards: boolean): number {
    return qlRemove(this.m, this.slot.root, value, limit, backwards);
  }

  /** Removes up to `count` elements from number `start` on, which is not negative. */
  removeRange(start: number, count: number): void {
    qlDeleteRange(this.m, this.slot.root, start, count);
  }

  verify(): void {
    qlVerify(this.m, this.slot.root);
  }
}
