/** Before `npm start` and `npm test`: builds dist/ where it is missing, or older than anything that it is made of. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MADE = 'dist/main.js';
const changedAt = (path) => statSync(path).mtimeMs;

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((path) => join('src', path));
const changed = Math.max(...['package.json', 'tsconfig.json', 'rollup.config.js', ...sources].map(changedAt));
if (!existsSync(MADE) || changedAt(MADE) < changed) {
  // On Windows npm is a script, which only a shell can start.
  const options = { stdio: 'inherit', shell: process.platform === 'win32' };
  process.exitCode = spawnSync('npm', ['run', '--silent', 'build'], options).status ?? 1;
}
