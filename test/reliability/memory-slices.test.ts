/** Slices of the suites of memory: what is resident, and the soak; `npm run test:reliability` plays them in full. */
import { expect, test } from 'vitest';
import { longTest } from '../support/long-test.ts';
import { residentMemory } from './resident.ts';
import { slopePercent, soak } from './soak.ts';

longTest(
  'memory that is used is what is resident, and what is free goes back',
  async () => {
    expect((await residentMemory(256, 13)).failures).toEqual([]);
  },
  300_000,
);

test('a slope is in percent of the mean per 10 million operations', () => {
  expect(slopePercent([99, 100, 101], 1_000_000)).toBeCloseTo(10);
  expect(slopePercent([100, 99, 100, 99, 100], 1_000_000)).toBeCloseTo(0);
});

longTest(
  '50,000 operations with expiry, eviction, rewrites and a replica',
  async () => {
    const report = await soak(50_000, 20);
    expect(report.failures).toEqual([]);
    expect(report.expired).toBeGreaterThan(0);
  },
  300_000,
);
