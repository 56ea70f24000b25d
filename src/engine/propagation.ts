/**
 * Where the effects of commands go: the append-only file, the replication backlog, and whoever else wants every write in
 * order.
 *
 * An effect is the argument vector of a command that has the same result on a copy of the data: the command as it came,
 * or what it was rewritten to (SPOP to SREM, EXPIRE to PEXPIREAT). It is put into RESP once, straight from the arguments
 * where they lie, behind the other effects of the same unit of work (one command of a client, with all that EXEC or a
 * script runs within); at the unit's end every sink takes what concerns it:
 *
 *   bytes   *3\r\n$3\r\nSET...  *2\r\n$4\r\nINCR...  | free
 *   ends                      ^                     ^           dbs, masks: one number an effect
 *
 * With no sink nothing is collected. A unit that becomes very large is handed over as it grows, so that it needn't be held
 * whole.
 */

import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/copy.ts';
import { Slice } from '../base/slice.ts';
import { ARRAY, BULK, HEADING_BYTES, writeHeading } from '../protocol/heading.ts';

/** Who is to hear of an effect; bits. */
export const TO_NOBODY = 0;
export const TO_AOF = 1;
export const TO_REPLICAS = 2;
export const TO_ALL = TO_AOF | TO_REPLICAS;

/** A part of an effect: text of one byte a character, a number in decimal, or bytes. */
export type EffectPart = string | number | Slice | Uint8Array;

export interface EffectSink {
  /** Its bit: what it hears of. */
  readonly target: number;
  /** One effect on database `db`, in RESP; the bytes from `from` to `to` are good until it returns. */
  effect(db: number, bytes: Uint8Array, from: number, to: number): void;
  /** The effects up to `end` belong together: all are to be had, or none. The first will be on database `db`. */
  begin(db: number): void;
  end(): void;
}

const INITIAL_BYTES = 16 * 1024;
/** A buffer that has grown beyond this is given back. */
const KEPT_BYTES = 1024 * 1024;
/** A unit of several effects that takes more is handed over as it grows. */
const UNIT_BYTES = 1024 * 1024;
const CR = 13;
const LF = 10;

export class Propagation {
  /** Whether anybody listens; callers need not build effects otherwise. */
  active = false;
  /** The unit at hand goes on beyond the command: a script has been suspended half way. */
  held = false;
  /** Who hears of what is added; a script may narrow it for the commands that it runs. */
  targets = TO_ALL;
  /** Nothing may be kept from those who listen: a log that must have all that changes the data. */
  whole = false;
  private readonly sinks: EffectSink[] = [];
  private silent = false;
  /** The bits of those who listen. */
  private heard = TO_NOBODY;
  private bytes = new Uint8Array(INITIAL_BYTES);
  private length = 0;
  private count = 0;
  private readonly ends: number[] = [];
  private readonly dbs: number[] = [];
  private readonly masks: number[] = [];
  /** The beginning of the unit at hand has been handed over. */
  private opened = false;

  attach(sink: EffectSink): void {
    if (!this.sinks.includes(sink)) this.sinks.push(sink);
    this.refresh();
  }

  detach(sink: EffectSink): void {
    const index = this.sinks.indexOf(sink);
    if (index >= 0) this.sinks.splice(index, 1);
    this.refresh();
  }

  /** While it is silenced nothing is collected: the data is being loaded from where effects went before. */
  silence(on: boolean): void {
    this.silent = on;
    this.refresh();
  }

  /** Whether no unit of work is open. */
  get idle(): boolean {
    return !this.held && this.count === 0 && !this.opened;
  }

  private refresh(): void {
    this.heard = TO_NOBODY;
    if (!this.silent) for (const { target } of this.sinks) this.heard |= target;
    this.active = this.heard !== TO_NOBODY;
  }

