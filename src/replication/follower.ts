/**
 * The replica's side of replication: which master is followed, and the life of the link to it.
 *
 *   connect ─> connecting ─> handshake ─┬─> transfer ─> connected        each goes back to `connect` when the link is
 *      ^            │             │     └─────────────> connected        lost; from `connected` it tries again at once, else
 *      └────────────┴─────────────┘                                      a second after it last tried
 *
 * What stands here are the rules (when to connect, what a line or a lost link means, when silence is too long); the link,
 * the coming in of a snapshot and the engine are handed in. Time is told by `tick`, once a second.
 *
 * Invariants (verify): a stream is there if and only if the state is `connected`; a payload if and only if it is
 * `transfer`; the gates say READONLY and MASTERDOWN as the state demands.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/time.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_READONLY, GATE_STALE } from '../engine/gates.ts';
import type { Incoming, IncomingOptions, IncomingResult, StreamContext } from '../engine/replication-port.ts';
import type { Log } from '../engine/server-port.ts';
import { LocalExpiry } from '../keyspace/local-expiry.ts';
import type { LinkError, LinkReceiver } from '../links/link.ts';
import { Handshake, type Outcome, type Step } from './handshake.ts';
import type { Master } from './master.ts';
import type { ReplicationSettings } from './options.ts';
import { Payload } from './payload.ts';
import { request } from './sink.ts';
import { MasterStream, type StreamPort } from './stream.ts';

/** Between two attempts to connect, where the link has lasted no longer. */
const RETRY_MS = 1000;

export type FollowerState = 'none' | 'connect' | 'connecting' | 'handshake' | 'transfer' | 'connected';

/** The link to a master, once it is asked for. */
export interface MasterLink {
  write(bytes: Uint8Array): void;
  /** Nothing more is read from it until `resume`; what has been read may still come. */
  pause(): void;
  resume(): void;
  /** Ends it; the receiver hears nothing more. */
  close(): void;
  /** The port as which the master's commands come in. */
  session(broken: (reason: string, dump: string) => void, resume: () => void): StreamPort;
}

export interface FollowerParts {
  readonly engine: Engine;
  readonly settings: ReplicationSettings;
  readonly master: Master;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
  readonly dial: (host: string, port: number, receiver: LinkReceiver) => MasterLink;
  readonly receive: (options: IncomingOptions) => Incoming;
  /** The port that we are reached at. */
  readonly ownPort: () => number;
  /** This server follows a master now, or does so no more. */
  readonly roleChanged: (isReplica: boolean) => void;
  /** The master has let us synchronize, or not; before anything comes of that. It may be followed no longer then. */
  readonly answered: (accepted: boolean) => void;
}

export class Follower {
  state: FollowerState = 'none';
  host = '';
  port = 0;
  /** Since when the link has been down, ms; 0 while it is up or there is no master. */
  downSince = 0;
  /** When the last stream ended, ms; 0 while there is one, and where there never was one from the master. */
  private leftAt = 0;
  /** Why the last link ended, and the last synchronisation was full, for INFO. */
  lastEnd = 'none';
  lastFullReason = 'none';
  /** When something was last heard of the master, ms. */
  heardAt = 0;
  /** While a snapshot comes in: how much of it has. */
  readonly transfer = { total: 0, read: 0, at: 0 };
  private readonly parts: FollowerParts;
  private link: MasterLink | null = null;
  private handshake: Handshake | null = null;
  private line = '';
  private payload: Payload | null = null;
  private incoming: Incoming | null = null;
  private stream: MasterStream | null = null;
  /** The beginning of the stream, which has come in while the snapshot is being loaded. */
  private readonly early: Uint8Array[] = [];
  /** Where the stream goes on after the snapshot that comes in. */
  private next: Outcome | null = null;
  /** The data stand at a position of the history, so that a master may let us go on; and the database selected there. */
  private known = false;
  private selected = -1;
  /** The next PSYNC asks the master to change places with us. */
  private takingOver = false;
  private triedAt = 0;

