/**
 * How much V8 joins into one compiled function.
 *
 * A command passes through many small functions: `u8` of the image within `entryKeyEnd` within `overwriteInline`, and so on.
 * V8 has a budget of bytecode for what it puts in the place of calls, sized for programs of all kinds, which here is used up
 * half way down; what is beyond is called, and what is known of its arguments is lost. With these budgets commands take a
 * fifth less of the processor (bench/README.md). Code becomes larger and its compiling longer, in a thread beside.
 */
import { setFlagsFromString } from 'node:v8';

/** In bytes of bytecode, with V8's own figures behind. */
export const BUDGETS = [
  /** Of what is put into one function, 920; and with what is small, 4600. */
  '--max-inlined-bytecode-size-cumulative=8000',
  '--max-inlined-bytecode-size-absolute=12000',
  /** Of one function that is put into another, 460. */
  '--max-inlined-bytecode-size=1500',
  /** Of one so small that only the second budget counts it, 27. */
  '--max-inlined-bytecode-size-small=100',
];

/** For programs, before they run what is hot: the budgets are those of the whole process, and no library's to set. */
export function inlineMore(): void {
  for (const flag of BUDGETS) setFlagsFromString(flag);
}
