import { Worker } from 'node:worker_threads';

/**
 * A worker thread over a TypeScript file, from tsx and from vitest alike. `--import tsx` does not reach worker threads on
 * Node 20 (the hooks of the main thread are not theirs), so the thread registers tsx itself before it loads the file.
 */
export function startWorker(file: URL): Worker {
  const api = import.meta.resolve('tsx/esm/api');
  const source = `import(${JSON.stringify(api)}).then((tsx) => { tsx.register(); return import(${JSON.stringify(file.href)}); });`;
  return new Worker(source, { eval: true, execArgv: [] });
}
