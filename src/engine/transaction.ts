/** MULTI's queue, and what a session that watches keys remembers of them. */
import { copyBytes, uncleared } from '../base/copy.ts';
import { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import { ARGUMENT_BYTES } from './footprint.ts';
import type { Registered } from './table.ts';

/** What keeping a command takes beside its arguments. */
const COMMAND_BYTES = 240;

export interface Queued {
  readonly registered: Registered;
  readonly args: Slice[];
}

export class Transaction {
  readonly queue: Queued[] = [];
  /** A command could not be queued: EXEC aborts. */
  broken = false;
  /** Bytes that the queue holds (CLIENT LIST's multi-mem). */
  bytes = 0;
  /** The gates that concern any of the commands. */
  gates = 0;
  /** How many of the commands EXEC has run. */
  done = 0;

  /** `gates` are those that concern the command with these arguments. Returns the bytes that it takes. */
  add(registered: Registered, args: readonly Slice[], argc: number, gates = registered.gates): number {
    let length = 0;
    for (let i = 0; i < argc; i++) length += args[i].length;
    // All in one array: an array of its own would take more than most arguments.
    const bytes = uncleared(length);
    const kept: Slice[] = [];
    let at = 0;
    for (let i = 0; i < argc; i++) {
      const { buffer, start, length: size } = args[i];
      copyBytes(bytes, at, buffer, start, size);
      kept.push(new Slice(bytes, at, size));
      at += size;
    }
    const taken = length + argc * ARGUMENT_BYTES + COMMAND_BYTES;
    this.bytes += taken;
    this.gates |= gates;
    this.queue.push({ registered, args: kept });
    return taken;
  }
}

export interface WatchedKey {
  readonly db: Database;
  readonly key: Slice;
  /** Past its time when it was watched, or since the databases were swapped: its removal is then no change. */
  wasExpired: boolean;
}
