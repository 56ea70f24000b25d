/**
 * The composition root: builds the owners of a server, hands each what it uses, and nothing else.
 *
 *   memory -> keyspaces -> engine <- commands       config -> limits, listeners, policies
 *                          engine <- transports     cron   -> expiry, rehash, lazy release
 *
 * Several servers can live in one process; they share nothing.
 */
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { verifies } from '../base/assert.ts';
import { Beat } from '../base/beat.ts';
import { type Environment, environmentWith } from '../base/environment.ts';
import { type Socket, socketPair } from '../base/socket-pair.ts';
import { narrow } from '../base/text.ts';
import { REDIS_7_0, type Version } from '../base/version.ts';
import { Config } from '../config/config.ts';
import { ConfigError } from '../config/option.ts';
import type { GivenSettings } from '../config/settings.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import { portForPeers } from '../config/tls-options.ts';
import type { UserLines } from '../engine/acl/file.ts';
import type { Command } from '../engine/command.ts';
import { Engine } from '../engine/engine.ts';
import type { Faults } from '../engine/faults.ts';
import type { Recording, RecordOptions } from '../engine/recorder.ts';
import type { Log, Manager, ServerMode, ShutdownRequest } from '../engine/server-port.ts';
import { Keyspaces } from '../keyspace/keyspaces.ts';
import type { Collector } from '../memory/collect.ts';
import { createMemory } from '../memory/create.ts';
import { OwningThread } from '../memory/last-owner.ts';
import type { MemoryOptions } from '../memory/memory.ts';
import { Network } from '../net/network.ts';
import { Persistence } from '../persistence/persistence.ts';
import { faultOf, jsonOf, type SeedData, snapshotOf } from '../persistence/records/seed.ts';
import { ChunkPool } from '../protocol/chunk.ts';
import { masterDialer } from '../replication/link.ts';
import { attachReplication } from '../replication/owners.ts';
import type { Replication } from '../replication/replication.ts';
import { attachScripting } from '../scripting/index.ts';
import { ClusterNode } from './cluster.ts';
import { ALL_COMMANDS, GROUP_COMMANDS } from './commands.ts';
import { ConsolePort } from './console-port.ts';
import { Cron } from './cron.ts';
import { MemoryLimit } from './eviction.ts';
import { followLimits } from './limits.ts';
import { LocalSession, type SessionOptions } from './local.ts';
import { silentLog } from './log.ts';
import type { CustomCommand } from './modules/define.ts';
import { type ModuleRequest, Modules } from './modules/modules.ts';
import { RaftMember } from './raft.ts';
import { Services } from './services.ts';
import type { Protocol } from './session/replies.ts';
import { followSettings } from './settings.ts';
import { Shutdown } from './shutdown.ts';
import { warnOfUnread } from './unread.ts';
import { followRequirepass, loadUsers } from './users.ts';
import { Watchdog } from './watchdog.ts';

/** Of the environment what is not given is the machine's; a `config` that is given brings its disk. */
export interface ServerOptions extends Partial<Environment> {
  /**
   * Settings by Redis's names, as in redis.conf: `{ maxmemory: '100mb', appendonly: true, bind: ['127.0.0.1', '::1'] }`. Names
   * and kinds of values are checked by the compiler; a value that is wrong throws with its name. Those that are undefined are
   * left as they are.
   */
  readonly settings?: GivenSettings;
  /** A configuration that has been read already, instead of `settings`. */
  readonly config?: Config;
  /** Instead of `settings.port`; 0 is any port that is free, and `port` of the server tells which. */
  readonly port?: number;
  /** Whether it loads the snapshot of its directory at the start and saves by itself; a library's does so only when told. */
  readonly persistent?: boolean;
  /** Users of the configuration; those of an `aclfile` are read without. */
  readonly users?: UserLines;
  /** Commands of one's own, made by `defineCommand()`, beside those of Redis. Throws where one is none. */
  readonly commands?: readonly CustomCommand[];
  /** Files with commands, as `loadmodule` takes them. */
  readonly modules?: readonly ModuleRequest[];
  /** Instead of all of Redis's: the commands that there are, before `version` leaves out what came later. */
  readonly table?: readonly Command[];
  /** Given for what the settings don't tell: a Sentinel. */
  readonly mode?: ServerMode;
  /** What has started the process and is told of its state, for INFO. */
  readonly supervisedBy?: () => Manager;
  /** The version of Redis that it behaves as; 7.0 when absent. */
  readonly version?: Version;
  /** Its nodes.conf is that of a cluster which begins now: nobody knows better, and it serves at once. */
  readonly newCluster?: boolean;
  readonly log?: Log;
  /** How garbage outside of the heap is collected; a process that is all the server's can afford PROMPT. */
  readonly collector?: Collector;
  /** Called when it takes connections, before it loads. */
  readonly onListening?: () => void;
  /** Called when it has become a replica, or a master again. */
  readonly onRole?: (isReplica: boolean) => void;
  /** Called once when the server ends, by whichever way, before its listeners and connections are closed. */
  readonly onStop?: () => void;
  /** Called when the server has come to its end (SHUTDOWN, a signal), with the exit code. */
  readonly onExit?: (code: number) => void;
}

