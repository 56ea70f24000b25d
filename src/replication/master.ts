/**
 * The master's side of replication: the stream, those who read it, and what is promised of it (WAIT, min-replicas).
 *
 *   effects -> sink -> buffer -> readers of replicas          REPLCONF ACK -> acked -> WAIT, good replicas
 *
 * The buffer is there while anybody may read on from it: from the first replica on, and for repl-backlog-ttl after the
 * last has gone. Without one nothing is counted, so a history without a buffer is renewed before it is written on.
 *
 * A replica that has sub-replicas is a master too: its buffer is fed the bytes of its own master's stream (`relay`), and
 * the sink is idle.
 *
 * Invariants (verify): the sink is attached to propagation if and only if there is a buffer and this server follows no
 * master; there is a buffer while there are replicas.
 */
import { assert } from '../base/assert.ts';
import { quoted } from '../base/quoting.ts';
import type { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_REPLICAS } from '../engine/gates.ts';
import { OUTPUT_REPLICA } from '../engine/ports.ts';
import type { SnapshotPort, StreamContext, SyncCounts } from '../engine/replication-port.ts';
import { CLIENT, REPLICA } from '../engine/roles.ts';
import type { Log } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import { ReplicationBuffer } from './buffer.ts';
import { FullSync } from './full-sync.ts';
import { answerPsync, History } from './history.ts';
import type { ReplicationSettings } from './options.ts';
import { Replica, ReplicaInfo, Replicas } from './replicas.ts';
import { ReplicaSink } from './sink.ts';

/** Bytes of the stream that the log shows when something is wrong with it. */
const LATEST = 256;

export interface MasterParts {
  readonly engine: Engine;
  readonly settings: ReplicationSettings;
  readonly snapshots: SnapshotPort;
  readonly clock: Clock;
  readonly log: Log;
  /** 40 hexadecimal digits that nobody can foretell. */
  readonly newId: () => string;
  /** Bytes of memory that this machine has. */
  readonly systemMemory: number;
}

export class Master {
  readonly history: History;
  readonly replicas = new Replicas();
  readonly sink: ReplicaSink;
  readonly fullSync: FullSync;
  readonly counts: SyncCounts = { full: 0, partialOk: 0, partialRefused: 0 };
  /** Why the last synchronisation was full, and the last link ended, for INFO. */
  lastFullReason = 'none';
  lastEnd = 'none';
  private readonly parts: MasterParts;
  private held: ReplicationBuffer | null = null;
  /** Where the stream stands while there is no buffer. */
  private position = 0;
  private readonly infos = new WeakMap<Session, ReplicaInfo>();
  /** Whether the effects of our own commands make the stream: not while we follow a master. */
  private writes = true;
  /** Since when there has been no replica, ms; -1 while there is one. */
  private aloneSince = -1;
  private pingedAt: number;
  private feeding = false;

  constructor(parts: MasterParts) {
    this.parts = parts;
    this.history = new History(parts.newId());
    this.pingedAt = parts.clock.now();
    this.sink = new ReplicaSink({ append: (bytes, from, to) => this.append(bytes, from, to) });
    this.fullSync = new FullSync({
      replicas: this.replicas,
      snapshots: parts.snapshots,
      settings: parts.settings,
      log: parts.log,
      newMark: parts.newId,
      begin: () => this.beginSnapshot(),
      follow: (replica, at) => {
        replica.reader = this.readerAt(at);
      },
      arrived: (replica) => this.heardOf(replica),
      drop: (replica, reply) => this.drop(replica, reply),
    });
  }

  get buffer(): ReplicationBuffer | null {
    return this.held;
  }

  /** master_repl_offset: how many bytes the stream has had. */
  get offset(): number {
    return this.held?.end ?? this.position;
  }

  // The buffer.

  /** Begins to keep the stream, from position `at` of the present history on. */
  keep(at = this.position): void {
    assert(this.held === null, 'there is one buffer');
    this.held = new ReplicationBuffer(this.parts.settings.replBacklogSize, at);
    this.sink.forget();
    this.countAlone();
    this.follow();
  }

  /** Keeps the stream no longer. Nobody may read it. */
  private release(): void {
    assert(this.replicas.count === 0, 'replicas read from the buffer');
    this.position = this.offset;
    this.held = null;
    this.follow();
  }

  /** Stands at position `at` of another history, as its master said; what is kept of the old one is of no use any more. */
  restart(id: string, at: number): void {
    this.dropAll();
    if (this.held !== null) this.release();
    this.history.adopt(id);
    this.position = at;
  }

