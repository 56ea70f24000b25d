/** What scripts and functions say of themselves: flags, and the line of metadata that a source may begin with. */
import { splitArguments } from '../base/quoting.ts';
import { flagBit } from '../engine/derive.ts';

export const NO_WRITES = 1 << 0;
export const ALLOW_OOM = 1 << 1;
export const ALLOW_STALE = 1 << 2;
export const NO_CLUSTER = 1 << 3;
export const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
/** A script that says nothing of itself: it is judged by each command that it runs. */
export const UNDECLARED = 1 << 5;

const FLAGS: ReadonlyArray<readonly [name: string, bit: number]> = [
  ['no-writes', NO_WRITES],
  ['allow-oom', ALLOW_OOM],
  ['allow-stale', ALLOW_STALE],
  ['no-cluster', NO_CLUSTER],
  ['allow-cross-slot-keys', ALLOW_CROSS_SLOT_KEYS],
];

/** The bit of a flag; 0 where there is none of that name. */
export function scriptFlag(name: string): number {
  return FLAGS.find(([known]) => known === name)?.[1] ?? 0;
}

export function scriptFlagNames(flags: number): string[] {
  return FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
}

/** The line of metadata that a source begins with; undefined where its end is missing. */
export function firstLine(source: string): string | undefined {
  const end = source.indexOf('\n');
  const zero = source.indexOf('\0');
  return end < 0 || (zero >= 0 && zero < end) ? undefined : source.slice(0, end);
}

/** The flags that a script for EVAL declares in its first line; an error where that isn't understood. */
export function declaredFlags(source: string): number | string {
  if (!source.startsWith('#!')) return UNDECLARED;
  const line = firstLine(source);
  if (line === undefined) return 'ERR Invalid script shebang';
  const words = splitArguments(line);
  if (words === undefined || words.length === 0) return 'ERR Invalid engine in script shebang';
  if (words[0] !== '#!lua') return `ERR Unexpected engine in script shebang: ${words[0]}`;
  let flags = 0;
  for (const word of words.slice(1)) {
    if (!word.startsWith('flags=')) return `ERR Unknown lua shebang option: ${word}`;
    for (const name of flagNames(word.slice('flags='.length))) {
      const flag = scriptFlag(name);
      if (flag === 0) return `ERR Unexpected flag in script shebang: ${name}`;
      flags |= flag;
    }
  }
  return flags;
}

function flagNames(list: string): string[] {
  return list === '' ? [] : list.split(',');
}

const WRITE = flagBit('write');
const DENY_OOM = flagBit('denyoom');
const STALE = flagBit('stale');
const MAY_REPLICATE = flagBit('may_replicate');

/** The flags of a command that runs a script, when the script declares `script`. */
export function commandFlags(command: number, script: number): number {
  if (script & UNDECLARED) return command;
  let flags = command & ~(WRITE | DENY_OOM | STALE | MAY_REPLICATE);
  if (!(script & NO_WRITES)) flags |= WRITE;
  if (!(script & (NO_WRITES | ALLOW_OOM))) flags |= DENY_OOM;
  if (script & ALLOW_STALE) flags |= STALE;
  return flags;
}
