/** A slice of the world of the cluster's rules; `npm run test:simulation -- cluster` plays it in full. */
import { expect, test } from 'vitest';
import { course } from './cluster-world.ts';

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];

test.each(SEEDS)('seed %i of the world of the cluster breaks nothing', (seed) => {
  expect(course(seed).broken).toBe('');
});

test('replicas are elected in it, and a node that tells its vote before it is on the disk is found', () => {
  let [seed, votes, broken] = [0, 0, ''];
  while ((broken === '' || votes <= 2) && seed < 100) {
    const played = course(++seed, { bug: 'votes are told early' });
    votes += played.votes;
    broken ||= played.broken;
  }
  expect(broken).toMatch(/^two votes of |^epochs of .* shrink/);
  expect(votes).toBeGreaterThan(2);
});

test('a seed goes the same way twice', () => {
  const first = course(7, { traced: true, faults: 10 });
  expect(first.trace.length).toBeGreaterThan(20);
  expect(course(7, { traced: true, faults: 10 }).trace).toEqual(first.trace);
});
