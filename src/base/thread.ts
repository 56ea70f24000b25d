/**
 * A thread over a module of ours: the built .js as it is. Run from its TypeScript (tests, development), the thread has to
 * register tsx itself, since the hooks of the main thread do not reach it on Node 20. That takes most of a second of a
 * processor; a run of all tests has built the threads once (test/support/threads.ts), and names their folder.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setPriority } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** What the files of threads end with: the source's, or the build's. */
export const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** How far a thread in the background stands back, of 19: another one that wants the processor gets three times as much. */
const BACKGROUND = 5;

/**
 * Lets the thread that calls it stand back where there are fewer processors than threads that want one: a client must not
 * wait for what nobody waits for. Only on Linux has a thread a priority of its own.
 */
export function standBack(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, BACKGROUND);
  } catch {
    // It may not; then it goes on as it is.
  }
}

export function startThread(file: URL, options: WorkerOptions): Worker {
  if (!file.pathname.endsWith('.ts')) return new Worker(file, options);
  const folder = process.env['CINNABAR_THREADS'];
  const built = folder === undefined ? '' : join(folder, `${basename(file.pathname, '.ts')}.mjs`);
  if (built !== '' && existsSync(built)) return new Worker(built, options);
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const api = JSON.stringify(new URL('./dist/esm/api/index.mjs', tsx).href);
  const source = `import(${api}).then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); });`;
  return new Worker(source, { ...options, eval: true, execArgv: [] });
}
