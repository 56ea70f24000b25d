import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/**
 * A worker thread over a TypeScript file, from tsx and from vitest alike. `--import tsx` does not reach worker threads on
 * Node 20 (the hooks of the main thread are not theirs), so the thread registers tsx itself before it loads the file.
 * vitest's import.meta has no resolve(), and require() finds the CommonJS half only; hence the path.
 */
export function startWorker(file: URL): Worker {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const api = JSON.stringify(new URL('./dist/esm/api/index.mjs', tsx).href);
  const source = `import(${api}).then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); });`;
  return new Worker(source, { eval: true, execArgv: [] });
}
