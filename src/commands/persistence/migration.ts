/**
 * The conversation of MIGRATE with the server that keys go to: links that are kept for the next one, requests and replies.
 *
 *   [AUTH ...] [SELECT db] RESTORE key ttl payload [REPLACE] ...        one reply each, in order
 *
 * Requests are made when the link has taken those before, so that memory holds some KiB and one value at a time however many
 * there are; small ones go together. Every wait (to connect, to write 64 KiB, for a reply) has the time limit of the command.
 * A kept link may have died unnoticed: where it fails before the first key was answered, not by time, all is tried once more
 * over a new one.
 */
import { lengthOf } from '../../base/copy.ts';
import type { Clock, Timer } from '../../base/time.ts';
import type { TlsContextOptions } from '../../config/tls-options.ts';
import { Conversation } from '../../links/conversation.ts';
import { type Dialer, LinkError } from '../../links/link.ts';
import type { Request } from '../../links/request.ts';
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

/** A conversation with what it has selected. */
class KeptLink {
  /** Unknown at first and after an error. */
  db = UNKNOWN_DB;
  readonly conversation: Conversation;
  private readonly clock: Clock;
  /** Ends it when it is kept for too long without use. */
  private leaving: Timer | null = null;

  constructor(conversation: Conversation, clock: Clock) {
    this.conversation = conversation;
    this.clock = clock;
  }

  /** While it is kept, it neither holds the process nor stays longer than it may. */
  keep(left: () => void): void {
    this.leaving = this.clock.after(KEPT_FOR, left);
    this.leaving.unref();
    this.conversation.link.hold(false);
  }

  use(): void {
    this.leaving?.cancel();
    this.conversation.link.hold(true);
  }

  close(): void {
    this.leaving?.cancel();
    this.conversation.close();
  }
}

/** The links of one server. */
export class Links {
  private readonly links = new Map<string, KeptLink>();
  private readonly dialer: Dialer;
  private readonly onCount: (count: number) => void;

  constructor(dialer: Dialer, onCount: (count: number) => void) {
    this.dialer = dialer;
    this.onCount = onCount;
  }

  /** Carries out a migration; never rejects. */
  async run(migration: Migration, requests: Requests): Promise<Outcome> {
    const first = await new Attempt(this, migration, requests).run();
    if (!first.again) return first.outcome;
    return (await new Attempt(this, migration, requests).run()).outcome;
  }

  /** The link to a place: the one that is kept, or a new one. */
  async open(migration: Migration): Promise<KeptLink> {
    const name = nameOf(migration);
    const kept = this.links.get(name);
    if (kept !== undefined) {
      kept.use();
      return kept;
    }
    const [oldest] = this.links.values();
    if (this.links.size >= MOST_LINKS) this.drop(oldest);
    const ended = (): void => this.drop(this.links.get(name));
    const link = new KeptLink(await Conversation.open(this.dialer, migration, { ended }), this.dialer.clock);
    this.links.set(name, link);
    this.onCount(this.links.size);
    return link;
  }

  keep(link: KeptLink): void {
    link.keep(() => this.drop(link));
  }

  drop(link: KeptLink | undefined): void {
    link?.close();
    for (const [name, other] of this.links) if (other === link) this.links.delete(name);
    this.onCount(this.links.size);
  }
}

function nameOf({ host, port, secure }: Migration): string {
  return `${host}:${port}:${secure ? 'tls' : 'tcp'}`;
}

/** Requests that are small go together. */
function* batches(requests: Iterable<Request>): Iterable<Request[]> {
  let batch: Request[] = [];
  let bytes = 0;
  for (const request of requests) {
    batch.push(request);
    bytes += lengthOf(request);
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
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
    let link: KeptLink | null = null;
    let doing = 'writing';
    try {
      link = await this.links.open(this.migration);
      const heads = await this.sendHead(link);
      let keys = 0;
      for (const batch of batches(this.requests())) {
        await link.conversation.sendAll(batch, this.migration.timeout);
        keys += batch.length;
      }
      doing = 'reading';
      await this.read(link.conversation, heads, keys);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      const late = error.failure === 'late';
      // The words are Redis's, odd as they are; where it is refused a connection it finds out when it writes.
      if (link === null && (late || error.failure === 'unresolved'))
        return this.ended('IOERR error or timeout connecting to the client', false);
      if (link !== null) this.links.drop(link);
      const again = !late && this.acknowledged.length === 0;
      return this.ended(`IOERR error or timeout ${doing} to target instance`, again);
    }
    link.db = this.error === null ? this.migration.db : UNKNOWN_DB;
    this.links.keep(link);
    return this.ended(this.error, false);
  }

  private ended(error: string | null, again: boolean): { outcome: Outcome; again: boolean } {
    return { outcome: { acknowledged: this.acknowledged, error: this.error ?? error }, again };
  }

  /** Sends what comes before the keys; how many replies it gets. */
  private async sendHead({ conversation, db: selected }: KeptLink): Promise<number> {
    const { auth, db, timeout } = this.migration;
    if (auth !== null) await conversation.send(auth, timeout);
    if (selected !== db) await conversation.send(['SELECT', db], timeout);
    return Number(auth !== null) + Number(selected !== db);
  }

  private async read(conversation: Conversation, heads: number, keys: number): Promise<void> {
    const { timeout } = this.migration;
    let refused: string | null = null;
    for (let i = 0; i < heads; i++) {
      const reply = await conversation.reply(timeout);
      if (reply instanceof ReplyError) refused ??= reply.message;
    }
    for (let i = 0; i < keys; i++) {
      const reply = await conversation.reply(timeout);
      const error = refused ?? (reply instanceof ReplyError ? reply.message : null);
      this.acknowledged.push(error === null);
      if (error !== null) this.error ??= `ERR Target instance replied with error: ${error}`;
    }
  }
}
