/**
 * Sessions without a socket: `server.session().call('GET', 'k')`.
 *
 * Arguments go to the engine as bytes, and replies are read from the bytes that a client would be sent, so what a caller sees is
 * what a client would see.
 */
import type { Engine } from '../engine/engine.ts';
import { CHANNELS, type Family, PATTERNS, SHARD_CHANNELS } from '../engine/pubsub.ts';
import { ReplyError } from '../protocol/reply-error.ts';
import type { ParsedReply } from '../protocol/reply-parser.ts';
import { asText, type Behalf, LocalPort, type Outgoing } from './session/port.ts';
import type { Argument, CommandWords, Protocol, RepliesTo, ReplyOf, ReplyValue, Text } from './session/replies.ts';
import { type Subscription, Subscriptions } from './session/subscription.ts';

export interface SessionOptions<P extends Protocol = Protocol, Buffers extends boolean = boolean> {
  /** The protocol in whose types it is replied to: 2 when absent; with 3 there are maps, sets, doubles, booleans. */
  readonly protocol?: P;
  /** Whether strings of replies, and of messages, come as Buffers, without loss; as text when absent. */
  readonly buffers?: Buffers;
}

/**
 * A client without a socket. Commands run in the order of the calls, each at once unless the session waits (BLPOP); nobody has to
 * await one before the next, and what is called in one turn of the event loop is replied to at its end.
 *
 *   const session = server.session();
 *   await session.call('SET', 'greeting', 'hello'); // 'OK'
 *   await session.call('GET', 'greeting'); // 'hello'
 *   await session.callBuffer('DUMP', 'greeting'); // a Buffer
 *
 * Strings of replies are UTF-8 text: bytes that are none are replaced by U+FFFD. `callBuffer()`, or `{ buffers: true }` for
 * the whole session, gives Buffers instead. The types of replies follow from the name of the command where they can, and
 * from the protocol that the session was made with; between `call('MULTI')` and `call('EXEC')` each reply is 'QUEUED' whatever they
 * say (`transaction()` has no such gap).
 *
 * `T` is what strings come as, `P` the protocol.
 */
export class LocalSession<T extends Text = string, P extends Protocol = 2> implements Disposable, AsyncDisposable {
  /**
   * What the server sends unasked comes here, unless a subscription has taken it: lines of MONITOR, messages of channels that
   * were subscribed to by `call()`, what CLIENT TRACKING tells.
   */
  onPush: (push: ReplyValue<T>) => void = () => {};
  private readonly port: LocalPort;
  private readonly buffers: boolean;
  private readonly subscriptions: Subscriptions<T>;

  /** Made by `server.session()`, and by what serves others than who has the server. */
  constructor(engine: Engine, { protocol = 2, buffers = false }: SessionOptions = {}, behalf?: Behalf) {
    this.buffers = buffers;
    const listener = {
      pushed: (reply: ParsedReply) => this.pushed(reply),
      confirmed: (reply: readonly ParsedReply[]) => this.subscriptions.ended([...reply]),
      ended: () => this.subscriptions.endAll(),
    };
    this.port = new LocalPort(engine, protocol, listener, behalf);
    this.subscriptions = new Subscriptions<T>(this.port, buffers);
  }

  /** Its number, by which CLIENT LIST and CLIENT KILL know it. */
  get id(): number {
    return this.port.id;
  }

  /**
   * Runs a command. Rejects with a ReplyError where the server refuses it, with a TypeError where arguments are none, and with an
   * Error where the session is closed. A command that is not to be replied to (CLIENT REPLY OFF) resolves with null.
   */
  call<const Name extends string>(name: Name, ...args: Argument[]): Promise<ReplyOf<Name, T, P>>;
  call(...words: Argument[]): Promise<ReplyValue<T>>;
  call(...words: Argument[]): Promise<unknown> {
    return this.send(words, this.buffers);
  }

  /** The same with strings as Buffers, which lose nothing. */
  callBuffer<const Name extends string>(name: Name, ...args: Argument[]): Promise<ReplyOf<Name, Buffer, P>>;
  callBuffer(...words: Argument[]): Promise<ReplyValue<Buffer>>;
  callBuffer(...words: Argument[]): Promise<unknown> {
    return this.send(words, true);
  }

  /**
   * Runs commands one after another. What one of them is refused is a ReplyError in its place, and the others run; rejects
   * where an argument is none (nothing has run then) or the session is closed.
   *
   *   const [, value] = await session.pipeline([['SET', 'k', 1], ['INCR', 'k']]);
   */
  async pipeline<const Commands extends readonly CommandWords[]>(
    commands: Commands,
  ): Promise<RepliesTo<Commands, T, P>> {
    for (const words of commands) check(words);
    const replies = commands.map((words) => this.send(words, this.buffers).catch(errorOrThrow));
    return (await Promise.all(replies)) as RepliesTo<Commands, T, P>;
  }

