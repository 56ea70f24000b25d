/** Channels that a session listens to, as async iterators. */
import { Fifo } from '../../base/fifo.ts';
import { FAMILIES, type Family, PATTERNS } from '../../engine/pubsub.ts';
import type { ParsedReply } from '../../protocol/reply-parser.ts';
import type { LocalPort } from './port.ts';
import type { Argument, Message, Text } from './replies.ts';

/** The most bytes of messages that wait to be read, as client-output-buffer-limit has it for such clients. */
const MOST_UNREAD = 32 * 1024 * 1024;
/** What a message takes beside its bytes. */
const MESSAGE_BYTES = 64;

/** What a subscription asks of the session that it belongs to. */
interface Holder<T extends Text> {
  /** Resolves when the server sends no more of it. */
  leave(subscription: Subscription<T>): Promise<void>;
}

type Taker<T extends Text> = (result: IteratorResult<Message<T>, undefined>) => void;

/**
 * The messages of some channels, in the order in which they were published:
 *
 *   for await (const { channel, message } of await session.subscribe('news')) ...
 *
 * Leaving the loop, or `close()`, ends the subscription; so do the end of the session, and the server, where it ends it by
 * itself (a slot that goes to another node). Who lets more than 32 MiB of messages lie loses them, and is told by a rejected `next()`.
 */
export class Subscription<T extends Text = string>
  implements AsyncIterableIterator<Message<T>, undefined>, AsyncDisposable
{
  /** What it still listens to: kinds with names, one byte a character. */
  private readonly keys: Set<string>;
  private readonly holder: Holder<T>;
  private readonly unread = new Fifo<{ readonly message: Message<T>; readonly bytes: number }>();
  private unreadBytes = 0;
  private readonly takers = new Fifo<Taker<T>>();
  private state: 'asked' | 'open' | 'ended' = 'asked';
  private failure: Error | null = null;
  private leaving: Promise<void> | null = null;

  /** Made by `subscribe()` and its kin only. */
  constructor(holder: Holder<T>, keys: readonly string[]) {
    this.holder = holder;
    this.keys = new Set(keys);
  }

  /** The next message; rejects once where messages were lost. */
  next(): Promise<IteratorResult<Message<T>, undefined>> {
    const first = this.unread.shift();
    if (first !== undefined) {
      this.unreadBytes -= first.bytes;
      return Promise.resolve({ done: false, value: first.message });
    }
    const { failure } = this;
    this.failure = null;
    if (failure !== null) return Promise.reject(failure);
    if (this.state === 'ended') return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.takers.push(resolve));
  }

  /** Ends it; called when a loop is left. */
  async return(): Promise<IteratorResult<Message<T>, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Ends it, and forgets what was not read. Resolves when the server sends no more. */
  close(): Promise<void> {
    this.end(null);
    this.unread.takeAll();
    this.leaving ??= this.holder.leave(this);
    return this.leaving;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What it listens to. */
  get names(): ReadonlySet<string> {
    return this.keys;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** The server has begun to send. */
  begin(): void {
    if (this.state === 'asked') this.state = 'open';
  }

  /** No more comes of this name. */
  lose(key: string): void {
    this.keys.delete(key);
    if (this.keys.size === 0) this.end(null);
  }

  end(failure: Error | null): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.failure = failure;
    for (const take of this.takers.takeAll()) take({ done: true, value: undefined });
  }

  deliver(message: Message<T>, bytes: number): void {
    if (this.state === 'ended') return;
    const take = this.takers.shift();
    if (take !== undefined) {
      take({ done: false, value: message });
      return;
    }
    this.unread.push({ message, bytes: bytes + MESSAGE_BYTES });
    this.unreadBytes += bytes + MESSAGE_BYTES;
    if (this.unreadBytes <= MOST_UNREAD) return;
    this.unread.takeAll();
    this.end(new Error(`More than ${MOST_UNREAD} bytes of messages were not read: the subscription has ended`));
    this.leaving ??= this.holder.leave(this);
  }
}

/** Families by what their messages begin with, and by what tells that a subscription has ended. */
const OF_MESSAGES: ReadonlyMap<string, Family> = new Map(FAMILIES.map((family) => [`${family.letter}message`, family]));
const OF_ENDINGS: ReadonlyMap<string, Family> = new Map(
  FAMILIES.map((family) => [`${family.letter}unsubscribe`, family]),
);

/** All subscriptions of a session, by what they listen to. */
export class Subscriptions<T extends Text> implements Holder<T> {
  private readonly port: LocalPort;
  private readonly buffers: boolean;
  private readonly byKey = new Map<string, Set<Subscription<T>>>();
  /** What nobody listens to any more and the server still sends, with how often it has been asked to stop. */
  private readonly leaving = new Map<string, number>();

  /** `buffers`: whether messages, and the names of channels, come as Buffers. */
  constructor(port: LocalPort, buffers: boolean) {
    this.port = port;
    this.buffers = buffers;
  }

