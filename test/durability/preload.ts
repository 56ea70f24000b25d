/** Makes a module of these tests a file that `--require` takes, which reaches a server's worker threads as well. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from '@typescript/typescript6';

/** Writes the preloads into `folder`; what NODE_OPTIONS are to be so that a server's process takes them. */
export function preload(folder: string, ...names: readonly ('interpose' | 'delays')[]): string {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  const files = names.map((name) => {
    const source = readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8');
    const file = join(folder, `${name}.cjs`);
    writeFileSync(file, ts.transpileModule(source, { compilerOptions }).outputText);
    return `--require=${file}`;
  });
  return files.join(' ');
}
