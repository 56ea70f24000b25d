/**
 * FUNCTION DUMP's payload: the libraries as a snapshot has them, with the same foot as DUMP's (dump.ts).
 *
 *   [f5 source]...[version u16][crc64 u64]
 */
import { Slice } from '../../base/slice.ts';
import type { Libraries } from '../../engine/persistence-port.ts';
import { FOOT, Payloads } from './dump.ts';
import { OP_FUNCTION_PRE, OP_FUNCTION2 } from './format.ts';
import { RdbInput } from './input.ts';
import { LibraryError, readLibrary } from './library.ts';

/** A longer payload is not kept for the next time. */
const KEPT = 64 * 1024;

/** The payload of all libraries; packing them is most of it, and they change seldom. */
export class LibraryDump {
  private payloads: Payloads | null = null;
  private last: Uint8Array | null = null;
  /** What the last one was made of. */
  private edition: object | null = null;
  private compressed = false;

  /** No libraries at all are none. */
  of(libraries: Libraries | null, compress: boolean): Uint8Array {
    const edition = libraries?.edition ?? null;
    if (this.last !== null && this.edition === edition && this.compressed === compress) return this.last;
    const payload = this.make(libraries?.sources() ?? [], compress);
    this.last = payload.length > KEPT ? null : payload;
    this.edition = edition;
    this.compressed = compress;
    return payload;
  }

  private make(sources: readonly Uint8Array[], compress: boolean): Uint8Array {
    this.payloads ??= new Payloads();
    const out = this.payloads.begin(compress);
    for (const source of sources) {
      out.u8(OP_FUNCTION2);
      out.string(new Slice(source));
    }
    return this.payloads.end();
  }
}

/**
 * Hands the sources in a verified payload to `take`, which tells what is wrong with one; an error for the client where it
 * does, or where the payload holds something else. Redis loads each as it comes, and so tells the first error there is.
 */
export function readLibraries(payload: Slice, take: (source: string) => string | null): string | null {
  const input = RdbInput.over(payload);
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
