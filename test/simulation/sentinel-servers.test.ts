/** A slice of the world of whole Sentinels and servers; `npm run test:simulation -- sentinel-servers` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { course } from './sentinel-servers-world.ts';

const SEEDS = LONG ? 40 : 4;
/** One of those that find it; where what a course depends on has changed since, one behind it does. */
const SEED_OF_THE_BUG = 20;
const SEEDS_FOR_BUGS = 60;

test(`seeds 1 to ${SEEDS} of the world of whole Sentinels break nothing`, async () => {
  let failovers = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const played = await course(seed);
    expect(played.broken, `seed ${seed}`).toBe('');
    failovers += played.failovers;
  }
  expect(failovers).toBeGreaterThan(SEEDS / 2);
}, 300_000);

test('a Sentinel that tells its vote before it is on the disk is found', async () => {
  let broken = '';
  for (let i = 0; broken === '' && i < SEEDS_FOR_BUGS; i++)
    ({ broken } = await course(SEED_OF_THE_BUG + i, { bug: 'votes are told early' }));
  expect(broken).toMatch(/^two votes of /);
}, 300_000);

test('a seed goes the same way twice', async () => {
  const first = await course(2, { traced: true });
  expect(first.trace.length).toBeGreaterThan(1000);
  expect((await course(2, { traced: true })).trace).toEqual(first.trace);
});
