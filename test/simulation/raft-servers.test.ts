/** A slice of the world of whole servers in a group; `npm run test:simulation -- raft-servers` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { course } from './raft-servers-world.ts';

const SEEDS = LONG ? 40 : 3;

test(`seeds 1 to ${SEEDS} of the world of whole groups break nothing`, async () => {
  let elections = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { broken, counts } = await course(seed);
    expect(broken, `seed ${seed}`).toBe('');
    elections += counts['elections'];
  }
  expect(elections).toBeGreaterThan(SEEDS);
}, 300_000);
