/** A slice of the longest words; `npm run test:reliability -- longest` plays them in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { longTest } from '../support/long-test.ts';
import { longestWords, namedWords } from './longest.ts';

test('long words and many arguments, to some commands by users who may run those alone', async () => {
  const { failures } = await longestWords(
    { words: [3_000_000], args: 30_000 },
    { count: LONG ? 120 : 30, from: 3, step: LONG ? 24 : 96 },
  );
  expect(failures).toEqual([]);
}, 240_000);

longTest(
  'words that no string can hold, where they once did harm',
  async () => {
    expect((await namedWords(6)).failures).toEqual([]);
  },
  300_000,
);