export interface CinnabarServer {
  readonly config: Config;
  readonly engine: Engine;
  /** The TCP port that is listened on, 0 for none. */
  readonly port: number;
  /** `redis://127.0.0.1:6379`, for clients on this machine; `rediss:` where it listens with TLS only, '' where nowhere. */
  readonly url: string;
  /** Whether it listens anywhere at all. */
  readonly listens: boolean;
  /** Opens the listeners and loads what was saved; rejects when either can't be done. */
  listen(): Promise<void>;
  /** A client without a socket: `session({ protocol: 3 })` for RESP3, `session({ buffers: true })` for Buffers as strings. */
  session<P extends Protocol = 2, Buffers extends boolean = false>(
    options?: SessionOptions<P, Buffers>,
  ): LocalSession<Buffers extends true ? Buffer : string, P>;
  /**
   * A connection without a port, for whoever speaks the protocol over a socket: what is written to it the server reads, and the
   * other way round. Needs no `listen()`; ends with the server.
   */
  connect(): Socket;
  /**
   * All data as an RDB file's bytes, as they are at the time of the call, unless another one is under way; clients are
   * served meanwhile. Rejects while a snapshot is being written.
   */
  snapshot(): Promise<Buffer>;
  /**
   * Puts the data of a snapshot, or of a file of Redis's, in place of what there is: what is written until that is done goes
   * as well. Rejects where it is damaged, and the data stay; a replica, and a cluster's node, takes none.
   */
  restore(snapshot: Uint8Array): Promise<void>;
  /**
   * Puts data in place of all that there is: values by their keys (`{ greeting: 'hello', 'user:1': { type: 'hash', value: { name:
   * 'Ada' }, ttl: 60_000 } }`), records as `cinnabar convert` writes them, JSON of either as text, or an RDB file's bytes.
   * Rejects with the place of what is wrong, and the data stay; a replica, and a cluster's node, takes none.
   */
  seed(data: SeedData): Promise<void>;
  /** The same from a file. */
  seedFile(path: string | URL): Promise<void>;
  /** All data as lines of JSON, which `seed()` takes, as they are at the time of the call. */
  toJson(): Promise<string>;
  /** Faults that clients are to bear: `using slow = server.faults.delay('get', 200)`. */
  readonly faults: Faults;
  /** Records what clients call from now on, in memory up to `maxBytes`: `using calls = server.record()`. */
  record(options?: RecordOptions): Recording;
  /** Closes listeners, connections and sessions and stops the cron. */
  close(): Promise<void>;
  /** `await using server = createServer()` closes it. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Ends it as a signal does; `failed` is called where what should be saved can't be. */
  shutdownBySignal(request: ShutdownRequest, failed: () => void): void;
  /** Removes files that are only half written. */
  dropUnfinished(): void;
}

export function createServer(options: ServerOptions = {}): CinnabarServer {
  const config = options.config ?? new Config(options.disk, options.version);
  const port = options.port === undefined ? {} : { port: options.port };
  for (const [name, value] of Object.entries({ ...options.settings, ...port }))
    if (value !== undefined) load(config, name, value);
  return new Server(config, options);
}

type GivenValue = Exclude<GivenSettings[keyof GivenSettings], undefined>;

/** Whoever hands in settings learns which of them is wrong. */
function load(config: Config, name: string, value: GivenValue): void {
  try {
    config.load(name, typeof value === 'object' ? value.map(settingWord) : [settingWord(value)]);
  } catch (error) {
    if (error instanceof ConfigError) error.message = `'${name}': ${error.message}`;
    throw error;
  }
}

/** How memory goes back to the system; with a thread for it only in a process that is all the server's. */
function givingBack(collector: Collector | undefined, { clock, threads }: Environment): MemoryOptions {
  if (collector === undefined) return {};
  return collector.keepsAwake && threads !== null
    ? { collector, owner: new OwningThread(clock, threads) }
    : { collector };
}

function settingWord(value: Exclude<GivenValue, object>): string {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : narrow(String(value));
}

