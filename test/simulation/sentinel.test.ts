/** A slice of the world of Sentinel's rules; `npm run test:simulation -- sentinel` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { course } from './sentinel-world.ts';

const SEEDS = LONG ? 400 : 40;

test(`seeds 1 to ${SEEDS} of the world of Sentinel's rules break nothing`, () => {
  let [failovers, votes] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const played = course(seed);
    expect(played.broken, `seed ${seed}`).toBe('');
    failovers += played.failovers;
    votes += played.votes;
  }
  expect(failovers).toBeGreaterThan(SEEDS / 2);
  expect(votes).toBeGreaterThan(SEEDS);
});

test('a Sentinel that tells its vote before it is on the disk is found', () => {
  let seed = 1;
  while (seed <= 500 && course(seed, { bug: 'votes are told early' }).broken === '') seed++;
  expect(course(seed, { bug: 'votes are told early' }).broken).toMatch(/^two votes of /);
  expect(seed).toBeLessThanOrEqual(500);
});

test('a seed goes the same way twice', () => {
  const first = course(7, { traced: true });
  expect(first.trace.length).toBeGreaterThan(50);
  expect(course(7, { traced: true }).trace).toEqual(first.trace);
});
