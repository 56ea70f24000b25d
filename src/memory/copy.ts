/**
 * Copying bytes between byte arrays.
 *
 * A call into the engine's memmove needs a view of the source, which costs as much as a loop over some 70 bytes
 * (bench/micro/memory.ts); four bytes a turn make the loop a quarter faster.
 */
const COPY_BY_CALL = 72;

/** Copies `length` bytes; the two arrays may be one and the ranges may overlap. */
export function copyBytes(target: Uint8Array, to: number, source: Uint8Array, from: number, length: number): void {
  if (length > COPY_BY_CALL) {
    if (target === source) target.copyWithin(to, from, from + length);
    else target.set(from === 0 && length === source.length ? source : source.subarray(from, from + length), to);
  } else if (target !== source || to <= from) {
    forwards(target, to, source, from, length);
  } else {
    for (let i = length - 1; i >= 0; i--) target[to + i] = source[from + i];
  }
}

function forwards(target: Uint8Array, to: number, source: Uint8Array, from: number, length: number): void {
  let at = to;
  let i = from;
  for (const end = from + (length & ~3); i < end; i += 4, at += 4) {
    target[at] = source[i];
    target[at + 1] = source[i + 1];
    target[at + 2] = source[i + 2];
    target[at + 3] = source[i + 3];
  }
  for (const end = from + length; i < end; i++, at++) target[at] = source[i];
}
