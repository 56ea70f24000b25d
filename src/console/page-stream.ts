/**
 * A page that is open in a browser: its stream of events, and the sessions in which its commands run. They live as long as the
 * stream does, so that nothing is left behind of a page that was closed.
 *
 *   lanes: shell | browse | watch ── pushes ──┐
 *   sampler ── samples ─────────────────────┴─> events ──> the browser
 */

import type { HttpResponse } from '../base/http.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { ParsedReply } from '../protocol/reply-parser.ts';
import type { Visitor } from './access.ts';
import { Refused } from './exchange.ts';
import { WireReplies } from './replies.ts';
import type { Hello, Lane, Pushes, Sample } from './wire.ts';

/** Bytes that the browser has not taken, beyond which the stream is ended. */
const MOST_UNSENT = 8 * 1024 * 1024;
/** Requests that wait for their replies. */
const MOST_WAITING = 32;
/** What is pushed is gathered for so long, ms, up to so many. */
const GATHER_MS = 50;
const MOST_GATHERED = 1000;

/** A session of the server's. */
export interface ConsoleSession {
  call(...words: Uint8Array[]): Promise<ParsedReply>;
  onPush: (push: ParsedReply) => void;
  close(): void;
}

export interface PageParts {
  readonly id: string;
  readonly visitor: Visitor;
  readonly response: HttpResponse;
  readonly clock: Clock;
  /** A session of the visitor's. */
  readonly open: () => ConsoleSession;
}

export class PageStream {
  readonly id: string;
  readonly visitor: Visitor;
  readonly response: HttpResponse;
  private readonly parts: PageParts;
  private readonly lanes = new Map<Lane, ConsoleSession>();
  private gathered: { lane: Lane; reply: ReturnType<WireReplies['of']> }[] = [];
  private replies = new WireReplies();
  private skipped = 0;
  private timer: Timer | null = null;
  private waiting = 0;
  /** Of each lane, what was last begun. */
  private readonly latest = new Map<Lane, Promise<unknown>>();

  constructor(parts: PageParts) {
    this.parts = parts;
    this.id = parts.id;
    this.visitor = parts.visitor;
    this.response = parts.response;
  }

  begin(hello: Hello): void {
    this.send('hello', hello);
  }

  readonly sampled = (sample: Sample): void => this.send('sample', sample);

  /** Begins work of a lane when what was begun there before it is done. Throws Refused where too much waits. */
  async inTurn<T>(name: Lane, work: () => Promise<T>): Promise<T> {
    if (this.waiting >= MOST_WAITING) throw new Refused(429, 'Too many commands wait');
    this.waiting++;
    const begun = (this.latest.get(name) ?? Promise.resolve()).then(work);
    this.latest.set(
      name,
      begun.catch(() => {}),
    );
    try {
      return await begun;
    } finally {
      this.waiting--;
    }
  }

  /** The session of a lane, opened where there is none. Throws Refused where the page has been closed. */
  lane(name: Lane): ConsoleSession {
    if (this.response.writableEnded || this.response.destroyed) throw new Refused(409, 'The page is closed');
    let session = this.lanes.get(name);
    if (session === undefined) {
      session = this.parts.open();
      session.onPush = (push) => this.pushed(name, push);
      this.lanes.set(name, session);
    }
    return session;
  }

  /** Ends a session, with what waits in it; a lane whose session it was has none from then on. */
  endLane(name: Lane, session: ConsoleSession): void {
    if (this.lanes.get(name) === session) this.lanes.delete(name);
    session.close();
  }

  /** Ends it: `reason` tells the page why. */
  close(reason?: string): void {
    if (reason !== undefined) this.send('bye', reason);
    this.timer?.cancel();
    for (const [name, session] of [...this.lanes]) this.endLane(name, session);
    this.response.end();
  }

  private pushed(lane: Lane, push: ParsedReply): void {
    if (this.gathered.length >= MOST_GATHERED) this.skipped++;
    else this.gathered.push({ lane, reply: this.replies.of(push) });
    if (this.timer !== null) return;
    this.timer = this.parts.clock.after(GATHER_MS, () => this.sendPushes());
    this.timer.unref();
  }

  private sendPushes(): void {
    this.timer = null;
    const pushes: Pushes = { pushes: this.gathered, skipped: this.skipped };
    this.gathered = [];
    this.replies = new WireReplies();
    this.skipped = 0;
    this.send('push', pushes);
  }

  private send(event: string, data: unknown): void {
    const { response } = this;
    if (response.destroyed || response.writableEnded) return;
    if (response.writableLength > MOST_UNSENT) response.destroy();
    else response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
