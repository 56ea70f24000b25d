/**
 * The conversation of MIGRATE with the server that keys go to: links that are kept for the next one, requests and replies.
 *
 *   [AUTH ...] [SELECT db] RESTORE key ttl payload [REPLACE] ...        one reply each, in order
 *
 * A request is made when the link has taken the one before, so that memory holds one value at a time however many there
 * are. Every wait (to connect, to write 64 KiB, for a reply) has the time limit of the command. A kept link may have died
 * unnoticed: where it fails before the first key was answered, not by time, all is tried once more over a new one.
 */
import type RedisParser from 'redis-parser';
import type { Network, Outgoing } from '../../base/network.ts';
import { redisParser } from '../../base/packages.ts';
import { bytesOf } from '../../base/slice.ts';
import type { Clock, Timer } from '../../base/time.ts';

/** Links that are kept at a time, and how long without use, in ms. */
const MOST_LINKS = 64;
const KEPT_FOR = 10_000;
/** Bytes that must be taken within the time limit. */
const PIECE = 64 * 1024;

export type Request = readonly (string | Uint8Array)[];

export interface Migration {
  readonly host: string;
  readonly port: number;
  readonly db: string;
  /** Milliseconds for every wait. */
  readonly timeout: number;
  /** AUTH and its arguments. */
  readonly auth: Request | null;
}

/** What became of it: how each key was answered, true for well, and the error for the client. */
export interface Outcome {
  readonly acknowledged: readonly boolean[];
  readonly error: string | null;
}

/** What a thread is told, and the words of the memory that it shares: whether it is done, and how many links it keeps. */
export interface ThreadTask {
  readonly migration: Migration;
  readonly requests: readonly Request[];
}

export const DONE = 0;
export const LINKS = 1;

/** Gives the requests one by one from the first; made anew for a second try. */
export type Requests = () => Iterable<Request>;

class LinkError extends Error {
  override name = 'LinkError';
  /** The time was up. */
  readonly late: boolean;
  /** There is no such place. */
  readonly unresolved: boolean;

  constructor(late: boolean, unresolved = false) {
    super(late ? 'out of time' : 'the link is gone');
    this.late = late;
    this.unresolved = unresolved;
  }
}

/** What a link has selected as long as that is not known; to ask for it selects nothing, as in Redis. */
const UNKNOWN_DB = '-1';

interface Waiter {
  readonly reply: boolean;
  readonly settle: () => void;
  readonly fail: (error: Error) => void;
}

/** A connection with what it has selected. */
class Link {
  /** Unknown at first and after an error. */
  db = UNKNOWN_DB;
  private readonly socket: Outgoing;
  private readonly clock: Clock;
  /** Ends it when it is kept for too long without use. */
  private leaving: Timer | null = null;
  /** Replies that nobody has taken yet: an error's text, or null for anything else. */
  private readonly replies: (string | null)[] = [];
  private readonly parser: RedisParser;
  private waiter: Waiter | null = null;
  private gone = false;
  private unresolved = false;

  constructor(socket: Outgoing, clock: Clock, onGone: () => void) {
    this.socket = socket;
    this.clock = clock;
    const Parser = redisParser();
    this.parser = new Parser({
      returnReply: () => this.arrived(null),
      // The parser reads text as UTF-8; what the target said was bytes.
      returnError: (error: Error) => this.arrived(Buffer.from(error.message, 'utf8').toString('latin1')),
      returnFatalError: () => this.close(),
      returnBuffers: true,
    });
    socket.setNoDelay?.(true);
    socket.on('data', (bytes) => this.read(bytes));
    socket.on('error', (error) => {
      this.unresolved = 'syscall' in error && error.syscall === 'getaddrinfo';
      this.close();
    });
    socket.on('end', () => this.close());
    socket.on('close', () => {
      this.close();
      onGone();
    });
  }

  private read(bytes: Buffer): void {
    try {
      this.parser.execute(bytes);
    } catch {
      // Arrays within arrays, too deep for the parser: nothing that a target would answer.
      this.close();
    }
  }

  close(): void {
    this.gone = true;
    this.leaving?.cancel();
    this.socket.destroy();
    this.waiter?.fail(new LinkError(false, this.unresolved));
  }

  /** While it is kept, it neither holds the process nor stays longer than it may. */
  keep(): void {
    this.leaving = this.clock.after(KEPT_FOR, () => this.close());
    this.leaving.unref();
    this.socket.unref?.();
  }

  use(): void {
    this.replies.length = 0;
    this.leaving?.cancel();
    this.socket.ref?.();
  }

  connected(timeout: number): Promise<void> {
    return this.wait(timeout, false, (settle) => this.socket.once('connect', settle));
  }

