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
import { WireReplies } from './replies.ts';
import type { Hello, Lane, Pushes, Sample } from './wire.ts';

/** Bytes that the browser has not taken, beyond which the stream is ended. */
const MOST_UNSENT = 8 * 1024 * 1024;
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
  /** Commands that wait for their replies. */
  waiting = 0;

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

  /** The session of a lane, opened where there is none. */
  lane(name: Lane): ConsoleSession {
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
