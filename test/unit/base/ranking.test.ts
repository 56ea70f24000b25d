import { expect, test } from 'vitest';
import { Pile } from '../../../src/base/pile.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Ranking, type Tie } from '../../../src/base/ranking.ts';
import { Slice } from '../../../src/base/slice.ts';

const SEED = 5;
const ranking = new Ranking();

function ranked(keys: Float64Array, tie: Tie, first: number, last: number): number[] {
  ranking.prepare(keys.length).set(keys);
  return [...ranking.ranked(keys.length, tie, first, last)];
}

test('a ranking gives the wanted places what a whole, stable sort puts there', () => {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 3000; round++) {
    const length = random.below(round % 50 === 0 ? 2000 : 60);
    const kinds = 1 + random.below(length + 1);
    const keys = Float64Array.from({ length }, () => random.below(kinds) - kinds / 2);
    const ties = Array.from({ length }, () => random.below(3));
    const order = (a: number, b: number): number => keys[a] - keys[b] || ties[a] - ties[b] || a - b;
    const sorted = Array.from(keys.keys()).sort(order);
    const first = random.below(length + 1);
    const last = first + random.below(length - first + 1);
    expect(
      ranked(keys, (a, b) => ties[a] - ties[b], first, last),
      `seed ${SEED}`,
    ).toEqual(sorted.slice(first, last));
  }
});

test('a ranking knows what is infinite, and takes 0 for -0', () => {
  const keys = Float64Array.of(0, Number.POSITIVE_INFINITY, -0, Number.NEGATIVE_INFINITY);
  expect(ranked(keys, (a, b) => b - a, 0, 4)).toEqual([3, 2, 0, 1]);
});

test('a pile gives back what was added, in the order of memcmp, which its heads agree with', () => {
  const random = new SeededRandom(SEED);
  for (let round = 0; round < 300; round++) {
    const pile = new Pile();
    const beginning = Buffer.alloc(random.below(9), 'same');
    const strings = Array.from({ length: 1 + random.below(100) }, () =>
      Buffer.concat([beginning, Buffer.from(Array.from({ length: random.below(12) }, () => random.below(4) * 85))]),
    );
    if (round % 7 === 0) strings.push(Buffer.alloc(5000, round));
    for (const string of strings) pile.add(new Slice(string));
    const heads = new Float64Array(strings.length);
    pile.heads(heads);
    expect(pile.count).toBe(strings.length);
    for (const [i, string] of strings.entries()) {
      expect(Buffer.from(pile.show(i, new Slice()).view()).equals(string)).toBe(true);
      const j = random.below(strings.length);
      const order = Math.sign(Buffer.compare(string, strings[j]));
      expect(Math.sign(pile.compare(i, j)), `seed ${SEED}`).toBe(order);
      if (heads[i] !== heads[j]) expect(heads[i] < heads[j] ? -1 : 1, `seed ${SEED}`).toBe(order);
    }
  }
});
