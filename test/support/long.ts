/**
 * How long tests go on: `npm test` takes a part of the steps of random ones and of the suites, `npm run test:long` all of
 * them. That runs the files that import this one, or `long-test.ts`.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const LONG = process.env['CINNABAR_LONG'] === '1';
/** Steps of a random walk against a model. */
export const STEPS = LONG ? 10_000 : 1_500;

function longFiles(): string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join('test', path))
    .filter((path) => /support\/long(-test)?\.ts'/.test(readFileSync(path, 'utf8')));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const env = { ...process.env, CINNABAR_LONG: '1' };
  const vitest = join('node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2), ...longFiles()], {
    env,
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}
