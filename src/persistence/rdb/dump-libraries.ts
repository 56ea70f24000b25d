/**
 * FUNCTION DUMP's payload: the libraries as a snapshot has them, with the same foot as DUMP's (dump.ts).
 *
 *   [f5 source]...[version u16][crc64 u64]
 */
import { Slice } from '../../base/slice.ts';
import { FOOT } from './dump.ts';
import { OP_FUNCTION_PRE, OP_FUNCTION2, RdbError, VERSION_WRITTEN } from './format.ts';
import { RdbInput } from './input.ts';
import { readLibrary } from './library.ts';
import { RdbOutput } from './output.ts';

export function dumpLibraries(sources: readonly Uint8Array[], compress: boolean): Uint8Array {
  const chunks: Uint8Array[] = [];
  const out = new RdbOutput({ compress, checksum: true, sink: (bytes) => chunks.push(bytes.slice()) });
  for (const source of sources) {
    out.u8(OP_FUNCTION2);
    out.string(new Slice(source));
  }
  out.u16(VERSION_WRITTEN);
  out.finish();
  return Buffer.concat(chunks);
}

/** The sources in a verified payload; an error for the client where it holds something else. */
export function readLibraries(payload: Slice): string[] | string {
  const input = RdbInput.over(payload.view().subarray(0, payload.length - FOOT));
  const sources: string[] = [];
  try {
    while (!input.exhausted) {
      const type = input.u8();
      if (type !== OP_FUNCTION2 && type !== OP_FUNCTION_PRE) return 'ERR given type is not a function';
      sources.push(new Slice(readLibrary(input, type)).latin1());
    }
  } catch (error) {
    if (error instanceof RdbError) return 'ERR failed loading the given functions payload';
    throw error;
  }
  return sources;
}