  /** The data that were loaded stand at position `at` of history `id`, and are a replica's. */
  stand(id: string, at: number): void {
    assert(this.held === null, 'a position is given before anything is kept');
    this.history.adopt(id);
    this.position = at;
  }

  /** The same of a master, which goes on with a history of its own: replicas that were as far may go on with it. */
  restored(id: string, at: number): void {
    this.stand(id, at);
    this.history.branch(this.parts.newId(), at);
    this.keep();
  }

  /** Whether our own commands' effects make the stream. */
  set writing(on: boolean) {
    this.writes = on;
    this.follow();
    this.countAlone();
  }

  private countAlone(): void {
    if (this.replicas.count === 0) this.aloneSince = this.parts.clock.now();
  }

  /** Bytes of our master's stream, which ours is the same as. */
  relay(bytes: Uint8Array, from: number, to: number): void {
    assert(!this.writes, 'a server that writes for itself relays nothing');
    if (this.held === null) this.position += to - from;
    else this.append(bytes, from, to);
  }

  private append(bytes: Uint8Array, from?: number, to?: number): void {
    this.held?.append(bytes, from, to);
    this.feedSoon();
  }

  /** What is written outside of a turn (expiry, pings) goes out as well. */
  private feedSoon(): void {
    if (this.feeding || this.replicas.count === 0) return;
    this.feeding = true;
    this.parts.clock.soon(() => {
      this.feeding = false;
      this.replicas.feed();
    });
  }

  private follow(): void {
    const { propagation } = this.parts.engine;
    if (this.held !== null && this.writes) propagation.attach(this.sink);
    else propagation.detach(this.sink);
  }

  private readerAt(at: number): Replica['reader'] {
    const reader = this.held?.reader(at) ?? null;
    assert(reader !== null, 'a replica reads from a position that is kept');
    return reader;
  }

  private beginSnapshot(): StreamContext {
    assert(this.parts.engine.propagation.idle, 'a snapshot begins between units of work');
    // Whoever reads from here on has selected no database, unless the snapshot tells which.
    if (this.writes) this.sink.forget();
    return this.context;
  }

  /** Where the data stand. */
  get context(): StreamContext {
    return { db: Math.max(0, this.sink.database), id: this.history.id, offset: this.offset };
  }

  // Replicas.

  infoOf(session: Session): ReplicaInfo {
    let info = this.infos.get(session);
    if (info === undefined) this.infos.set(session, (info = new ReplicaInfo()));
    return info;
  }

  /** PSYNC: the session is a replica from here on; it goes on at `offset` of history `id`, or gets everything. */
  psync(session: Session, id: string, offset: number): void {
    const { log } = this.parts;
    const replica = this.newReplica(session, false);
    log.notice(`Replica ${replica.name} asks for synchronization`);
    const answer = answerPsync(this.history, this.held, id, offset, replica.name);
    if (answer.kind === 'full') {
      log.notice(answer.log);
      if (id !== '?') this.counts.partialRefused++;
      this.lastFullReason = `${answer.reason}: ${answer.told}`;
      this.giveAll(replica);
      return;
    }
    this.counts.partialOk++;
    this.admit(replica);
    replica.phase = 'online';
    replica.reader = this.readerAt(answer.at);
    replica.settled = true;
    replica.say(replica.info.psync2 ? `+CONTINUE ${this.history.id}\r\n` : '+CONTINUE\r\n');
    log.notice(
      `Partial resynchronization request from ${replica.name} accepted. Sending ${this.offset - answer.at} bytes of backlog starting from offset ${offset}.`,
    );
    this.countGood();
  }

  /** PSYNC with an offset that is none. */
  misled(session: Session): void {
    const { name } = this.newReplica(session, false);
    this.parts.log.warning(`Replica ${name} asks for synchronization but with a wrong offset`);
  }

  /** SYNC: everything, to one that knows no history. */
  sync(session: Session): void {
    const replica = this.newReplica(session, true);
    this.parts.log.notice(`Replica ${replica.name} asks for synchronization`);
    this.lastFullReason = 'asked for: SYNC asks for everything';
    this.giveAll(replica);
  }

  private newReplica(session: Session, old: boolean): Replica {
    return new Replica(this.parts.engine, session, this.infoOf(session), old, this.parts.clock.now());
  }

