/**
 * What the replies of a leader wait for, in the order in which it was asked for: writes until their entry is committed, reads
 * until the rules say that they may be told. A promise that is kept early waits for those before it.
 *
 * What several turns did and is proposed as one has one ticket, which is there before the entry is.
 */
import { type ReplyGate, Ticket } from '../engine/reply-gate.ts';
import type { Session } from '../engine/session.ts';

interface Promised {
  readonly ticket: Ticket;
  /** What must be committed; 0 where the rules say when. */
  index: number;
  kept: boolean;
}

/** The index of an entry that is to be proposed. */
const TO_COME = Number.POSITIVE_INFINITY;

export class Tickets {
  private readonly gate: ReplyGate<Session>;
  private waiting: Promised[] = [];

  constructor(gate: ReplyGate<Session>) {
    this.gate = gate;
  }

  get count(): number {
    return this.waiting.length;
  }

  /** For what waits for an entry to be committed. */
  untilCommitted(index: number, wrote: boolean): Ticket {
    return this.add(index, wrote).ticket;
  }

  /** For what waits for what is proposed next to be committed. */
  untilProposed(): Ticket {
    const last = this.waiting.at(-1);
    return last?.index === TO_COME ? last.ticket : this.add(TO_COME, true).ticket;
  }

  /** What was done by now has this entry, or those up to it. */
  proposed(index: number): void {
    const last = this.waiting.at(-1);
    if (last?.index === TO_COME) last.index = index;
  }

  /** For what waits until it is `keep`t. */
  untilKept(): { readonly ticket: Ticket; readonly keep: () => void } {
    const promised = this.add(0, false);
    const keep = (): void => {
      promised.kept = true;
      this.release();
    };
    return { ticket: promised.ticket, keep };
  }

  /** Entries up to this one are committed. */
  committed(index: number): void {
    for (const promised of this.waiting) if (promised.index > 0 && promised.index <= index) promised.kept = true;
    this.release();
  }

  /** None of them will be kept. */
  drop(): void {
    this.waiting = [];
  }

  private add(index: number, wrote: boolean): Promised {
    const promised = { ticket: new Ticket(wrote), index, kept: false };
    this.waiting.push(promised);
    return promised;
  }

  private release(): void {
    let done = 0;
    while (done < this.waiting.length && this.waiting[done].kept) done++;
    for (const { ticket } of this.waiting.splice(0, done)) this.gate.release(ticket);
  }
}
