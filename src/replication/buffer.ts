/**
 * The last bytes of the replication stream: one buffer, and many readers.
 *
 * A byte's position is the number of bytes that came before it in the history, so `end` is master_repl_offset, and what a
 * replica asks for by PSYNC as offset N is at position N - 1.
 *
 *   blocks   | 5000 ... 21383 | 21384 ... 37767 | 37768 ... 39000   free |
 *              ^ start                  ^ a reader                ^ end
 *
 * The bytes lie here once, however many replicas there are. What is kept is all that a reader has not finished with, and
 * at least the last `size` bytes (the backlog), from which a replica that comes back can go on. Whole blocks go, from the
 * front. A block never exceeds a sixteenth of `size`, so that a large command doesn't push the whole backlog out at once.
 *
 * Who may give a block up: only `trim`, when no reader needs it. Some are kept and used again, so that a long stream makes no
 * garbage; but never one of which a reader had taken bytes and gone before it had finished with them (`lost`), since a socket
 * may still be writing these.
 *
 * Invariants (verify): blocks are without gaps, all but the last are full, none is empty but the only one; start <= every
 * reader's `finished` <= its `at` <= end; what is kept is lost in no block.
 */
import { assert } from '../base/assert.ts';
import { copyBytes, uncleared } from '../base/copy.ts';

const BLOCK_MIN = 16 * 1024;
const BLOCKS_OF_BACKLOG = 16;
/** Blocks between their uses. */
const SPARE = 8;

interface Block {
  readonly bytes: Uint8Array;
  /** Position of its first byte. */
  readonly from: number;
  used: number;
  /** A reader has gone before it had finished with what it had taken of it. */
  lost: boolean;
}

export class ReplicationBuffer {
  private blocks: Block[] = [];
  private readonly spare: Uint8Array[] = [];
  private readonly readers = new Set<BufferReader>();
  private capacity = 0;
  private wanted: number;
  private first: number;
  private next: number;

  /** `size` is repl-backlog-size in bytes; `at` the position of the first byte that will be appended. */
  constructor(size: number, at: number) {
    this.wanted = size;
    this.first = at;
    this.next = at;
  }

  /** Position of the oldest byte that is held. */
  get start(): number {
    return this.first;
  }

  /** Position of the byte that will be appended next. */
  get end(): number {
    return this.next;
  }

  /** Bytes of the stream that are held. */
  get length(): number {
    return this.next - this.first;
  }

  /** Bytes of memory that the blocks take. */
  get bytes(): number {
    return this.capacity;
  }

  get size(): number {
    return this.wanted;
  }

  /** A smaller one takes effect as the stream goes on. */
  set size(size: number) {
    this.wanted = size;
    this.trim();
  }

  append(bytes: Uint8Array, from = 0, to = bytes.length): void {
    while (from < to) {
      const block = this.room(to - from);
      const some = Math.min(block.bytes.length - block.used, to - from);
      copyBytes(block.bytes, block.used, bytes, from, some);
      block.used += some;
      this.next += some;
      from += some;
    }
    this.trim();
  }

  /** A reader of all from a position on; null when that is not here. */
  reader(at: number): BufferReader | null {
    if (at < this.first || at > this.next) return null;
    const reader = new BufferReader(this, at);
    this.readers.add(reader);
    return reader;
  }

  /** The oldest position that a reader has not finished with; `end` when there is none. */
  get needed(): number {
    let oldest = this.next;
    for (const { finished } of this.readers) if (finished < oldest) oldest = finished;
    return oldest;
  }

  /** Adds views of the bytes from `at` on to `into`, until they are `budget` or more; returns how many they are. */
  views(at: number, budget: number, into: Uint8Array[]): number {
    let total = 0;
    for (let i = this.blockAt(at); i < this.blocks.length && total < budget; i++) {
      const { bytes, from, used } = this.blocks[i];
      const begin = Math.max(0, at - from);
      if (begin === used) continue;
      into.push(bytes.subarray(begin, used));
      total += used - begin;
    }
    return total;
  }

  release(reader: BufferReader): void {
    const { finished, at } = reader;
    this.readers.delete(reader);
    if (finished < at)
      for (const block of this.blocks) if (block.from < at && block.from + block.used > finished) block.lost = true;
    this.trim();
  }

  /** Gives up the blocks that neither a reader nor the backlog needs. */
  trim(): void {
    if (this.length <= this.wanted || !this.mayGo(0)) return;
    const oldest = this.needed;
    let gone = 0;
    while (this.mayGo(gone)) {
      const { bytes, from, used, lost } = this.blocks[gone];
      const end = from + used;
      if (end > oldest) break;
      this.capacity -= bytes.length;
      this.first = end;
      gone++;
      if (!lost && this.spare.length < SPARE) this.spare.push(bytes);
    }
    if (gone > 0) this.blocks.splice(0, gone);
  }

  /** Whether the backlog is long enough without a block and those before it. The last one is written to, and stays. */
  private mayGo(index: number): boolean {
    if (index >= this.blocks.length - 1) return false;
    const { from, used } = this.blocks[index];
    return this.next - from - used >= this.wanted;
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    let at = this.first;
    let capacity = 0;
    this.blocks.forEach(({ bytes, from, used }, i) => {
      assert(from === at || (i === 0 && from <= at), 'blocks are without gaps');
      assert(i === this.blocks.length - 1 || used === bytes.length, 'all blocks but the last are full');
      at = from + used;
      capacity += bytes.length;
    });
    assert(at === this.next && capacity === this.capacity, 'the blocks add up');
    for (const { finished, at } of this.readers)
      assert(this.first <= finished && finished <= at && at <= this.next, 'a reader is within the buffer');
  }

  private room(wanted: number): Block {
    const last = this.blocks.at(-1);
    if (last !== undefined && last.used < last.bytes.length) return last;
    const most = Math.max(BLOCK_MIN, Math.floor(this.wanted / BLOCKS_OF_BACKLOG));
    const spare = this.spare.pop();
    // A smaller backlog wants smaller blocks.
    const fits = spare !== undefined && spare.length <= most;
    // Where much is held, in few pieces.
    const length = Math.min(most, Math.max(BLOCK_MIN, wanted, this.length / BLOCKS_OF_BACKLOG));
    const bytes = fits ? spare : uncleared(Math.floor(length));
    const block = { bytes, from: this.next, used: 0, lost: false };
    this.blocks.push(block);
    this.capacity += bytes.length;
    return block;
  }

  /** The index of the block that holds a position; of the last one for `end`. */
  private blockAt(at: number): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.blocks[middle].from <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** How far one replica has come in the buffer. What it has taken stays until it has finished with it. */
export class BufferReader {
  /** Position of what it takes next. */
  at: number;
  /** Position up to which its bytes have been written and may go. */
  finished: number;
  private readonly buffer: ReplicationBuffer;
  private open = true;

  constructor(buffer: ReplicationBuffer, at: number) {
    this.buffer = buffer;
    this.at = at;
    this.finished = at;
  }

  /** Bytes that it is owed, those under way included. */
  get behind(): number {
    return this.buffer.end - this.finished;
  }

  get waiting(): number {
    return this.buffer.end - this.at;
  }

  /** Takes views of the next bytes, about `budget` of them; returns how many. */
  take(budget: number, into: Uint8Array[]): number {
    assert(this.open, 'a reader that is closed takes nothing');
    const count = this.buffer.views(this.at, budget, into);
    this.at += count;
    return count;
  }

  /** All that was taken has been written. */
  finish(): void {
    if (this.finished === this.at) return;
    this.finished = this.at;
    this.buffer.trim();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.buffer.release(this);
  }
}
