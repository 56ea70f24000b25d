/**
 * The conversation of MIGRATE with the server that keys go to: links that are kept for the next one, requests and replies.
 *
 *   [AUTH ...] [SELECT db] RESTORE key ttl payload [REPLACE] ...        one reply each, in order
 *
 *   idle ── Attempt ──> in use ── all answered ──> idle        any failure ends the link
 *
 * Requests are made when the link has taken those before, so that memory holds some KiB and one value at a time however many
 * there are; small ones go together, the first of them within the call that begins. Every wait (to connect, to write 64 KiB,
 * for a reply) has the time limit of the command. A kept link may have died unnoticed: where it fails before the first key
 * was answered, not by time, all is tried once more over a new one.
 *
 * Slots are moved by thousands of such conversations, each a few events long: no promise, timer or closure is made for a step.
 */
import { lengthOf } from '../../base/copy.ts';
import type { Clock, Timer } from '../../base/time.ts';
import type { TlsContextOptions } from '../../config/tls-options.ts';
import { type Dialer, type Link, LinkError, PIECE } from '../../links/link.ts';
import { type Reply, ReplyReader } from '../../links/reply-reader.ts';
import { encodeAll, type Request } from '../../links/request.ts';
import { ReplyError } from '../../protocol/reply-error.ts';

/** Links that are kept at a time, and how long without use, in ms. */
const MOST_LINKS = 64;
const KEPT_FOR = 10_000;
/** A batch of requests that has as many is sent. */
const BATCH_BYTES = 16 * 1024;

export interface Migration {
  readonly host: string;
  readonly port: number;
  /** Over TLS. */
  readonly secure: boolean;
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
  readonly tls: TlsContextOptions | null;
}

export const DONE = 0;
export const LINKS = 1;

/** Gives the requests one by one from the first; made anew for a second try. */
export type Requests = () => Iterable<Request>;

/** What a link has selected as long as that is not known; to ask for it selects nothing, as in Redis. */
const UNKNOWN_DB = '-1';

/** A time limit that is moved on with every step: its timer is only made anew where it would come too late. */
class Limit {
  private readonly clock: Clock;
  private readonly passed: () => void;
  private timer: Timer | null = null;
  /** When it is over, and when the timer looks: whole microseconds, so that whatever a timer lacks is a step of the clock. */
  private due = 0;
  private at = 0;

  constructor(clock: Clock, passed: () => void) {
    this.clock = clock;
    this.passed = passed;
  }

  /** It is over in so many milliseconds from now, and no sooner. */
  set(ms: number): void {
    this.due = this.clock.monotonic() + ms * 1000;
    if (this.timer === null || this.at > this.due) this.wind();
  }

  cancel(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** What is waited for holds the process, not the timer. */
  private wind(): void {
    this.cancel();
    this.at = this.due;
    this.timer = this.clock.after((this.due - this.clock.monotonic()) / 1000, () => this.look());
    this.timer.unref();
  }

  private look(): void {
    this.timer = null;
    if (this.clock.monotonic() < this.due) this.wind();
    else this.passed();
  }
}

/** A link with what it has selected. */
class KeptLink {
  readonly name: string;
  readonly link: Link;
  /** Unknown at first and after an error. */
  db = UNKNOWN_DB;
  /** Whose replies come over it; null while it is idle. */
  user: Attempt | null;
  private readonly limit: Limit;

  /** `ended`: it is none any more, not by `close()`. */
  constructor(dialer: Dialer, migration: Migration, user: Attempt, ended: () => void) {
    this.name = nameOf(migration);
    this.user = user;
    this.limit = new Limit(dialer.clock, () => this.late());
    const replies = new ReplyReader({
      arrived: (reply) => this.arrived(reply),
      broken: (what) => this.broken(what),
    });
    this.link = dialer.open(migration, {
      opened: () => this.user?.send(),
      data: (bytes) => replies.read(bytes),
      closed: (error) => {
        const last = this.user;
        this.user = null;
        this.limit.cancel();
        ended();
        last?.failed(error);
      },
    });
  }

  get isOpen(): boolean {
    return this.link.state === 'open';
  }

  /** While it is kept, it neither holds the process nor stays longer than it may. */
  rest(): void {
    this.user = null;
    this.limit.set(KEPT_FOR);
    this.link.hold(false);
  }

  use(user: Attempt): void {
    this.user = user;
    this.link.hold(true);
  }

  /** The next step has so many milliseconds. */
  allow(timeout: number): void {
    this.limit.set(timeout);
  }

  close(): void {
    this.user = null;
    this.limit.cancel();
    this.link.close();
  }

  private arrived(reply: Reply): void {
    const { user } = this;
    if (user === null || !user.answered(reply)) this.broken('a reply that nobody asked for');
  }

  private broken(what: string): void {
    this.link.fail(new LinkError('protocol', what));
  }

  private late(): void {
    this.link.fail(new LinkError('late', 'Connection timed out'));
  }
}

/** The links of one server. */
export class Links {
  readonly dialer: Dialer;
  /** Those that nobody uses, one to a place, the one that was used last at the end. */
  private readonly idle = new Map<string, KeptLink>();
  private used = 0;
  private readonly onCount: (count: number) => void;

  constructor(dialer: Dialer, onCount: (count: number) => void) {
    this.dialer = dialer;
    this.onCount = onCount;
  }

  /** Carries out a migration, and calls `over` later, once. */
  run(migration: Migration, requests: Requests, over: (outcome: Outcome) => void): void {
    new Attempt(this, migration, requests, (outcome, again) => {
      if (again) new Attempt(this, migration, requests, over).begin();
      else over(outcome);
    }).begin();
  }