class Server implements CinnabarServer {
  readonly config: Config;
  readonly engine: Engine;
  private readonly services: Services;
  private readonly persistence: Persistence;
  private readonly shutdown: Shutdown;
  private readonly network: Network;
  private readonly replication: Replication;
  /** Null where the server is by itself. */
  private readonly cluster: ClusterNode | null;
  /** Null where it belongs to no group. */
  private readonly group: RaftMember | null;
  private readonly console: ConsolePort;
  private readonly cron: Cron;
  private readonly memoryLimit = new MemoryLimit();
  private readonly watchdog: Watchdog;
  private readonly onListening: () => void;
  private readonly onStop: () => void;
  private readonly anyPort: boolean;
  private opening: Promise<void> | null = null;
  private stopped = false;
  /** While images of the data are taken or put: settled once the last has been. */
  private imaging: Promise<void> | null = null;

  constructor(config: Config, options: ServerOptions) {
    this.onListening = options.onListening ?? (() => {});
    this.onStop = options.onStop ?? (() => {});
    this.anyPort = options.port === 0;
    const environment = environmentWith({ ...options, disk: config.disk });
    const { clock, random } = environment;
    const log = options.log ?? silentLog();
    // The order in which keys lie is part of what a given randomness decides.
    const seed = options.random && Uint32Array.from({ length: 4 }, () => random.bits32());
    const memory = createMemory({ seed, ...givingBack(options.collector, environment) });
    const limits = followLimits(config);
    const { databases, clusterEnabled, raftEnabled } = config.settings;
    const keyspaces = new Keyspaces(memory, clock, databases, limits.usage, random, clusterEnabled);
    const pool = new ChunkPool(verifies());
    this.config = config;
    const { table: commands = raftEnabled ? GROUP_COMMANDS : ALL_COMMANDS, version = REDIS_7_0 } = options;
    const server = new Services(config, environment, log, version, options);
    this.services = server;
    const eviction = this.memoryLimit;
    this.engine = new Engine({ memory, keyspaces, clock, random, pool, limits, commands, server, eviction });
    const beat = new Beat(clock);
    this.network = new Network(this.engine, config, environment, beat, log);
    this.engine.usedMemory.inputs = this.network;
    this.cron = new Cron(this.engine, config, clock, beat, eviction);
    eviction.attach(this.engine, config, () => this.network.endTurn());
    followSettings(this.engine, config);
    warnOfUnread(config, log);
    const { engine } = this;
    // A member of a group has its data from the group's log.
    const automatic = (options.persistent ?? false) && !raftEnabled;
    const die = (): void => this.shutdown.abandon();
    const persistence = new Persistence({ engine, config, environment, log, usage: limits.usage, automatic, die });
    this.persistence = persistence;
    const stop = (): Promise<void> => this.stop();
    const onExit = options.onExit ?? (() => {});
    this.shutdown = new Shutdown({ engine, persistence, settings: config.settings, clock, log, stop, onExit });
    const modules = new Modules(engine);
    server.attach(persistence, this.shutdown, this.network, modules);
    attachScripting(engine);
    this.replication = attachReplication({
      engine,
      config,
      ...{ clock, beat, log },
      newId: () => environment.ids.secret(20).toString('hex'),
      snapshots: this.persistence.forReplicas,
      systemMemory: totalmem(),
      receive: (incoming) => this.persistence.receive(incoming),
      dial: masterDialer(engine.server.links, config.settings),
      ownPort: () => portForPeers(config.settings),
      roleChanged: options.onRole ?? (() => {}),
    });
    const serverTls = (): TlsContextOptions | null => this.network.serverTls;
    const isNew = options.newCluster ?? false;
    this.cluster =
      server.mode === 'cluster' && !raftEnabled
        ? new ClusterNode({ engine, config, environment, beat, log, serverTls, isNew })
        : null;
    const roleChanged = (leads: boolean): void => options.onRole?.(!leads);
    this.group = raftEnabled
      ? new RaftMember({ engine, config, environment, persistence, log, serverTls, roleChanged })
      : null;
    this.console = new ConsolePort({ engine, config, environment, log });
    this.watchdog = new Watchdog(this.engine, config, clock);
    followRequirepass(this.engine, config);
    modules.begin(options);
    loadUsers(this.engine, options.users);
    const { usedMemory } = engine;
    engine.process.begin(memory.resident + usedMemory.total - memory.used, usedMemory.inHeap);
  }

  get port(): number {
    return this.network.port;
  }