  async send(request: Request, timeout: number): Promise<void> {
    const bytes = encode(request);
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      // A write that failed is followed by the end of the link, which ends the wait.
      await this.wait(timeout, false, (settle) => this.socket.write(piece, (error) => error || settle()));
    }
  }

  /** The next reply: the text of an error, or null. */
  async reply(timeout: number): Promise<string | null> {
    if (this.replies.length === 0) await this.wait(timeout, true, () => {});
    return this.replies.shift() ?? null;
  }

  private arrived(reply: string | null): void {
    this.replies.push(reply);
    if (this.waiter?.reply) this.waiter.settle();
  }

  /** Waits until `begin`'s callback is called or, if `reply` is set, a reply comes. */
  private wait(timeout: number, reply: boolean, begin: (settle: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeout, () => fail(new LinkError(true)));
      const done = (): void => {
        timer.cancel();
        if (this.waiter === waiter) this.waiter = null;
      };
      const settle = (): void => {
        done();
        resolve();
      };
      const fail = (error: Error): void => {
        done();
        reject(error);
      };
      const waiter: Waiter = { reply, settle, fail };
      this.waiter = waiter;
      if (this.gone) fail(new LinkError(false, this.unresolved));
      else begin(settle);
    });
  }
}

/** The links of one server. */
export class Links {
  private readonly links = new Map<string, Link>();
  private readonly network: Network;
  private readonly clock: Clock;
  private readonly onCount: (count: number) => void;

  constructor({ network, clock }: { network: Network; clock: Clock }, onCount: (count: number) => void) {
    this.network = network;
    this.clock = clock;
    this.onCount = onCount;
  }

  /** Carries out a migration; never rejects. */
  async run(migration: Migration, requests: Requests): Promise<Outcome> {
    const first = await new Attempt(this, migration, requests).run();
    if (!first.again) return first.outcome;
    return (await new Attempt(this, migration, requests).run()).outcome;
  }

  /** The link to a place: the one that is kept, or a new one. */
  async open({ host, port, timeout }: Migration): Promise<Link> {
    const name = `${host}:${port}`;
    const kept = this.links.get(name);
    if (kept !== undefined) {
      kept.use();
      return kept;
    }
    const [oldest] = this.links.values();
    if (this.links.size >= MOST_LINKS) this.drop(oldest);
    return this.connect(host, port, timeout);
  }

  private async connect(host: string, port: number, timeout: number): Promise<Link> {
    if (!(port >= 0 && port < 65536)) throw new LinkError(false, true);
    const link: Link = new Link(this.network.connect({ host, port }), this.clock, () => this.drop(link));
    try {
      await link.connected(timeout);
    } catch (error) {
      link.close();
      throw error;
    }
    this.links.set(`${host}:${port}`, link);
    this.onCount(this.links.size);
    return link;
  }

  drop(link: Link): void {
    link.close();
    for (const [name, other] of this.links) if (other === link) this.links.delete(name);
    this.onCount(this.links.size);
  }
}

/** One try at a migration. */
class Attempt {
  private readonly links: Links;
  private readonly migration: Migration;
  private readonly requests: Requests;
  private readonly acknowledged: boolean[] = [];
  private error: string | null = null;

  constructor(links: Links, migration: Migration, requests: Requests) {
    this.links = links;
    this.migration = migration;
    this.requests = requests;
  }

  async run(): Promise<{ outcome: Outcome; again: boolean }> {
    let link: Link | null = null;
    let doing = 'writing';
    try {
      link = await this.links.open(this.migration);
      const heads = await this.sendHead(link);
      let keys = 0;
      for (const request of this.requests()) {
        await link.send(request, this.migration.timeout);
        keys++;
      }
      doing = 'reading';
      await this.read(link, heads, keys);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      // The words are Redis's, odd as they are; where it is refused a connection it finds out when it writes.
      if (link === null && (error.late || error.unresolved))
        return this.ended('IOERR error or timeout connecting to the client', false);
      if (link !== null) this.links.drop(link);
      const again = !error.late && this.acknowledged.length === 0;
      return this.ended(`IOERR error or timeout ${doing} to target instance`, again);
    }
    link.db = this.error === null ? this.migration.db : UNKNOWN_DB;
    link.keep();
    return this.ended(this.error, false);
  }

  private ended(error: string | null, again: boolean): { outcome: Outcome; again: boolean } {
    return { outcome: { acknowledged: this.acknowledged, error: this.error ?? error }, again };
  }

  /** Sends what comes before the keys; how many replies it gets. */
  private async sendHead(link: Link): Promise<number> {
    const { auth, db, timeout } = this.migration;
    if (auth !== null) await link.send(auth, timeout);
    if (link.db !== db) await link.send(['SELECT', db], timeout);
    return Number(auth !== null) + Number(link.db !== db);
  }

  private async read(link: Link, heads: number, keys: number): Promise<void> {
    const { timeout } = this.migration;
    let refused: string | null = null;
    for (let i = 0; i < heads; i++) {
      const reply = await link.reply(timeout);
      refused ??= reply;
    }
    for (let i = 0; i < keys; i++) {
      const reply = await link.reply(timeout);
      const error = refused ?? reply;
      this.acknowledged.push(error === null);
      if (error !== null) this.error ??= `ERR Target instance replied with error: ${error}`;
    }
  }
}

function encode(request: Request): Uint8Array {
  const parts: Uint8Array[] = [bytesOf(`*${request.length}\r\n`)];
  for (const argument of request) {
    const bytes = typeof argument === 'string' ? bytesOf(argument) : argument;
    parts.push(bytesOf(`$${bytes.length}\r\n`), bytes, bytesOf('\r\n'));
  }
  return Buffer.concat(parts);
}
