/**
 * A library of functions in a snapshot: its source text; before 7.0 was released, what is now the first line came apart.
 *
 *   f5 [source]
 *   f6 [name][engine][1 [description] | 0][source without its first line]
 */
import { bytesOf, Slice } from '../../base/slice.ts';
import { OP_FUNCTION_PRE } from './format.ts';
import type { RdbInput } from './input.ts';

/** The source text, in bytes of its own; `type` is one of the two records. */
export function readLibrary(input: RdbInput, type: number): Uint8Array {
  const part = new Slice();
  if (type !== OP_FUNCTION_PRE) return input.string(part).copy();
  const name = input.string(part).latin1();
  const engine = input.string(part).latin1();
  if (input.size() !== 0) input.skipString();
  const head = bytesOf(`#!${engine} name=${name}\n`);
  return Buffer.concat([head, input.string(part).copy()]);
}
