/**
 * The connection that we open to one other member, for our messages to it. It is opened when there is something to say, and
 * again, with growing patience, when it was lost. Nothing is kept for a member that can't be reached: the rules say again
 * what is still true.
 */
import type { Random } from '../base/random.ts';
import { Backoff } from '../links/backoff.ts';
import { type Dialer, type Link, LinkError, type Target } from '../links/link.ts';
import { Framer } from './wire/framer.ts';

/** Milliseconds between two attempts. */
const LEAST_WAIT = 20;
const MOST_WAIT = 500;
/** Bytes that wait for one that does not read, or that is not reached yet. */
const UNSENT_MOST = 32 * 1024 * 1024;
/** Bytes of an answer. */
const LONGEST_ANSWER = 4096;

export interface OutgoingParts {
  readonly dialer: Dialer;
  readonly random: Random;
  /** Where it is now, for a link that hands out `fleeting` buffers; null while that is unknown. */
  readonly target: () => Target | null;
  readonly hello: () => Uint8Array;
  /** What is said in answer over the same connection, whole, its length first; nobody keeps the bytes. */
  readonly answered: (bytes: Uint8Array) => void;
  /** The connection can't be had, or was lost. */
  readonly lost: (reason: string) => void;
}

export class Outgoing {
  /** When it was opened, ms; what is sent over it is answered over another, but to one that has left the group. */
  openedAt = 0;
  private readonly parts: OutgoingParts;
  private readonly backoff: Backoff;
  private link: Link | null = null;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private triesAgainAt = 0;

  constructor(parts: OutgoingParts) {
    this.parts = parts;
    this.backoff = new Backoff(LEAST_WAIT, MOST_WAIT, parts.random);
  }

  get open(): boolean {
    return this.link?.state === 'open';
  }

  get unsent(): number {
    return (this.link?.unsent ?? 0) + this.waitingBytes;
  }

  /** One message. */
  send(parts: readonly Uint8Array[]): void {
    if (this.unsent > UNSENT_MOST) return;
    if (this.link?.state === 'open') {
      this.link.writeAll(parts);
      return;
    }
    if (this.link === null && !this.dial()) return;
    for (const part of parts) {
      this.waiting.push(part);
      this.waitingBytes += part.length;
    }
  }

  /** Nobody is heard at the other end: what is sent next goes over another connection. What was on its way may be lost. */
  openAnew(): void {
    this.close();
    this.triesAgainAt = 0;
  }

  close(): void {
    this.link?.close();
    this.link = null;
    this.drop();
  }

  private dial(): boolean {
    const { dialer, target, hello, answered } = this.parts;
    const now = dialer.clock.now();
    const place = now < this.triesAgainAt ? null : target();
    if (place === null) return false;
    this.openedAt = now;
    const framer = new Framer(LONGEST_ANSWER);
    const link = dialer.open(place, {
      opened: () => {
        this.openedAt = dialer.clock.now();
        this.backoff.reset();
        link.write(hello());
        link.writeAll(this.waiting);
        this.drop();
      },
      data: (bytes, from, to) => {
        framer.push(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from));
        for (let whole = framer.next(); whole !== null; whole = framer.next()) answered(whole);
        framer.keepRest();
        if (framer.refused) link.fail(new LinkError('protocol', 'the length of its answer makes no sense'));
      },
      closed: (error) => this.ended(error.message),
    });
    this.link = link;
    return true;
  }

  private ended(reason: string): void {
    this.link = null;
    this.drop();
    this.triesAgainAt = this.parts.dialer.clock.now() + this.backoff.next();
    this.parts.lost(reason);
  }

  private drop(): void {
    this.waiting = [];
    this.waitingBytes = 0;
  }
}
