/** How soon another leads, where the disks and the network are as slow as on a machine that is busy. */
import { expect, test } from 'vitest';
import { ELECTION_TIMEOUT, leaderless } from './raft-elections.ts';

const SEEDS = 400;
const DISK_MS = 50;
const WIRE_MS = 30;

test.each([3, 5] as const)(
  'of %i members one serves within two election timeouts, nearly always',
  (members) => {
    let late = 0;
    let latest = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const ms = leaderless(seed, { members, disk: DISK_MS, wire: WIRE_MS });
      if (ms > 2 * ELECTION_TIMEOUT) late++;
      latest = Math.max(latest, ms);
    }
    expect(late / SEEDS).toBeLessThan(0.01);
    expect(latest).toBeLessThan(3 * ELECTION_TIMEOUT);
  },
  60_000,
);
