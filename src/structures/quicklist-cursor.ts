/**
 * A walk over a quicklist, either way. It reads through a Reader, so the snapshot's worker walks as the live server does.
 *
 *   for (cursor.reset(r, ql, index, backwards); cursor.more; cursor.next()) ... cursor.bytes(into)
 *
 * The bytes of a node are borrowed once: nothing may be stored or allocated while the cursor is in use.
 */
import { Slice, sameBytes } from '../base/slice.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Reader } from '../memory/memory.ts';
import { ListpackCursor } from './listpack.ts';
import { qlHead, qlLength, qlTail } from './quicklist.ts';
import { NodeRoom, nodeCount, nodeIsPlain, nodeNext, nodePrev } from './quicklist-node.ts';

export class QuicklistCursor {
  /** The current element's node, NULL past the end. */
  node: Addr = NULL;
  private reader: Reader | null = null;
  private backwards = false;
  private plain = false;
  private readonly content = new Slice();
  private readonly room = new NodeRoom();
  private readonly entries = new ListpackCursor();

  /** Begins at element `index`, from the tail when negative; `more` is false when there is none. */
  reset(r: Reader, ql: Addr, index: number, backwards = false): void {
    this.reader = r;
    this.backwards = backwards;
    this.node = NULL;
    const length = qlLength(r, ql);
    const at = index < 0 ? index + length : index;
    if (at < 0 || at >= length) return;
    if (at <= length >>> 1) this.seekFromHead(r, ql, at);
    else this.seekFromTail(r, ql, length - at);
  }

  get more(): boolean {
    return this.node !== NULL;
  }

  /** Where the current entry lies in its node's listpack; together with `node` the place that writing calls take. */
  get position(): number {
    return this.plain ? 0 : this.entries.position;
  }

  next(): void {
    if (!this.plain) {
      if (this.backwards) this.entries.prev();
      else this.entries.next();
      if (this.entries.more) return;
    }
    const r = this.reader!;
    const node = this.backwards ? nodePrev(r, this.node) : nodeNext(r, this.node);
    this.node = node;
    if (node !== NULL) this.enter(r, node, this.backwards);
  }

  /** The current element; an integer's text is good until the fourth such reading. */
  bytes(into: Slice): Slice {
    return this.plain ? into.like(this.content) : this.entries.bytes(into);
  }

  /** Names the value that `hit` compares with. */
  aim(value: Slice): void {
    this.entries.aim(value);
  }

  /** Whether the current element equals `value`, which is the one that was aimed at. */
  hit(value: Slice): boolean {
    return this.plain ? sameBytes(this.content, value) : this.entries.hit(value);
  }

  private enter(r: Reader, node: Addr, fromEnd: boolean): void {
    this.node = node;
    this.plain = nodeIsPlain(r, node);
    this.room.content(r, node, this.content);
    if (this.plain) return;
    this.entries.resetBytes(this.content, 0);
    if (fromEnd) this.entries.toLast();
    else this.entries.toFirst();
  }

  private seekFromHead(r: Reader, ql: Addr, index: number): void {
    let left = index;
    let node = qlHead(r, ql);
    for (; left >= nodeCount(r, node); node = nodeNext(r, node)) left -= nodeCount(r, node);
    this.seekWithin(r, node, left);
  }

  /** `behind` counts the elements from the wanted one to the tail. */
  private seekFromTail(r: Reader, ql: Addr, behind: number): void {
    let left = behind;
    let node = qlTail(r, ql);
    for (; left > nodeCount(r, node); node = nodePrev(r, node)) left -= nodeCount(r, node);
    this.seekWithin(r, node, nodeCount(r, node) - left);
  }

  private seekWithin(r: Reader, node: Addr, index: number): void {
    const count = nodeCount(r, node);
    const nearEnd = index > count >>> 1;
    this.enter(r, node, nearEnd);
    if (this.plain) return;
    if (nearEnd) for (let i = count - 1; i > index; i--) this.entries.prev();
    else for (let i = 0; i < index; i++) this.entries.next();
  }
}
