/**
 * FUNCTION DUMP's payload: the libraries as a snapshot has them, with the same foot as DUMP's (dump.ts).
 *
 *   [f5 source]...[version u16][crc64 u64]
 */
import { Slice } from '../../base/slice.ts';
import { FOOT, Payloads } from './dump.ts';
import { OP_FUNCTION_PRE, OP_FUNCTION2 } from './format.ts';
import { RdbInput } from './input.ts';
import { LibraryError, readLibrary } from './library.ts';

const made: { payloads: Payloads | null } = { payloads: null };

export function dumpLibraries(sources: readonly Uint8Array[], compress: boolean): Uint8Array {
  made.payloads ??= new Payloads();
  const out = made.payloads.begin(compress);
  for (const source of sources) {
    out.u8(OP_FUNCTION2);
    out.string(new Slice(source));
  }
  return made.payloads.end();
}

/**
 * Hands the sources in a verified payload to `take`, which tells what is wrong with one; an error for the client where it
 * does, or where the payload holds something else. Redis loads each as it comes, and so tells the first error there is.
 */
export function readLibraries(payload: Slice, take: (source: string) => string | null): string | null {
  const input = RdbInput.over(payload.view());
  try {
    while (payload.length - input.offset > FOOT) {
      const type = input.u8();
      if (type !== OP_FUNCTION2 && type !== OP_FUNCTION_PRE) return 'ERR given type is not a function';
      const failure = take(new Slice(readLibrary(input, type)).latin1());
      if (failure !== null) return failure;
    }
  } catch (error) {
    if (error instanceof LibraryError) return `ERR ${error.message}`;
    throw error;
  }
  return null;
}
