/**
 * Listpacks put together outside the image, of elements that lay in another form. Of a form that is much packed (a ziplist
 * under LZF) a small file can hold very many, so no object is made for any of them.
 */
import { Slice } from '../../base/slice.ts';
import { ListpackCursor, lpIsCanonical } from '../../structures/listpack.ts';
import { EntryBuffer } from '../../values/stream-node.ts';

const HEADER = 6;
const END = 0xff;
const UNCOUNTED = 65535;

/** Takes the next element, which is good until the one after it. */
export type TakeElement = (element: Slice) => void;

/** The listpack of the elements that `each` hands over. */
export function listpackOf(each: (take: TakeElement) => void): Slice {
  const entries = new EntryBuffer();
  each((element) => entries.value(element));
  const length = HEADER + entries.length + 1;
  const bytes = new Uint8Array(length);
  const words = new DataView(bytes.buffer);
  words.setUint32(0, length, true);
  words.setUint16(4, Math.min(entries.count, UNCOUNTED), true);
  bytes.set(entries.bytes.subarray(0, entries.length), HEADER);
  bytes[length - 1] = END;
  return new Slice(bytes);
}

/** A valid listpack as it would be written here; others may have chosen other forms for its entries. */
export function canonicalListpack(listpack: Slice): Slice {
  if (lpIsCanonical(listpack)) return listpack;
  return listpackOf((take) => {
    const element = new Slice();
    const walk = new ListpackCursor();
    for (walk.resetBytes(listpack, HEADER); walk.more; walk.next()) take(walk.bytes(element));
  });
}