  /** The link to a place: the one that is kept, or a new one. */
  take(migration: Migration, user: Attempt): KeptLink {
    const kept = this.idle.get(nameOf(migration));
    this.used++;
    if (kept === undefined) {
      const link: KeptLink = new KeptLink(this.dialer, migration, user, () => this.ended(link));
      return link;
    }
    this.idle.delete(kept.name);
    kept.use(user);
    return kept;
  }

  keep(link: KeptLink): void {
    this.used--;
    link.rest();
    this.idle.get(link.name)?.close();
    this.idle.set(link.name, link);
    if (this.idle.size > MOST_LINKS) {
      const [oldest] = this.idle.values();
      oldest.close();
      this.idle.delete(oldest.name);
    }
    this.tell();
  }

  private ended(link: KeptLink): void {
    if (this.idle.get(link.name) === link) this.idle.delete(link.name);
    else this.used--;
    this.tell();
  }

  private tell(): void {
    this.onCount(this.idle.size + this.used);
  }
}

function nameOf({ host, port, secure }: Migration): string {
  return `${host}:${port}:${secure ? 'tls' : 'tcp'}`;
}

/**
 * One try at a migration.
 *
 * Invariant: `owed` replies are to come to what was sent, those of `heads` first; it is over when nothing is left to be sent and
 * nothing owed, or when the link has failed.
 */
class Attempt {
  private readonly links: Links;
  private readonly migration: Migration;
  private readonly requests: Iterator<Request>;
  private readonly over: (outcome: Outcome, again: boolean) => void;
  private readonly acknowledged: boolean[] = [];
  private link!: KeptLink;
  private opened = false;
  /** There are no more requests; what the system has not taken of them is still being written. */
  private sent = false;
  private writing = false;
  /** Replies to what comes before the keys, and to all. */
  private heads = 0;
  private owed = 0;
  /** Why nothing that follows what comes before the keys counts. */
  private refused: string | null = null;
  private error: string | null = null;

  constructor(
    links: Links,
    migration: Migration,
    requests: Requests,
    over: (outcome: Outcome, again: boolean) => void,
  ) {
    this.links = links;
    this.migration = migration;
    this.requests = requests()[Symbol.iterator]();
    this.over = over;
  }

  begin(): void {
    this.link = this.links.take(this.migration, this);
    if (this.link.isOpen) this.send();
  }

  /** The link is open: sends what comes before the keys, and the first of them. */
  send(): void {
    const { auth, db } = this.migration;
    this.opened = true;
    const heads: Request[] = [];
    if (auth !== null) heads.push(auth);
    if (this.link.db !== db) heads.push(['SELECT', db]);
    this.heads = heads.length;
    this.sendMore(heads);
  }

  /** Sends `batch` and the requests that go with it, and once the system has taken them, where there may be more, the next ones. */
  private sendMore(batch: Request[]): void {
    const { requests } = this;
    let bytes = 0;
    while (!this.sent && bytes < BATCH_BYTES) {
      const { value, done } = requests.next();
      if (done === true) this.sent = true;
      else {
        batch.push(value);
        bytes += lengthOf(value);
      }
    }
    this.owed += batch.length;
    if (batch.length > 0) this.write(encodeAll(batch), 0);
    // Whoever begins is not told at once.
    else if (this.owed === 0) this.links.dialer.clock.soon(() => this.settle());
  }

  private write(bytes: Uint8Array, from: number): void {
    const { link } = this;
    const end = Math.min(from + PIECE, bytes.length);
    link.allow(this.migration.timeout);
    this.writing = !this.sent || bytes.length > PIECE;
    if (this.writing) link.link.write(bytes.subarray(from, end), () => this.wrote(bytes, end));
    else link.link.write(bytes);
  }

  private wrote(bytes: Uint8Array, end: number): void {
    this.writing = false;
    if (end < bytes.length) this.write(bytes, end);
    else if (!this.sent) this.sendMore([]);
    else if (this.owed > 0) this.link.allow(this.migration.timeout);
  }

  /** Takes the next reply; false where none is owed. */
  answered(reply: Reply): boolean {
    if (this.owed === 0) return false;
    this.owed--;
    const refusal = reply instanceof ReplyError ? reply.message : null;
    if (this.heads > 0) {
      this.heads--;
      this.refused ??= refusal;
    } else {
      const error = this.refused ?? refusal;
      this.acknowledged.push(error === null);
      if (error !== null) this.error ??= `ERR Target instance replied with error: ${error}`;
    }
    if (this.owed > 0) this.link.allow(this.migration.timeout);
    else this.settle();
    return true;
  }

  private settle(): void {
    const { link, links, error, migration } = this;
    if (!this.sent || this.owed > 0 || link.user !== this) return;
    link.db = error === null ? migration.db : UNKNOWN_DB;
    links.keep(link);
    this.end(error, false);
  }

  /** The link has ended. The words are Redis's, odd as they are; where it is refused a connection it finds out when it writes. */
  failed({ failure }: LinkError): void {
    const late = failure === 'late';
    if (!this.opened && (late || failure === 'unresolved'))
      this.end('IOERR error or timeout connecting to the client', false);
    else {
      const doing = this.sent && !this.writing ? 'reading' : 'writing';
      this.end(`IOERR error or timeout ${doing} to target instance`, !late && this.acknowledged.length === 0);
    }
  }

  private end(error: string | null, again: boolean): void {
    this.over({ acknowledged: this.acknowledged, error: this.error ?? error }, again);
  }
}
