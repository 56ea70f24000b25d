/** Patterns of paths, as `include` takes them. */
import { join, parse, sep } from 'node:path';
import { type Disk, exists } from '../base/disk.ts';
import { globMatch } from '../base/glob.ts';
import { sliceOf } from '../base/slice.ts';

export function hasPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** The paths that an absolute pattern matches, sorted; empty where there is none. */
export function expandPattern(disk: Disk, pattern: string): string[] {
  const { root } = parse(pattern);
  const separators = sep === '/' ? '/' : /[\\/]/;
  const parts = pattern
    .slice(root.length)
    .split(separators)
    .filter((part) => part !== '');
  return expandFrom(disk, root, parts).filter((path) => exists(disk, path));
}

function expandFrom(disk: Disk, base: string, parts: readonly string[]): string[] {
  if (parts.length === 0) return [base];
  const [part, ...rest] = parts;
  if (!hasPattern(part)) return expandFrom(disk, join(base, part), rest);
  let names: string[];
  try {
    names = disk.list(base).sort();
  } catch {
    return [];
  }
  return names
    .filter((name) => (!name.startsWith('.') || part.startsWith('.')) && globMatch(sliceOf(part), sliceOf(name)))
    .flatMap((name) => expandFrom(disk, join(base, name), rest));
}
