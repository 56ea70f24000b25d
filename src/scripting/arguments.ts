/**
 * The arguments of a command that a script calls: Lua strings and numbers written as bytes, one behind the other, into
 * one buffer that is used over and over, so that long ones are copied into memory that is there: the system takes four times
 * as long to hand out fresh memory as the copy takes. They are good until the command returns, as those of a request are.
 * And the other way: the arguments of a request as a table.
 */
import { uncleared } from '../base/copy.ts';
import { Slice } from '../base/slice.ts';
import { formatG } from './lua/number.ts';
import { LuaTable, type Value } from './lua/value.ts';

/** What the buffer keeps for ever, and what it keeps from one command of a script to the next. */
const USUAL_BYTES = 16 * 1024;
const WARM_BYTES = 64 * 1024 * 1024;
/** Up to here a loop beats the call into Node. */
const CHARACTER_WISE = 32;
const { latin1Write } = Buffer.prototype;

/** As %.17g prints it. */
function numberText(value: number): string {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : formatG(value, 17);
}

/** The arguments of a request from `from` to before `to`, as a table of strings. */
export function wordsOf(args: readonly Slice[], from: number, to: number): LuaTable {
  const words: Value[] = [];
  for (let i = from; i < to; i++) words.push(args[i].latin1());
  return LuaTable.sequence(words);
}

export class Arguments {
  /** Those from `count` on are left over from earlier commands. */
  readonly slices: Slice[] = [];
  count = 0;
  /** Bytes in all. */
  taken = 0;
  private bytes: Uint8Array = new Uint8Array(USUAL_BYTES);
  private end = 0;

  /** Takes a call's arguments in; false when one is neither a string nor a number. */
  take(values: readonly Value[]): boolean {
    this.count = 0;
    this.taken = 0;
    this.end = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'string') this.add(value);
      else if (typeof value === 'number') this.add(numberText(value));
      else return false;
    }
    return true;
  }

  private add(text: string): void {
    const { length } = text;
    if (this.end + length > this.bytes.length) this.refresh(length);
    const { bytes, end: start } = this;
    if (length <= CHARACTER_WISE) for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i);
    else latin1Write.call(bytes, text, start, length);
    this.end = start + length;
    this.taken += length;
    const slice = this.slices[this.count];
    if (slice === undefined) this.slices.push(new Slice(bytes, start, length));
    else slice.set(bytes, start, length);
    this.count++;
  }

  /** Goes on in a new buffer; the slices so far keep the old one. */
  private refresh(least: number): void {
    this.bytes = uncleared(Math.max(least, 2 * this.bytes.length));
    this.end = 0;
  }

  /** The command has returned. */
  returned(): void {
    if (this.bytes.length > WARM_BYTES) this.trim();
  }

  /** Lets go of what an unusual script needed. */
  trim(): void {
    if (this.bytes.length <= USUAL_BYTES) return;
    this.bytes = new Uint8Array(USUAL_BYTES);
    this.slices.length = 0;
  }
}
