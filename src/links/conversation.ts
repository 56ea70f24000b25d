/**
 * Requests and their replies over a link (RESP2): what we say where we are the client.
 *
 *   send(request) ── pieces of 64 KiB, each taken by the system within the time limit
 *   reply()       ── the next one that is owed, in the order of the requests
 *
 * A refusal of the other side is a value (ReplyError). Whatever else goes wrong rejects with a LinkError, and the link is at
 * an end then: also where only the time was up, since what comes late would be taken for the reply to something else.
 *
 * What the other side may make us hold is bounded: a reply that nobody asked for ends the link (unless `unasked` takes it,
 * as one who subscribes does), and so does one of more than `mostReply` bytes; while as much is kept that nobody has taken,
 * nothing more is read.
 *
 * Invariants: a reply is kept or awaited, never both; replies kept, awaited and still owed are those of the requests sent.
 */
import { assert } from '../base/assert.ts';
import { type Dialer, type Link, LinkError, PIECE, type Target } from './link.ts';
import { type Reply, ReplyReader } from './reply-reader.ts';
import { encodeAll, type Request } from './request.ts';

export interface ConversationOptions {
  /** The most bytes of one reply. */
  readonly mostReply?: number;
  /** Takes what comes without having been asked for. */
  readonly unasked?: (reply: Reply) => void;
  /** The link has ended, not by `close()`. */
  readonly ended?: (error: LinkError) => void;
}

/** Somebody who waits for something, until the time is up. */
interface Waiter {
  fail(error: LinkError): void;
}

export class Conversation {
  readonly link: Link;
  /** Why it has ended. */
  error: LinkError | null = null;
  private readonly dialer: Dialer;
  private readonly options: ConversationOptions;
  private readonly replies: ReplyReader;
  /** Requests that were sent and not replied to. */
  private owed = 0;
  private readonly kept: Reply[] = [];
  private readonly awaited: ((reply: Reply) => void)[] = [];
  private readonly waiters = new Set<Waiter>();
  /** Bytes that have come while replies were kept. */
  private unread = 0;
  private sending: Promise<void> = Promise.resolve();
  private onOpened: () => void = () => {};

  private constructor(dialer: Dialer, target: Target, options: ConversationOptions) {
    this.dialer = dialer;
    this.options = options;
    this.replies = new ReplyReader(
      { arrived: (reply) => this.arrived(reply), broken: (what) => this.protocolError(what) },
      options.mostReply,
    );
    this.link = dialer.open(target, {
      opened: () => this.onOpened(),
      data: (bytes) => this.read(bytes),
      closed: (error) => this.end(error, true),
    });
  }

  /** Resolves once the link is open. */
  static async open(dialer: Dialer, target: Target, options: ConversationOptions = {}): Promise<Conversation> {
    const conversation = new Conversation(dialer, target, options);
    await conversation.within<void>(null, (settle) => {
      conversation.onOpened = settle;
    });
    return conversation;
  }

  /** Resolves when the system has taken all of the request; its reply is owed at once. */
  send(request: Request, timeout: number): Promise<void> {
    return this.sendAll([request], timeout);
  }

  /** The same of several, which go together. */
  sendAll(requests: readonly Request[], timeout: number): Promise<void> {
    this.owed += requests.length;
    this.sending = this.sendAfter(this.sending, encodeAll(requests), timeout);
    return this.sending;
  }

  private async sendAfter(before: Promise<void>, bytes: Uint8Array, timeout: number): Promise<void> {
    await before;
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      await this.within<void>(timeout, (settle) => this.link.write(piece, settle));
    }
  }

  /** The next reply that is owed. */
  async reply(timeout: number): Promise<Reply> {
    const kept = this.kept.shift();
    if (kept !== undefined) return kept;
    this.unread = 0;
    this.link.resume();
    assert(this.owed > this.awaited.length || this.error !== null, 'a reply is awaited that somebody was asked for');
    return this.within<Reply>(timeout, (settle) => this.awaited.push(settle));
  }

  /** Both; calls may be made one after the other without waiting. */
  async call(request: Request, timeout: number): Promise<Reply> {
    const sent = this.send(request, timeout);
    const [, reply] = await Promise.all([sent, this.reply(timeout)]);
    return reply;
  }

  /** Ends it without a word; whoever waits for something is told that it is lost. */
  close(): void {
    this.link.close();
    this.end(new LinkError('lost', 'closed'), false);
  }

  private end(error: LinkError, tell: boolean): void {
    if (this.error !== null) return;
    this.error = error;
    for (const waiter of [...this.waiters]) waiter.fail(error);
    if (tell) this.options.ended?.(error);
  }

  /** Waits until `begin`'s callback is called; no limit of its own where the link has one. */
  private within<T>(timeout: number | null, begin: (settle: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.error !== null) {
        reject(this.error);
        return;
      }
      const late = (): void => this.link.fail(new LinkError('late', 'Connection timed out'));
      const timer = timeout === null ? null : this.dialer.clock.after(timeout, late);
      const done = (): void => {
        timer?.cancel();
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        fail: (error) => {
          done();
          reject(error);
        },
      };
      this.waiters.add(waiter);
      begin((value) => {
        done();
        resolve(value);
      });
    });
  }

  private read(bytes: Buffer): void {
    this.replies.read(bytes);
    if (this.kept.length > 0) this.unread += bytes.length;
    if (this.unread > this.replies.mostReply) this.link.pause();
  }

  private arrived(reply: Reply): void {
    if (this.error !== null) return;
    if (this.owed === 0) {
      if (this.options.unasked) this.options.unasked(reply);
      else this.protocolError('a reply that nobody asked for');
      return;
    }
    this.owed--;
    const awaited = this.awaited.shift();
    if (awaited) awaited(reply);
    else this.kept.push(reply);
  }

  private protocolError(what: string): void {
    this.link.fail(new LinkError('protocol', what));
  }
}

/** AUTH as masteruser and masterauth, and the like, say it: null where there is no password. */
export function authRequest(user: string, password: string): Request | null {
  if (password === '') return null;
  return user === '' ? ['AUTH', password] : ['AUTH', user, password];
}
