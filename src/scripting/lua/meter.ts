/**
 * The time and the memory that a script takes, counted while it runs.
 *
 * Time. `budget` is what is left of a slice, in units of 10 to 50 ns: compiled code takes one for each entry of a function
 * and each round of a loop, natives what they do: BYTES_A_UNIT bytes copied or compared, a few elements of a table ... When
 * it has run out, the clock is asked. Nothing takes much longer than a slice without asking: what can is done in pieces
 * (Runtime.inPieces), each of which is charged.
 *
 * Memory. The heap is looked at (heap.ts) after MUCH_MEMORY bytes that were reserved, after LOOK_EVERY microseconds, and
 * after LOOK_AFTER slices at the latest. What is larger than the heap can tell before it is there has to be reserved
 * beforehand: long strings, buffers, arrays. Strings longer than MUCH_TEXT are flat as soon as they are made, since those
 * that V8 composes of others take their bytes only when they are read, where nobody counts.
 */
import { unhandled } from './errors.ts';
import { heapIsShort } from './heap.ts';

/** Units between two looks at the clock. */
const SLICE = 20_000;
const LOOK_AFTER = 16;
const LOOK_EVERY = 1000;
/** Bytes taken at one go that make a look worth it. */
const MUCH_MEMORY = 8 * 1024 * 1024;
/** Strings that are longer are flat, and counted when they are made. */
export const MUCH_TEXT = 8192;

/** Thrown to end a script for good: pcall doesn't catch it. */
export class Killed {
  readonly message: string;
  /** Where it was found out, by the innermost Lua function. */
  source = '';
  line = 0;

  constructor(message: string) {
    this.message = message;
  }
}

export class Meter {
  budget = SLICE;
  killed: Killed | null = null;
  private slices = 0;
  private reserved = 0;
  private looked = 0;
  /** Asked when a slice is over: false suspends. */
  goOn: () => boolean = () => true;
  /** Microseconds. */
  monotonic: () => number = () => 0;
  /** Asked now and then: whether there is no room for so many bytes more. */
  exhausted: (bytes: number) => boolean = heapIsShort;

  /** Takes work that isn't counted otherwise off the budget. */
  charge(units: number): void {
    this.budget -= units;
  }

  /** Before something large is made: ends the script when there is no room for it. */
  reserve(bytes: number): void {
    this.reserved += bytes;
    if (this.reserved >= MUCH_MEMORY) this.look();
  }

  private look(): void {
    const bytes = this.reserved;
    this.reserved = 0;
    this.slices = 0;
    this.looked = this.monotonic();
    if (!this.exhausted(bytes)) return;
    // It took a collection to find that out.
    this.budget = 0;
    throw unhandled('not enough memory');
  }

  /** The budget has run out: whether there is time for another slice. */
  protected renew(): boolean {
    this.budget = SLICE;
    if (this.killed !== null) throw this.killed;
    if (++this.slices >= LOOK_AFTER || this.monotonic() - this.looked > LOOK_EVERY) this.look();
    return this.goOn();
  }
}

/** The same text, of which no part is to be put together any more. */
export function flat(text: string): string {
  // The comparison is never true, but V8 doesn't know, so that it has to read.
  return text.charCodeAt(0) > 0xff ? '' : text;
}
