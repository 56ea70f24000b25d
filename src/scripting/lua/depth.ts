/**
 * `d`, which every call is handed: where the call stands. Two counts in one small integer, so that no call takes longer
 * for it and none has to take it back, however it is left.
 *
 *   [weight of the JavaScript stack in use, above][level: calls by C within each other, 8 bits]
 *
 * The level is what the reference bounds to keep its C stack: one more for each function that C calls (by pcall, sort,
 * a metamethod, the iterator of a loop, resume ...), the main function at 1; calls from Lua to Lua don't count. At
 * LEVELS_MAX there is an error, which leaves room for its handlers up to ERRORS_MAX. The parser counts what it nests from
 * the level at which it runs. A coroutine may yield only at the level at which it was resumed.
 */

/** The unit of the weight: about 250 bytes of JavaScript stack. */
export const WEIGHT = 256;
const LEVEL_MASK = WEIGHT - 1;
/** Where a script begins. */
export const MAIN = 1;
export const LEVELS_MAX = 200;
export const ERRORS_MAX = 225;

export function levelOf(d: number): number {
  return d & LEVEL_MASK;
}
