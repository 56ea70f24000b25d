/**
 * Listpacks put together outside the image, of elements that lay in another form. Of a form that is much packed (a ziplist
 * under LZF) a small file can hold very many, so no object is made for any of them.
 */
import { Slice } from '../../base/slice.ts';
import { ListpackCursor, LP_FIRST, lpIsCanonical, lpOf } from '../../structures/listpack.ts';
import { EntryBuffer } from '../../values/stream-node.ts';

/** Takes the next element, which is good until the one after it. */
export type TakeElement = (element: Slice) => void;

/** The listpack of the elements that `each` hands over. */
export function listpackOf(each: (take: TakeElement) => void): Slice {
  const entries = new EntryBuffer();
  each((element) => entries.value(element));
  return new Slice(lpOf(entries.bytes.subarray(0, entries.length), entries.count));
}

/** A valid listpack as it would be written here; others may have chosen other forms for its entries. */
export function canonicalListpack(listpack: Slice): Slice {
  if (lpIsCanonical(listpack)) return listpack;
  return listpackOf((take) => {
    const element = new Slice();
    const walk = new ListpackCursor();
    for (walk.resetBytes(listpack, LP_FIRST); walk.more; walk.next()) take(walk.bytes(element));
  });
}
