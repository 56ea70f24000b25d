/** A slice of suite 18; `npm run test:reliability -- lua-shapes lua-generated lua-endless lua-costly` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { longTest } from '../support/long-test.ts';
import { startCinnabar } from '../support/server-process.ts';
import { costlyScripts, namedCosts } from './lua-costly.ts';
import { endlessScripts, generatedScripts, knownShapes } from './lua-hostile.ts';
import { heldBy } from './watch.ts';

const SCRIPTS = LONG ? 1000 : 200;

test('the shapes of published escapes and crashes', async () => {
  const { escaped, dead } = await knownShapes();
  expect(escaped).toEqual([]);
  expect(dead).toBe(false);
}, 120_000);

test(`${SCRIPTS} generated scripts from seed 18`, () => {
  expect(generatedScripts(SCRIPTS, 18).faults).toEqual([]);
});

longTest(
  'every kind of endless script can be killed, and others are answered meanwhile',
  async () => {
    expect((await endlessScripts(3)).survived).toEqual([]);
  },
  120_000,
);

longTest(
  'scripts that once ended or held the server',
  async () => {
    expect((await namedCosts()).failures).toEqual([]);
  },
  300_000,
);

longTest(
  '60 generated scripts of the greatest cost from seed 18',
  async () => {
    expect((await costlyScripts(60, 18)).failures).toEqual([]);
  },
  300_000,
);

/** What `piece` gives for 0, 1 ..., 5 MB of it. */
function fiveMegabytes(piece: (i: number) => string): string {
  const pieces: string[] = [];
  for (let i = 0, length = 0; length < 5e6; i++) length += pieces[pieces.push(piece(i)) - 1].length;
  return pieces.join('');
}

for (const [kind, text] of [
  ['one long function', `local x = 0 local function g() ${fiveMegabytes((i) => `x = x + ${i} % 7 `)} end`],
  ['many functions', fiveMegabytes((i) => `do local function f${i}(a) return a * ${i} end end\n`)],
  ['a long table', `local t = {${fiveMegabytes((i) => `'w${i}',`)}}`],
])
  longTest(
    `a library of 5 MB holds nobody while it is loaded and restored: ${kind}`,
    async () => {
      const server = await startCinnabar();
      try {
        const gaps: number[] = [];
        const send = async (...command: string[]): Promise<unknown> => {
          const { answer, gap } = await heldBy(server, command);
          gaps.push(gap);
          return answer;
        };
        const source = `#!lua name=l\n${text}\nredis.register_function('f', function() return 1 end)`;
        for (let tried = 0; tried === 0 || (tried < 3 && Math.max(...gaps) > 100); tried++) {
          gaps.length = 0;
          expect(await send('FUNCTION', 'LOAD', 'REPLACE', source)).toBe('l');
          const { answer: payload } = await heldBy(server, ['FUNCTION', 'DUMP']);
          expect(await send('FUNCTION', 'RESTORE', payload as string, 'FLUSH')).toBe('OK');
          expect(await send('FCALL', 'f', '0')).toBe(1);
        }
        expect(Math.max(...gaps)).toBeLessThanOrEqual(100);
      } finally {
        await server.stop();
      }
    },
    120_000,
  );
