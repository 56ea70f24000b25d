/**
 * Sorting numbered things by a number each, of which only a part is wanted: places and numbers in typed arrays, which takes a
 * fifth of what sorting objects by a function does. Whose numbers are equal is asked for only then.
 *
 * A few from the front are kept in a heap (the last of them on top) while the others pass by, most of them with one
 * comparison; else all are merged. Both take n log n steps at most, whatever the numbers are.
 */

/** The order of two things whose numbers are equal: negative, zero (then the one numbered lower comes first), positive. */
export type Tie = (a: number, b: number) => number;

/** From the share of an eighth on, merging all is faster than the heap. */
const HEAP_SHARE = 8;
/** Runs of so many are sorted by insertion before they are merged. */
const RUN = 12;

/** Keys whose room is kept for the next ranking. */
const MOST_KEPT = 16 * 1024;

export class Ranking {
  /** The keys of the things numbered from 0 on, in as much room as there has been need of: none is NaN. */
  keys = new Float64Array(RUN);
  private places = new Uint32Array(RUN);
  /** What is merged, and where to. */
  private from = new Float64Array(RUN);
  private to = new Float64Array(RUN);
  private next = new Uint32Array(RUN);

  /** Makes room for the keys of so many things, each 0. */
  prepare(count: number): Float64Array {
    const room = this.keys.length;
    if (count > room || room > MOST_KEPT) {
      const wanted = Math.max(count, RUN);
      this.keys = new Float64Array(wanted);
      this.places = new Uint32Array(wanted);
      this.from = new Float64Array(wanted);
      this.to = new Float64Array(wanted);
      this.next = new Uint32Array(wanted);
    } else this.keys.fill(0, 0, count);
    return this.keys;
  }

  /**
   * Which of the things 0 to count - 1 belong in places `first` to `last` (exclusive), in order; good until the next
   * ranking.
   */
  ranked(count: number, tie: Tie, first: number, last: number): Uint32Array {
    if (last <= count / HEAP_SHARE) leading(this.keys, this.places, tie, count, last);
    else {
      this.merge(count);
      settleTies(this.keys, this.places, tie, count, first, last);
    }
    return this.places.subarray(first, last);
  }

  /** All by their keys, equals in the order of their numbers. */
  private merge(count: number): void {
    for (let i = 0; i < count; i++) {
      this.places[i] = i;
      this.from[i] = this.keys[i];
    }
    for (let start = 0; start < count; start += RUN)
      insertionSort(this.from, this.places, start, Math.min(start + RUN, count));
    for (let width = RUN; width < count; width *= 2) {
      const { from, places, to, next } = this;
      for (let start = 0; start < count; start += 2 * width)
        merge(from, places, to, next, start, Math.min(start + width, count), Math.min(start + 2 * width, count));
      this.from = to;
      this.to = from;
      this.places = next;
      this.next = places;
    }
  }
}

/** Puts the first `count` of `all` in order into `heap`. */
function leading(keys: Float64Array, heap: Uint32Array, tie: Tie, all: number, count: number): void {
  if (count === 0) return;
  const before = (a: number, b: number): boolean => {
    if (keys[a] !== keys[b]) return keys[a] < keys[b];
    const order = tie(a, b);
    return order === 0 ? a < b : order < 0;
  };
  /** Lets the thing at the top sink to where none below comes behind it, among the first `size`. */
  const sink = (thing: number, from: number, size: number): void => {
    let at = from;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && before(heap[child], heap[child + 1])) child++;
      if (!before(thing, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = thing;
  };
  for (let i = 0; i < count; i++) heap[i] = i;
  for (let i = (count >>> 1) - 1; i >= 0; i--) sink(heap[i], i, count);
  for (let i = count; i < all; i++) if (keys[i] <= keys[heap[0]] && before(i, heap[0])) sink(i, 0, count);
  for (let size = count - 1; size > 0; size--) {
    const thing = heap[size];
    heap[size] = heap[0];
    sink(thing, 0, size);
  }
}

function insertionSort(keys: Float64Array, places: Uint32Array, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const key = keys[i];
    const place = places[i];
    let at = i;
    for (; at > from && keys[at - 1] > key; at--) {
      keys[at] = keys[at - 1];
      places[at] = places[at - 1];
    }
    keys[at] = key;
    places[at] = place;
  }
}

/** Merges what is in order from `start` to `middle` and from there to `end` into the same places of `to` and `next`. */
function merge(
  from: Float64Array,
  places: Uint32Array,
  to: Float64Array,
  next: Uint32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let a = start;
  let b = middle;
  for (let at = start; at < end; at++) {
    const left = b >= end || (a < middle && from[a] <= from[b]);
    const taken = left ? a++ : b++;
    to[at] = from[taken];
    next[at] = places[taken];
  }
}

/** Orders those of equal keys, as far as one of them lies in a wanted place. */
function settleTies(
  keys: Float64Array,
  places: Uint32Array,
  tie: Tie,
  count: number,
  first: number,
  last: number,
): void {
  let from = first;
  while (from > 0 && from < last && keys[places[from - 1]] === keys[places[from]]) from--;
  while (from < last) {
    let to = from + 1;
    while (to < count && keys[places[to]] === keys[places[from]]) to++;
    // Both sorts are stable: the order of equals by their numbers stays.
    if (to - from > RUN) places.set(Array.from(places.subarray(from, to)).sort(tie), from);
    else if (to - from > 1) insertTies(places, tie, from, to);
    from = to;
  }
}

function insertTies(places: Uint32Array, tie: Tie, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const place = places[i];
    let at = i;
    for (; at > from && tie(places[at - 1], place) > 0; at--) places[at] = places[at - 1];
    places[at] = place;
  }
}
