/** JavaScript that is loaded into a running program by its path. */
import { createRequire } from 'node:module';

/**
 * What a file exports, be it an ES module (without a top-level await) or CommonJS, at once. A file that was loaded before is
 * not run again. Throws whatever the file throws.
 * @param path absolute
 */
export function loadModuleFile(path: string): unknown {
  return createRequire(path)(path);
}
