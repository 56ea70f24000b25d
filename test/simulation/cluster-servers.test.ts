/** A slice of the world of whole nodes of a cluster; `npm run test:simulation -- cluster-servers` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { CLUSTER_BUGS } from './cluster-bugs.ts';
import { course } from './cluster-servers-world.ts';

const SEEDS = LONG ? 40 : 3;
/** Within which each bug is found. */
const SEEDS_FOR_BUGS = 20;

test(`seeds 1 to ${SEEDS} of the world of whole clusters break nothing`, async () => {
  const sums = { failovers: 0, moves: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { broken, counts } = await course(seed);
    expect(broken, `seed ${seed}`).toBe('');
    sums.failovers += counts['failovers'];
    sums.moves += counts['moves'];
  }
  expect(sums.failovers).toBeGreaterThan(SEEDS);
  expect(sums.moves).toBeGreaterThan(SEEDS);
}, 600_000);

const FINDS = {
  'votes are told early': /^two votes of |^epochs of .* shrink/,
  'collisions stay': /has the config epoch of another master$/,
  'old claims count': /lets slot \d+ go from an owner of epoch/,
  'keys go before they have come': /lies nowhere/,
};

test.each(CLUSTER_BUGS)(
  'a bug is found: %s',
  async (bug) => {
    let broken = '';
    for (let seed = 1; broken === '' && seed < SEEDS_FOR_BUGS; seed++) broken = (await course(seed, { bug })).broken;
    expect(broken).toMatch(FINDS[bug]);
  },
  600_000,
);

test('a seed goes the same way twice', async () => {
  const first = await course(2, { traced: true, faults: 6 });
  expect(first.trace.length).toBeGreaterThan(1000);
  expect((await course(2, { traced: true, faults: 6 })).trace).toEqual(first.trace);
}, 300_000);
