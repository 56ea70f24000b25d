/** The threads of src/, built once for a run of tests: to compile one takes longer than what it has to do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
const THREADS = ['persistence/save/worker.ts', 'commands/persistence/migrate-thread.ts'];

/** Builds them where base/thread.ts looks for them, in this process and those that it starts; answers how to remove them. */
export async function buildThreads(): Promise<() => void> {
  // From there packages are found.
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cinnabar-threads-'));
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
