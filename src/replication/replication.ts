/** Replication as a whole: this server as master, as replica, and on its way from one to the other. */
import { BEATS_A_SECOND, type Beat } from '../base/beat.ts';
import type { Slice } from '../base/slice.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import type {
  ReplicaLag,
  ReplicationPort,
  SnapshotPort,
  StreamContext,
  SyncCounts,
} from '../engine/replication-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import type { Reply } from '../protocol/reply.ts';
import { Failover } from './failover.ts';
import { Follower, type FollowerParts } from './follower.ts';
import { Master } from './master.ts';
import { request } from './sink.ts';

const STATE_CHANGED = '-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';

export interface ReplicationParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly clock: Clock;
  readonly beat: Beat;
  readonly log: Log;
  readonly newId: () => string;
  readonly snapshots: SnapshotPort;
  /** Bytes of memory that this machine has. */
  readonly systemMemory: number;
  readonly dial: FollowerParts['dial'];
  readonly receive: FollowerParts['receive'];
  readonly ownPort: () => number;
  /** This server follows a master now, or does so no more. */
  readonly roleChanged: (isReplica: boolean) => void;
}

/** A client that waits until `wanted` replicas have acknowledged the stream up to `offset`. */
interface Waiter {
  readonly session: Session;
  readonly offset: number;
  readonly wanted: number;
}

export class Replication implements ReplicationPort {
  readonly master: Master;
  readonly follower: Follower;
  readonly failover: Failover;
  private readonly parts: ReplicationParts;
  private readonly waiting = new Set<Waiter>();
  private asks = false;
  private started = false;
  private timer: Pick<Timer, 'cancel'> | null = null;

  constructor(parts: ReplicationParts) {
    this.parts = parts;
    const { engine, config, clock, log, newId, snapshots } = parts;
    const { settings } = config;
    this.master = new Master({ engine, settings, snapshots, clock, log, newId, systemMemory: parts.systemMemory });
    this.follower = new Follower({
      ...parts,
      settings,
      master: this.master,
      answered: (accepted) => this.answered(accepted),
    });
    this.failover = new Failover({
      log,
      now: () => clock.now(),
      offset: () => this.master.offset,
      replicas: () => this.master.replicas.all,
      holdWrites: () => engine.pause.holdWrites(),
      handOver: (host, port) => this.follow(host, port, true),
      takeBack: () => this.promote(),
    });
    config.on('repl-backlog-size', ({ replBacklogSize }) => {
      if (this.master.buffer !== null) this.master.buffer.size = replBacklogSize;
      return undefined;
    });
    config.on(['replica-read-only', 'replica-serve-stale-data'], () => {
      this.follower.refresh();
      return undefined;
    });
    config.follow(['min-replicas-to-write', 'min-replicas-max-lag'], () => this.master.countGood());
  }

  /** Before anything is loaded: whoever is to be followed is known. */
  begin(): void {
    const { replicaof } = this.parts.config.settings;
    if (replicaof !== null) this.follower.appoint(replicaof.host, replicaof.port);
  }

  restored(context: StreamContext): void {
    if (this.isReplica) this.follower.restored(context);
    else this.master.restored(context.id, context.offset);
  }

  expiredInSnapshot(db: number, key: Slice): void {
    if (this.master.buffer !== null) this.master.sink.effect(db, ...whole(request('DEL', key)));
  }

  start(): void {
    this.started = true;
    this.follower.tick();
    this.schedule();
  }

  private schedule(): void {
    this.timer ??= this.parts.beat.waiting(() => {
      this.timer = null;
      this.tick();
      this.schedule();
    }, BEATS_A_SECOND);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
    this.follower.close();
  }

  private tick(): void {
    this.master.tick(!this.failover.active);
    this.follower.tick();
    this.failover.check();
  }