  constructor(parts: FollowerParts) {
    this.parts = parts;
  }

  get following(): boolean {
    return this.state !== 'none';
  }

  get connected(): boolean {
    return this.state === 'connected';
  }

  /** Whether a snapshot is coming in. */
  get synchronizing(): boolean {
    return this.state === 'transfer';
  }

  /** Bytes of the stream that have come in, run or not. */
  get readOffset(): number {
    return this.parts.master.offset + (this.stream?.pending ?? 0);
  }

  /** Milliseconds since a master was last heard whose data these are; Infinity where none ever was. */
  get dataAge(): number {
    const now = this.parts.clock.now();
    if (this.connected) return now - this.heardAt;
    return this.leftAt === 0 ? Number.POSITIVE_INFINITY : now - this.leftAt;
  }

  /** Where the data stand in the master's history; null while that is unknown. */
  get context(): StreamContext | null {
    const { master } = this.parts;
    if (this.stream === null && !this.known) return null;
    const db = this.stream?.session.db.index ?? Math.max(0, this.selected);
    return { db, id: master.history.id, offset: master.offset };
  }

  // Whom to follow.

  /** Follows a master from now on. With `takeOver` it is asked to become one, for the sake of FAILOVER. */
  follow(host: string, port: number, takeOver = false): void {
    const { master, log, engine } = this.parts;
    const wasMaster = !this.following;
    this.disconnect();
    this.host = host;
    this.port = port;
    this.takingOver = takeOver;
    if (wasMaster) {
      // What was written here is a history too: the new master may have it, and let us go on in it.
      log.notice(
        'Before turning into a replica, using my own master parameters to synthesize a cached master: I may be able to synchronize with the new master with just a partial transfer.',
      );
      this.known = true;
      this.selected = -1;
      if (master.buffer === null) master.keep();
      master.writing = false;
      engine.keyspaces.keepExpired('replica', true);
    }
    this.downSince = this.parts.clock.now();
    this.enter('connect');
    log.notice(`Connecting to MASTER ${host}:${port}`);
    this.connect();
  }

  /** The server starts as a replica; it connects once `tick` comes. */
  appoint(host: string, port: number): void {
    const { master, engine, clock } = this.parts;
    this.host = host;
    this.port = port;
    this.downSince = clock.now();
    master.writing = false;
    engine.keyspaces.keepExpired('replica', true);
    this.enter('connect');
  }

  /** What was known of a stream when the data were saved: a restart can go on there. */
  restored({ id, offset, db }: StreamContext): void {
    this.parts.master.stand(id, offset);
    this.known = true;
    this.selected = db;
  }

  /** Follows nobody any more: this server's own writes make a history of their own, from where the master's stood. */
  promote(): void {
    const { master, log, engine, newId } = this.parts;
    if (!this.following) return;
    this.disconnect();
    this.host = '';
    this.port = 0;
    this.takingOver = false;
    this.downSince = 0;
    this.leftAt = 0;
    const { history } = master;
    const { offset } = master;
    history.branch(newId(), offset);
    // They learn the new id by asking again.
    master.dropAll();
    log.warning(
      `Setting secondary replication ID to ${history.id2}, valid up to offset: ${history.until}. New replication ID is ${history.id}`,
    );
    this.known = false;
    master.writing = true;
    master.sink.forget();
    engine.keyspaces.keepExpired('replica', false);
    this.enter('none');
    if (master.buffer === null) master.keep();
  }

  // The link.

  private connect(): void {
    assert(this.link === null, 'there is one link to a master');
    this.triedAt = this.parts.clock.now();
    this.heardAt = this.triedAt;
    this.enter('connecting');
    this.parts.log.notice('MASTER <-> REPLICA sync started');
    this.link = this.parts.dial(this.host, this.port, {
      opened: () => this.opened(),
      data: (bytes, from, to) => this.data(bytes, from, to),
      closed: (error) => this.lost(error),
    });
  }

