/**
 * Channels and patterns, and who is subscribed to them.
 *
 * Names are latin1 strings (one character a byte). Invariant: a session is under a name here if and only if the name is
 * in the session's own set.
 */
import { globMatch } from '../base/glob.ts';
import { writeInteger } from '../base/numbers.ts';
import { type Slice, sliceOf } from '../base/slice.ts';
import { SUBSCRIPTION_BYTES } from './footprint.ts';
import type { Session } from './session.ts';

export type ChannelKind = 'channels' | 'patterns' | 'shardChannels';

interface PatternEntry {
  readonly slice: Slice;
  readonly sessions: Set<Session>;
}

export class PubSub {
  readonly channels = new Map<string, Set<Session>>();
  readonly shardChannels = new Map<string, Set<Session>>();
  readonly patterns = new Map<string, PatternEntry>();
  /** What all subscriptions take. */
  bytes = 0;
  private readonly frame = new Frame();

  /** Says whether the session was not yet subscribed. */
  subscribe(session: Session, kind: ChannelKind, name: string): boolean {
    const own = (session[kind] ??= new Set());
    if (own.has(name)) return false;
    own.add(name);
    this.count(session, name.length + SUBSCRIPTION_BYTES);
    if (kind === 'patterns') {
      const entry = this.patterns.get(name);
      if (entry) entry.sessions.add(session);
      else this.patterns.set(name, { slice: sliceOf(name), sessions: new Set([session]) });
    } else {
      const sessions = this[kind].get(name);
      if (sessions) sessions.add(session);
      else this[kind].set(name, new Set([session]));
    }
    session.refreshSubscribed();
    return true;
  }

  /** Says whether the session was subscribed. */
  unsubscribe(session: Session, kind: ChannelKind, name: string): boolean {
    if (!session[kind]?.delete(name)) return false;
    this.count(session, -name.length - SUBSCRIPTION_BYTES);
    const sessions = kind === 'patterns' ? this.patterns.get(name)?.sessions : this[kind].get(name);
    sessions?.delete(session);
    if (sessions?.size === 0) this[kind].delete(name);
    session.refreshSubscribed();
    return true;
  }

  private count(session: Session, bytes: number): void {
    session.subscribedBytes += bytes;
    this.bytes += bytes;
  }

  removeSession(session: Session): void {
    for (const kind of ['channels', 'patterns', 'shardChannels'] as const)
      for (const name of session[kind] ?? []) this.unsubscribe(session, kind, name);
  }

  /** Sends `message` to the subscribers of `channel` and of patterns that match it; returns how many received it. */
  publish(channel: string, message: Slice): number {
    let receivers = 0;
    const direct = this.channels.get(channel);
    if (direct) receivers += this.frame.deliver(direct, 'message', null, channel, message);
    if (this.patterns.size === 0) return receivers;
    const text = sliceOf(channel);
    for (const [pattern, { slice, sessions }] of this.patterns)
      if (globMatch(slice, text)) receivers += this.frame.deliver(sessions, 'pmessage', pattern, channel, message);
    return receivers;
  }

  /** Sends `message` to the subscribers of a shard channel. */
  publishShard(channel: string, message: Slice): number {
    const sessions = this.shardChannels.get(channel);
    return sessions ? this.frame.deliver(sessions, 'smessage', null, channel, message) : 0;
  }
}

const RESP2_ARRAY = 42;
const RESP3_PUSH = 62;
const DOLLAR = 36;
const CR = 13;
const LF = 10;
/** Frames up to here are made in one buffer for ever and copied to each receiver. */
const COPIED = 16 * 1024;
/** From so many receivers on they share one frame instead, so that a message doesn't cost each of them a chunk. */
const MANY = 256;
/** The longest header of a bulk string. */
const HEADER = 16;

/**
 * A message as its receivers get it, made once for all of them. The two protocols differ in the first byte only:
 *
 *   *3 or >3 | $7 message | $<n> channel | $<n> message
 */
class Frame {
  private readonly small = new Uint8Array(COPIED);
  private bytes: Uint8Array = this.small;
  private at = 0;

  deliver(
    sessions: ReadonlySet<Session>,
    kind: string,
    pattern: string | null,
    channel: string,
    message: Slice,
  ): number {
    const most = kind.length + (pattern?.length ?? 0) + channel.length + message.length + 5 * HEADER;
    const shared = most > COPIED || sessions.size >= MANY;
    this.begin(shared ? new Uint8Array(most) : this.small, pattern === null ? 3 : 4);
    this.text(kind);
    if (pattern !== null) this.text(pattern);
    this.text(channel);
    this.header(message.length);
    this.bytes.set(message.view(), this.at);
    this.at += message.length;
    this.line();
    if (shared) this.share(sessions);
    else this.copy(sessions);
    this.bytes = this.small;
    return sessions.size;
  }

  private copy(sessions: ReadonlySet<Session>): void {
    const { bytes, at } = this;
    for (const session of sessions) {
      const { reply } = session;
      bytes[0] = reply.resp === 2 ? RESP2_ARRAY : RESP3_PUSH;
      if (reply.suppressed) unsilenced(session, () => reply.raw(bytes, 0, at));
      else reply.raw(bytes, 0, at);
    }
  }

  private share(sessions: ReadonlySet<Session>): void {
    const resp2 = this.bytes.subarray(0, this.at);
    let resp3: Uint8Array | null = null;
    for (const session of sessions) {
      const { reply } = session;
      const old = reply.resp === 2;
      if (!old && resp3 === null) {
        resp3 = resp2.slice();
        resp3[0] = RESP3_PUSH;
      }
      const bytes = old || resp3 === null ? resp2 : resp3;
      if (reply.suppressed) unsilenced(session, () => reply.rawShared(bytes));
      else reply.rawShared(bytes);
    }
  }

  private begin(bytes: Uint8Array, parts: number): void {
    this.bytes = bytes;
    bytes[0] = RESP2_ARRAY;
    bytes[1] = 48 + parts;
    this.at = 2;
    this.line();
  }

  private text(text: string): void {
    this.header(text.length);
    const { bytes } = this;
    let at = this.at;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.at = at;
    this.line();
  }

  private header(length: number): void {
    this.bytes[this.at] = DOLLAR;
    this.at = writeInteger(this.bytes, this.at + 1, length);
    this.line();
  }

  private line(): void {
    this.bytes[this.at] = CR;
    this.bytes[this.at + 1] = LF;
    this.at += 2;
  }
}

/** Writes what goes to a client even while CLIENT REPLY keeps replies from it: all that concerns subscriptions. */
export function unsilenced(session: Session, write: () => void): void {
  const { reply } = session;
  const silenced = reply.suppressed;
  reply.suppressed = false;
  write();
  reply.suppressed = silenced;
}
