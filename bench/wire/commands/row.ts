/** What a benchmark of commands measures: rows of commands, and the data that they find. */

export type Words = readonly string[];

/** How large the data are. */
export interface Sizes {
  /** Elements of what is large: all that a processor's caches don't hold. */
  readonly large: number;
  /** Elements of what is beyond the compact encodings, and still at hand. */
  readonly medium: number;
}

/** One figure: what a step of one or several commands costs. */
export interface Row {
  readonly name: string;
  /**
   * The commands of step `i`, counted from 0. They leave the data as they were, so that every step costs the same; random
   * keys and members are drawn by `i`.
   */
  step(i: number): readonly Words[];
  /** The database in which they run, 0 where nothing is said. */
  readonly database?: number;
  /** Connections that are open meanwhile and do nothing. */
  readonly idle?: number;
}

/** Rows over the same data, on two servers of their own. */
export interface Family {
  readonly name: string;
  /** Settings of both servers, where usual servers won't do. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What both servers are told before there can be data, and what is asked until the answer holds this text. */
  readonly first?: { readonly words: Words; readonly asked: Words; readonly holds: string };
  /** The commands that make the data. */
  data(sizes: Sizes): Iterable<Words>;
  rows(sizes: Sizes): readonly Row[];
}

/** A row of steps of one command. */
export function one(name: string, words: (i: number) => Words, more: Omit<Row, 'name' | 'step'> = {}): Row {
  return { name, step: (i) => [words(i)], ...more };
}

/** A row of steps of several commands. */
export function several(
  name: string,
  step: (i: number) => readonly Words[],
  more: Omit<Row, 'name' | 'step'> = {},
): Row {
  return { name, step, ...more };
}

/** A number below `limit` that looks random, the same for the same `i`. */
export function random(i: number, limit: number): number {
  let x = Math.imul(i + 1, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) % limit;
}

export function times<T>(count: number, of: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

/** Words that an element needs are made of its number, one after another: `pairs(2, (i) => ['f' + i, 'v'])`. */
export function flat(count: number, of: (i: number) => Words): string[] {
  return times(count, of).flat();
}

const BATCH = 500;

/** `head` once for each 500 of `count` elements, whose words follow. */
export function* filling(head: Words, count: number, of: (i: number) => Words): Iterable<Words> {
  for (let from = 0; from < count; from += BATCH)
    yield [...head, ...flat(Math.min(BATCH, count - from), (i) => of(from + i))];
}

/** Goes through what comes `first`; `call` sends a command, `pause` lets some time pass. */
export async function begin(
  { first }: Family,
  call: (words: Words) => Promise<unknown>,
  pause: () => Promise<void>,
): Promise<void> {
  if (first === undefined) return;
  await call(first.words);
  while (!String(await call(first.asked)).includes(first.holds)) await pause();
}
