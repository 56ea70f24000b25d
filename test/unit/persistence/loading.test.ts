import { expect, test } from 'vitest';
import { secondsLeft } from '../../../src/persistence/loading.ts';

test('a load of parts of a second is over in one, whenever the second of the clock turns', () => {
  for (const elapsed of [0, 1, 20, 400, 999]) expect(secondsLeft(elapsed, 1000, 35_000)).toBe(1);
});

test('later on the rate so far tells', () => {
  expect(secondsLeft(1000, 1_000_000, 11_000_000)).toBe(9);
  expect(secondsLeft(5000, 10_000_000, 11_000_000)).toBe(0);
  expect(secondsLeft(2500, 0, 1_000_000)).toBe(2_500_000);
});
