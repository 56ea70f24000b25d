/**
 * Full synchronisations: one snapshot for all replicas that wait for one, and its way to each.
 *
 *   disk       one file is saved; then each replica reads it at its own pace, and is online when it has been handed all
 *   diskless   the pieces go to all replicas as they are made, the slowest sets the pace; a replica is online once it has
 *              acknowledged, since a mark in the stream, and no length, ends the payload
 *
 * Which of the two is decided when a snapshot begins: diskless where `repl-diskless-sync` says so and all who wait can
 * read it. A replica that comes while a file is saved joins those for whom it is; one that comes during a diskless
 * transfer, or that wants other parts of the data, waits for the next.
 *
 * Invariant: `job` is there if and only if some replica is saving, or sending without a file.
 */

import type { SnapshotFile, SnapshotPort, SnapshotStream, StreamContext } from '../engine/replication-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { ReplicationSettings } from './options.ts';
import type { Replica, Replicas } from './replicas.ts';

/** A replica that is owed more than this is given no further piece until it has taken some. */
const OWED_MOST = 4 * 1024 * 1024;

export interface FullSyncParts {
  readonly replicas: Replicas;
  readonly snapshots: SnapshotPort;
  readonly settings: ReplicationSettings;
  readonly log: Log;
  /** The mark that ends a diskless payload: 40 characters that nobody can foretell. */
  readonly newMark: () => string;
  /** Where the stream stands, for the snapshot and for +FULLRESYNC; whoever reads from here on knows no database. */
  readonly begin: () => StreamContext;
  /** The replica reads the stream from that position on. */
  readonly follow: (replica: Replica, at: number) => void;
  /** The replica has the snapshot now. */
  readonly arrived: (replica: Replica) => void;
  /** Ends a replica, after it has been told `reply` if there is one. */
  readonly drop: (replica: Replica, reply: string) => void;
}

interface Job {
  readonly target: 'disk' | 'socket';
  readonly context: StreamContext;
  abort(): void;
}

export class FullSync {
  private readonly parts: FullSyncParts;
  private job: Job | null = null;
  private stream: SnapshotStream | null = null;
  /** Which file each replica is sent, while it is; the last to have read one closes it. */
  private readonly reading = new Map<Replica, { readonly file: SnapshotFile; readonly stream: SnapshotStream }>();

  constructor(parts: FullSyncParts) {
    this.parts = parts;
  }

  /** Whether a snapshot for replicas is made or sent. */
  get busy(): boolean {
    return this.job !== null;
  }

  get diskless(): boolean {
    return this.job?.target === 'socket';
  }

  /** Whether a snapshot that is made waits for this replica to take it. */
  paces(replica: Replica): boolean {
    return this.diskless && this.receivers().includes(replica);
  }

  /** A replica has come that needs a snapshot. */
  wanted(replica: Replica): void {
    const { log, snapshots, settings, replicas } = this.parts;
    const { job } = this;
    if (job?.target === 'disk') {
      const other = replicas.all.find((each) => each.phase === 'saving' && sameParts(each, replica));
      if (other === undefined) {
        log.notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC");
        return;
      }
      this.begun(replica, job.context);
      log.notice('Waiting for end of BGSAVE for SYNC');
    } else if (job !== null) {
      log.notice('Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC');
    } else if (snapshots.busy) {
      log.notice('No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed');
    } else if (settings.replDisklessSync && replica.info.eof && settings.replDisklessSyncDelay > 0) {
      log.notice('Delay next BGSAVE for diskless SYNC');
    } else {
      this.start(replica);
    }
  }

  /** Once a second, and when a snapshot has ended: begins the next where somebody waits and has waited long enough. */
  tick(now: number): void {
    const { replicas, snapshots, settings } = this.parts;
    if (this.job !== null || snapshots.busy) return;
    const waiting = replicas.in('waiting');
    if (waiting.length === 0) return;
    const [first] = waiting;
    const alike = waiting.filter((each) => sameParts(each, first));
    const most = settings.replDisklessSyncMaxReplicas;
    const longest = Math.max(...alike.map(({ waitingSince }) => now - waitingSince));
    const due = longest >= settings.replDisklessSyncDelay * 1000 || (most > 0 && alike.length >= most);
    if (!settings.replDisklessSync || due) this.start(first);
  }

  /** Begins a snapshot for all who wait for the same parts of the data as `first`. */
  private start(first: Replica): void {
    const { replicas, settings, log } = this.parts;
    const alike = replicas.in('waiting').filter((each) => sameParts(each, first));
    const filtered = first.info.withoutData || first.info.withoutFunctions;
    const diskless = (settings.replDisklessSync || filtered) && alike.every(({ info }) => info.eof);
    log.notice(`Starting BGSAVE for SYNC with target: ${diskless ? 'replicas sockets' : 'disk'}`);
    const context = this.parts.begin();
    const job = diskless ? this.startStream(context, alike) : this.startFile(context);
    if (job === null) {
      log.warning('BGSAVE for replication failed');
      for (const replica of alike) this.parts.drop(replica, "-ERR BGSAVE failed, replication can't continue\r\n");
      return;
    }
    this.job = job;
    for (const replica of alike) this.begun(replica, context);
  }