  /** At the end of each turn: what was written in it goes out, and who waits for acknowledgements has them asked for. */
  beforeWrite(): void {
    if (this.asks) {
      this.asks = false;
      this.master.askForAcknowledgement();
    }
    this.master.replicas.feed();
    this.master.limitReplicas();
    this.failover.check();
  }

  feed(words: readonly Slice[]): void {
    this.master.command(...words);
  }

  replaced(): void {
    this.master.restart(this.parts.newId(), 0);
  }

  renewId(): void {
    this.master.history.renew(this.parts.newId());
  }

  unitEnded(): void {
    this.follower.unitEnded();
  }

  // Whom to follow.

  follow(host: string, port: number, takeOver = false): void {
    const { engine, config } = this.parts;
    const { follower } = this;
    const wasMaster = !follower.following;
    if (!wasMaster && !takeOver && follower.host === host && follower.port === port) return;
    if (this.started) follower.follow(host, port, takeOver);
    else follower.appoint(host, port);
    config.force('replicaof', [host, String(port)]);
    if (!wasMaster) return;
    // What they wait for is the master's to give now.
    for (const session of engine.sessions.values()) {
      if (session.waiter === null) continue;
      session.reply.error(STATE_CHANGED);
      engine.interruptWait(session, true);
      session.closeAfterReply();
    }
  }

  promote(): void {
    this.follower.promote();
    this.parts.config.force('replicaof', ['no', 'one']);
  }

  private answered(accepted: boolean): void {
    if (this.failover.state !== 'failover-in-progress') return;
    if (accepted) this.failover.done();
    else this.failover.abort('Failover target rejected psync request');
  }

  // WAIT.

  /** How many replicas have all that the session has written. */
  acknowledged(session: Session): number {
    return this.master.replicas.acknowledged(session.streamOffset);
  }

  /** The session waits; `interruptWait` ends that as soon as enough have acknowledged. */
  wait(session: Session, wanted: number): void {
    const waiter = { session, offset: session.streamOffset, wanted };
    this.waiting.add(waiter);
    this.asks = true;
  }

  acknowledge(session: Session, offset: number): void {
    this.master.acknowledged(session, offset);
    for (const waiter of this.waiting) {
      const { session, offset, wanted } = waiter;
      const gone = session.closed || session.waiter === null;
      const count = gone ? 0 : this.master.replicas.acknowledged(offset);
      if (!gone && count < wanted) continue;
      this.waiting.delete(waiter);
      if (gone) continue;
      session.reply.int(count);
      this.parts.engine.interruptWait(session, false);
    }
  }

  heard(session: Session): void {
    this.master.heard(session);
  }

  // Figures.

  get syncs(): SyncCounts {
    return this.master.counts;
  }

  get id(): string {
    return this.master.history.id;
  }

  get offset(): number {
    return this.master.offset;
  }

  get context(): StreamContext | null {
    const { master, follower } = this;
    if (follower.following) return follower.context;
    return master.buffer === null ? null : master.context;
  }

  get isReplica(): boolean {
    return this.follower.following;
  }

  get dataOffset(): number {
    return this.follower.following ? (this.follower.context?.offset ?? 0) : this.master.offset;
  }

  get dataAge(): number {
    return this.follower.dataAge;
  }

  get isStreaming(): boolean {
    return this.follower.connected;
  }

  get bufferBytes(): number {
    return this.master.buffer?.bytes ?? 0;
  }

  get unboundedBytes(): number {
    const { buffer, replicas } = this.master;
    return buffer === null || replicas.count === 0 ? 0 : Math.max(0, buffer.bytes - buffer.size);
  }

