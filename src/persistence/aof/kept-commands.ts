/**
 * The commands of a transaction between its MULTI and its EXEC, one behind the other in one buffer that serves every
 * transaction of a file: nothing is made for a command.
 *
 *   bytes   SET key a  INCR n ...      ends: where each argument ends; counts: the arguments of each command
 */
import { copyBytes } from '../../base/copy.ts';
import { Slice } from '../../base/slice.ts';
import type { Registered } from '../../engine/table.ts';

const FIRST_BYTES = 4096;
/** What an argument and a command take beside their bytes. */
const ARGUMENT_BYTES = 48;
const COMMAND_BYTES = 64;

export class KeptCommands {
  /** Commands kept. */
  length = 0;
  /** About as many bytes as they take. */
  size = 0;
  /** Arguments of the command at hand, good until the next call of `read`; there may be more slices than arguments. */
  readonly args: Slice[] = [];
  argc = 0;
  private bytes = new Uint8Array(FIRST_BYTES);
  private readonly commands: Registered[] = [];
  private readonly counts: number[] = [];
  private readonly ends: number[] = [];
  private end = 0;
  private arguments = 0;
  private next = 0;
  private nextArgument = 0;

  /** Forgets all. */
  clear(): void {
    this.length = 0;
    this.size = 0;
    this.end = 0;
    this.arguments = 0;
    this.next = 0;
    this.nextArgument = 0;
  }

  add(registered: Registered, args: readonly Slice[], argc: number): void {
    this.commands[this.length] = registered;
    this.counts[this.length] = argc;
    this.length++;
    for (let i = 0; i < argc; i++) {
      const { buffer, start, length } = args[i];
      if (this.end + length > this.bytes.length) this.grow(this.end + length);
      copyBytes(this.bytes, this.end, buffer, start, length);
      this.end += length;
      this.ends[this.arguments++] = this.end;
    }
    this.size = this.end + this.arguments * ARGUMENT_BYTES + this.length * COMMAND_BYTES;
  }

  /** The next command, its arguments in `args`; null behind the last. */
  read(): Registered | null {
    if (this.next === this.length) return null;
    const count = this.counts[this.next];
    this.argc = count;
    while (this.args.length < count) this.args.push(new Slice());
    let start = this.nextArgument === 0 ? 0 : this.ends[this.nextArgument - 1];
    for (let i = 0; i < count; i++) {
      const end = this.ends[this.nextArgument++];
      this.args[i].set(this.bytes, start, end - start);
      start = end;
    }
    return this.commands[this.next++];
  }

  private grow(length: number): void {
    const fresh = new Uint8Array(Math.max(length, 2 * this.bytes.length));
    copyBytes(fresh, 0, this.bytes, 0, this.end);
    this.bytes = fresh;
  }
}
