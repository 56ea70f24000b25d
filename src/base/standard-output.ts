/** The standard output of the process. */

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
