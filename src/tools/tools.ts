/**
 * The tools beside the server. As with Redis, one program is all of them: under the name of a tool (a link to it that is
 * named redis-check-rdb), or with the tool as its first word (cinnabar check-rdb FILE).
 */

import { readSync } from 'node:fs';
import { basename } from 'node:path';
import { sleepThread } from '../base/sleep.ts';
import { printer } from '../base/standard-output.ts';
import { codeOf } from '../base/system-error.ts';
import { narrow } from '../base/text.ts';

/** How the program was called: its names (argv[0] as the system has it, and the path of the script), and the arguments. */
export interface Invocation {
  readonly names: readonly string[];
  readonly args: readonly string[];
}

const NEWLINE = 10;

/** The next line of the standard input, as far as there is one. */
function typed(): string {
  const byte = new Uint8Array(1);
  for (let line = ''; ; line += String.fromCharCode(byte[0])) {
    if (!readByte(byte) || byte[0] === NEWLINE) return line;
  }
}

function readByte(into: Uint8Array): boolean {
  for (;;) {
    try {
      return readSync(0, into, 0, 1, null) === 1;
    } catch (error) {
      if (codeOf(error) === 'EOF') return false;
      if (codeOf(error) !== 'EAGAIN') throw error;
      sleepThread(1);
    }
  }
}

async function checkRdb(name: string, args: readonly string[]): Promise<number> {
  const tool = await import('./check-rdb.ts');
  return tool.checkRdb(name, args, printer(1), printer(2));
}

/** Tells, on the standard output, what is wrong with a snapshot that the server can't load. */
export async function examineSnapshot(path: string): Promise<void> {
  const tool = await import('./check-rdb.ts');
  tool.checkRdbFile(path, narrow(basename(path)), printer(1), 'M');
}

async function checkAof(name: string, args: readonly string[]): Promise<number> {
  const tool = await import('./check-aof.ts');
  return tool.checkAof(name, args, { print: printer(1), ask: async () => typed() });
}

async function convert(args: readonly string[]): Promise<number> {
  const tool = await import('./convert/convert.ts');
  return tool.convertCommand(args);
}

/** Runs the tool that is asked for, and gives its exit code; undefined where it is the server. */
export function runTool({ names, args }: Invocation): Promise<number> | undefined {
  const [first, ...rest] = args;
  const called = (name: string): string | undefined =>
    names.map((path) => basename(path)).find((path) => path.includes(name));
  const rdb = called('redis-check-rdb');
  if (rdb !== undefined) return checkRdb(rdb, args);
  const aof = called('redis-check-aof');
  if (aof !== undefined) return checkAof(aof, args);
  if (first === 'check-rdb') return checkRdb('cinnabar check-rdb', rest);
  if (first === 'check-aof') return checkAof('cinnabar check-aof', rest);
  if (first === 'convert') return convert(rest);
  return undefined;
}