  /** Resolves when it is in force; rejects with what the server refuses. */
  open(family: Family, names: readonly Argument[]): Promise<Subscription<T>> {
    const subscription = new Subscription<T>(
      this,
      names.map((name) => keyOf(family, bytesOf(name))),
    );
    for (const key of subscription.names) this.listenersOf(key).add(subscription);
    return new Promise((resolve, reject) => {
      const fail = (reason: Error): void => {
        this.forget(subscription);
        reject(reason);
      };
      this.port.send({
        args: [`${family.letter}subscribe`, ...names],
        buffers: true,
        settle: (reply) => {
          if (reply instanceof Error) fail(reply);
          else if (!Array.isArray(reply)) fail(new Error('Within a transaction nothing is subscribed to'));
          else {
            subscription.begin();
            resolve(subscription);
          }
        },
        fail,
      });
    });
  }

  leave(subscription: Subscription<T>): Promise<void> {
    const lonely = [...subscription.names].filter((key) => this.byKey.get(key)?.size === 1);
    this.forget(subscription);
    const families = FAMILIES.map((family) => {
      const keys = lonely.filter((key) => key.startsWith(keyOf(family, '')));
      return keys.length === 0 ? undefined : this.unsubscribe(family, keys);
    });
    return Promise.all(families).then(() => {});
  }

  private unsubscribe(family: Family, keys: readonly string[]): Promise<void> {
    this.countLeaving(keys, 1);
    return new Promise((resolve) => {
      const args = [`${family.letter}unsubscribe`, ...keys.map(nameIn)];
      // Where the session is at its end, or may not even do this, nothing is left to be done.
      const done = (): void => {
        this.countLeaving(keys, -1);
        resolve();
      };
      this.port.send({ args, buffers: true, settle: done, fail: done });
    });
  }

  private countLeaving(keys: readonly string[], more: 1 | -1): void {
    for (const key of keys) {
      const count = (this.leaving.get(key) ?? 0) + more;
      if (count === 0) this.leaving.delete(key);
      else this.leaving.set(key, count);
    }
  }

  /** Says whether what was pushed is a message of a subscription's, which has taken it. */
  take(reply: ParsedReply): boolean {
    if (!Array.isArray(reply)) return false;
    const family = OF_MESSAGES.get(String(reply[0]));
    const message = reply.at(-1);
    const channel = reply.at(-2);
    const name = reply[1];
    if (family === undefined || !Buffer.isBuffer(message) || !Buffer.isBuffer(channel) || !Buffer.isBuffer(name))
      return false;
    const key = keyOf(family, name);
    const listeners = this.byKey.get(key);
    if (listeners === undefined) return this.leaving.has(key);
    const shown: Message<T> = {
      channel: this.shown(channel),
      message: this.shown(message),
      ...(family === PATTERNS && { pattern: this.shown(name) }),
    };
    for (const listener of listeners) listener.deliver(shown, channel.length + message.length);
    return true;
  }

  /** The server has confirmed, or said by itself, that a subscription has ended. */
  ended(reply: ParsedReply): void {
    if (!Array.isArray(reply)) return;
    const family = OF_ENDINGS.get(String(reply[0]));
    const [, name] = reply;
    if (family === undefined || !Buffer.isBuffer(name)) return;
    const key = keyOf(family, name);
    // One that was asked for since is confirmed later.
    for (const listener of [...(this.byKey.get(key) ?? [])])
      if (listener.isOpen) {
        listener.lose(key);
        this.drop(key, listener);
      }
  }

  /** Nothing is listened to any more. */
  endAll(): void {
    for (const listeners of this.byKey.values()) for (const listener of listeners) listener.end(null);
    this.byKey.clear();
  }

  private listenersOf(key: string): Set<Subscription<T>> {
    let listeners = this.byKey.get(key);
    if (listeners === undefined) this.byKey.set(key, (listeners = new Set()));
    return listeners;
  }

  private forget(subscription: Subscription<T>): void {
    for (const key of subscription.names) this.drop(key, subscription);
  }

  private drop(key: string, subscription: Subscription<T>): void {
    const listeners = this.byKey.get(key);
    listeners?.delete(subscription);
    if (listeners?.size === 0) this.byKey.delete(key);
  }

  private shown(bytes: Buffer): T {
    return (this.buffers ? bytes : bytes.toString()) as T;
  }
}

function bytesOf(name: Argument): Uint8Array {
  return typeof name === 'object' ? name : Buffer.from(String(name));
}

/** `p:` and the name's bytes, one a character. */
function keyOf({ kind }: Family, name: Uint8Array | string): string {
  return `${kind}:${typeof name === 'string' ? name : Buffer.from(name).toString('latin1')}`;
}

function nameIn(key: string): Buffer {
  return Buffer.from(key.slice(key.indexOf(':') + 1), 'latin1');
}