  private begun(replica: Replica, { id, offset }: StreamContext): void {
    this.parts.follow(replica, offset);
    replica.phase = 'saving';
    if (!replica.old) replica.say(`+FULLRESYNC ${id} ${offset}\r\n`);
  }

  // From a file.

  private startFile(context: StreamContext): Job | null {
    const saving = this.parts.snapshots.saveForReplicas((file) => this.saved(file));
    return saving && { target: 'disk', context, abort: () => saving.abort() };
  }

  private saved(file: SnapshotFile | null): void {
    this.job = null;
    const { replicas, log, drop } = this.parts;
    const saving = replicas.in('saving');
    for (const replica of saving) {
      if (file === null) {
        log.warning('SYNC failed. BGSAVE child returned an error');
        drop(replica, '');
      } else {
        this.send(replica, file);
      }
    }
    if (file !== null && saving.length === 0) file.close();
  }

  private send(replica: Replica, file: SnapshotFile): void {
    replica.phase = 'sending';
    replica.say(`$${file.length}\r\n`);
    const take = (bytes: Uint8Array): boolean => {
      replica.hand(bytes);
      return replica.session.reply.pending < OWED_MOST;
    };
    const stream = file.read(take, (good) => {
      this.read(replica);
      if (!good) this.parts.drop(replica, '');
      else if (replica.info.rdbOnly) this.transferred(replica);
      else this.online(replica);
    });
    this.reading.set(replica, { file, stream });
  }

  /** The replica reads its file no more. */
  private read(replica: Replica): void {
    const file = this.reading.get(replica)?.file;
    this.reading.delete(replica);
    if (file !== undefined && ![...this.reading.values()].some((each) => each.file === file)) file.close();
  }

  // As it is made.

  private startStream(context: StreamContext, to: readonly Replica[]): Job | null {
    const mark = this.parts.newMark();
    const { withoutData, withoutFunctions } = to[0].info;
    let begun = false;
    const take = (bytes: Uint8Array): boolean => {
      const sending = this.receivers();
      if (!begun) {
        begun = true;
        for (const replica of sending) {
          replica.phase = 'sending';
          replica.say(`$EOF:${mark}\r\n`);
        }
      }
      for (const replica of sending) replica.hand(bytes);
      return this.paced();
    };
    const stream = this.parts.snapshots.stream({ withoutData, withoutFunctions }, take, (good) =>
      this.streamed(good, mark),
    );
    this.stream = stream;
    return stream && { target: 'socket', context, abort: () => stream.abort() };
  }

  /** Those to whom the stream under way goes. */
  private receivers(): Replica[] {
    return this.parts.replicas.all.filter(
      (replica) => replica.phase === 'saving' || (replica.phase === 'sending' && !this.reading.has(replica)),
    );
  }

  private paced(): boolean {
    return this.receivers().every(({ session }) => session.reply.pending < OWED_MOST);
  }

  private streamed(good: boolean, mark: string): void {
    const { log } = this.parts;
    const receivers = this.receivers();
    this.job = null;
    this.stream = null;
    if (good) log.warning(`Diskless rdb transfer, done reading from pipe, ${receivers.length} replicas still up.`);
    for (const replica of receivers) {
      if (!good) {
        // What it has of it is of no use, and it may never take the rest.
        replica.session.close();
        continue;
      }
      replica.say(mark);
      if (replica.info.rdbOnly) {
        this.transferred(replica);
        continue;
      }
      log.notice(
        `Streamed RDB transfer with replica ${replica.name} succeeded (socket). Waiting for REPLCONF ACK from slave to enable streaming`,
      );
      replica.phase = 'acknowledging';
      this.parts.arrived(replica);
    }
  }

  // After it.

  private transferred(replica: Replica): void {
    this.parts.log.notice(`RDB transfer completed, rdb only replica (${replica.name}) should be disconnected asap`);
    this.parts.drop(replica, '');
  }

  /** The replica has the snapshot: the stream follows. */
  online(replica: Replica): void {
    replica.phase = 'online';
    // It will acknowledge nothing.
    if (replica.old) replica.settle();
    this.parts.arrived(replica);
    this.parts.log.notice(`Synchronization with replica ${replica.name} succeeded`);
  }

  /** A replica's connection has written all that it had. */
  drained(replica: Replica): void {
    this.reading.get(replica)?.stream.resume();
    if (this.stream !== null && this.paced()) this.stream.resume();
  }

  /** A replica has gone. */
  gone(replica: Replica): void {
    this.reading.get(replica)?.stream.abort();
    this.read(replica);
    const { job } = this;
    if (job === null) return;
    const left = job.target === 'socket' ? this.receivers() : this.parts.replicas.in('saving');
    if (left.length > 0) {
      if (this.stream !== null && this.paced()) this.stream.resume();
      return;
    }
    if (job.target === 'disk') {
      // Where the data are saved anyway the file is of use by itself.
      if (this.parts.settings.save.length === 0) job.abort();
    } else {
      this.parts.log.warning('Diskless rdb transfer, last replica dropped, killing fork child.');
      job.abort();
      this.job = null;
      this.stream = null;
    }
  }
}

/** Whether one snapshot serves both. */
function sameParts(a: Replica, b: Replica): boolean {
  return a.info.withoutData === b.info.withoutData && a.info.withoutFunctions === b.info.withoutFunctions;
}
