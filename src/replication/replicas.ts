/**
 * The replicas of this server: who they are, how far each has come, and the stream that is handed to those that are
 * online.
 *
 *   waiting ──────> saving ──────> sending ──────> acknowledging ──> online
 *   for a snapshot  it is made     it goes out     (diskless only)   reads the shared buffer on
 *
 * A replica's reader stands at the position of the snapshot that it is sent, from the moment at which that begins; so all
 * that is written meanwhile waits for it in the shared buffer, once for all replicas. An online replica is handed bytes
 * only when its connection has written all that it was handed before: what a slow one is owed stays in the buffer too.
 *
 * Invariants (verify): a replica has a reader if and only if it is saving or beyond; only an online one has output of the
 * stream; no replica is rdbOnly and online.
 */
import { assert } from '../base/assert.ts';
import { tellDivergence } from '../engine/divergence.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import type { ErrorListener } from '../protocol/reply.ts';
import type { BufferReader } from './buffer.ts';

/** One class of client-output-buffer-limit; 0 is none. */
export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

export type Phase = 'waiting' | 'saving' | 'sending' | 'acknowledging' | 'online';

/** What a session has told of itself by REPLCONF, replica or not yet. */
export class ReplicaInfo {
  /** Port and address by which it wants to be shown; 0 and '' where it has named none. */
  port = 0;
  ip = '';
  /** Reads a payload that is ended by a mark. */
  eof = false;
  psync2 = false;
  /** Wants the snapshot only, no stream. */
  rdbOnly = false;
  /** Parts of the data that the snapshot leaves out. */
  withoutData = false;
  withoutFunctions = false;
}

export class Replica implements ErrorListener {
  readonly session: Session;
  readonly info: ReplicaInfo;
  phase: Phase = 'waiting';
  reader: BufferReader | null = null;
  /** Position up to which it says that it has processed the stream, and when it said so (ms of the clock). */
  acked = 0;
  ackedAt: number;
  /** When it asked for a snapshot, ms of the clock. */
  readonly waitingSince: number;
  /** It asked by SYNC and is told neither history nor offset; it acknowledges nothing. */
  readonly old: boolean;
  private readonly engine: Engine;

  constructor(engine: Engine, session: Session, info: ReplicaInfo, old: boolean, now: number) {
    this.engine = engine;
    this.session = session;
    this.info = info;
    this.old = old;
    this.ackedAt = now;
    this.waitingSince = now;
  }

  errorReplied(text: string, counted: boolean): void {
    const { engine, session } = this;
    engine.stats.errorReplied(text, counted);
    const command = session.lastCommand?.name ?? null;
    tellDivergence(engine, engine.server.log, { from: 'master', to: 'replica', error: text, command, fatal: false });
  }

  /** A line of the synchronisation's own, in front of the stream. */
  say(text: string): void {
    const { reply } = this.session;
    reply.suppressed = false;
    reply.rawText(text);
    reply.suppressed = true;
  }

  /**
   * Bytes that stay as they are, of the snapshot or of the stream: no memory of a client's that maxmemory would bound. The
   * shared buffer counts those of the stream.
   */
  hand(bytes: Uint8Array): void {
    const { reply } = this.session;
    reply.suppressed = false;
    reply.rawLent(bytes);
    reply.suppressed = true;
  }

  /** Its address as the log names it. */
  get name(): string {
    const port = this.info.port > 0 ? String(this.info.port) : '<unknown-replica-port>';
    return `${this.ip}:${port}`;
  }

  get ip(): string {
    const { ip } = this.info;
    if (ip !== '') return ip;
    const { address } = this.session.port;
    return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  }

  /** As INFO names its phase. */
  get state(): 'wait_bgsave' | 'send_bulk' | 'online' {
    if (this.phase === 'waiting' || this.phase === 'saving') return 'wait_bgsave';
    return this.phase === 'sending' ? 'send_bulk' : 'online';
  }

  /** Why its link ends, once that is decided here. */
  endedBy = '';
  /** It has loaded the snapshot: only then does it take the stream, whatever it was handed before. */
  settled = false;
  /** Of the bytes that it was owed then, those that it still is: they don't count against its class. */
  private allowance = 0;