  private opened(): void {
    const { settings, log, master, ownPort } = this.parts;
    log.notice('Non blocking connect for SYNC fired the event.');
    this.heard();
    const { masteruser, masterauth, replicaAnnouncePort, replicaAnnounceIp } = settings;
    this.handshake = new Handshake({
      user: masteruser === '' ? null : masteruser,
      password: masterauth === '' ? null : masterauth,
      port: replicaAnnouncePort > 0 ? replicaAnnouncePort : ownPort(),
      ip: replicaAnnounceIp === '' ? null : replicaAnnounceIp,
      from: this.known ? { id: master.history.id, offset: master.offset + 1 } : null,
      failover: this.takingOver,
    });
    this.line = '';
    this.enter('handshake');
    this.step(this.handshake.begin(), false);
  }

  private data(bytes: Uint8Array, from: number, to: number): void {
    this.heard();
    const { stats } = this.parts.engine;
    stats.netInput += to - from;
    stats.netReplInput += to - from;
    while (from < to) {
      if (this.stream !== null) {
        this.stream.take(bytes, from, to);
        return;
      }
      if (this.payload !== null) from = this.takePayload(this.payload, bytes, from, to);
      else if (this.handshake !== null) from = this.takeLine(bytes, from, to);
      else {
        this.early.push(bytes.slice(from, to));
        return;
      }
    }
  }

  private heard(): void {
    this.heardAt = this.parts.clock.now();
  }

  /** The link is gone, whoever ended it. */
  private lost({ failure, message: reason }: LinkError): void {
    const { log } = this.parts;
    this.link = null;
    if (failure === 'unresolved') log.warning(`Unable to connect to MASTER: ${reason}`);
    else if (this.state === 'connecting') log.warning(`Error condition on socket for SYNC: ${reason}`);
    else if (this.state === 'connected')
      log.warning(
        `Connection with master lost. Reason: ${reason}; the data stand at offset ${this.parts.master.offset}`,
      );
    else if (this.state === 'transfer') log.warning(`I/O error trying to sync with MASTER: ${reason}`);
    else log.warning(`Failed to read response from the server: ${reason}`);
    this.ended(reason);
    this.retry();
  }

  /** Ends the link and everything that hangs on it; the data stay as they are. */
  private disconnect(): void {
    this.link?.close();
    this.link = null;
    this.handshake = null;
    this.payload = null;
    this.early.length = 0;
    this.incoming?.abort();
    this.incoming = null;
    if (this.stream !== null) {
      this.selected = this.stream.session.db.index;
      this.stream.close();
      this.stream = null;
      this.leftAt = this.parts.clock.now();
      this.parts.log.notice('Caching the disconnected master state.');
    }
    this.next = null;
  }

  private retry(): void {
    const { connected, host, port, triedAt } = this;
    const now = this.parts.clock.now();
    if (this.downSince === 0) this.downSince = now;
    this.disconnect();
    this.enter('connect');
    // At once, unless the link has died young: the longer it takes, the more likely the backlog has moved on.
    if (!connected || now - triedAt < RETRY_MS) return;
    this.parts.log.notice(`Reconnecting to MASTER ${host}:${port}`);
    this.connect();
  }

  private fail(reason: string): void {
    this.parts.log.warning(reason);
    this.ended(reason);
    this.retry();
  }

  private ended(reason: string): void {
    this.lastEnd = `${reason} (in state ${this.state}, at offset ${this.parts.master.offset})`;
  }

  /** What it sends is no stream of commands: nobody knows where the data stand, so that all is asked for again. */
  private broken(reason: string, dump: string): void {
    const { log } = this.parts;
    const who = this.stream?.session.describe() ?? '';
    log.warning(`Protocol error (${reason}) from client: ${who}. ${dump}`);
    this.known = false;
    this.fail(`Connection with master lost. Reason: a protocol error (${reason})`);
  }