  private giveAll(replica: Replica): void {
    this.counts.full++;
    this.admit(replica);
    if (this.parts.settings.replDisableTcpNodelay) replica.session.port.setNoDelay?.(false);
    if (this.held === null) {
      if (this.writes) this.history.renew(this.parts.newId());
      this.keep();
      const { id, id2 } = this.history;
      this.parts.log.notice(`Replication backlog created, my new replication IDs are '${id}' and '${id2}'`);
    }
    this.fullSync.wanted(replica);
  }

  private admit(replica: Replica): void {
    const { session } = replica;
    session.become(REPLICA);
    session.reply.suppressed = true;
    session.reply.errors = replica;
    session.replySkip = 'refused';
    // The first is not pinged at once: there is time until it would miss us.
    if (this.replicas.count === 0) this.pingedAt = this.parts.clock.now();
    this.replicas.add(replica);
    this.aloneSince = -1;
    session.onClosed = (wanted) => this.gone(replica, wanted);
    session.onDrained = () => this.drained(replica);
  }

  private drained(replica: Replica): void {
    this.fullSync.drained(replica);
    this.replicas.feedOne(replica);
  }

  private gone(replica: Replica, wanted: boolean): void {
    const { name, acked, phase } = replica;
    const reason = replica.endedBy || (wanted ? 'it was closed here' : 'the other side closed it');
    const told = `${reason}; it was ${phase} and had acknowledged ${acked} of ${this.offset}`;
    this.lastEnd = `${name}: ${told}`;
    this.parts.log.warning(`Connection with replica ${name} lost. Reason: ${told}`);
    this.forget(replica);
  }

  /** Ends a replica's link at once. */
  private end(replica: Replica, reason: string): void {
    replica.endedBy = reason;
    replica.session.close();
  }

  /** It is alive: it loads, or waits for its turn. One that listens to anything else, or wants replies, is out of step. */
  heard(session: Session): void {
    const replica = this.replicas.of(session);
    if (replica === undefined || session.closing) return;
    if (session.reply.suppressed && session.subscriptions === 0) this.heardOf(replica);
    else this.repliedTo(replica);
  }

  /** One that is replied to, where nobody reads replies, is out of step. */
  private repliedTo(replica: Replica): void {
    const { session } = replica;
    const command = session.lastCommand?.name ?? '<unknown>';
    this.parts.log.warning(
      `Replica generated a reply to command '${command}', disconnecting it: ${session.describe()}`,
    );
    this.end(replica, `its command '${command}' was replied to`);
  }

  private forget(replica: Replica): void {
    this.replicas.remove(replica);
    this.fullSync.gone(replica);
    this.countAlone();
    this.countGood();
  }

  /** Ends a replica; what it is owed, and `reply` behind that, it still gets. */
  private drop(replica: Replica, reply: string): void {
    const { session } = replica;
    if (reply !== '') replica.say(reply);
    session.become(CLIENT);
    session.closeAfterReply();
  }

  /** Ends all: the data are about to be others. */
  dropAll(): void {
    for (const replica of [...this.replicas.all]) {
      replica.endedBy = 'the history that it follows has changed here';
      this.gone(replica, true);
      replica.session.onClosed = () => {};
      replica.session.close();
    }
  }

  /** REPLCONF ACK: it has processed the stream up to `offset`. */
  acknowledged(session: Session, offset: number): void {
    const replica = this.replicas.of(session);
    if (replica === undefined) return;
    if (offset > replica.acked) replica.acked = offset;
    if (replica.phase === 'acknowledging') {
      this.fullSync.online(replica);
      this.replicas.feedOne(replica);
    }
    if (replica.phase === 'online') replica.settle();
    this.heardOf(replica);
  }

  private heardOf(replica: Replica): void {
    replica.ackedAt = this.parts.clock.now();
    this.countGood();
  }

  /** min-replicas-to-write: writes are refused while too few replicas are good. */
  countGood(): void {
    const { engine, settings, clock } = this.parts;
    const { minReplicasToWrite: wanted, minReplicasMaxLag: lag } = settings;
    const few = wanted > 0 && lag > 0 && this.replicas.good(clock.now(), lag * 1000) < wanted;
    engine.gates.set(GATE_REPLICAS, 'replication', few && this.writes);
  }

  // Time.

  /** Once a second; `pings` is false while nothing may be added to the stream. */
  tick(pings: boolean): void {
    const now = this.parts.clock.now();
    const { settings } = this.parts;
    if (this.writes && pings && this.replicas.count > 0) this.ping(now);
    for (const replica of [...this.replicas.all]) this.keepAlive(replica, now);
    this.limitReplicas();
    this.fullSync.tick(now);
    this.countGood();
    const { replBacklogTtl: ttl } = settings;
    if (this.held !== null && this.writes && ttl > 0 && this.aloneSince >= 0 && now - this.aloneSince > ttl * 1000) {
      this.release();
      // What follows is counted by nobody, so nobody may go on from it.
      this.history.renew(this.parts.newId());
      this.parts.log.notice(`Replication backlog freed after ${ttl} seconds without connected replicas.`);
    }
  }

