/** What the machine's settings mean for the server. */
import { readFileSync } from 'node:fs';

export interface SystemCheck {
  readonly name: string;
  readonly warning?: string;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

export function memoryOvercommit(): SystemCheck {
  const name = 'overcommit';
  if (readFile('/proc/sys/vm/overcommit_memory').trim() !== '2') return { name };
  return {
    name,
    warning:
      'Memory overcommit is off (vm.overcommit_memory = 2): a large block may be refused although memory is free.',
  };
}

export function transparentHugePages(): SystemCheck {
  const name = 'THP';
  if (!readFile('/sys/kernel/mm/transparent_hugepage/enabled').includes('[always]')) return { name };
  return { name, warning: 'Transparent huge pages are always on: the first store into fresh memory takes longer.' };
}

/** How many files the process may have open; Infinity where that can't be known. */
export function openFilesLimit(): number {
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFile('/proc/self/limits'));
  return line && line[1] !== 'unlimited' ? Number(line[1]) : Number.POSITIVE_INFINITY;
}
