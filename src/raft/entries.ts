/**
 * The entries of a log that are in memory, by their place, in blocks: those at the beginning go by whole blocks, so that a
 * million of them hold nobody up.
 *
 *   [ up to BLOCK ] [ BLOCK ] [ BLOCK ] ... [ up to BLOCK ]
 */
import { assert } from '../base/assert.ts';
import { type Entry, sizeOf } from './entry.ts';

const BLOCK = 1024;

interface Block {
  readonly entries: Entry[];
  bytes: number;
}

export class Entries {
  /** Of all of them, as `sizeOf` counts. */
  bytes = 0;
  length = 0;
  private blocks: Block[] = [];

  at(place: number): Entry {
    const { blocks } = this;
    const first = blocks[0].entries;
    if (place < first.length) return first[place];
    const behind = place - first.length;
    return blocks[1 + Math.floor(behind / BLOCK)].entries[behind % BLOCK];
  }

  /** From one place to another, exclusive. */
  slice(from: number, to: number): Entry[] {
    const some: Entry[] = [];
    for (let place = from; place < to; place++) some.push(this.at(place));
    return some;
  }

  push(entry: Entry): void {
    const { blocks } = this;
    let block = blocks[blocks.length - 1];
    if (block === undefined || block.entries.length === BLOCK) blocks.push((block = { entries: [], bytes: 0 }));
    const size = sizeOf(entry);
    block.entries.push(entry);
    block.bytes += size;
    this.bytes += size;
    this.length++;
  }

  /** Only the first ones stay, so many. */
  truncate(length: number): void {
    while (this.length > length) {
      const block = this.blocks[this.blocks.length - 1];
      const more = Math.min(this.length - length, block.entries.length);
      this.forget(block, block.entries.length - more, more);
      if (block.entries.length === 0) this.blocks.pop();
    }
  }

  /** The first ones go, so many. */
  drop(count: number): void {
    assert(count <= this.length, 'only what is there goes');
    let done = 0;
    for (let left = count; left > 0; ) {
      const block = this.blocks[done];
      const more = Math.min(left, block.entries.length);
      left -= more;
      if (more === block.entries.length) {
        this.bytes -= block.bytes;
        this.length -= more;
        done++;
      } else this.forget(block, 0, more);
    }
    this.blocks.splice(0, done);
  }

  private forget(block: Block, from: number, count: number): void {
    let size = 0;
    for (const entry of block.entries.splice(from, count)) size += sizeOf(entry);
    block.bytes -= size;
    this.bytes -= size;
    this.length -= count;
  }
}