  /** The server ends: nothing is followed any more. */
  close(): void {
    this.disconnect();
    this.state = 'none';
  }

  // The handshake.

  private takeLine(bytes: Uint8Array, from: number, to: number): number {
    for (let i = from; i < to; i++) {
      const byte = bytes[i];
      if (byte === 10) {
        const line = this.line;
        this.line = '';
        const { handshake } = this;
        const asked = handshake?.state === 'psync';
        if (handshake !== null) this.step(handshake.line(line), asked);
        return i + 1;
      }
      if (byte !== 13) this.line += String.fromCharCode(byte);
      if (this.line.length > 1024) {
        this.fail('The master answers with a line that has no end');
        return to;
      }
    }
    return to;
  }

  /** `asked`: the step is what the answer to PSYNC leads to. */
  private step({ send, log, outcome }: Step, asked: boolean): void {
    for (const { level, text } of log) this.parts.log[level](text);
    for (const words of send) this.link?.write(request(...words));
    if (outcome === null) return;
    this.handshake = null;
    if (asked) this.parts.answered(outcome.kind === 'full' || outcome.kind === 'continue');
    if (this.state !== 'handshake') return;
    if (outcome.kind === 'continue') this.goOn(outcome.id);
    else if (outcome.kind === 'full') this.beginTransfer(outcome);
    else this.retry();
  }

  /** The master lets us go on; under a new id of its history, where it has one. */
  private goOn(id: string): void {
    const { master, log } = this.parts;
    this.takingOver = false;
    log.notice('Successful partial resynchronization with master.');
    if (id !== '' && !master.history.is(id)) {
      log.notice(`Master replication ID changed to ${id}`);
      master.history.branch(id, master.offset);
      // They learn the new id by asking again.
      master.dropAll();
    }
    if (master.buffer === null) master.keep();
    log.notice('MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.');
    this.beginStream();
  }

  // The snapshot.

  private beginTransfer(outcome: Outcome): void {
    this.takingOver = false;
    this.next = outcome;
    const { history, offset } = this.parts.master;
    this.lastFullReason = this.known
      ? `asked for ${history.id}:${offset + 1}, the master gave ${outcome.id}:${outcome.offset}`
      : 'asked for everything';
    if (this.known) this.parts.log.notice('Discarding previously cached master state.');
    Object.assign(this.transfer, { total: -1, read: 0, at: this.parts.clock.now() });
    this.payload = new Payload({
      begin: (length) => this.payloadBegins(length),
      bytes: (bytes, from, to) => this.incoming?.piece(bytes, from, to),
      end: () => this.incoming?.finish(),
    });
    this.enter('transfer');
  }

  private takePayload(payload: Payload, bytes: Uint8Array, from: number, to: number): number {
    const end = payload.take(bytes, from, to);
    if (typeof end === 'string') {
      this.fail(end);
      return to;
    }
    this.transfer.read += end - from;
    this.transfer.at = this.heardAt;
    if (payload.done && this.payload === payload) {
      this.payload = null;
      if (this.incoming !== null) this.link?.pause();
    }
    return end;
  }

  private payloadBegins(length: number): void {
    const { log, receive, settings } = this.parts;
    const way = settings.replDisklessLoad === 'disabled' ? 'disk' : 'parser';
    this.transfer.total = Math.max(0, length);
    log.notice(
      length < 0
        ? `MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to ${way}`
        : `MASTER <-> REPLICA sync: receiving ${length} bytes from master to ${way}`,
    );
    this.incoming = receive({
      length,
      sameHistory: this.next !== null && this.next.id !== '' && this.parts.master.history.is(this.next.id),
      pace: (more) => this.pace(more),
      alive: () => this.link?.write(Uint8Array.of(10)),
      emptied: () => this.emptied(),
      done: (result) => this.received(result),
    });
  }

  private pace(more: boolean): void {
    if (!more) this.link?.pause();
    else if (this.payload !== null) this.link?.resume();
  }

