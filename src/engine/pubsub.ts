/**
 * Channels and patterns, and who is subscribed to them.
 *
 * Names are latin1 strings (one character a byte). Invariant: a session is under a name here if and only if the name is
 * in the session's own set.
 */
import { globMatch } from '../base/glob.ts';
import { bytesOf, type Slice, sliceOf } from '../base/slice.ts';
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

  /** Says whether the session was not yet subscribed. */
  subscribe(session: Session, kind: ChannelKind, name: string): boolean {
    const own = (session[kind] ??= new Set());
    if (own.has(name)) return false;
    own.add(name);
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
    const sessions = kind === 'patterns' ? this.patterns.get(name)?.sessions : this[kind].get(name);
    sessions?.delete(session);
    if (sessions?.size === 0) this[kind].delete(name);
    session.refreshSubscribed();
    return true;
  }

  removeSession(session: Session): void {
    for (const kind of ['channels', 'patterns', 'shardChannels'] as const)
      for (const name of session[kind] ?? []) this.unsubscribe(session, kind, name);
  }

  /** Sends `message` to the subscribers of `channel` and of patterns that match it; returns how many received it. */
  publish(channel: string, message: string): number {
    let receivers = 0;
    const direct = this.channels.get(channel);
    if (direct) receivers += deliver(direct, ['message', channel, message]);
    if (this.patterns.size === 0) return receivers;
    const text = sliceOf(channel);
    for (const [pattern, { slice, sessions }] of this.patterns)
      if (globMatch(slice, text)) receivers += deliver(sessions, ['pmessage', pattern, channel, message]);
    return receivers;
  }

  /** Sends `message` to the subscribers of a shard channel. */
  publishShard(channel: string, message: string): number {
    const sessions = this.shardChannels.get(channel);
    return sessions ? deliver(sessions, ['smessage', channel, message]) : 0;
  }
}

/** Writes a push to each of the sessions; its bytes are made once for all that speak the same protocol. */
function deliver(sessions: ReadonlySet<Session>, parts: readonly string[]): number {
  const body = parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('');
  let resp2: Uint8Array | null = null;
  let resp3: Uint8Array | null = null;
  for (const session of sessions) {
    const frame =
      session.reply.resp === 2
        ? (resp2 ??= bytesOf(`*${parts.length}\r\n${body}`))
        : (resp3 ??= bytesOf(`>${parts.length}\r\n${body}`));
    unsilenced(session, () => session.reply.raw(frame, 0, frame.length));
  }
  return sessions.size;
}

/** Writes what goes to a client even while CLIENT REPLY keeps replies from it: all that concerns subscriptions. */
export function unsilenced(session: Session, write: () => void): void {
  const { reply } = session;
  const silenced = reply.suppressed;
  reply.suppressed = false;
  write();
  reply.suppressed = silenced;
}
