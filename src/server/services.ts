/** What commands ask of the server as a whole (engine/server-port.ts), put together from the rooms that do it. */
import { assert } from '../base/assert.ts';
import { FileNames } from '../base/disk.ts';
import type { Environment } from '../base/environment.ts';
import type { Clock } from '../base/time.ts';
import type { Version } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import type { ModulesPort } from '../engine/modules-port.ts';
import type { Log, Manager, ServerMode, ServerPort, ShutdownAnswer, ShutdownRequest } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import { Dialer } from '../links/link.ts';
import { fastWiresOf } from '../net/fast-wires.ts';
import type { Persistence } from '../persistence/persistence.ts';
import type { Shutdown } from './shutdown.ts';

/** So many internal errors of commands are logged in such a time, ms. */
const FAULTS_TOLD = 10;
const FAULTS_WINDOW = 10_000;

/** Whether clients are to take it for a node of a cluster: it is one, or a member of a group, which looks like one. */
export function isClustered({ clusterEnabled, raftEnabled }: Readonly<Settings>): boolean {
  return clusterEnabled || raftEnabled;
}

/** What is asked of net/. */
interface NetworkFace {
  readonly port: number;
  /** How handshakes are begun with others. */
  readonly clientTls: TlsContextOptions | null;
}

/** What the settings don't tell. */
interface Told {
  readonly mode?: ServerMode;
  readonly supervisedBy?: () => Manager;
}

export class Services implements ServerPort {
  readonly config: Config;
  readonly log: Log;
  readonly environment: Environment;
  readonly links: Dialer;
  readonly runId: string;
  readonly fileNames: FileNames;
  readonly startedAt: number;
  readonly version: Version;
  readonly mode: ServerMode;
  /** Asked when somebody wants to know: a program learns after its start whether its manager can be told. */
  private readonly manager: () => Manager;
  private readonly clock: Clock;
  private network: NetworkFace = { port: 0, clientTls: null };
  private store: Persistence | null = null;
  private ending: Shutdown | null = null;
  private extensions: ModulesPort | null = null;
  /** Internal errors of commands since `faultsSince`, ms. */
  private faults = 0;
  private faultsSince = 0;

  constructor(config: Config, environment: Environment, log: Log, version: Version, told: Told) {
    const { clock, ids, network } = environment;
    this.links = new Dialer({ network, fast: fastWiresOf(network), clock, tls: () => this.network.clientTls });
    this.environment = environment;
    this.runId = ids.secret(20).toString('hex');
    this.fileNames = new FileNames(this.runId);
    this.version = version;
    this.mode = told.mode ?? (isClustered(config.settings) ? 'cluster' : 'standalone');
    this.manager = told.supervisedBy ?? (() => 'no');
    this.config = config;
    this.clock = clock;
    this.log = log;
    this.startedAt = clock.now();
    config.onUndone = (name) => {
      log.warning(
        `Failed applying new configuration. Possibly related to new ${name} setting. Restoring previous settings.`,
      );
    };
  }

  get settings(): Readonly<Settings> {
    return this.config.settings;
  }

  get supervisedBy(): Manager {
    return this.manager();
  }

  get persistence(): Persistence {
    if (this.store === null) throw new Error('persistence is attached before anything asks for it');
    return this.store;
  }

  get modules(): ModulesPort {
    if (this.extensions === null) throw new Error('modules are attached before anything asks for them');
    return this.extensions;
  }

  get port(): number {
    return this.network.port;
  }

  /** What is built of the engine, which was built with this. */
  attach(persistence: Persistence, shutdown: Shutdown, network: NetworkFace, modules: ModulesPort): void {
    this.store = persistence;
    this.ending = shutdown;
    this.network = network;
    this.extensions = modules;
  }

  commandFailed(command: string, error: unknown, changed: boolean): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (changed || this.mayTell()) this.log.warning(`Command '${command}' failed: ${what}`);
    if (changed) this.ending?.failHalfWay();
  }

  panic(reason: string): void {
    this.log.warning('!!! Software Failure. Press left mouse button to continue');
    this.log.warning(`Guru Meditation: ${reason}`);
    this.ending?.abandon();
  }

  /** Whether one more internal error may be logged: clients who find one can repeat it at will. */
  private mayTell(): boolean {
    const now = this.clock.now();
    if (now - this.faultsSince >= FAULTS_WINDOW) {
      const untold = this.faults - FAULTS_TOLD;
      if (untold > 0) this.log.warning(`${untold} further internal errors of commands have not been logged`);
      this.faultsSince = now;
      this.faults = 0;
    }
    return ++this.faults <= FAULTS_TOLD;
  }

  beforeWrite(): void {
    this.store?.beforeWrite();
  }

  shutdown(request: ShutdownRequest, session: Session): ShutdownAnswer {
    assert(this.ending !== null, 'the shutdown is attached before anything asks for it');
    return this.ending.byClient(request, session);
  }

  abortShutdown(): boolean {
    return this.ending?.abort() ?? false;
  }

  get shutdownTimeLeft(): number | null {
    return this.ending?.timeLeft ?? null;
  }
}