  settle(): void {
    if (!this.settled) this.allowance = this.owed;
    this.settled = true;
  }

  /** Bytes of the stream that it is owed, as the limits of its class count them. */
  get burden(): number {
    this.allowance = Math.min(this.allowance, this.owed);
    return this.owed - this.allowance;
  }

  /** Since when it has been owed more than the soft limit, ms; 0 while it is not. */
  private softSince = 0;

  /**
   * Whether it is owed more than its class of clients may be. What the backlog keeps anyway is no burden: a limit below its
   * size counts as that.
   */
  isOver({ hardBytes, softBytes, softSeconds }: OutputLimit, backlog: number, now: number): boolean {
    const owed = this.burden;
    if (hardBytes > 0 && owed > Math.max(hardBytes, backlog)) return true;
    if (softBytes === 0 || owed <= Math.max(softBytes, backlog)) this.softSince = 0;
    else if (this.softSince === 0) this.softSince = now;
    else return now - this.softSince > softSeconds * 1000;
    return false;
  }

  /** What its connection still had to write when that last changed, and when, ms. */
  private unwritten = 0;
  private unwrittenSince = 0;

  /** For how long its connection has had bytes to write and got none of them away, ms; to be asked regularly. */
  stuckFor(now: number): number {
    const { pending } = this.session.reply;
    if (pending === 0 || pending !== this.unwritten) this.unwrittenSince = now;
    this.unwritten = pending;
    return now - this.unwrittenSince;
  }

  /** Bytes of the stream that it is owed. */
  get owed(): number {
    return this.reader?.behind ?? 0;
  }
}

/** Bytes of the buffer that are handed to a connection at a time. */
const HANDED = 1024 * 1024;

export class Replicas {
  private readonly list: Replica[] = [];
  private readonly parts: Uint8Array[] = [];

  get all(): readonly Replica[] {
    return this.list;
  }

  get count(): number {
    return this.list.length;
  }

  get online(): number {
    return this.list.reduce((sum, { phase }) => (phase === 'online' ? sum + 1 : sum), 0);
  }

  of(session: Session): Replica | undefined {
    return this.list.find((replica) => replica.session === session);
  }

  in(phase: Phase): Replica[] {
    return this.list.filter((replica) => replica.phase === phase);
  }

  add(replica: Replica): void {
    assert(this.of(replica.session) === undefined, 'a session is one replica');
    this.list.push(replica);
  }

  remove(replica: Replica): void {
    const index = this.list.indexOf(replica);
    if (index >= 0) this.list.splice(index, 1);
    replica.reader?.close();
    replica.reader = null;
  }

  /** How many have acknowledged `at` or more. */
  acknowledged(at: number): number {
    return this.list.reduce((sum, { phase, acked }) => (phase === 'online' && acked >= at ? sum + 1 : sum), 0);
  }

  /** Replicas that have the snapshot and were heard of within `lag` ms. */
  good(now: number, lag: number): number {
    return this.list.reduce(
      (sum, { state, ackedAt }) => (state === 'online' && now - ackedAt <= lag ? sum + 1 : sum),
      0,
    );
  }

  /** Hands the online replicas what they are owed; at the end of each turn. */
  feed(): void {
    for (const replica of this.list) if (replica.phase === 'online') this.feedOne(replica);
  }

  /** The same for one, when its connection has written all that it had. */
  feedOne(replica: Replica): void {
    const { session, reader, phase } = replica;
    if (reader === null || phase !== 'online' || session.closing || session.reply.pending > 0) return;
    reader.finish();
    const { parts } = this;
    if (reader.take(HANDED, parts) === 0) return;
    for (const part of parts) replica.hand(part);
    parts.length = 0;
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    for (const { phase, reader, info, session } of this.list) {
      assert((reader !== null) === (phase !== 'waiting'), 'a replica reads on from the snapshot that it is sent');
      assert(!(info.rdbOnly && phase === 'online'), 'who wants the snapshot only is handed no stream');
      assert(session.role.name === 'replica', 'a replica has the role of one');
    }
  }
}
