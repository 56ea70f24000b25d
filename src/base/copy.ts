/**
 * Copying bytes between byte arrays, most of which lie in shared memory.
 *
 * There the arrays' own set() and copyWithin() go byte by byte unless source and target are aligned alike. Buffer's fill()
 * with bytes as its pattern is the system's memcpy for any memory (ns; bench/micro/copy.ts):
 *
 *   bytes     loop     set    fill
 *      64       23      51      61
 *     192       60     118      62
 *    1024      315     338      71
 *   16384     4931    4549     337
 */

/** Below this a loop is as fast as the view of the source and the call. */
const BY_CALL = 192;
/** The same for ranges of one array that overlap, for which copyWithin() needs no view. */
const BY_WITHIN = 40;
/** From here on they go by way of other bytes, in portions of PORTION; later where they are aligned alike. */
const BY_DETOUR = 256;
const BY_DETOUR_ALIGNED = 4096;
const PORTION = 64 * 1024;
/** Below this it costs little to clear a new array. */
const UNCLEARED = 16 * 1024;

const detour = new Uint8Array(PORTION);
const fill = Buffer.prototype.fill as (this: Uint8Array, pattern: Uint8Array, from: number, to: number) => unknown;

/** Copies `length` bytes; the two arrays may be one and the ranges may overlap. */
export function copyBytes(target: Uint8Array, to: number, source: Uint8Array, from: number, length: number): void {
  if (target === source && Math.abs(to - from) < length) move(target, to, from, length);
  else if (length < BY_CALL) forwards(target, to, source, from, length);
  else copyApart(target, to, source, from, length);
}

/** An array of any content, to be overwritten. */
export function uncleared(length: number): Uint8Array {
  return length < UNCLEARED ? new Uint8Array(length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

/**
 * The same for large pieces that come and go, in pages that the system has back as soon as it is collected: a resizable
 * buffer is mapped by itself, where others lie in the C library's heap. There one freed piece of `length` bytes makes all
 * that are smaller go into one contiguous area, which any small block at its end keeps resident (50 MiB were seen).
 */
export function mapped(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length);
}

/** Bytes in memory of their own. */
export function copied(source: Uint8Array, from: number, length: number): Uint8Array {
  const bytes = uncleared(length);
  copyBytes(bytes, 0, source, from, length);
  return bytes;
}

/** Bytes of all parts. */
export function lengthOf(parts: readonly { readonly length: number }[]): number {
  let sum = 0;
  for (const { length } of parts) sum += length;
  return sum;
}

/** For ranges that don't overlap. The pattern may be longer than what is to be filled, so a whole array needs no view. */
function copyApart(target: Uint8Array, to: number, source: Uint8Array, from: number, length: number): void {
  fill.call(target, from === 0 ? source : source.subarray(from, from + length), to, to + length);
}

function move(bytes: Uint8Array, to: number, from: number, length: number): void {
  if (length < BY_WITHIN) {
    if (to <= from) forwards(bytes, to, bytes, from, length);
    else for (let i = length - 1; i >= 0; i--) bytes[to + i] = bytes[from + i];
    return;
  }
  if (length < (((to - from) & 7) === 0 ? BY_DETOUR_ALIGNED : BY_DETOUR)) {
    bytes.copyWithin(to, from, from + length);
    return;
  }
  for (let done = 0; done < length; ) {
    const some = Math.min(PORTION, length - done);
    // What still has to be read is never written before: towards lower places from the front, else from the end.
    const at = to < from ? done : length - done - some;
    copyApart(detour, 0, bytes, from + at, some);
    copyApart(bytes, to + at, detour, 0, some);
    done += some;
  }
}

/** Four bytes a turn make the loop a quarter faster. */
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
