/** A copy of a key, in bytes that are used again where the key is of a usual length; good until the next `set`. */
import { Slice } from '../base/slice.ts';

const KEPT_BYTES = 255;

export class KeptKey {
  readonly key = new Slice();
  private readonly kept = new Uint8Array(KEPT_BYTES);

  set({ buffer, start, length }: Slice): Slice {
    const { key } = this;
    const own = length <= KEPT_BYTES ? this.kept : new Uint8Array(length);
    for (let i = 0; i < length; i++) own[i] = buffer[start + i];
    key.buffer = own;
    key.start = 0;
    key.length = length;
    return key;
  }
}
