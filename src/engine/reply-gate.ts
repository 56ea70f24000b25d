/**
 * Replies that wait for more than the end of their turn: of a group's leader, until what they tell is committed.
 *
 *   a turn ends ── endTurn ──> its ticket, where something was written         (or where a reply rests on what was read)
 *     each session ── settle ──> what it was replied in this turn waits for the ticket
 *   the ticket's promise is kept ── release ──> the bytes may go
 *
 * A session's replies leave in their order, so that what needs nothing waits behind what does. Tickets are released in the
 * order in which they were made. Where the promise can't be kept any more, the connections end (`giveUp`): whoever has
 * asked does not know then whether it was done.
 */
import { assert } from '../base/assert.ts';
import type { Reply } from '../protocol/reply.ts';

/** What the replies of one turn wait for. */
export class Ticket {
  /** Something was written in the turn: whoever was told anything in it may have been told of that. */
  readonly wrote: boolean;
  released = false;
  readonly sessions: GatedSession[] = [];

  constructor(wrote: boolean) {
    this.wrote = wrote;
  }
}

/** The end, in a session's replies, of what waits for a ticket. */
interface HeldReplies {
  readonly ticket: Ticket;
  end: number;
}

/** What the gate keeps of one session. */
export class GatedReplies {
  /** A command has run whose reply tells of the data, and that reply has not been settled. */
  bound = false;
  /** Up to where replies have been settled. */
  settled = 0;
  readonly held: HeldReplies[] = [];
}

export interface GatedSession {
  readonly reply: Reply;
  readonly gated: GatedReplies;
  readonly waiter: object | null;
  readonly postponed: boolean;
}

/** Who knows what is promised. */
export interface TicketSource {
  /** The turn ends: a ticket for what was written in it; null where nothing was. */
  endTurn(): Ticket | null;
  /** A ticket for what was read in this turn; null where that can't be answered for any more. */
  askRead(): Ticket | null;
}

export class ReplyGate<S extends GatedSession> {
  private source: TicketSource | null = null;
  private readonly kill: (session: S) => void;
  /** Of the turn that ends. */
  private ticket: Ticket | null = null;

  /** `kill` ends a session whose replies can't be given. */
  constructor(kill: (session: S) => void) {
    this.kill = kill;
  }

  get active(): boolean {
    return this.source !== null;
  }

  /** Once, before there is any session. */
  open(source: TicketSource): void {
    assert(this.source === null, 'a gate has one keeper');
    this.source = source;
  }

  /** Nothing of a new session's has been settled. */
  welcome(session: S): void {
    if (this.active) session.reply.allowed = 0;
  }

  endTurn(): void {
    if (this.source !== null) this.ticket = this.source.endTurn();
  }

  /** Before a session's replies are written: what was added to them since the last time waits, or may go. */
  settle(session: S): void {
    const { source } = this;
    const { reply, gated } = session;
    const end = reply.position;
    if (source === null || end === gated.settled) return;
    gated.settled = end;
    if (gated.bound || this.ticket?.wrote === true) {
      // What a command that still waits will tell is settled when it does.
      gated.bound = session.waiter !== null || session.postponed;
      this.ticket ??= source.askRead();
      if (this.ticket === null) this.kill(session);
      else this.hold(session, this.ticket, end);
    } else this.behindTheOthers(session, end);
  }

  private hold(session: S, ticket: Ticket, end: number): void {
    if (ticket.released) {
      this.behindTheOthers(session, end);
      return;
    }
    session.gated.held.push({ ticket, end });
    ticket.sessions.push(session);
  }

  private behindTheOthers({ reply, gated }: S, end: number): void {
    const last = gated.held.at(-1);
    if (last === undefined) reply.allowed = end;
    else last.end = end;
  }

  /** What the replies tell is so. */
  release(ticket: Ticket): void {
    assert(!ticket.released, 'a ticket is released once');
    ticket.released = true;
    for (const { reply, gated } of ticket.sessions) {
      while (gated.held.length > 0 && gated.held[0].ticket.released) reply.allowed = gated.held.shift()!.end;
      reply.owner?.replyPending();
    }
    ticket.sessions.length = 0;
  }

  /** Replies of these sessions that are not given yet will never be. */
  giveUp(sessions: Iterable<S>): void {
    this.ticket = null;
    for (const session of [...sessions]) {
      const { gated, reply } = session;
      if (gated.held.length > 0 || (gated.bound && reply.position !== gated.settled)) this.kill(session);
      gated.bound = false;
      gated.held.length = 0;
    }
  }
}
