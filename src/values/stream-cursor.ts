/**
 * A walk over a stream's entries within a range of IDs, in a live image or a frozen view.
 *
 *   for (cursor.reset(r, root, start, end, reverse); cursor.next(); )
 *     cursor.id; for (let i = 0; i < cursor.fields; i++) { cursor.nextField(); cursor.field; cursor.value }
 *
 * It borrows a node's bytes: after storing or allocating call `refresh()` before going on. Nodes and entries themselves
 * may not have been added or taken away meanwhile; that ends the walk.
 */
import { Slice } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Reader } from '../memory/memory.ts';
import { IdCursor } from '../structures/idtree.ts';
import { ListpackValue, lpBytes, startIn } from '../structures/listpack.ts';
import { backLengthSize, endIn, sizeIn, stringHead } from '../structures/listpack-entry.ts';
import { StreamId } from '../structures/stream-id.ts';
import { Stream } from './stream-layout.ts';
import { ENTRY_DELETED, ENTRY_SAME_FIELDS, integerAt, NodeHead, readId } from './stream-node.ts';

const LOWEST = new StreamId().toLowest();
const HIGHEST = new StreamId().toHighest();

export class StreamCursor {
  readonly id = new StreamId();
  /** How many fields the current entry has. */
  fields = 0;
  readonly field = new Slice();
  readonly value = new Slice();
  /** Where the current entry lies: its node, and the offset of its flags there. */
  lp: Addr = NULL;
  entryAt = 0;
  flags = 0;
  /** Deleted entries are shown too. */
  tombstones = false;
  readonly master = new StreamId();
  private r: Reader;
  private readonly nodes: IdCursor;
  private readonly head = new NodeHead();
  private readonly start = new StreamId();
  private readonly until = new StreamId();
  private reverse = false;
  private readonly bytes = new Slice();
  /** Positions in the node: where to go on, and the next field name of an entry that has the master's. */
  private at = 0;
  private fieldAt = 0;
  /** Whether there is a current entry in this node, and how many of its fields have not been read yet. */
  private opened = false;
  private unread = 0;
  private readonly decoded = new ListpackValue();
  private readonly fieldText = new Uint8Array(24);
  private readonly valueText = new Uint8Array(24);

  constructor(r: Reader) {
    this.r = r;
    this.nodes = new IdCursor(r);
  }

  /** Begins a walk over the entries from `start` to `end`, both included, from the latter backwards when `reverse`. */
  reset(r: Reader, root: Addr, start: StreamId | null = null, end: StreamId | null = null, reverse = false): this {
    this.r = r;
    this.start.like(start ?? LOWEST);
    this.until.like(end ?? HIGHEST);
    this.reverse = reverse;
    this.tombstones = false;
    const tree = r.addr(root, Stream.nodes);
    if (reverse) this.nodes.seekUpTo(r, tree, this.until);
    else {
      this.nodes.seekUpTo(r, tree, this.start);
      if (!this.nodes.more) this.nodes.first(r, tree);
    }
    this.enter();
    return this;
  }

  /** Begins behind the entry `id`, which lies at `at` of its node; false where it does not. */
  resume(r: Reader, root: Addr, id: StreamId, at: number): boolean {
    this.r = r;
    this.start.like(id);
    this.until.like(HIGHEST);
    this.reverse = false;
    this.tombstones = false;
    this.nodes.seekUpTo(r, r.addr(root, Stream.nodes), id);
    this.enter();
    if (this.lp === NULL || at >= this.bytes.length - 1) return false;
    this.open(this.bytes.buffer, this.bytes.start + at);
    return this.id.equals(id);
  }

  /** Shows nothing more. */
  end(): this {
    this.lp = NULL;
    return this;
  }

  /** Takes up the node that `nodes` stands at. */
  private enter(): void {
    if (!this.nodes.more) {
      this.lp = NULL;
      return;
    }
    this.lp = this.nodes.addr(0);
    this.nodes.id(this.master);
    this.refresh();
    this.head.read(this.bytes.buffer, this.bytes.start);
    this.at = this.reverse ? this.bytes.length - 1 : this.head.first;
    this.opened = false;
  }

