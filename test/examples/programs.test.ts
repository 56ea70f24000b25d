/** Each example as the program that it is: what it prints, against a server in this process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Surroundings } from '../../examples/surroundings.ts';
import { Stage } from './stage.ts';

const FOLDER = resolve(import.meta.dirname, '../../examples');
const HELPERS = ['bloom-filter', 'surroundings'];

/** What each prints. */
const PRINTED: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  cache: [
    '1000 requests at once for "product 1" loaded it 1 time(s)',
    'two requests for what does not exist made it 2 loads in all',
    /^1000 requests for ids that were made up: 2 loads in all$/,
  ],
  'cache-aside': [
    'the slow reader has read "old", and the cache has "old"',
    'after the second delete the next one reads "new"',
  ],
  lock: [
    'the first has the lock, with fence 1',
    'and takes it again, as the same owner',
    'after three times its time to live the second gets null',
    'then the second has it, with fence 2',
  ],
  redlock: ['won on most of 5: true', 'a second one wins: false', 'after the release it does: true'],
  'rate-limiters': [
    'fixedWindow: of 20 at once 10 pass, of 20 half a window later 0',
    'slidingLog: of 20 at once 10 pass, of 20 half a window later 0',
    /^slidingCounter: of 20 at once 10 pass/,
    'tokenBucket: of 20 at once 10 pass, of 20 half a window later 5',
  ],
  'delay-queue': [
    'welcome (attempt 1)',
    'how do you like it? (attempt 1)',
    'welcome (attempt 2)',
    'remind of the basket (attempt 1)',
  ],
  leaderboard: ['1. eve 500', '2. zoe 300', '3. adam 300', '4. kim 100', 'around adam: zoe, adam, kim'],
  sessions: ['on the laptop: "dark"', 'the phone was idle for too long: null', 'logged out on 1 device(s): null'],
  'flash-sale': ['bought: 100 of 1000 buyers', '{"stock":0,"buyers":100,"orders":100}'],
  workers: [
    'one worker takes 2 entries and dies',
    'the other one does 1, and ann has 30',
    'later it takes over 2, and ann has 60',
  ],
  ring: [
    /^four servers: (\d+, ){3}\d+ keys$/,
    /^\d+ keys move to the fifth$/,
    /^five servers/,
    'found again: 1000 of 1000',
  ],
  'near-cache': ['100 reads: 1 went to the server', 'after a change: "good evening"'],
};

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.open();
});

afterEach(() => stage.close());

test('all examples are here, and in their README', () => {
  const names = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -'.ts'.length));
  expect(names.sort()).toEqual([...Object.keys(PRINTED), ...HELPERS].sort());
  const readme = readFileSync(resolve(FOLDER, 'README.md'), 'utf8');
  for (const name of names) expect(readme).toContain(`${name}.ts`);
});

test.each(Object.keys(PRINTED))('%s', async (name) => {
  const module: { demo: (surroundings: Surroundings) => Promise<void> } = await import(`../../examples/${name}.ts`);
  await stage.until(module.demo(stage.surroundings));
  expect(stage.lines).toEqual(
    PRINTED[name].map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
  );
});

test('started by itself it takes the server from REDIS_URL, and ends', async () => {
  const env = { ...process.env, REDIS_URL: stage.urls[0] };
  const args = ['--import', 'tsx', resolve(FOLDER, 'flash-sale.ts')];
  const child = spawn(process.execPath, args, { cwd: FOLDER, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => {
    printed += bytes.toString();
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(printed).toBe(`${PRINTED['flash-sale'].join('\n')}\n`);
});