  get url(): string {
    const { port } = this;
    const { tlsPort } = this.network.listeners;
    if (port === 0 && tlsPort === 0) return '';
    return port === 0 ? `rediss://127.0.0.1:${tlsPort}` : `redis://127.0.0.1:${port}`;
  }

  get listens(): boolean {
    return this.network.listeners.open;
  }

  listen(): Promise<void> {
    if (this.stopped) return Promise.reject(new Error('The server is closed'));
    this.opening ??= this.open().catch((error) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private async open(): Promise<void> {
    const { loads, hasFile } = this.persistence;
    this.replication.begin();
    this.cluster?.begin();
    this.group?.begin();
    if (hasFile) loads.announce();
    await this.network.listen(this.anyPort);
    if (this.stopped) return this.network.close();
    if (this.anyPort) this.config.force('port', [String(this.port)]);
    try {
      await this.cluster?.listen(this.anyPort);
      await this.group?.listen(this.anyPort);
      if (!this.stopped) await this.console.open();
      this.onListening();
      if (this.services.mode !== 'sentinel') this.services.log.warning('Server initialized');
      await this.persistence.load();
      if (!this.stopped) this.cluster?.start();
      if (!this.stopped) await this.group?.start();
    } catch (error) {
      this.console.close();
      await this.network.close();
      throw error;
    }
    // It may have been told to end while it was loading.
    if (this.stopped) return;
    this.cron.start();
    this.watchdog.start();
    this.replication.start();
  }

  session<P extends Protocol = 2, Buffers extends boolean = false>(
    options?: SessionOptions<P, Buffers>,
  ): LocalSession<Buffers extends true ? Buffer : string, P> {
    if (this.stopped) throw new Error('The server is closed');
    this.cron.start();
    return new LocalSession(this.engine, options);
  }

  connect(): Socket {
    if (this.stopped) throw new Error('The server is closed');
    this.cron.start();
    const [near, far] = socketPair();
    this.network.adopt(far);
    return near;
  }

  snapshot(): Promise<Buffer> {
    return this.inTurn(() => this.persistence.images.take());
  }

  restore(snapshot: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      if (this.engine.replication.isReplica) throw new Error("A replica's data are its master's");
      if (this.cluster !== null) throw new Error("A cluster's node takes keys of its own slots only");
      await this.persistence.images.put(snapshot);
    });
  }

  async seed(data: SeedData): Promise<void> {
    const { databases } = this.config.settings;
    const snapshot = snapshotOf(data, { now: this.engine.clock.now(), databases });
    try {
      await this.restore(snapshot);
    } catch (error) {
      // What can be read may still not be taken: a library of functions that can't be had.
      const fault = faultOf(snapshot) ?? (error as Error).cause;
      throw typeof fault === 'string' ? new Error(fault, { cause: error }) : error;
    }
  }

  async seedFile(path: string | URL): Promise<void> {
    const name = typeof path === 'string' ? path : fileURLToPath(path);
    try {
      await this.seed(this.config.disk.read(narrow(name)));
    } catch (error) {
      if (error instanceof Error) error.message = `${name}: ${error.message}`;
      throw error;
    }
  }

  async toJson(): Promise<string> {
    return jsonOf(await this.snapshot());
  }

  /** One image is taken or put at a time, of a server that has loaded what it has. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const begin = (): Promise<T> => (this.stopped ? Promise.reject(new Error('The server is closed')) : work());
    const { imaging, persistence } = this;
    const before = imaging ?? (persistence.loading ? this.opening : null);
    const done = before === null ? begin() : before.then(begin);
    const over = (): void => {
      if (this.imaging === settled) this.imaging = null;
    };
    const settled = done.then(over, over);
    this.imaging = settled;
    return done;
  }

  get faults(): Faults {
    return this.engine.faults;
  }

  record(options?: RecordOptions): Recording {
    return this.engine.recorder.begin(options);
  }

  private async stop(): Promise<void> {
    const { stopped } = this;
    this.stopped = true;
    this.engine.scripting.stop();
    this.persistence.loads.cancelled = true;
    this.persistence.images.close();
    this.cron.stop();
    this.memoryLimit.stop();
    this.watchdog.stop();
    this.cluster?.stop();
    this.group?.stop();
    this.replication.stop();
    if (!stopped) this.onStop();
    this.console.close();
    await this.network.close();
    // Those without a socket are left.
    for (const session of this.engine.sessions.values()) session.close();
  }

  close(): Promise<void> {
    this.persistence.close();
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  shutdownBySignal(request: ShutdownRequest, failed: () => void): void {
    this.shutdown.bySignal(request, failed);
  }

  dropUnfinished(): void {
    this.persistence.dropUnfinished();
  }
}
