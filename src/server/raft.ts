/**
 * A member of a group: beside the server the shell around the group's rules, the port at which members meet, and the folder
 * with log and snapshot.
 *
 *   begin    the folder is read; the engine asks the group                             before anything is listened at
 *   listen   members can meet                                                          before anything is loaded
 *   start    the last snapshot is loaded, and it takes part in the group
 */

import { join } from 'node:path';
import type { Environment } from '../base/environment.ts';
import { PORT_MAX } from '../base/network.ts';
import { Slice, sliceOf } from '../base/slice.ts';
import { BUS_PORT_INCREMENT } from '../cluster/endpoints.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import type { Engine } from '../engine/engine.ts';
import { NULL_PORT } from '../engine/null-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { Persistence } from '../persistence/persistence.ts';
import { newId } from '../raft/address.ts';
import { JournalBroken } from '../raft/disk/journal.ts';
import { Segments } from '../raft/disk/segments.ts';
import { Group } from '../raft/group.ts';
import { Membership } from '../raft/membership.ts';
import type { RaftSettings } from '../raft/messages.ts';
import { attachMembership } from '../raft/owners.ts';
import { Peers } from '../raft/peers.ts';
import { type ReadMode, Shell } from '../raft/shell.ts';
import { Slabs } from '../raft/slabs.ts';
import { BusPort } from './bus-port.ts';

export interface RaftParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly environment: Environment;
  readonly persistence: Persistence;
  readonly log: Log;
  /** With what handshakes of TLS are answered. */
  readonly serverTls: () => TlsContextOptions | null;
  /** Called when it has become the leader, or is it no more. */
  readonly roleChanged: (leads: boolean) => void;
}

export class RaftMember {
  private readonly parts: RaftParts;
  private readonly bus: BusPort;
  private shell: Shell | null = null;

  constructor(parts: RaftParts) {
    this.parts = parts;
    this.bus = new BusPort(parts);
  }

  /** Throws where what is in the folder can't be used; the log has been told why. */
  begin(): void {
    const { engine, config, environment, persistence, log } = this.parts;
    const { clock, random, disk, ids } = environment;
    const { settings } = config;
    const segments: Segments = new Segments({
      disk,
      clock,
      folder: join(config.path, settings.raftDirname),
      newId: () => newId(ids),
      stored: (version) => shell.stored(version),
      failed: (reason) => this.die(`The log of the group can't be written: ${reason}`),
    });
    const found = this.read(segments);
    const slabs = new Slabs();
    const peers: Peers = new Peers({
      ...{ id: found.id, dialer: engine.server.links, disk, random, settings, log },
      folder: segments.path,
      rooms: slabs,
      temporaryName: () => segments.temporaryName(),
      admits: (user, password) => admits(engine, user, password),
      received: (message, file) => shell.heard(message, file),
      sent: (to, ok) => shell.snapshotSent(to, ok),
    });
    const shell: Shell = new Shell({
      ...{ engine, clock, random, log, segments, slabs, found, peers },
      settings: raftSettings(settings, () => shell.entryBytes),
      readMode: () => settings.raftRead as ReadMode,
      logSize: () => settings.raftLogSize,
      load: (path) => persistence.replaceBy(path),
      save: (name, done) => persistence.saveAs(segments.path, name, done),
      die: (reason) => this.die(reason),
      roleChanged: this.parts.roleChanged,
    });
    this.shell = shell;
    const group = new Group(shell);
    attachMembership(
      engine,
      new Membership({
        ...{ id: found.id, shell, group, peers, dialer: engine.server.links, settings, log },
        busPort: () => this.bus.port,
        isEmpty: () => engine.keyspaces.databases.every(({ size }) => size === 0),
      }),
    );
    engine.membership.follow(group);
    shell.begin();
  }

  /** Opens the port at which members meet; `anyPort`: one that is free. Rejects with the reason, which the log has. */
  async listen(anyPort: boolean): Promise<void> {
    const { settings } = this.parts.config;
    const { raftPort, tlsCluster, tlsPort } = settings;
    const usual = (tlsCluster ? tlsPort : settings.port) + BUS_PORT_INCREMENT;
    const port = raftPort !== 0 ? raftPort : anyPort ? 0 : usual;
    if (port > PORT_MAX) this.refuse(`The port of the group would be ${port}: set raft-port to one that there is.`);
    if (!(await this.bus.open(port, (guest) => this.shell!.welcome(guest), true)))
      this.refuse(`Failed listening on port ${port} (group), aborting.`);
  }

  /** Loads what is committed, and takes part. Rejects where it can't be loaded; the log has been told why. */
  start(): Promise<void> {
    return this.shell!.start();
  }

  stop(): void {
    this.bus.close();
    this.shell?.stop();
  }

  private read(segments: Segments): ReturnType<Segments['open']> {
    try {
      return segments.open();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const advice = error instanceof JournalBroken ? ' Remove the member from its group, and let a new one JOIN.' : '';
      return this.refuse(`The folder of the group can't be used: ${reason}.${advice}`);
    }
  }

  private die(reason: string): void {
    this.parts.engine.server.panic(reason);
  }

  private refuse(reason: string): never {
    this.parts.log.warning(reason);
    throw new Error(reason);
  }
}

/** Whether a member that logs in so may speak to us: as one who might do all that a member makes us do. */
function admits(engine: Engine, user: string, password: string): boolean {
  const session = engine.open(NULL_PORT);
  try {
    const named = sliceOf(user === '' ? 'default' : user);
    if (password !== '' && !engine.acl.authenticate(session, named, new Slice(Buffer.from(password, 'latin1'))))
      return false;
    const words = [sliceOf('RAFT'), sliceOf('ADMIT'), sliceOf('0'), sliceOf('0')];
    const command = engine.table.named(words, words.length);
    if (!session.authenticated || command === undefined) return false;
    return !session.restricted || engine.acl.permits(session, command, words, words.length) === null;
  } finally {
    engine.leave(session);
  }
}

const BATCH_BYTES = 256 * 1024;
const UNCOMMITTED_BYTES = 64 * 1024 * 1024;
/** Which part of the log is kept behind a snapshot, for those who are not far behind. */
const KEPT_PART = 8;
const KEPT_MOST = 10_000;
const INFLIGHT = 64;
const PROMOTION_LAG = 1000;
const CLOCK_DRIFT = 0.1;

/** The settings as the rules see them; `entryBytes` is what an entry takes, as far as it is known. */
function raftSettings(settings: Readonly<Settings>, entryBytes: () => number): RaftSettings {
  return {
    get electionTimeout() {
      return settings.raftElectionTimeout;
    },
    get heartbeat() {
      return Math.min(settings.raftHeartbeatInterval, settings.raftElectionTimeout / 3);
    },
    get leases() {
      return settings.raftRead === 'lease';
    },
    get kept() {
      return Math.min(KEPT_MOST, Math.floor(settings.raftLogSize / KEPT_PART / entryBytes()));
    },
    clockDrift: CLOCK_DRIFT,
    batchBytes: BATCH_BYTES,
    inflight: INFLIGHT,
    uncommittedBytes: UNCOMMITTED_BYTES,
    promotionLag: PROMOTION_LAG,
  };
}
