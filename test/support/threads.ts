/** The threads of src/, built once for a run of tests: to compile one takes longer than what it has to do. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
const THREADS = [
  'persistence/save/worker.ts',
  'commands/persistence/migrate-thread.ts',
  'net/io-threads/io-thread.ts',
  'memory/last-owner-thread.ts',
];

const MODULES = join(ROOT, 'node_modules');
const PREFIX = '.cinnabar-threads-';

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What runs have left behind that were killed. */
function removeStale(): void {
  for (const name of readdirSync(MODULES)) {
    const left = name.startsWith(PREFIX) && !isAlive(Number(name.slice(PREFIX.length)));
    if (left) rmSync(join(MODULES, name), { recursive: true, force: true });
  }
}

/** Builds them where base/thread.ts looks for them, in this process and those that it starts; answers how to remove them. */
export async function buildThreads(): Promise<() => void> {
  removeStale();
  // From there packages are found.
  const folder = join(MODULES, `${PREFIX}${process.pid}`);
  mkdirSync(folder, { recursive: true });
  for (const path of THREADS)
    await build({
      configFile: false,
      logLevel: 'error',
      build: {
        ssr: join(ROOT, 'src', path),
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        target: 'node20',
        rollupOptions: { output: { entryFileNames: `${basename(path, '.ts')}.mjs`, inlineDynamicImports: true } },
      },
    });
  process.env['CINNABAR_THREADS'] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
