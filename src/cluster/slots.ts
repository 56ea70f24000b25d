/**
 * Sets of hash slots, as packets carry them: a bit a slot, the lowest of a byte first.
 *
 *   21 00 80 ...   slots 0, 5 and 23
 *
 * keyspace/slot.ts tells the slot of a key.
 */
import { assert } from '../base/assert.ts';
import { SLOTS } from '../keyspace/slot.ts';

export { SLOTS, slotOf } from '../keyspace/slot.ts';

/** Bytes of a set. */
export const BITMAP = SLOTS / 8;

assert(BITMAP === 2048, 'the bitmap of packets');

/** Slots from `start` to `end`, both included. */
export interface SlotRange {
  readonly start: number;
  readonly end: number;
}

export function isSlot(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < SLOTS;
}

export class SlotSet {
  private readonly bits: Uint8Array;
  /** The same bits, 32 at a time. */
  private readonly words: Int32Array;
  private members: number;
  /** What `bitmap` and `ranges` have handed out, until the set changes. */
  private copy: Uint8Array | null = null;
  private runs: readonly SlotRange[] | null = null;

  /** Takes the bits over, where they lie as words do; BITMAP bytes. */
  constructor(bits: Uint8Array | null = null) {
    assert(bits === null || bits.length === BITMAP, 'a bit a slot');
    if (bits === null) this.bits = new Uint8Array(BITMAP);
    else this.bits = (bits.byteOffset & 3) === 0 ? bits : new Uint8Array(bits);
    this.words = new Int32Array(this.bits.buffer, this.bits.byteOffset, BITMAP / 4);
    this.members = bits === null ? 0 : countBits(bits);
  }

  static of(ranges: Iterable<SlotRange>): SlotSet {
    const set = new SlotSet();
    for (const { start, end } of ranges) for (let slot = start; slot <= end; slot++) set.add(slot);
    return set;
  }

  get size(): number {
    return this.members;
  }

  has(slot: number): boolean {
    return (this.bits[slot >> 3] & (1 << (slot & 7))) !== 0;
  }

  add(slot: number): void {
    assert(isSlot(slot), 'slots are numbered from 0 to 16383');
    if (this.has(slot)) return;
    this.bits[slot >> 3] |= 1 << (slot & 7);
    this.members++;
    this.changed();
  }

  delete(slot: number): void {
    if (!this.has(slot)) return;
    this.bits[slot >> 3] &= ~(1 << (slot & 7));
    this.members--;
    this.changed();
  }

  /** The bits as they are now: a copy that nobody writes to. */
  bitmap(): Uint8Array {
    this.copy ??= this.bits.slice();
    return this.copy;
  }

  /** Whether these are its bits. */
  equals(bits: Uint8Array): boolean {
    return Buffer.compare(this.bits, bits) === 0;
  }

  *[Symbol.iterator](): Generator<number> {
    yield* slotsIn(this.bits);
  }

  /** Its runs as they are now, ascending. */
  ranges(): readonly SlotRange[] {
    this.runs ??= this.findRanges();
    return this.runs;
  }

  /** Runs of whole words are passed over at once: this is asked for with each change of a slot. */
  private findRanges(): SlotRange[] {
    const { words } = this;
    const found: SlotRange[] = [];
    let start = -1;
    for (let word = 0; word < words.length; word++) {
      if (words[word] === (start < 0 ? 0 : -1)) continue;
      for (let slot = word * 32; slot < word * 32 + 32; slot++) {
        if (this.has(slot) === start >= 0) continue;
        if (start >= 0) found.push({ start, end: slot - 1 });
        start = start < 0 ? slot : -1;
      }
    }
    if (start >= 0) found.push({ start, end: SLOTS - 1 });
    return found;
  }

  /** Those of a set given as its bits that are not in this one, ascending; neither changes meanwhile. */
  missing(bits: Uint8Array): number[] {
    const found: number[] = [];
    for (let byte = 0; byte < BITMAP; byte++) {
      const rest = bits[byte] & ~this.bits[byte];
      if (rest === 0) continue;
      for (let bit = 0; bit < 8; bit++) if ((rest & (1 << bit)) !== 0) found.push(byte * 8 + bit);
    }
    return found;
  }

  private changed(): void {
    this.copy = null;
    this.runs = null;
  }

  verify(): void {
    assert(this.members === countBits(this.bits), 'the size is the number of bits');
  }
}

/** The members of a set given as its bits, ascending. */
export function* slotsIn(bits: Uint8Array): Generator<number> {
  for (let byte = 0; byte < bits.length; byte++) {
    if (bits[byte] === 0) continue;
    for (let bit = 0; bit < 8; bit++) if ((bits[byte] & (1 << bit)) !== 0) yield byte * 8 + bit;
  }
}

/** Bits that are set in each byte. */
const WEIGHTS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
});

export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte = 0; byte < bits.length; byte++) count += WEIGHTS[bits[byte]];
  return count;
}
