/**
 * Who shows bytes of a large buffer, so that none is kept alive by a slice that nobody looks at any more.
 *
 * Slices and cursors are made once and pointed at the memory image again and again; what one showed last it goes on
 * holding. When a segment is let go of, `emptyShowing` empties those that show it. The list has an end: whoever has not been
 * pointed anywhere for long is dropped from it, and comes back the next time.
 */

export interface Showing {
  buffer: Uint8Array;
  /** Whether it is in the list. */
  listed: boolean;
}

const ROOM = 4096;

const list: Showing[] = [];
const end = { at: 0 };

/** Enters one that is not listed. */
export function enlist(showing: Showing): void {
  const before = list[end.at];
  if (before !== undefined) before.listed = false;
  list[end.at] = showing;
  showing.listed = true;
  end.at = (end.at + 1) % ROOM;
}

/** Nobody who is listed shows `buffer` from now on. */
export function emptyShowing(buffer: Uint8Array): void {
  for (const showing of list) if (showing.buffer === buffer) showing.buffer = NOTHING;
}

const NOTHING = new Uint8Array(0);
