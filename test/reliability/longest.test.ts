/** A slice of the longest words; `npm run test:reliability -- longest` plays them in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { longTest } from '../support/long-test.ts';
import { longestWords, namedWords, partOf, requests } from './longest.ts';

test('long words and many arguments, to some commands by users who may run those alone', async () => {
  const { failures } = await longestWords(
    { longest: 0, word: 3_000_000, args: 30_000 },
    { part: 4, parts: LONG ? 24 : 96 },
    LONG ? 120 : 30,
  );
  expect(failures).toEqual([]);
}, 240_000);

test('each part has other requests, and the longest words stand once at every argument', () => {
  expect(partOf('3/8')).toEqual({ part: 3, parts: 8 });
  for (const text of ['', '0/8', '9/8', '1', '1/2/3', 'a/b']) expect(partOf(text)).toBe(null);
  const all = requests({ longest: 200, word: 100, args: 10 });
  expect(new Set(all.map(({ name, what }) => `${name} ${what}`)).size).toBe(all.length);
  const set = all.filter(({ name, superuser }) => name === 'set' && superuser);
  expect(set.length).toBeGreaterThanOrEqual(4);
  for (const { words } of set) expect(words().filter((word) => word === 200)).toHaveLength(1);
});

longTest(
  'words that no string can hold, where they once did harm',
  async () => {
    expect((await namedWords(6)).failures).toEqual([]);
  },
  300_000,
);
