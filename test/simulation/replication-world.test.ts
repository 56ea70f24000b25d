/** A slice of the replication world; `npm run test:simulation` plays it in full. */
import { expect, test } from 'vitest';
import { course } from './replication-world.ts';

test.each([1, 2, 3])('seed %i of the replication world breaks nothing', async (seed) => {
  expect((await course(seed)).broken).toBe('');
});

test('a seed goes the same way twice', async () => {
  const first = await course(7, 25);
  expect(first.broken).toBe('');
  expect(first.full + first.partial).toBeGreaterThan(2);
  expect((await course(7, 25)).trace).toEqual(first.trace);
});
