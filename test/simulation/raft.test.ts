/** A slice of the world of Raft; `npm run test:simulation -- raft` plays it in full. */
import { expect, test } from 'vitest';
import type { RaftBug } from './raft-bugs.ts';
import { course } from './raft-world.ts';

test.each([1, 2, 3, 5, 8, 13, 21, 34, 74, 150, 1261])('seed %i of the world of Raft breaks nothing', (seed) => {
  const { broken, counts } = course(seed);
  expect(broken).toBe('');
  expect(counts['answered']).toBeGreaterThan(5);
});

function found(bug: RaftBug, seeds: number, from = 1): string {
  for (let seed = from; seed < from + seeds; seed++) {
    const { broken } = course(seed, { bug });
    if (broken !== '') return broken;
  }
  return '';
}

test('who tells its vote before it is on the disk is found', () => {
  expect(found('vote-not-synced', 5, 24)).toMatch(/^two (leaders|entries) /);
});

test('an entry of an earlier term that counts as committed because most have it is found', () => {
  expect(found('older-term', 5, 245)).toMatch(/ without the committed entry |^node-\d applies /);
});

test('a reply before the entry is committed is found', () => {
  expect(found('early-reply', 50)).toMatch(/is not linearizable$/);
});

test('a lease without a margin for clocks that differ is found', () => {
  expect(found('lease-margin', 5, 284)).toMatch(/ reads after \d+ entries where \d+ were committed$/);
});

test('a snapshot that lacks its last entry is found', () => {
  expect(found('snapshot-skips', 50)).toMatch(/ has something else$|is not linearizable$/);
});

test('a seed goes the same way twice', () => {
  const first = course(7, { traced: true, faults: 10 });
  expect(first.trace.length).toBeGreaterThan(10);
  expect(course(7, { traced: true, faults: 10 }).trace).toEqual(first.trace);
});
