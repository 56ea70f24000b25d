/**
 * What carries a session without a socket: commands in, as bytes, and the replies out, as values.
 *
 *   send ──> execute at once ──> reply bytes ── end of turn ──> parser ──> settle
 *     └ while the session takes no command (blocked, paused): backlog
 *
 * A reply that begins before the place where the oldest unanswered command began to reply belongs to none: in RESP2 messages
 * of channels look like any other array.
 */
import { Fifo } from '../../base/fifo.ts';
import { Slice } from '../../base/slice.ts';
import type { User } from '../../engine/acl/user.ts';
import type { Engine } from '../../engine/engine.ts';
import type { SessionPort } from '../../engine/ports.ts';
import { type ChannelKind, FAMILIES } from '../../engine/pubsub.ts';
import { LOCAL } from '../../engine/roles.ts';
import type { Session } from '../../engine/session.ts';
import { type ParsedReply, ReplyParser, type ReplyReceiver } from '../../protocol/reply-parser.ts';
import type { Argument, Protocol } from './replies.ts';

const CLOSED = 'The session is closed';

/** A command on its way. One of the two is called once. */
export interface Outgoing {
  readonly args: readonly Argument[];
  /** Whether strings of its reply are to be Buffers. */
  readonly buffers: boolean;
  /** Its reply; an error reply, too. null where it was not to be replied to (CLIENT REPLY). */
  readonly settle: (reply: ParsedReply) => void;
  /** It was not run, or the session has ended before its reply came. */
  readonly fail: (reason: Error) => void;
  /** Asked when its turn has come: why it is not to be run. */
  readonly refuse?: (session: Session) => Error | undefined;
}

/** Hears of what concerns no single command. */
export interface PortListener {
  /** Nobody has asked for it; strings are Buffers. */
  pushed(reply: ParsedReply): void;
  /** A subscription has begun or ended: `['subscribe', channel, count]`, strings as Buffers. */
  confirmed(reply: readonly ParsedReply[]): void;
  ended(): void;
}

/** On whose behalf a session is, where that is somebody beyond the process. */
export interface Behalf {
  /** Where he is, as CLIENT LIST shows it: '127.0.0.1:50000'. */
  readonly address: string;
  readonly localAddress: string;
  /** What CLIENT LIST calls it. */
  readonly name: string;
  /** Who has proved to be that user; absent for who has proved nothing yet. */
  readonly user?: User;
  /** Bytes of a reply beyond which it is cut (protocol/reply-parser.ts, CutShort), before the rest takes time or memory. */
  readonly longestReply?: number;
}

interface Waiting extends Pick<Outgoing, 'buffers' | 'settle' | 'fail'> {
  /** In small letters, where it may be confirmed. */
  name: string;
  /** Where its reply begins at the earliest, among all bytes replied; infinite while it is kept from being run. */
  start: number;
  /** Confirmations of subscriptions that are still to come. */
  left: number;
}

/** The commands that are answered by a confirmation for each channel, and of which kind those are. */
const CONFIRMED: ReadonlyMap<string, ChannelKind> = new Map(
  FAMILIES.flatMap(({ letter, kind }) => [
    [`${letter}subscribe`, kind] as const,
    [`${letter}unsubscribe`, kind] as const,
  ]),
);

/** Whoever has the server in his process. */
const OWNER: Behalf = { address: '127.0.0.1:0', localAddress: '127.0.0.1:0', name: '' };

const SHORTEST_CONFIRMED = 'subscribe'.length;

export class LocalPort implements SessionPort, ReplyReceiver {
  readonly fd = -1;
  readonly address: string;
  readonly localAddress: string;
  readonly unix = false;
  readonly secure = false;
  readonly queryBytes = 0;
  readonly queryFree = 0;
  readonly argumentBytes = 0;
  lastActive: number;
  private readonly engine: Engine;
  private readonly session: Session;
  private readonly listener: PortListener;
  private readonly waiting = new Fifo<Waiting>();
  private readonly backlog = new Fifo<() => void>();
  private readonly longestReply: number;
  /** Where replies were cut, among all bytes replied. */
  private readonly cuts = new Fifo<number>();
  /** How many of these bytes were read. */
  private readBytes = 0;
  private readonly parser = new ReplyParser(this);
  private scheduled = false;
  private executing = false;

  constructor(engine: Engine, protocol: Protocol, listener: PortListener, behalf: Behalf = OWNER) {
    this.engine = engine;
    this.address = behalf.address;
    this.localAddress = behalf.localAddress;
    this.listener = listener;
    this.longestReply = behalf.longestReply ?? Number.POSITIVE_INFINITY;
    this.lastActive = engine.clock.now();
    this.session = engine.open(this, LOCAL);
    this.session.resp = protocol;
    this.session.name = behalf.name;
    if (behalf.user !== undefined) engine.acl.admit(this.session, behalf.user);
    this.session.reply.owner = { replyPending: () => this.schedule(), replyGrew: () => {} };
  }

  /** The session's number, as CLIENT ID tells it. */
  get id(): number {
    return this.session.id;
  }

  /** Runs a command, now or, while the session takes none or another command runs, in its turn. */
  send(command: Outgoing): void {
    const { args } = command;
    // Code of the owner's may run within a command: of a module, or a predicate. What it sends is not for that command.
    const waits = this.held || this.backlog.size > 0 || this.executing || this.engine.outermost !== null;
    // What has to wait is copied: the caller has its bytes back when this returns.
    const slices = args.map(
      (arg) => new Slice(typeof arg === 'object' ? (waits ? arg.slice() : arg) : Buffer.from(String(arg))),
    );
    if (waits) {
      this.backlog.push(() => this.run(command, slices));
      this.schedule();
    } else this.run(command, slices);
  }

