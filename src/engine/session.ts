/** A session: what the server knows of one client, whatever carries it. */
import type { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import type { ChunkPool } from '../protocol/chunk.ts';
import { Reply } from '../protocol/reply.ts';
import type { User } from './acl/user.ts';
import type { Waiter } from './blocking.ts';
import type { Engine } from './engine.ts';
import { GATE_ACL, GATE_AUTH, GATE_NO_MULTI, GATE_QUEUE, GATE_SUBSCRIBED } from './gates.ts';
import { OUTPUT_NORMAL, OUTPUT_PUBSUB, type SessionPort, type TransportSession } from './ports.ts';
import type { Registered } from './table.ts';
import type { Tracker } from './tracking.ts';
import type { Transaction, WatchedKey } from './transaction.ts';

function nobody(): void {}

export class Session implements TransportSession {
  readonly id: number;
  readonly engine: Engine;
  readonly port: SessionPort;
  readonly reply: Reply;
  db: Database;
  name = '';
  /** Whose permissions it has: the default user's at first; null where nobody is to be asked for permission. */
  account: User | null;
  /** Has proven who it is, or needn't have when it came. */
  proven = false;
  /** States that concern commands of this session; bits of gates.ts. */
  denied = 0;
  /** Wall time of the connection's start, ms. */
  readonly created: number;
  /** Wall time of the last command, ms. */
  lastCommandAt: number;
  lastCommand: Registered | null = null;
  /** Commands run. */
  calls = 0;

  /** Between MULTI and EXEC. */
  transaction: Transaction | null = null;
  watched: WatchedKey[] | null = null;
  /** What its watched keys and its subscriptions take. */
  watchedBytes = 0;
  subscribedBytes = 0;
  /** While a blocking command waits. */
  waiter: Waiter | null = null;
  /** Told when its connection has ended. */
  onClosed: () => void = nobody;
  /** What EXEC runs, while it is at it. */
  executing: Transaction | null = null;
  /** It runs the commands of scripts. */
  scripted = false;
  /** Commands held back: by CLIENT PAUSE, or while a script of this session is suspended. */
  postponed = false;
  monitor = false;
  /** While it is told of changes to what it caches. */
  tracking: Tracker | null = null;
  noEvict = false;
  noTouch = false;
  /** Its commands come from a file or from a master and have been accepted before: they are not judged again. */
  obeyed = false;
  /** Closing: no further command is taken. */
  closing = false;
  closed = false;
  /** CLIENT REPLY: replies of the next command, or of all, go nowhere. */
  replyOff = false;
  replySkip: 'no' | 'next' | 'this' = 'no';

  /** Channels by kind; null until the first subscription. */
  channels: Set<string> | null = null;
  patterns: Set<string> | null = null;
  shardChannels: Set<string> | null = null;

  constructor(engine: Engine, id: number, port: SessionPort, pool: ChunkPool, now: number) {
    this.engine = engine;
    this.id = id;
    this.port = port;
    this.reply = new Reply(pool);
    this.reply.errors = engine.stats;
    this.db = engine.keyspaces.databases[0];
    this.account = engine.acl.defaultUser;
    this.created = now;
    this.lastCommandAt = now;
  }

  get authenticated(): boolean {
    return (this.denied & GATE_AUTH) === 0;
  }

  set mustAuthenticate(yes: boolean) {
    this.denied = yes ? this.denied | GATE_AUTH : this.denied & ~GATE_AUTH;
  }

  /** Whether its user's rules must be asked. */
  get restricted(): boolean {
    return (this.denied & GATE_ACL) !== 0;
  }

  set restricted(yes: boolean) {
    this.denied = yes ? this.denied | GATE_ACL : this.denied & ~GATE_ACL;
  }

  /** The name of its user. */
  get user(): string {
    return this.account ? this.account.name : '(superuser)';
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
    const confined = this.subscriptions > 0 && this.reply.resp === 2;
    this.denied = confined ? this.denied | GATE_SUBSCRIBED : this.denied & ~GATE_SUBSCRIBED;
  }

  setTransaction(transaction: Transaction | null): void {
    this.engine.usedMemory.queued -= this.transaction?.bytes ?? 0;
    this.transaction = transaction;
    const gates = GATE_QUEUE | GATE_NO_MULTI;
    this.denied = transaction ? this.denied | gates : this.denied & ~gates;
  }

  get outputClass(): number {
    return this.subscriptions > 0 ? OUTPUT_PUBSUB : OUTPUT_NORMAL;
  }

  get mayIdleOut(): boolean {
    return this.waiter === null && this.subscriptions === 0 && !this.monitor;
  }

  describe(): string {
    return this.engine.describeSession(this);
  }

  /** Takes no further command, and ends the connection once the one that runs now has replied. */
  closeAfterCommand(): void {
    this.closing = true;
    queueMicrotask(() => {
      if (!this.closed) this.port.close(true);
    });
  }

  /** Ends the connection; with `afterReply` once everything owed is written. */
  close(afterReply: boolean): void {
    this.closing = true;
    this.port.close(afterReply);
  }
}

/** Arguments kept beyond their command (MULTI, BLPOP). */
export function keepArguments(args: readonly Slice[], argc: number, make: (bytes: Uint8Array) => Slice): Slice[] {
  const kept: Slice[] = [];
  for (let i = 0; i < argc; i++) kept.push(make(args[i].copy()));
  return kept;
}
