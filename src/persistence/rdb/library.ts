/**
 * A library of functions in a snapshot: its source text; before 7.0 was released, what is now the first line came apart.
 *
 *   f5 [source]
 *   f6 [name][engine][1 [description] | 0][source without its first line]
 */
import { constants } from 'node:buffer';
import { bytesOf, Slice } from '../../base/slice.ts';
import { OP_FUNCTION_PRE, RdbError } from './format.ts';
import type { RdbInput } from './input.ts';

/** What of a library could not be read, and why. */
export class LibraryError extends RdbError {
  override name = 'LibraryError';
  readonly reason: RdbError;

  constructor(what: string, reason: RdbError) {
    super(reason.fault, `Failed loading ${what}`);
    this.reason = reason;
  }
}

/** The source text, in bytes of its own; `type` is one of the two records. Throws LibraryError. */
export function readLibrary(input: RdbInput, type: number): Uint8Array {
  const part = new Slice();
  if (type !== OP_FUNCTION_PRE) return read('library payload', () => text(input, part).copy());
  const name = read('library name', () => text(input, part).latin1());
  const engine = read('engine name', () => text(input, part).latin1());
  const described = read('library description indicator', () => input.size()) !== 0;
  if (described) read('library description', () => input.skipString());
  const head = bytesOf(`#!${engine} name=${name}\n`);
  return Buffer.concat([head, read('library blob', () => text(input, part).copy())]);
}

function read<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof RdbError ? new LibraryError(what, error) : error;
  }
}

/** A string that there can be a JavaScript string of. */
function text(input: RdbInput, into: Slice): Slice {
  if (input.string(into).length > constants.MAX_STRING_LENGTH) throw new RdbError('short', 'The library is too long');
  return into;
}