  /** Borrows the node's bytes anew. */
  refresh(): void {
    this.r.borrow(this.bytes, this.lp, 0, lpBytes(this.r, this.lp));
  }

  /** Goes to the next entry of the range; false where there is none. */
  next(): boolean {
    while (this.lp !== NULL) {
      if (this.reverse ? this.back() : this.forth()) {
        // A deleted entry says nothing, not even that the range has ended: XSETID may have let lower IDs follow it.
        if ((this.flags & ENTRY_DELETED) !== 0 && !this.tombstones) continue;
        if (this.reverse ? this.id.compare(this.start) < 0 : this.id.compare(this.until) > 0) {
          this.lp = NULL;
          return false;
        }
        if (this.reverse ? this.id.compare(this.until) <= 0 : this.id.compare(this.start) >= 0) return true;
        continue;
      }
      if (this.reverse) this.nodes.prev();
      else this.nodes.next();
      this.enter();
    }
    return false;
  }

  /** Reads the entry at `at`; false at the node's end. */
  private forth(): boolean {
    this.leave();
    const { buffer, start, length } = this.bytes;
    if (this.at >= length - 1) return false;
    this.open(buffer, start + this.at);
    return true;
  }

  /** Passes over what has not been read of the current entry, and its count. */
  private leave(): void {
    if (!this.opened) return;
    this.opened = false;
    const { buffer, start } = this.bytes;
    let at = start + this.at;
    const left = (this.flags & ENTRY_SAME_FIELDS) !== 0 ? this.unread : this.unread * 2;
    for (let i = left; i >= 0; i--) at = endIn(buffer, at);
    this.at = at - start;
  }

  /** Reads the entry that ends at `at`; false at the node's first. */
  private back(): boolean {
    const { buffer, start } = this.bytes;
    const limit = this.opened ? this.entryAt : this.at;
    this.opened = false;
    if (limit <= this.head.first) return false;
    let at = startIn(buffer, start + limit);
    for (let count = integerAt(buffer, at); count > 0; count--) at = startIn(buffer, at);
    this.open(buffer, at);
    return true;
  }

  private open(buffer: Uint8Array, flagsAt: number): void {
    const { start } = this.bytes;
    this.entryAt = flagsAt - start;
    this.flags = integerAt(buffer, flagsAt);
    let at = readId(buffer, endIn(buffer, flagsAt), this.master, this.id);
    if ((this.flags & ENTRY_SAME_FIELDS) !== 0) {
      this.fields = this.head.fields;
      this.fieldAt = this.head.fieldsAt;
    } else {
      this.fields = integerAt(buffer, at);
      at = endIn(buffer, at);
    }
    this.at = at - start;
    this.unread = this.fields;
    this.opened = true;
  }

  /** Shows the next field and its value; they are good until the call after. */
  nextField(): void {
    const { buffer, start } = this.bytes;
    let at = start + this.at;
    if ((this.flags & ENTRY_SAME_FIELDS) !== 0) {
      const fieldAt = start + this.fieldAt;
      this.fieldAt = this.show(buffer, fieldAt, this.field, this.fieldText) - start;
    } else {
      at = this.show(buffer, at, this.field, this.fieldText);
    }
    this.at = this.show(buffer, at, this.value, this.valueText) - start;
    this.unread--;
  }

  /** Points `into` at the value at `at`, or at the `text` of an integer; returns where the next element begins. */
  private show(buffer: Uint8Array, at: number, into: Slice, text: Uint8Array): number {
    const head = stringHead(buffer[at]);
    const size = sizeIn(buffer, at);
    if (head !== 0) into.set(buffer, at + head, size - head);
    else {
      this.decoded.read(buffer, at);
      into.set(text, 0, this.decoded.writeInteger(text));
    }
    return at + size + backLengthSize(size);
  }
}
