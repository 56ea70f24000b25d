/**
 * Channels and patterns, and who is subscribed to them.
 *
 * Invariant: a session is with a channel here if and only if the channel is in the session's own set.
 */

import { copyBytes, uncleared } from '../base/copy.ts';
import { globMatch } from '../base/glob.ts';
import { writeInteger } from '../base/numbers.ts';
import { Slice } from '../base/slice.ts';
import { ByteMap } from '../structures/byte-map.ts';
import { hashBytes } from '../structures/hash.ts';
import { SUBSCRIPTION_BYTES } from './footprint.ts';
import type { Channel, Session } from './session.ts';

export type ChannelKind = 'channels' | 'patterns' | 'shardChannels';

/** A kind of channels in the words of the replies. */
export interface Family {
  readonly kind: ChannelKind;
  /** What stands before 'subscribe' and 'unsubscribe' in the names. */
  readonly letter: string;
}

export const CHANNELS: Family = { kind: 'channels', letter: '' };
export const PATTERNS: Family = { kind: 'patterns', letter: 'p' };
export const SHARD_CHANNELS: Family = { kind: 'shardChannels', letter: 's' };
export const FAMILIES: readonly Family[] = [CHANNELS, PATTERNS, SHARD_CHANNELS];

export class PubSub {
  readonly channels = new ByteMap<Channel>();
  readonly shardChannels = new ByteMap<Channel>();
  readonly patterns = new ByteMap<Channel>();
  /** What all subscriptions take. */
  bytes = 0;
  private readonly frame = new Frame();
  private readonly seed: Uint32Array;
  private readonly eventChannel = new Slice();

  /** `seed` is that of the hashes of names. */
  constructor(seed: Uint32Array) {
    this.seed = seed;
  }

  /** Whether a message of any channel that is no shard channel can have a receiver. */
  get hasListeners(): boolean {
    return this.channels.size > 0 || this.patterns.size > 0;
  }

  /** The channel or pattern of this name, if somebody is subscribed to it. */
  find(kind: ChannelKind, name: Slice): Channel | undefined {
    return this[kind].size === 0 ? undefined : this[kind].find(name, hashBytes(this.seed, name));
  }

  /** Says whether the session was not yet subscribed. */
  subscribe(session: Session, kind: ChannelKind, name: Slice): boolean {
    const own = (session[kind] ??= new Set());
    const hash = hashBytes(this.seed, name);
    let channel = this[kind].find(name, hash);
    if (!channel) this[kind].add((channel = { name: new Slice(name.copy()), hash, sessions: new Set() }));
    else if (own.has(channel)) return false;
    own.add(channel);
    channel.sessions.add(session);
    this.count(session, name.length + SUBSCRIPTION_BYTES);
    session.refreshSubscribed();
    return true;
  }

  /** Says whether the session was subscribed. */
  unsubscribe(session: Session, kind: ChannelKind, name: Slice): boolean {
    const channel = this.find(kind, name);
    return channel !== undefined && this.leave(session, kind, channel);
  }

  /** Says whether the session was with the channel. */
  leave(session: Session, kind: ChannelKind, channel: Channel): boolean {
    if (!session[kind]?.delete(channel)) return false;
    this.count(session, -channel.name.length - SUBSCRIPTION_BYTES);
    channel.sessions.delete(session);
    if (channel.sessions.size === 0) this[kind].remove(channel);
    session.refreshSubscribed();
    return true;
  }

  private count(session: Session, bytes: number): void {
    session.subscribedBytes += bytes;
    this.bytes += bytes;
  }

  /** Nobody is with a shard channel any more, and all who were are told. */
  endShardChannel(channel: Channel): void {
    for (const session of channel.sessions) {
      this.leave(session, 'shardChannels', channel);
      tell(session, SHARD_CHANNELS, 'unsubscribe', channel.name);
    }
  }

  removeSession(session: Session): void {
    for (const kind of ['channels', 'patterns', 'shardChannels'] as const)
      for (const channel of session[kind] ?? []) this.leave(session, kind, channel);
  }

  /** Sends `message` to the subscribers of `channel` and of patterns that match it; returns how many received it. */
  publish(channel: Slice, message: Slice): number {
    let receivers = 0;
    const direct = this.find('channels', channel);
    if (direct) receivers += this.frame.deliver(direct.sessions, 'message', null, channel, message);
    if (this.patterns.size === 0) return receivers;
    for (const { name, sessions } of this.patterns)
      if (globMatch(name, channel)) receivers += this.frame.deliver(sessions, 'pmessage', name, channel, message);
    return receivers;
  }

  /** Sends `message` to the subscribers of a shard channel. */
  publishShard(channel: Slice, message: Slice): number {
    const found = this.find('shardChannels', channel);
    return found ? this.frame.deliver(found.sessions, 'smessage', null, channel, message) : 0;
  }

  /** The name of an event's channel: `text` and behind it what `rest` shows. Good until the next. */
  channelOf(text: string, rest: Slice): Slice {
    const { eventChannel } = this;
    const bytes = uncleared(text.length + rest.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    copyBytes(bytes, text.length, rest.buffer, rest.start, rest.length);
    return eventChannel.set(bytes, 0, bytes.length);
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

  deliver(sessions: ReadonlySet<Session>, kind: string, pattern: Slice | null, channel: Slice, message: Slice): number {
    const most = kind.length + (pattern?.length ?? 0) + channel.length + message.length + 5 * HEADER;
    const shared = most > COPIED || sessions.size >= MANY;
    this.begin(shared ? uncleared(most) : this.small, pattern === null ? 3 : 4);
    this.text(kind);
    if (pattern !== null) this.part(pattern);
    this.part(channel);
    this.part(message);
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

  private part(part: Slice): void {
    this.header(part.length);
    copyBytes(this.bytes, this.at, part.buffer, part.start, part.length);
    this.at += part.length;
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

/** Tells a client of what it is subscribed to from now on, or no longer; `name` null where it was not. */
export function tell(session: Session, family: Family, word: string, name: Slice | null): void {
  unsilenced(session, () => {
    const { reply } = session;
    reply.push(3);
    reply.bulkText(family.letter + word);
    if (name === null) reply.null();
    else reply.bulk(name);
    reply.int(countFor(session, family.kind));
  });
}

/** The count that a reply ends with: shard channels are counted apart. */
function countFor(session: Session, kind: ChannelKind): number {
  if (kind === 'shardChannels') return session.shardChannels?.size ?? 0;
  return (session.channels?.size ?? 0) + (session.patterns?.size ?? 0);
}
