/** The standard output of the process, and its standard error. */

import { writeSync } from 'node:fs';
import { sleepThread } from './sleep.ts';
import { codeOf } from './system-error.ts';

/** How long a full pipe is waited for before the rest is given up, in steps of a millisecond. */
const PATIENCE = 500;

/** Writes before it returns; what can't be written is dropped. */
export function writeStandardOutput(bytes: Uint8Array): void {
  for (let at = 0, waited = 0; at < bytes.length && waited < PATIENCE; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') return;
      sleepThread(1);
      waited++;
    }
  }
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
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(file, bytes, at);
      } catch (error) {
        if (codeOf(error) === 'EPIPE') process.exit(BROKEN_PIPE);
        if (codeOf(error) !== 'EAGAIN') throw error;
        sleepThread(1);
      }
    }
  };
}
