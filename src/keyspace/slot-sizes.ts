/**
 * How many keys each hash slot has, such that a slot can be drawn by its size: a Fenwick tree of partial sums.
 *
 *   tree[i] = keys of the slots from i - (i & -i) to i - 1          so tree[8] is of slots 0 to 7, tree[7] of slot 6
 *
 * Adding and drawing take at most 15 steps.
 */
import { assert } from '../base/assert.ts';
import { SLOTS } from './slot.ts';

assert((SLOTS & (SLOTS - 1)) === 0, 'the tree is a whole one');

export class SlotSizes {
  /** Keys of all slots. */
  total = 0;
  private readonly tree = new Int32Array(SLOTS + 1);

  /** A slot has `by` keys more. */
  add(slot: number, by: number): void {
    const { tree } = this;
    this.total += by;
    for (let i = slot + 1; i <= SLOTS; i += i & -i) tree[i] += by;
  }

  /** The slot in which the key `place` lies where the keys are counted slot by slot; `place` is from 0 to total - 1. */
  at(place: number): number {
    const { tree } = this;
    let slot = 0;
    let left = place;
    for (let step = SLOTS >>> 1; step > 0; step >>>= 1) {
      if (tree[slot + step] > left) continue;
      slot += step;
      left -= tree[slot];
    }
    return slot;
  }

  /** Keys of the slots below `slot`. */
  before(slot: number): number {
    let sum = 0;
    for (let i = slot; i > 0; i -= i & -i) sum += this.tree[i];
    return sum;
  }

  /** The first slot from `slot` on that has keys; SLOTS where none has. */
  filledFrom(slot: number): number {
    const place = this.before(slot);
    return place === this.total ? SLOTS : this.at(place);
  }
}
