/** Bounds of ranges of a sorted set, and what they mean for a score or a member. */
import { compareBytes, isText, Slice } from '../base/slice.ts';

/** Scores from `min` to `max`; a bound that is exclusive doesn't belong to the range. */
export class ScoreRange {
  min = 0;
  max = 0;
  minExclusive = false;
  maxExclusive = false;
}

/** Where a bound of a LexRange lies. */
export const LEX_LOWEST = 0;
export const LEX_INCLUSIVE = 1;
export const LEX_EXCLUSIVE = 2;
export const LEX_HIGHEST = 3;

/** Members from `min` to `max` by their bytes. */
export class LexRange {
  minKind = LEX_LOWEST;
  maxKind = LEX_HIGHEST;
  readonly min = new Slice();
  readonly max = new Slice();

  reachedBy(member: Slice): boolean {
    if (this.minKind === LEX_LOWEST) return true;
    if (this.minKind === LEX_HIGHEST) return false;
    const order = compareBytes(member, this.min);
    return order > 0 || (order === 0 && this.minKind === LEX_INCLUSIVE);
  }

  notPassedBy(member: Slice): boolean {
    if (this.maxKind === LEX_HIGHEST) return true;
    if (this.maxKind === LEX_LOWEST) return false;
    const order = compareBytes(member, this.max);
    return order < 0 || (order === 0 && this.maxKind === LEX_INCLUSIVE);
  }

  /** Whether the bounds alone leave nothing between them. */
  get isEmpty(): boolean {
    if (this.minKind === LEX_LOWEST) return this.maxKind === LEX_LOWEST;
    if (this.maxKind === LEX_HIGHEST) return this.minKind === LEX_HIGHEST;
    if (this.minKind === LEX_HIGHEST || this.maxKind === LEX_LOWEST) return true;
    const order = compareBytes(this.min, this.max);
    return order > 0 || (order === 0 && (this.minKind === LEX_EXCLUSIVE || this.maxKind === LEX_EXCLUSIVE));
  }
}

/** Reads `-`, `+`, `[text` or `(text` into `bound` and returns its kind, -1 when it is none of these. */
export function parseLexBound(text: Slice, bound: Slice): number {
  if (isText(text, '-')) return LEX_LOWEST;
  if (isText(text, '+')) return LEX_HIGHEST;
  const first = text.length > 0 ? text.at(0) : 0;
  if (first !== 0x5b && first !== 0x28) return -1;
  bound.set(text.buffer, text.start + 1, text.length - 1);
  return first === 0x5b ? LEX_INCLUSIVE : LEX_EXCLUSIVE;
}
