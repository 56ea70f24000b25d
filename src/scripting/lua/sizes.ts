/** The sizes of a table's two parts. */

/** Integer keys are counted by the powers of two that they lie between. */
export const MAX_BITS = 26;

/** Counts a key where it is a positive whole number. */
export function countKey(counts: number[], key: unknown): void {
  if (typeof key !== 'number' || key < 1 || key > 1 << MAX_BITS || key !== (key | 0)) return;
  counts[key === 1 ? 0 : 32 - Math.clz32(key - 1)]++;
}

/** The largest 2^n of which more than half is in use, and how many integer keys it takes in. */
export function bestSize(counts: readonly number[]): [size: number, used: number] {
  let below = 0;
  let best = 0;
  let used = 0;
  for (let i = 0, size = 1; i < counts.length; i++, size *= 2) {
    below += counts[i];
    if (counts[i] > 0 && below > size / 2) {
      best = size;
      used = below;
    }
  }
  return [best, used];
}

/** The least power of two that isn't less; 0 for 0. */
export function powerOfTwo(least: number): number {
  if (least === 0) return 0;
  let size = 1;
  while (size < least) size *= 2;
  return size;
}
