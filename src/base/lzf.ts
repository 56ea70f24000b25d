/**
 * LZF, the small fast compression of inner quicklist nodes and of strings in RDB files.
 *
 *   000lllll                  l + 1 literal bytes follow                                      (1 to 32)
 *   lllooooo oooooooo         l + 2 bytes from o + 1 back, l from 1 to 6                      (3 to 8)
 *   111ooooo llllllll oooooooo    l + 9 bytes from o + 1 back                                 (9 to 264)
 *
 *   02 61 62 63  80 02        "abc", then 6 bytes from 3 back: abcabcabc
 *
 * The compressor takes the latest place that is known to begin with the same three bytes and copies as much as matches
 * there. Its output depends on the input alone.
 */
import type { Slice } from './slice.ts';

const LONGEST_LITERAL = 32;
const LONGEST_COPY = 264;
const FARTHEST = 8192;
const MULTIPLIER = 0x9e3779b1;
const HASH_BITS = 14;
/** Up to this length the places of fewer hashes will do, which the processor's nearest cache holds. */
const SHORT = 512;
const SHORT_HASH_BITS = 10;

/** Latest place of each hash, counted from `epoch`: what is below it is of an earlier call, so that none has to clear. */
const places = new Int32Array(1 << HASH_BITS);
const scratch = { epoch: 1 };

/** Compresses `source` into `target`; returns the length, or 0 when it would take more than `room` bytes. */
export function lzfCompress(source: Slice, target: Uint8Array, room = target.length): number {
  const { buffer, start, length } = source;
  const end = start + length;
  if (scratch.epoch + length > 0x7fffffff) {
    places.fill(0);
    scratch.epoch = 1;
  }
  const base = scratch.epoch - start;
  scratch.epoch += length;
  const oldest = base + start;
  // To make a view takes longer than comparing the bytes of what is short.
  const words = length <= SHORT ? null : new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const shift = 32 - (length <= SHORT ? SHORT_HASH_BITS : HASH_BITS);
  let out = 0;
  let pending = start;
  let at = start;
  // The three bytes from `at` on, the last of them yet to be put in.
  let word = (buffer[at] << 8) | buffer[at + 1];
  while (at < end - 2) {
    word = ((word << 8) | buffer[at + 2]) & 0xffffff;
    const slot = Math.imul(word, MULTIPLIER) >>> shift;
    const stored = places[slot];
    const place = stored - base;
    places[slot] = at + base;
    const copied = stored < oldest || at - place > FARTHEST ? 0 : matching(buffer, words, place, at, end);
    if (copied < 3) {
      at++;
      continue;
    }
    out = writeLiterals(buffer, pending, at, target, out, room);
    if (out < 0 || out + 3 > room) return 0;
    out = writeCopy(target, out, at - place - 1, copied);
    at += copied;
    if (at < end) {
      // Of the places that are copied the last two will do.
      word = (buffer[at - 2] << 16) | (buffer[at - 1] << 8) | buffer[at];
      places[Math.imul(word, MULTIPLIER) >>> shift] = at - 2 + base;
    }
    if (at + 1 < end) {
      word = ((word << 8) | buffer[at + 1]) & 0xffffff;
      places[Math.imul(word, MULTIPLIER) >>> shift] = at - 1 + base;
    }
    word = (buffer[at] << 8) | buffer[at + 1];
    pending = at;
  }
  out = writeLiterals(buffer, pending, end, target, out, room);
  return out < 0 ? 0 : out;
}

/** How many bytes at `at` are those at `place`, up to the longest copy. With `words` four at a time, wherever they lie. */
function matching(buffer: Uint8Array, words: DataView | null, place: number, at: number, end: number): number {
  const most = end - at < LONGEST_COPY ? end - at : LONGEST_COPY;
  let same = 0;
  if (words !== null) {
    for (; same + 4 <= most; same += 4) {
      const unlike = words.getInt32(place + same, true) ^ words.getInt32(at + same, true);
      // The first byte that differs is the one with the lowest bit that does.
      if (unlike !== 0) return same + ((31 - Math.clz32(unlike & -unlike)) >>> 3);
    }
  }
  while (same < most && buffer[place + same] === buffer[at + same]) same++;
  return same;
}

/** Returns the new length of the output, or -1 when there is no room. */
function writeLiterals(
  buffer: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  out: number,
  room: number,
): number {
  let at = from;
  while (at < to) {
    const run = to - at < LONGEST_LITERAL ? to - at : LONGEST_LITERAL;
    if (out + 1 + run > room) return -1;
    target[out++] = run - 1;
    for (let i = 0; i < run; i++) target[out++] = buffer[at++];
  }
  return out;
}

function writeCopy(target: Uint8Array, at: number, offset: number, copied: number): number {
  const length = copied - 2;
  if (length < 7) {
    target[at] = (length << 5) | (offset >>> 8);
    target[at + 1] = offset;
    return at + 2;
  }
  target[at] = 0xe0 | (offset >>> 8);
  target[at + 1] = length - 7;
  target[at + 2] = offset;
  return at + 3;
}

/** Expands `source` into `target` from `at` on; true when it makes exactly `length` bytes, false when it is damaged. */
export function lzfDecompress(source: Slice, target: Uint8Array, at: number, length: number): boolean {
  const { buffer } = source;
  const sourceEnd = source.start + source.length;
  const end = at + length;
  const words = length <= SHORT ? null : new DataView(target.buffer, target.byteOffset, target.byteLength);
  let out = at;
  let from = source.start;
  while (from < sourceEnd) {
    const control = buffer[from++];
    if (control < LONGEST_LITERAL) {
      const run = control + 1;
      if (from + run > sourceEnd || out + run > end) return false;
      for (let i = 0; i < run; i++) target[out++] = buffer[from++];
      continue;
    }
    let copied = control >>> 5;
    if (copied === 7) copied += from < sourceEnd ? buffer[from++] : 0;
    if (from >= sourceEnd) return false;
    let place = out - (((control & 31) << 8) | buffer[from++]) - 1;
    copied += 2;
    if (place < at || out + copied > end) return false;
    if (words !== null && out - place >= 4)
      for (; copied >= 4; copied -= 4, out += 4, place += 4) words.setInt32(out, words.getInt32(place, true), true);
    for (; copied > 0; copied--) target[out++] = target[place++];
  }
  return out === end;
}

/** How many bytes `source` expands to, so far as its marks tell; nothing is made room for on the word of somebody else. */
export function lzfLength(source: Slice): number {
  const { buffer } = source;
  const end = source.start + source.length;
  let length = 0;
  for (let from = source.start; from < end; ) {
    const control = buffer[from++];
    if (control < LONGEST_LITERAL) {
      length += control + 1;
      from += control + 1;
    } else if (control < 0xe0) {
      length += (control >>> 5) + 2;
      from++;
    } else {
      length += (from < end ? buffer[from] : 0) + 9;
      from += 2;
    }
  }
  return length;
}
