/**
 * A look at the commands that came together with the one at hand: where the keys of a large database lie, the processor has
 * to fetch from afar, and those of several commands it fetches all at a time.
 *
 *   *3 $3 SET $5 key:1 $1 a   *2 $3 GET $5 key:2   *2 $3 GET $5 key:3   *2 $3 G...
 *     the command at hand              ^ fetched          ^ fetched      not complete: left alone
 *
 * It is a guess: the argument behind the name is taken for a key, as it is of most commands. What is no key, or of another
 * database, or no command at all, has been looked at for nothing. So nothing hangs on it, and no command knows of it; but
 * the slots that were worked out on the way are told to whoever routes the same bytes of the same buffer, until new ones come.
 */

import type { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import { slotOf, slotOfRange } from '../keyspace/slot.ts';
import { hashRange } from '../structures/hash.ts';
import type { SlotSource } from './keys.ts';
import type { SessionFuture } from './ports.ts';
import type { Session } from './session.ts';

/** Commands that are looked at together. */
const AHEAD = 16;
/** A database of fewer keys is at hand anyway. */
const LARGE = 16_384;
/** To hash what is longer takes more time than is saved. */
const LONGEST = 256;
/** When the commands were all of one key, which is at hand then, so many are run without a look. */
const ALIKE = 32 * AHEAD;
const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;
const CR = 13;

export class LookAhead implements SessionFuture<Session>, SlotSource {
  private readonly hashes = new Int32Array(AHEAD);
  private readonly places = new Int32Array(AHEAD);
  /** Where the keys begin, in `buffer`. */
  private readonly starts = new Int32Array(AHEAD);
  private buffer: Uint8Array | null = null;
  private count = 0;
  /** How many of them were asked for, or passed over. */
  private asked = 0;
  /** Where the number that was read last ends, behind its line. */
  private end = 0;
  /** Commands that are still to be run without a look. */
  private unseen = 0;

  /** Has the keys of the commands from `at` on fetched; returns after how many commands it wants to look again. */
  fetch({ db }: Session, buffer: Uint8Array, at: number, to: number): number {
    if (at >= to || db.size < LARGE) return ALIKE;
    if (this.unseen > 0) {
      this.unseen -= AHEAD;
      return AHEAD;
    }
    this.count = 0;
    this.asked = 0;
    this.buffer = db.bySlot ? buffer : null;
    while (this.count < AHEAD && at >= 0 && at < to) at = this.mark(db, buffer, at, to);
    const { count, hashes } = this;
    if (count > 1 && hashes[0] === hashes[count - 1]) this.unseen = ALIKE;
    else db.warm(hashes, count, db.bySlot ? this.places : null);
    return AHEAD;
  }

  /** New bytes may lie where those were that were looked at. */
  forget(): void {
    this.buffer = null;
  }

  slotOf(key: Slice): number {
    if (key.buffer !== this.buffer) return slotOf(key);
    const { starts, count } = this;
    while (this.asked < count && starts[this.asked] < key.start) this.asked++;
    return this.asked < count && starts[this.asked] === key.start ? this.places[this.asked] : slotOf(key);
  }

  /** Takes down the key of the command at `at`; returns where the next one begins, -1 where this is not a complete one. */
  private mark(db: Database, buffer: Uint8Array, at: number, to: number): number {
    const argc = buffer[at] === STAR ? this.number(buffer, at + 1, to) : -1;
    if (argc < 2) return -1;
    let start = 0;
    let length = 0;
    at = this.end;
    for (let i = 0; i < argc; i++) {
      const size = at < to && buffer[at] === DOLLAR ? this.number(buffer, at + 1, to) : -1;
      if (i === 1) {
        start = this.end;
        length = size;
      }
      at = this.end + size + 2;
      if (size < 0 || at > to) return -1;
    }
    if (length > LONGEST) return at;
    if (db.bySlot) {
      this.places[this.count] = slotOfRange(buffer, start, start + length);
      this.starts[this.count] = start;
    }
    this.hashes[this.count++] = hashRange(db.memory.seed, buffer, start, length);
    return at;
  }

  /** The number on the line at `at`; -1 where there is none. */
  private number(buffer: Uint8Array, at: number, to: number): number {
    let value = 0;
    const from = at;
    for (; at < to; at++) {
      const digit = buffer[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.end = at + 2;
    return at === from || at - from > 9 || at + 2 > to || buffer[at] !== CR ? -1 : value;
  }
}
