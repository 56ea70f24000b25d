/** Drawing several different elements of an aggregate, each as likely as the others. */
import type { Random } from '../base/random.ts';

/** What walks over all handles: `next` answers 0 after the last. A null walk stands for the indexes below `length`. */
interface Walk {
  next(): number;
}

/** Writes so many handles into an array from its start. */
type Draw = (count: number, into: number[]) => void;

/** From this share of all on, shuffling everything is cheaper than drawing again what was drawn before. */
const SHUFFLE_SHARE = 3;

/**
 * Writes `count` different handles out of `length`, in random order, into `out` from its start. `draw` gives so many at
 * random, of which some may be the same; where `count` is a good part of `length`, all handles are gone through instead.
 */
export function pickDistinct(
  length: number,
  count: number,
  random: Random,
  out: number[],
  walk: Walk | null,
  draw: Draw,
): void {
  if (count * SHUFFLE_SHARE <= length) {
    drawDistinct(count, out, draw);
    return;
  }
  const all: number[] = [];
  if (walk === null) for (let i = 0; i < length; i++) all.push(i);
  else for (let handle = walk.next(); handle !== 0; handle = walk.next()) all.push(handle);
  for (let i = 0; i < count; i++) {
    const j = i + random.below(all.length - i);
    out[i] = all[j];
    all[j] = all[i];
  }
}

function drawDistinct(count: number, out: number[], draw: Draw): void {
  draw(count, out);
  const drawn = new Set<number>();
  for (let i = 0; i < count; i++) {
    const handle = out[i];
    if (!drawn.has(handle)) {
      out[drawn.size] = handle;
      drawn.add(handle);
    }
  }
  const more: number[] = [];
  while (drawn.size < count) {
    const missing = count - drawn.size;
    draw(missing, more);
    for (let i = 0; i < missing; i++) {
      if (drawn.has(more[i])) continue;
      out[drawn.size] = more[i];
      drawn.add(more[i]);
    }
  }
  out.length = count;
}
