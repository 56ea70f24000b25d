/**
 * Sessions without a socket: `server.session().call('GET', 'k')`.
 *
 * Arguments go to the engine as bytes, replies are read back by the same parser that reads any Redis server's, so what a
 * caller sees is what a client would see.
 */
import type RedisParser from 'redis-parser';
import { redisParser } from '../base/packages.ts';
import { Slice } from '../base/slice.ts';
import type { Engine } from '../engine/engine.ts';
import type { SessionPort } from '../engine/ports.ts';
import { LOCAL } from '../engine/roles.ts';
import type { Session } from '../engine/session.ts';

/** An argument: text is taken as UTF-8, numbers as their decimal form. */
export type Argument = string | number | bigint | Uint8Array;

/** A reply: integers as numbers, bulk strings as text or, from `callBuffer`, as Buffers; null; arrays of these. */
export type ReplyValue = string | number | Buffer | null | Error | ReplyValue[];

const CLOSED = 'The session is closed';
const TOO_DEEP = 'A reply nests too deep to be read; the session is closed';

interface Waiting {
  readonly resolve: (value: ReplyValue) => void;
  readonly reject: (error: Error) => void;
  readonly buffers: boolean;
}

export class LocalSession implements SessionPort {
  readonly fd = -1;
  readonly address = '127.0.0.1:0';
  readonly localAddress = '127.0.0.1:0';
  readonly unix = false;
  readonly secure = false;
  readonly queryBytes = 0;
  readonly queryFree = 0;
  readonly argumentBytes = 0;
  lastActive: number;
  /** What the server sends unasked (MONITOR, pub/sub) comes here. */
  onPush: (value: ReplyValue) => void = () => {};
  private readonly engine: Engine;
  private readonly session: Session;
  private readonly waiting: Waiting[] = [];
  private readonly backlog: (() => void)[] = [];
  private readonly parser: RedisParser;
  private scheduled = false;

  constructor(engine: Engine) {
    this.engine = engine;
    this.lastActive = engine.clock.now();
    const Parser = redisParser();
    this.parser = new Parser({
      returnReply: (reply: ReplyValue) => this.settle(reply),
      returnError: (error: Error) => this.settle(error),
      returnBuffers: true,
    });
    this.session = engine.open(this, LOCAL);
    this.session.reply.owner = { replyPending: () => this.schedule(), replyGrew: () => {} };
  }

  /** Runs a command; bulk strings of its reply come as text. Rejects with the error that the server replies. */
  call(...args: Argument[]): Promise<ReplyValue> {
    return this.send(args, false);
  }

  /** The same with bulk strings as Buffers. */
  callBuffer(...args: Argument[]): Promise<ReplyValue> {
    return this.send(args, true);
  }

  private send(args: Argument[], buffers: boolean): Promise<ReplyValue> {
    const refused = refusal(args);
    if (refused !== undefined) return Promise.reject(refused);
    const waits = this.held || this.backlog.length > 0;
    // What has to wait is copied: the caller has its bytes back when this returns.
    const slices = args.map(
      (arg) => new Slice(typeof arg === 'object' ? bytesOf(arg, waits) : Buffer.from(String(arg))),
    );
    return new Promise((resolve, reject) => {
      const run = (): void => {
        if (this.session.closing) {
          reject(new Error(CLOSED));
          return;
        }
        this.waiting.push({ resolve, reject, buffers });
        this.engine.enter();
        this.engine.execute(this.session, slices, slices.length);
        this.schedule();
      };
      if (waits) this.backlog.push(run);
      else run();
    });
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
      while (this.backlog.length > 0 && !this.held) this.backlog.shift()?.();
      this.flush();
    });
  }

  private goOn(): void {
    this.session.released = false;
    if (!this.session.closing) this.engine.goOn(this.session);
  }

  flush(): void {
    this.engine.beforeWrite();
    this.engine.replyGate.settle(this.session);
    const bytes = this.session.reply.take();
    if (bytes.length === 0) return;
    try {
      this.parser.execute(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // What stands behind the reply that could not be read is lost with it.
      this.end(new Error(TOO_DEEP));
    }
  }

  private settle(reply: ReplyValue): void {
    const [next] = this.waiting;
    const value = reply instanceof Error ? reply : readable(reply, next?.buffers ?? false);
    this.waiting.shift();
    if (!next) this.onPush(value);
    else if (value instanceof Error) next.reject(value);
    else next.resolve(value);
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
    this.end(new Error(CLOSED));
  }

  private end(reason: Error): void {
    this.engine.leave(this.session);
    this.session.reply.abandon();
    for (const { reject } of this.waiting.splice(0)) reject(reason);
    for (const run of this.backlog.splice(0)) run();
  }
}

function bytesOf(argument: Uint8Array, copied: boolean): Uint8Array {
  return copied ? argument.slice() : argument;
}

/** What JavaScript hands in and TypeScript would not, and the protocol whose replies can't be read here. */
function refusal(args: readonly unknown[]): Error | undefined {
  if (args.length === 0) return new TypeError('A command has a name');
  const wrong = args.findIndex(
    (arg) => !['string', 'number', 'bigint'].includes(typeof arg) && !(arg instanceof Uint8Array),
  );
  if (wrong >= 0) return new TypeError(`Argument ${wrong} is no string, number or Uint8Array`);
  const asks = args.length > 1 && String(args[0]).toLowerCase() === 'hello' && String(args[1]) === '3';
  return asks ? new Error('NOPROTO a session without a socket speaks RESP2') : undefined;
}

function readable(reply: ReplyValue, buffers: boolean): ReplyValue {
  if (Array.isArray(reply)) return reply.map((item) => readable(item, buffers));
  return !buffers && Buffer.isBuffer(reply) ? reply.toString() : reply;
}
