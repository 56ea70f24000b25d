/** A slice of the generated scripts; `npm run test:scripts -- --scripts 200000` runs as many as wanted. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { compareScripts } from './scripts/compare.ts';

const SCRIPTS = LONG ? 300 : 60;

test(`${SCRIPTS} generated scripts from seed 1 give the same replies and leave the same data`, async () => {
  const { differences } = await compareScripts(SCRIPTS, 1, 5);
  expect(differences).toEqual([]);
});

/** Each differed once. */
const ONCE = [
  20262232, 31024610, 31055963, 31060442, 31091003, 31091215, 31109960, 31120302, 31121228, 31122289, 31122660,
  31129104, 31169434, 31191863, 31193770,
];
test.each(ONCE)('the generated script of seed %i', async (seed) => {
  expect((await compareScripts(1, seed, 1)).differences).toEqual([]);
});