  /**
   * Runs commands as one transaction (MULTI ... EXEC). Where one of them can't be queued (no such command, no permission, no
   * memory) all are discarded, and the promise rejects with what that one was refused for. Resolves with null where a key that this
   * session watches (`call('WATCH', key)`) has changed. As in Redis, a command that fails while all run (WRONGTYPE) undoes nothing:
   * its ReplyError stands in its place.
   *
   *   await session.call('WATCH', 'stock');
   *   const stock = Number(await session.call('GET', 'stock'));
   *   const sold = await session.transaction([['SET', 'stock', stock - 1], ['LPUSH', 'orders', id]]);
   *   if (sold === null) ... // somebody else has changed it meanwhile
   */
  async transaction<const Commands extends readonly CommandWords[]>(
    commands: Commands,
  ): Promise<RepliesTo<Commands, T, P> | null> {
    for (const words of commands) check(words);
    let isOurs = false;
    const begin: Outgoing['refuse'] = ({ transaction }) => {
      isOurs = transaction === null;
      return isOurs ? undefined : new ReplyError('ERR MULTI calls can not be nested');
    };
    // Where MULTI was refused, nothing behind it may run by itself.
    const inside: Outgoing['refuse'] = ({ transaction }) =>
      isOurs && transaction !== null ? undefined : new Error('There is no transaction');
    const all = [
      this.transmit(['MULTI'], this.buffers, begin),
      ...commands.map((words) => this.transmit(words, this.buffers, inside)),
      this.transmit(['EXEC'], this.buffers, inside),
    ];
    const outcomes = await Promise.allSettled(all);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    const executed = outcomes.at(-1);
    return (executed?.status === 'fulfilled' ? executed.value : null) as RepliesTo<Commands, T, P> | null;
  }

  /** Listens to channels. Resolves once they are subscribed to: what is published from then on is heard. */
  subscribe(...channels: [Argument, ...Argument[]]): Promise<Subscription<T>> {
    return this.listen(CHANNELS, channels);
  }

  /** Listens to all channels whose names match patterns (`news.*`). */
  psubscribe(...patterns: [Argument, ...Argument[]]): Promise<Subscription<T>> {
    return this.listen(PATTERNS, patterns);
  }

  /** Listens to shard channels. */
  ssubscribe(...channels: [Argument, ...Argument[]]): Promise<Subscription<T>> {
    return this.listen(SHARD_CHANNELS, channels);
  }

  /** Ends it: what is under way is rejected, subscriptions end. */
  close(): void {
    this.port.close();
  }

  /** `using session = server.session()` closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private listen(family: Family, names: readonly Argument[]): Promise<Subscription<T>> {
    const refused = wrongIn([family.letter, ...names]);
    return refused === undefined ? this.subscriptions.open(family, names) : Promise.reject(refused);
  }

  private pushed(reply: ParsedReply): void {
    if (this.subscriptions.take(reply)) return;
    this.subscriptions.ended(reply);
    this.onPush((this.buffers ? reply : asText(reply)) as ReplyValue<T>);
  }

  private send(words: CommandWords, buffers: boolean): Promise<ParsedReply> {
    const refused = wrongIn(words);
    return refused === undefined ? this.transmit(words, buffers) : Promise.reject(refused);
  }

  private transmit(args: CommandWords, buffers: boolean, refuse?: Outgoing['refuse']): Promise<ParsedReply> {
    return new Promise((resolve, reject) => {
      const settle = (reply: ParsedReply): void => {
        if (reply instanceof Error) reject(reply);
        else resolve(reply);
        if (reply === 'RESET' && String(args[0]).toUpperCase() === 'RESET') this.subscriptions.endAll();
      };
      this.port.send({ args, buffers, settle, fail: reject, ...(refuse !== undefined && { refuse }) });
    });
  }
}

function check(words: CommandWords): void {
  const refused = wrongIn(words);
  if (refused !== undefined) throw refused;
}

/** What JavaScript hands in and TypeScript would not. */
function wrongIn(words: readonly unknown[]): TypeError | undefined {
  if (words.length === 0) return new TypeError('A command has a name');
  const wrong = words.findIndex(
    (word) => !['string', 'number', 'bigint'].includes(typeof word) && !(word instanceof Uint8Array),
  );
  return wrong < 0 ? undefined : new TypeError(`Argument ${wrong} is no string, number or Uint8Array`);
}

function errorOrThrow(error: unknown): ReplyError {
  if (error instanceof ReplyError) return error;
  throw error;
}
