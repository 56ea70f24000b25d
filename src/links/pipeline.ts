/**
 * Requests and their replies over a link (RESP2), any number of them under way: each reply goes to its own request's taker.
 *
 *   send(request, taken) ── sent in order, kept until the link is open
 *   taken(reply)         <─ in the order of the requests
 *
 * Unlike a Conversation it knows no limits of time: its owner watches over whom it waits for, and how much it asks at once.
 * What the other side may make us hold is bounded all the same: by `mostReply` bytes of a reply, and by the fact that what
 * nobody asked for goes to `unasked`, or ends the link. Nothing is called after `close()` or `ended`.
 */

import { type Dialer, type Link, LinkError, type Target } from './link.ts';
import { type Reply, ReplyReader } from './reply-reader.ts';
import { encode, type Request } from './request.ts';

export interface PipelineOptions {
  /** The link is open; `localAddress` of it is known. */
  readonly opened: (link: Link) => void;
  /** The link has ended, not by `close()`; replies that are still owed don't come. */
  readonly ended: (error: LinkError) => void;
  /** Takes what comes without having been asked for, as by one who subscribes. */
  readonly unasked?: (reply: Reply) => void;
  /** The most bytes of one reply. */
  readonly mostReply?: number;
}

/** Takes the reply to one request. */
export type Taker = (reply: Reply) => void;

export class Pipeline {
  private readonly link: Link;
  private readonly options: PipelineOptions;
  private readonly replies: ReplyReader;
  /** Those whose replies are owed, in order. */
  private readonly takers: Taker[] = [];
  /** What is to be sent once the link is open. */
  private waiting: Uint8Array[] = [];
  private over = false;

  constructor(dialer: Dialer, target: Target, options: PipelineOptions) {
    this.options = options;
    this.replies = new ReplyReader(
      { arrived: (reply) => this.arrived(reply), broken: (what) => this.protocolError(what) },
      options.mostReply,
    );
    this.link = dialer.open(target, {
      opened: () => this.begin(),
      data: (bytes) => this.replies.read(bytes),
      closed: (error) => this.end(error),
    });
  }

  send(request: Request, taken: Taker): void {
    if (this.over) return;
    this.takers.push(taken);
    const bytes = encode(request);
    if (this.link.state === 'open') this.link.write(bytes);
    else this.waiting.push(bytes);
  }

  /** Ends it without a word. */
  close(): void {
    this.over = true;
    this.takers.length = 0;
    this.link.close();
  }

  private begin(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const bytes of waiting) this.link.write(bytes);
    this.options.opened(this.link);
  }

  private end(error: LinkError): void {
    if (this.over) return;
    this.over = true;
    this.takers.length = 0;
    this.options.ended(error);
  }

  private arrived(reply: Reply): void {
    if (this.over) return;
    const taken = this.takers.shift();
    if (taken !== undefined) taken(reply);
    else if (this.options.unasked !== undefined) this.options.unasked(reply);
    else this.protocolError('a reply that nobody asked for');
  }

  private protocolError(what: string): void {
    this.link.fail(new LinkError('protocol', what));
  }
}
