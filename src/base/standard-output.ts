/** The standard output of the process, and its standard error. */

import { writeSync } from 'node:fs';
import { sleepThread } from './sleep.ts';
import { codeOf } from './system-error.ts';

/** How long a full pipe is waited for before the rest is given up, in steps of a millisecond. */
const PATIENCE = 500;

/** Writes what the file takes of the bytes from `at` on: how many; none after a millisecond in which a pipe was full. */
function writeSome(file: number, bytes: Uint8Array, at: number): number {
  try {
    return writeSync(file, bytes, at);
  } catch (error) {
    if (codeOf(error) !== 'EAGAIN') throw error;
    sleepThread(1);
    return 0;
  }
}

/** Writes before it returns; what can't be written is dropped. */
export function writeStandardOutput(bytes: Uint8Array): void {
  try {
    for (let at = 0, waited = 0; at < bytes.length && waited < PATIENCE; ) {
      const written = writeSome(1, bytes, at);
      at += written;
      if (written === 0) waited++;
    }
  } catch {}
}

/** What a shell tells of a program that wrote to a pipe that nobody reads any more: 128 and SIGPIPE. */
const BROKEN_PIPE = 141;

/**
 * Prints text of one character a byte to a file of the process (1, 2) before the call returns: for programs that end when
 * they have said all. The program ends where nobody reads.
 */
export function printer(file: number): (text: string) => void {
  return (text) => {
    const bytes = Buffer.from(text, 'latin1');
    try {
      for (let at = 0; at < bytes.length; ) at += writeSome(file, bytes, at);
    } catch (error) {
      if (codeOf(error) === 'EPIPE') process.exit(BROKEN_PIPE);
      throw error;
    }
  };
}
