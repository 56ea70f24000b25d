/** A session: what the server knows of one client, whatever carries it. */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import type { Timer } from '../base/time.ts';
import type { Database } from '../keyspace/database.ts';
import type { ChunkPool } from '../protocol/chunk.ts';
import { type ErrorListener, Reply } from '../protocol/reply.ts';
import type { Named } from '../structures/byte-map.ts';
import type { User } from './acl/user.ts';
import {
  GATE_ACL,
  GATE_ASKING,
  GATE_AUTH,
  GATE_KEYSPACE,
  GATE_NO_MULTI,
  GATE_QUEUE,
  GATE_SUBSCRIBED,
} from './gates.ts';
import { NO_SLOT } from './keys.ts';
import { OUTPUT_PUBSUB, type SessionPort, type TransportSession } from './ports.ts';
import { GatedReplies } from './reply-gate.ts';
import type { Role, SessionType } from './roles.ts';
import type { Registered } from './table.ts';
import type { Tracker } from './tracker.ts';
import type { Transaction, WatchedKey } from './transaction.ts';

function nobody(): void {}

/** What a blocked client is told when its time is up. */
export type TimeoutReply = 'null' | 'nullArray' | ((session: Session) => void);

/** Gives `session` the reply to a wait that has come to nothing. */
export function replyTimeout(session: Session, reply: TimeoutReply): void {
  if (reply === 'null') session.reply.null();
  else if (reply === 'nullArray') session.reply.nullArray();
  else reply(session);
}

export interface BlockRequest {
  /** Type of value that is awaited (TYPE_LIST ...). */
  readonly type: number;
  /** Positions of the keys in the arguments; the same key may stand twice. */
  readonly keys: readonly number[];
  /** Milliseconds; 0 waits for ever. */
  readonly timeout: number;
  readonly onTimeout: TimeoutReply;
  /** The command is run again also when a key has gone or come to hold another type: it is to fail then. */
  readonly untilGone?: boolean;
  /** Nobody can end the wait from outside (CLIENT UNBLOCK). */
  readonly firm?: boolean;
  /** Arguments that read otherwise when the command is run again (XREAD's $). */
  readonly instead?: ReadonlyMap<number, Uint8Array>;
}

/** A key of a database that somebody waits for. */
export interface AwaitedKey extends Named {
  readonly db: Database;
  /** In order of arrival. */
  readonly waiters: Set<Waiter>;
  /** It has changed since waiters were last served. */
  ready: boolean;
}

/** A channel or a pattern that somebody is subscribed to. */
export interface Channel extends Named {
  readonly sessions: Set<Session>;
}

export interface Waiter {
  readonly session: Session;
  readonly registered: Registered;
  readonly args: Slice[];
  /** What the arguments take. */
  readonly bytes: number;
  readonly db: Database;
  readonly type: number;
  readonly keys: AwaitedKey[];
  /** Clock time in ms at which it gives up, 0 for never. */
  readonly deadline: number;
  readonly onTimeout: TimeoutReply;
  readonly untilGone: boolean;
  readonly firm: boolean;
  /** When it began to wait, in monotonic microseconds. */
  readonly since: number;
  timer: Timer | null;
}

/** What a session asks of the engine that it belongs to. */
export interface SessionOwner {
  readonly stats: ErrorListener;
  readonly keyspaces: { readonly databases: readonly Database[] };
  readonly acl: { readonly defaultUser: User };
  readonly usedMemory: { queued: number };
  readonly watches: { isTouched(session: Session): boolean };
  describeSession(session: Session): string;
}

export class Session implements TransportSession {
  readonly id: number;
  readonly engine: SessionOwner;
  readonly port: SessionPort;
  readonly reply: Reply;
  db: Database;
  name = '';
  /** Whose permissions it has: the default user's at first; null where nobody is to be asked for permission. */
  user: User | null;
  /** It has given its password (AUTH, HELLO), or needed none when it came. */
  hasAuthenticated = false;
  /** On whose behalf its commands run; see `become`. */
  role: Role;
  /** States that it is in; bits of gates.ts. */
  gates = 0;
  /** The gates that concern it: all but those that its role is exempt from. */
  minds: number;
  /** Wall time of the connection's start, ms. */
  readonly created: number;
  /** Wall time of the last command, ms. */
  lastCommandAt: number;
  lastCommand: Registered | null = null;

  /** Between MULTI and EXEC. */
  transaction: Transaction | null = null;
  watched: WatchedKey[] | null = null;
  /** What its watched keys and its subscriptions take. */
  watchedBytes = 0;
  subscribedBytes = 0;
  /** While a blocking command waits. */
  waiter: Waiter | null = null;
  /** What the gate of a group keeps of it. */
  readonly gated = new GatedReplies();
  /** Told when its connection has ended, and whether that was wanted here. */
  onClosed: (wanted: boolean) => void = nobody;
  onDrained: (() => void) | null = null;
  /** READONLY: it may read at a replica of a cluster. */
  readsReplica = false;
  /** ASKING: the next command, or the one that runs, is served where its slot comes to us; see `ask`. */
  asking: 'no' | 'next' | 'this' = 'no';
  /** The slot of the keys of its command; NO_SLOT, or of keys of several slots CROSS_SLOT. */
  slot = NO_SLOT;
  /** Where the replication stream stood after its last command, for WAIT. */
  streamOffset = 0;
  /** What EXEC runs, while it is at it. */
  executing: Transaction | null = null;
  /** Commands held back: by CLIENT PAUSE, or while a script of this session is suspended. */
  postponed = false;
  /** May take commands again and hasn't gone on yet. */
  released = false;
  /** While it is told of changes to what it caches. */
  tracking: Tracker | null = null;
  noEvict = false;
  /** Closing: no further command is taken. */
  closing = false;
  closed = false;
  /**
   * CLIENT REPLY: replies of the next command, or of all, go nowhere. A replica's link is `refused` if it is replied anything;
   * with a `fault` the session's connection meets it once the command has run.
   */
  replyOff = false;
  replySkip: 'no' | 'next' | 'this' | 'refused' | 'fault' = 'no';

