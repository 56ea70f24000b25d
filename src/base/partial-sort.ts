/**
 * Sorting only so far that some places of the result are right: the quicksort of Bentley and McIlroy ("Engineering a sort
 * function", Software - Practice and Experience 23, 1993), leaving out the parts that no wanted place lies in. It is not
 * stable, and which of several equals comes first follows from the algorithm.
 */
type Order<T> = (a: T, b: T) => number;

const INSERTION_BELOW = 7;
const NINTHER_ABOVE = 40;

function swap<T>(items: T[], i: number, j: number): void {
  const item = items[i];
  items[i] = items[j];
  items[j] = item;
}

function swapRuns<T>(items: T[], i: number, j: number, length: number): void {
  for (; length > 0; length--) swap(items, i++, j++);
}

function median<T>(items: T[], a: number, b: number, c: number, order: Order<T>): number {
  const [x, y, z] = [items[a], items[b], items[c]];
  if (order(x, y) < 0) return order(y, z) < 0 ? b : order(x, z) < 0 ? c : a;
  return order(y, z) > 0 ? b : order(x, z) < 0 ? a : c;
}

function insertionSort<T>(items: T[], from: number, to: number, order: Order<T>): void {
  for (let i = from + 1; i < to; i++)
    for (let j = i; j > from && order(items[j - 1], items[j]) > 0; j--) swap(items, j, j - 1);
}

function pivotOf<T>(items: T[], from: number, length: number, order: Order<T>): number {
  const middle = from + (length >>> 1);
  if (length <= INSERTION_BELOW) return middle;
  const last = from + length - 1;
  if (length <= NINTHER_ABOVE) return median(items, from, middle, last, order);
  const step = length >>> 3;
  const low = median(items, from, from + step, from + 2 * step, order);
  const mid = median(items, middle - step, middle, middle + step, order);
  const high = median(items, last - 2 * step, last - step, last, order);
  return median(items, low, mid, high, order);
}

/** Sorts `items` so that the places `first` to `last` (inclusive) hold what belongs there. */
export function partialSort<T>(items: T[], order: Order<T>, first: number, last: number): void {
  sortPart(items, 0, items.length, order, first, last);
}

function sortPart<T>(items: T[], from: number, to: number, order: Order<T>, first: number, last: number): void {
  for (;;) {
    const length = to - from;
    if (length < INSERTION_BELOW) {
      insertionSort(items, from, to, order);
      return;
    }
    swap(items, from, pivotOf(items, from, length, order));
    // Equals gather at both ends: [from, a) and (d, to); less in [a, b), greater in (c, d].
    let a = from + 1;
    let b = a;
    let c = to - 1;
    let d = c;
    for (;;) {
      for (let r: number; b <= c && (r = order(items[b], items[from])) <= 0; b++) if (r === 0) swap(items, a++, b);
      for (let r: number; b <= c && (r = order(items[c], items[from])) >= 0; c--) if (r === 0) swap(items, c, d--);
      if (b > c) break;
      swap(items, b++, c--);
    }
    const equalsBefore = Math.min(a - from, b - a);
    swapRuns(items, from, b - equalsBefore, equalsBefore);
    const equalsBehind = Math.min(d - c, to - d - 1);
    swapRuns(items, b, to - equalsBehind, equalsBehind);
    const less = b - a;
    const greater = d - c;
    if (less > 1 && first < from + less && last >= from) sortPart(items, from, from + less, order, first, last);
    if (greater <= 1 || first >= to || last < to - greater) return;
    from = to - greater;
  }
}