  private run(command: Outgoing, slices: Slice[]): void {
    const { session, engine } = this;
    const refused = session.closing ? new Error(CLOSED) : command.refuse?.(session);
    if (refused !== undefined) {
      command.fail(refused);
      return;
    }
    const { buffers, settle, fail } = command;
    const { position: start, suppressed } = session.reply;
    const waiting: Waiting = { buffers, settle, fail, start, name: '', left: 0 };
    this.awaitConfirmations(waiting, slices);
    this.waiting.push(waiting);
    engine.enter();
    this.lastActive = engine.keyspaces.now;
    session.reply.bound(this.longestReply);
    this.executing = true;
    try {
      engine.execute(session, slices, slices.length);
    } finally {
      this.executing = false;
    }
    this.noteCut();
    this.executed(waiting, suppressed);
    this.schedule();
  }

  private awaitConfirmations(waiting: Waiting, { 0: first, length }: readonly Slice[]): void {
    if (first.length < SHORTEST_CONFIRMED) return;
    waiting.name = first.keyword().toLowerCase();
    const kind = CONFIRMED.get(waiting.name);
    if (kind !== undefined) waiting.left = length > 1 ? length - 1 : Math.max(1, this.session[kind]?.size ?? 0);
  }

  /** What has run and is not replied to is done; `suppressed` says whether replies went nowhere before. */
  private executed(command: Waiting, suppressed: boolean): void {
    const { session } = this;
    if (this.engine.held.has(session)) command.start = Number.POSITIVE_INFINITY;
    if (session.waiter !== null || session.postponed) return;
    if (session.reply.position !== command.start || !(suppressed || session.reply.suppressed) || session.closing)
      return;
    this.waiting.pop();
    command.settle(null);
  }

  /** Whether the session takes no command now. */
  private get held(): boolean {
    return this.session.waiter !== null || this.session.postponed || this.session.released;
  }

  /** The end of the turn is still to come: commands that waited go on, and replies are delivered. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.engine.clock.soon(() => {
      this.scheduled = false;
      if (this.session.released) this.goOn();
      while (this.backlog.size > 0 && !this.held) this.backlog.shift()?.();
      this.flush();
    });
  }

  private goOn(): void {
    this.session.released = false;
    if (this.session.closing) return;
    const command = this.waiting.last;
    const wasHeld = command?.start === Number.POSITIVE_INFINITY;
    if (wasHeld) command.start = this.session.reply.position;
    const { suppressed } = this.session.reply;
    this.session.reply.bound(this.longestReply);
    this.engine.goOn(this.session);
    this.noteCut();
    if (wasHeld) this.executed(command, suppressed);
  }

  private noteCut(): void {
    const { reply } = this.session;
    if (!reply.cutShort) return;
    this.cuts.push(reply.position);
    reply.resume();
  }

  flush(): void {
    this.engine.beforeWrite();
    this.engine.replyGate.settle(this.session);
    this.noteCut();
    const bytes = this.session.reply.take();
    this.session.reply.bound(this.longestReply);
    let at = 0;
    for (let cut = this.cuts.first; cut !== undefined && cut - this.readBytes <= bytes.length; cut = this.cuts.first) {
      this.cuts.shift();
      this.parser.read(bytes.subarray(at, cut - this.readBytes));
      this.parser.cut();
      at = cut - this.readBytes;
    }
    this.readBytes += bytes.length;
    if (bytes.length > at) this.parser.read(bytes.subarray(at));
  }

  begins(position: number, push: boolean): boolean {
    const head = this.waiting.first;
    return push || head === undefined || position < head.start || head.left > 0 || head.buffers;
  }

  complete(reply: ParsedReply, position: number, push: boolean): void {
    const head = this.waiting.first;
    if (head === undefined || position < head.start) {
      this.listener.pushed(reply);
      return;
    }
    const confirms = head.left > 0 && Array.isArray(reply) && String(reply[0]) === head.name;
    if (confirms) {
      this.listener.confirmed(reply);
      if (--head.left > 0) return;
    } else if (push) {
      this.listener.pushed(reply);
      return;
    }
    this.waiting.shift();
    head.settle(confirms && !head.buffers ? asText(reply) : reply);
  }

  resume(): void {
    this.schedule();
  }

  divert(): void {}

  /** Ends the session; when a command asks for it, once that has run. What has been replied is still delivered. */
  close(): void {
    this.session.closing = true;
    this.session.reply.end();
    if (this.engine.outermost === null) this.finish();
    else this.engine.clock.soon(() => this.finish());
  }

  closeAfterReply(): void {
    this.close();
  }

  private finish(): void {
    this.flush();
    this.engine.leave(this.session);
    this.session.reply.abandon();
    for (const { fail } of this.waiting.takeAll()) fail(new Error(CLOSED));
    for (const run of this.backlog.takeAll()) run();
    this.listener.ended();
  }
}

/** The Buffers of what was pushed, or confirmed, as text. */
export function asText(reply: ParsedReply): ParsedReply {
  if (Array.isArray(reply)) return reply.map(asText);
  return Buffer.isBuffer(reply) ? reply.toString() : reply;
}
