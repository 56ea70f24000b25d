/** A slice of the world of the cluster's rules; `npm run test:simulation -- cluster` plays it in full. */
import { expect, test } from 'vitest';
import { course } from './cluster-world.ts';

const SEEDS = 12;

test(`seeds 1 to ${SEEDS} of the world of the cluster's rules break nothing`, () => {
  let [failovers, votes] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const played = course(seed);
    expect(played.broken, `seed ${seed}`).toBe('');
    failovers += played.failovers;
    votes += played.votes;
  }
  expect(failovers).toBeGreaterThan(0);
  expect(votes).toBeGreaterThan(SEEDS);
});

test('a node that tells its vote before it is on the disk is found', () => {
  let seed = 1;
  while (seed <= 300 && course(seed, { bug: 'votes are told early' }).broken === '') seed++;
  expect(course(seed, { bug: 'votes are told early' }).broken).toMatch(/^two votes of |^epochs of .* shrink/);
  expect(seed).toBeLessThanOrEqual(300);
});

test('a seed goes the same way twice', () => {
  const first = course(7, { traced: true });
  expect(first.trace.length).toBeGreaterThan(50);
  expect(course(7, { traced: true }).trace).toEqual(first.trace);
});