  /** Adds a command as it came to the unit at hand. */
  command(db: number, args: readonly Slice[], argc: number, mask: number): void {
    if (!this.concerns(mask)) return;
    let size = HEADING_BYTES;
    for (let i = 0; i < argc; i++) size += args[i].length + HEADING_BYTES + 2;
    const target = this.room(size);
    let at = writeHeading(target, this.length, ARRAY, argc);
    for (let i = 0; i < argc; i++) {
      const { buffer, start, length } = args[i];
      at = writeHeading(target, at, BULK, length);
      copyBytes(target, at, buffer, start, length);
      at += length;
      target[at++] = CR;
      target[at++] = LF;
    }
    this.added(db, mask, at);
  }

  /** Adds an effect that is put together from parts. */
  effect(db: number, parts: readonly EffectPart[], mask: number): void {
    if (!this.concerns(mask)) return;
    let size = HEADING_BYTES;
    for (const part of parts) size += (typeof part === 'number' ? 24 : part.length) + HEADING_BYTES + 2;
    const target = this.room(size);
    let at = writeHeading(target, this.length, ARRAY, parts.length);
    for (const part of parts) {
      at = bulk(target, at, typeof part === 'number' ? String(part) : part);
      target[at++] = CR;
      target[at++] = LF;
    }
    this.added(db, mask, at);
  }

  /** The unit of work is done: one effect is handed over as it is, several as one transaction when `atomic`. */
  flush(atomic: boolean): void {
    if (this.held || (this.count === 0 && !this.opened)) return;
    if (this.opened) this.spill();
    for (const sink of this.sinks) {
      if (this.opened) {
        sink.end();
        continue;
      }
      const several = atomic && this.count > 1 && this.concerning(sink) > 1;
      if (several) sink.begin(this.dbs[0]);
      this.deliver(sink);
      if (several) sink.end();
    }
    this.opened = false;
    this.clear();
  }

  /** Checks what holds between commands. */
  verify(): void {
    assert(this.held || this.idle, 'a unit of work is handed over when its command is done');
    assert(this.length <= this.bytes.length && (this.count === 0) === (this.length === 0), 'effects have bytes');
    for (let i = 1; i < this.count; i++) assert(this.ends[i - 1] < this.ends[i], 'effects lie behind one another');
  }

  private concerns(mask: number): boolean {
    return ((this.whole ? TO_ALL : mask & this.targets) & this.heard) !== 0;
  }

  private added(db: number, mask: number, end: number): void {
    this.ends[this.count] = end;
    this.dbs[this.count] = db;
    this.masks[this.count] = this.whole ? TO_ALL : mask & this.targets;
    this.count++;
    this.length = end;
  }

  /** Room for `size` more bytes. */
  private room(size: number): Uint8Array {
    if (this.length > UNIT_BYTES) this.spill();
    const needed = this.length + size;
    if (needed <= this.bytes.length) return this.bytes;
    const bytes = new Uint8Array(Math.max(needed, 2 * this.length));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    return bytes;
  }

  /** Hands over what there is of a unit of which more will come. */
  private spill(): void {
    for (const sink of this.sinks) {
      if (!this.opened) sink.begin(this.dbs[0]);
      this.deliver(sink);
    }
    this.opened = true;
    this.clear();
  }

  private concerning({ target }: EffectSink): number {
    let count = 0;
    for (let i = 0; i < this.count; i++) if ((this.masks[i] & target) !== 0) count++;
    return count;
  }

  private deliver(sink: EffectSink): void {
    let from = 0;
    for (let i = 0; i < this.count; i++) {
      const to = this.ends[i];
      if ((this.masks[i] & sink.target) !== 0) sink.effect(this.dbs[i], this.bytes, from, to);
      from = to;
    }
  }

  private clear(): void {
    this.length = 0;
    this.count = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(INITIAL_BYTES);
  }
}

/** Writes a bulk string without the end of its line. */
function bulk(target: Uint8Array, at: number, part: string | Slice | Uint8Array): number {
  at = writeHeading(target, at, BULK, part.length);
  if (typeof part === 'string') for (let i = 0; i < part.length; i++) target[at + i] = part.charCodeAt(i);
  else if (part instanceof Slice) copyBytes(target, at, part.buffer, part.start, part.length);
  else copyBytes(target, at, part, 0, part.length);
  return at + part.length;
}
