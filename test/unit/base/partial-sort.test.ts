import { expect, test } from 'vitest';
import { partialSort } from '../../../src/base/partial-sort.ts';
import { SeededRandom } from '../../../src/base/random.ts';

test('the wanted places hold what a whole sort puts there, and nothing is lost', () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 2000; round++) {
    const length = random.below(200);
    const values = 1 + random.below(length + 1);
    const items = Array.from({ length }, () => random.below(values));
    const sorted = [...items].sort((a, b) => a - b);
    const first = random.below(length + 1);
    const last = first + random.below(length + 1);
    partialSort(items, (a, b) => a - b, first, last);
    expect(items.slice(first, last + 1)).toEqual(sorted.slice(first, last + 1));
    expect([...items].sort((a, b) => a - b)).toEqual(sorted);
  }
});