  /** The old data are gone: until the new ones are here nobody may go on from us, nor we from there. */
  private emptied(): void {
    const { engine, master, newId } = this.parts;
    this.known = false;
    engine.keyspaces.localExpiry?.clear();
    master.restart(newId(), 0);
  }

  private received(result: IncomingResult): void {
    const { log, master } = this.parts;
    const { next } = this;
    this.incoming = null;
    if ('error' in result) {
      this.fail(result.error);
      return;
    }
    assert(next !== null, 'a snapshot comes in answer to PSYNC or SYNC');
    log.notice('MASTER <-> REPLICA sync: Finished with success');
    if (next.id === '') master.restart(this.parts.newId(), 0);
    else master.restart(next.id, next.offset);
    this.selected = result.context?.db ?? -1;
    this.known = next.id !== '';
    master.keep();
    this.beginStream();
  }

  // The stream.

  private beginStream(): void {
    const { engine, master, log } = this.parts;
    const { link } = this;
    assert(link !== null && this.stream === null, 'a stream comes over a link');
    const port = link.session(
      (reason, dump) => this.broken(reason, dump),
      () => this.stream?.resume(),
    );
    const applied = (bytes: Uint8Array, from: number, to: number): void => master.relay(bytes, from, to);
    const failed = (): void => {
      const latest = master.latest();
      if (latest !== null) log.warning(latest);
    };
    this.stream = new MasterStream(engine, port, { applied, failed }, this.selected);
    this.downSince = 0;
    this.leftAt = 0;
    this.enter('connected');
    this.acknowledge();
    for (const bytes of this.early.splice(0)) this.stream?.take(bytes, 0, bytes.length);
    if (!this.stream?.isFull) this.link?.resume();
  }

  /** What the stream has waited for is over. */
  unitEnded(): void {
    this.stream?.unitEnded();
  }

  /** REPLCONF ACK: how far we have come. */
  acknowledge(): void {
    if (this.connected) this.link?.write(request('REPLCONF', 'ACK', String(this.parts.master.offset)));
  }

  // Time and states.

  /** Once a second. */
  tick(): void {
    const now = this.parts.clock.now();
    if (this.stream?.isFull) this.heardAt = now;
    const silent = now - this.heardAt > this.parts.settings.replTimeout * 1000;
    switch (this.state) {
      case 'connect':
        if (now - this.triedAt < RETRY_MS) return;
        this.parts.log.notice(`Connecting to MASTER ${this.host}:${this.port}`);
        this.connect();
        return;
      case 'connecting':
      case 'handshake':
        if (silent) this.fail('Timeout connecting to the MASTER...');
        return;
      case 'transfer':
        if (silent && this.payload !== null)
          this.fail(
            "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.",
          );
        return;
      case 'connected':
        if (silent) this.fail('MASTER timeout: no data nor PING received...');
        else this.acknowledge();
        return;
    }
  }

  /** The settings that the gates hang on have changed. */
  refresh(): void {
    const { engine, settings } = this.parts;
    const { keyspaces } = engine;
    if (!this.following) keyspaces.localExpiry = null;
    else if (!settings.replicaReadOnly) keyspaces.localExpiry ??= new LocalExpiry();
    engine.gates.set(GATE_READONLY, 'replica', this.following && settings.replicaReadOnly);
    engine.gates.set(GATE_STALE, 'replica', this.following && !this.connected && !settings.replicaServeStaleData);
  }

  private enter(state: FollowerState): void {
    const { following } = this;
    this.state = state;
    this.refresh();
    if (this.following !== following) this.parts.roleChanged(this.following);
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const { state } = this;
    assert((this.stream !== null) === (state === 'connected'), 'a stream comes over an established link');
    assert(this.payload === null || state === 'transfer', 'a payload comes in a transfer');
    assert(this.incoming === null || state === 'transfer', 'a snapshot comes in by a transfer');
    assert((this.link === null) === (state === 'none' || state === 'connect'), 'a link is there from connect on');
  }
}