  /** Channels by kind; null until the first subscription. */
  channels: Set<Channel> | null = null;
  patterns: Set<Channel> | null = null;
  shardChannels: Set<Channel> | null = null;

  constructor(engine: SessionOwner, id: number, port: SessionPort, pool: ChunkPool, now: number, role: Role) {
    this.engine = engine;
    this.id = id;
    this.port = port;
    this.reply = new Reply(pool);
    this.reply.errors = engine.stats;
    this.db = engine.keyspaces.databases[0];
    this.user = engine.acl.defaultUser;
    this.created = now;
    this.lastCommandAt = now;
    this.role = role;
    this.minds = ~role.exempt;
  }

  /** Takes another role: a client that asks for our writes is a replica from then on. */
  become(role: Role): void {
    this.role = role;
    this.minds = ~role.exempt;
    this.gates &= this.minds;
    this.setGates(GATE_KEYSPACE, !role.readsKeys);
  }

  private setGates(bits: number, on: boolean): void {
    this.gates = on ? this.gates | (bits & this.minds) : this.gates & ~bits;
  }

  /** Its type in the words of CLIENT LIST. */
  get type(): SessionType {
    return this.role.type === 'normal' && this.subscriptions > 0 ? 'pubsub' : this.role.type;
  }

  get authenticated(): boolean {
    return (this.gates & GATE_AUTH) === 0;
  }

  set mustAuthenticate(yes: boolean) {
    this.setGates(GATE_AUTH, yes);
  }

  /** Whether its user's rules must be asked. */
  get restricted(): boolean {
    return (this.gates & GATE_ACL) !== 0;
  }

  set restricted(yes: boolean) {
    this.setGates(GATE_ACL, yes);
  }

  /** The name of its user. */
  get userName(): string {
    return this.user ? this.user.name : '(superuser)';
  }

  get resp(): number {
    return this.reply.resp;
  }

  set resp(version: number) {
    this.reply.resp = version;
    this.refreshSubscribed();
  }

  get subscriptions(): number {
    return (this.channels?.size ?? 0) + (this.patterns?.size ?? 0) + (this.shardChannels?.size ?? 0);
  }

  /** A RESP2 client that subscribes may say little else. */
  refreshSubscribed(): void {
    this.setGates(GATE_SUBSCRIBED, this.subscriptions > 0 && this.reply.resp === 2);
  }

  /** The next command, with all of the transaction that it begins, may be served where its slot comes to us. */
  ask(which: 'no' | 'next' | 'this'): void {
    this.asking = which;
    this.setGates(GATE_ASKING, which !== 'no');
  }

  get asks(): boolean {
    return this.asking === 'this';
  }

  /** A command begins, whatever becomes of it: what ASKING has said is for it, or was for the one before. */
  askingGoesOn(): void {
    if (this.asking === 'next') this.ask('this');
    else if (this.transaction === null) this.ask('no');
  }

  setTransaction(transaction: Transaction | null): void {
    this.engine.usedMemory.queued -= this.transaction?.bytes ?? 0;
    this.transaction = transaction;
    this.setGates(GATE_QUEUE | GATE_NO_MULTI, transaction !== null);
  }

  get outputClass(): number {
    return this.type === 'pubsub' ? OUTPUT_PUBSUB : this.role.outputClass;
  }

  get mayIdleOut(): boolean {
    return this.role.mayIdleOut && this.waiter === null && this.subscriptions === 0;
  }

  describe(): string {
    return this.engine.describeSession(this);
  }

  /** Takes no further command, and ends the connection once the one that runs now has replied. */
  closeAfterCommand(): void {
    this.closing = true;
    queueMicrotask(() => {
      if (!this.closed) this.port.closeAfterReply();
    });
  }

  /** Checks what holds between commands. */
  verify(): void {
    assert(
      !this.closed || (this.closing && this.waiter === null),
      'who is gone takes no command and waits for nothing',
    );
    assert(this.waiter === null || !this.postponed, 'a session is held for one thing');
    assert((this.transaction !== null) === ((this.gates & GATE_QUEUE) !== 0), 'commands are queued in a transaction');
    assert(this.executing === null || this.postponed, 'a transaction that runs between commands is left half way');
    assert((this.asking !== 'no') === ((this.gates & GATE_ASKING) !== 0), 'what ASKING has said is asked for');
    assert(this.replySkip !== 'this' || this.reply.suppressed, 'a reply that is skipped goes nowhere');
    this.reply.verify();
  }

  /** The connection is no more; whether that was wanted here. */
  end(): boolean {
    const { closing } = this;
    this.closed = true;
    this.closing = true;
    return closing;
  }

  /** Ends the connection at once. */
  close(): void {
    this.closing = true;
    this.port.close();
  }

  /** Ends the connection once everything owed is written. */
  closeAfterReply(): void {
    this.closing = true;
    this.port.closeAfterReply();
  }
}

/** Arguments kept beyond their command (MULTI, BLPOP). */
export function keepArguments(args: readonly Slice[], argc: number): Slice[] {
  const kept: Slice[] = [];
  for (let i = 0; i < argc; i++) kept.push(new Slice(args[i].copy()));
  return kept;
}
