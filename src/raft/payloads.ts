/**
 * What an entry of the log holds: the effects of one turn of the event loop, in RESP, as propagation produces them.
 *
 *   payload   0 flags u8      1 effects, or a part of them            flags: 1 goes on in the next entry
 *
 * Each begins at database 0; SELECT comes before an effect on another. Effects that belong together are in one entry, which is
 * taken over at once; what is too large for one goes on in those behind it. What is begun and never ends, since its leader
 * was lost on the way, comes to nothing: the first entry of the next leader stands where it would go on.
 */
import { copyBytes } from '../base/copy.ts';
import { bytesOf } from '../base/slice.ts';
import { type EffectSink, TO_ALL } from '../engine/propagation.ts';
import { type Rooms, roomForPayload } from './disk/records.ts';

/** Bytes of effects from which on no more are put into the same entry. */
const ENOUGH_BYTES = 128 * 1024;
/** The most that one entry has. */
const MOST_BYTES = 512 * 1024;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;
const GOES_ON = 1;

export class Effects implements EffectSink {
  readonly target = TO_ALL;
  /** Called with the first effect after what there was has been taken. */
  private readonly begun: () => void;
  private readonly rooms: Rooms | undefined;
  private bytes = new Uint8Array(INITIAL_BYTES);
  private length = 0;
  /** Up to where all units are complete, and where entries end within that; the last is still open. */
  private complete = 0;
  private ends: number[] = [];
  /** The database that the entry at hand has selected. */
  private database = 0;
  /** A large unit is handed over as it grows. */
  private within = false;

  /** `rooms`: where payloads lie; each by itself where there are none. */
  constructor(begun: () => void, rooms?: Rooms) {
    this.begun = begun;
    this.rooms = rooms;
  }

  /** Whether there is nothing to be taken: no unit that is complete. */
  get empty(): boolean {
    return this.complete === 0;
  }

  /** Bytes that have not been taken, of units that are complete or not. */
  get held(): number {
    return this.length;
  }

  effect(db: number, bytes: Uint8Array, from: number, to: number): void {
    if (this.length === 0) this.begun();
    if (db !== this.database) {
      const name = String(db);
      this.put(bytesOf(`*2\r\n$6\r\nSELECT\r\n$${name.length}\r\n${name}\r\n`), 0);
      this.database = db;
    }
    this.put(bytes, from, to);
    if (this.within) return;
    this.complete = this.length;
    if (this.length - (this.ends.at(-1) ?? 0) >= ENOUGH_BYTES) this.divide();
  }

  begin(): void {
    this.within = true;
    this.divide();
  }

  end(): void {
    this.within = false;
    this.complete = this.length;
    this.divide();
  }

  /** The payloads of the units that are complete, which are forgotten. */
  take(): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    const { complete, length } = this;
    let from = 0;
    if (complete > 0 && this.ends.at(-1) !== complete) this.ends.push(complete);
    for (const to of this.ends) {
      for (; to - from > MOST_BYTES; from += MOST_BYTES) payloads.push(this.payload(GOES_ON, from, from + MOST_BYTES));
      payloads.push(this.payload(0, from, to));
      from = to;
    }
    this.bytes.copyWithin(0, complete, length);
    this.length = length - complete;
    this.complete = 0;
    this.ends = [];
    if (!this.within) this.database = 0;
    this.shrink();
    return payloads;
  }

  /** Forgets what there is. */
  clear(): void {
    this.length = 0;
    this.complete = 0;
    this.ends = [];
    this.database = 0;
    this.within = false;
    this.shrink();
  }

  private shrink(): void {
    if (this.length > 0) return;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(INITIAL_BYTES);
  }

  /** What follows is in another entry. */
  private divide(): void {
    if (this.length > (this.ends.at(-1) ?? 0)) this.ends.push(this.length);
    this.database = 0;
  }

  private payload(flags: number, from: number, to: number): Uint8Array {
    const payload = roomForPayload(1 + to - from, this.rooms);
    payload[0] = flags;
    payload.set(this.bytes.subarray(from, to), 1);
    return payload;
  }

  private put(bytes: Uint8Array, from: number, to = bytes.length): void {
    const needed = this.length + to - from;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    copyBytes(this.bytes, this.length, bytes, from, to - from);
    this.length = needed;
  }
}

export function goesOn(payload: Uint8Array): boolean {
  return (payload[0] & GOES_ON) !== 0;
}

/** The effects of the payloads that belong together. */
export function effectsOf(payloads: readonly Uint8Array[]): Uint8Array {
  if (payloads.length === 1) return payloads[0].subarray(1);
  const all = new Uint8Array(payloads.reduce((sum, { length }) => sum + length - 1, 0));
  let at = 0;
  for (const payload of payloads) {
    all.set(payload.subarray(1), at);
    at += payload.length - 1;
  }
  return all;
}