  role(reply: Reply): void {
    const { follower, master } = this;
    if (follower.following) {
      reply.array(5);
      reply.bulkText('slave');
      reply.bulkText(follower.host);
      reply.int(follower.port);
      reply.bulkText(follower.state === 'transfer' ? 'sync' : follower.state);
      reply.int(follower.connected ? master.offset : -1);
      return;
    }
    const online = master.replicas.all.filter(({ state }) => state === 'online');
    reply.array(3);
    reply.bulkText('master');
    reply.int(master.offset);
    reply.array(online.length);
    for (const { ip, info, acked } of online) {
      reply.array(3);
      reply.bulkText(ip);
      reply.bulkText(String(info.port));
      reply.bulkText(String(acked));
    }
  }

  lags(): ReplicaLag[] {
    const { offset, replicas } = this.master;
    const now = this.parts.clock.now();
    return replicas.all.map((replica) => ({
      name: replica.name,
      bytes: offset - replica.acked,
      seconds: seconds(now - replica.ackedAt),
      state: replica.state,
    }));
  }

  figures(): Record<string, string | number> {
    const { master, failover } = this;
    const { history, buffer, replicas } = master;
    const { settings } = this.parts.config;
    const now = this.parts.clock.now();
    const lines: Record<string, string | number> = { role: this.isReplica ? 'slave' : 'master' };
    if (this.isReplica) Object.assign(lines, this.replicaFigures(now));
    lines['connected_slaves'] = replicas.count;
    const { minReplicasToWrite: wanted, minReplicasMaxLag: lag } = settings;
    if (wanted > 0 && lag > 0) lines['min_slaves_good_slaves'] = replicas.good(now, lag * 1000);
    replicas.all.forEach((replica, i) => {
      const heard = replica.old || replica.state !== 'online' ? 0 : seconds(now - replica.ackedAt);
      lines[`slave${i}`] =
        `ip=${replica.ip},port=${replica.info.port},state=${replica.state},offset=${replica.acked},lag=${heard}`;
    });
    return Object.assign(lines, {
      master_failover_state: failover.state,
      master_replid: history.id,
      master_replid2: history.id2,
      master_repl_offset: master.offset,
      second_repl_offset: history.until,
      repl_backlog_active: buffer === null ? 0 : 1,
      repl_backlog_size: settings.replBacklogSize,
      repl_backlog_first_byte_offset: buffer === null ? 0 : buffer.start + 1,
      repl_backlog_histlen: buffer?.length ?? 0,
      last_full_sync_reason: master.lastFullReason,
      last_replica_link_end: master.lastEnd,
    });
  }

  private replicaFigures(now: number): Record<string, string | number> {
    const { follower, master } = this;
    const { settings } = this.parts.config;
    const lines: Record<string, string | number> = {
      master_host: follower.host,
      master_port: follower.port,
      master_link_status: follower.connected ? 'up' : 'down',
      master_last_io_seconds_ago: follower.connected ? seconds(now - follower.heardAt) : -1,
      master_sync_in_progress: follower.synchronizing ? 1 : 0,
      slave_read_repl_offset: follower.readOffset,
      slave_repl_offset: master.offset,
    };
    if (follower.synchronizing) {
      const { total, read, at } = follower.transfer;
      Object.assign(lines, {
        master_sync_total_bytes: total,
        master_sync_read_bytes: read,
        master_sync_left_bytes: total - read,
        master_sync_perc: total > 0 ? ((read / total) * 100).toFixed(2) : '0.00',
        master_sync_last_io_seconds_ago: seconds(now - at),
      });
    }
    if (!follower.connected)
      lines['master_link_down_since_seconds'] = follower.downSince > 0 ? seconds(now - follower.downSince) : -1;
    return Object.assign(lines, {
      master_link_last_end: follower.lastEnd,
      master_last_full_sync_reason: follower.lastFullReason,
      slave_priority: settings.replicaPriority,
      slave_read_only: settings.replicaReadOnly ? 1 : 0,
      replica_announced: settings.replicaAnnounced ? 1 : 0,
    });
  }
}

function whole(bytes: Uint8Array): [bytes: Uint8Array, from: number, to: number] {
  return [bytes, 0, bytes.length];
}

function seconds(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds / 1000));
}