  private ping(now: number): void {
    if (now - this.pingedAt < this.parts.settings.replPingReplicaPeriod * 1000) return;
    this.pingedAt = now;
    this.command('PING');
  }

  /** Ends replicas that are owed too much, or that ask for anything; at the end of each turn. */
  limitReplicas(): void {
    if (this.replicas.count === 0) return;
    const { settings, clock } = this.parts;
    const limit = settings.clientOutputBufferLimit[OUTPUT_REPLICA];
    const roomy = settings.replSyncBufferToMaxmemory;
    for (const replica of this.replicas.all) {
      const { session, settled } = replica;
      if (session.reply.unheard && !session.closing) this.repliedTo(replica);
      if (session.closing || (roomy && !settled)) continue;
      if (replica.isOver(limit, settings.replBacklogSize, clock.now()))
        this.endOver(
          replica,
          `its class may be owed ${limit.hardBytes}, or ${limit.softBytes} for ${limit.softSeconds} s`,
        );
    }
    if (roomy) this.limitSynchronizing(limit.hardBytes);
  }

  /**
   * What those are owed that take in a snapshot, or took one in, may grow to what maxmemory leaves, where it may not grow
   * for ever: a limit of 0 is none. A server that evicts is always at its maxmemory.
   */
  private limitSynchronizing(usual: number): void {
    if (usual === 0) return;
    const { maxmemory } = this.parts.settings;
    const most = maxmemory > 0 ? maxmemory : this.parts.systemMemory / 2;
    if (this.held === null || this.held.bytes <= usual || this.parts.engine.usedMemory.total <= most) return;
    const owed = this.replicas.all.filter(({ session, owed }) => !session.closing && owed > usual);
    const worst = owed.sort((a, b) => b.owed - a.owed).at(0);
    if (worst !== undefined) this.endOver(worst, `memory is bounded by ${most}`);
  }

  private endOver(replica: Replica, bound: string): void {
    const { engine, log } = this.parts;
    const { session, owed } = replica;
    log.warning(`Client ${session.describe()} scheduled to be closed ASAP for overcoming of output buffer limits.`);
    engine.stats.outputLimitDisconnections++;
    this.end(replica, `it was owed ${owed} bytes of the stream, where ${bound}`);
  }

  private keepAlive(replica: Replica, now: number): void {
    const { phase, ackedAt, old } = replica;
    const timeout = this.parts.settings.replTimeout * 1000;
    if (this.fullSync.paces(replica) && replica.stuckFor(now) > timeout) {
      this.timedOut(replica, 'full', 'it has taken nothing of its snapshot');
      return;
    }
    if (phase === 'waiting' || (phase === 'saving' && !this.fullSync.diskless)) {
      replica.say('\n');
      return;
    }
    if (old || (phase !== 'online' && phase !== 'acknowledging') || now - ackedAt <= timeout) return;
    this.timedOut(replica, 'streaming', 'nothing was heard of it');
  }

  private timedOut(replica: Replica, during: 'full' | 'streaming', what: string): void {
    this.parts.log.warning(`Disconnecting timedout replica (${during} sync): ${replica.name}`);
    this.end(replica, `${what} for ${this.parts.settings.replTimeout} s`);
  }

  /** The end of what is kept of the stream, for the log; null where there is nothing. */
  latest(): string | null {
    const { held } = this;
    if (held === null || held.length === 0) return null;
    const parts: Uint8Array[] = [];
    held.views(Math.max(held.start, held.end - LATEST), LATEST, parts);
    return `Latest backlog is: '${quoted(Buffer.concat(parts).toString('latin1'))}'`;
  }

  /** Asks the replicas how far they are; their answers come as REPLCONF ACK. */
  askForAcknowledgement(): void {
    this.command('REPLCONF', 'GETACK', '*');
  }

  /** A command of the stream's own; where there is no stream, nothing. */
  command(...words: readonly (string | Slice)[]): void {
    if (this.writes && this.held !== null) this.sink.command(...words);
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    assert(this.replicas.count === 0 || this.held !== null, 'there is a buffer while there are replicas');
    this.held?.verify();
    this.replicas.verify();
  }
}
