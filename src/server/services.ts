/** What commands ask of the server as a whole (engine/server-port.ts), put together from the rooms that do it. */
import { FileNames } from '../base/disk.ts';
import type { Environment } from '../base/environment.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Version } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log, ServerPort, ShutdownRequest } from '../engine/server-port.ts';
import type { Persistence } from '../persistence/persistence.ts';

/** How long a shutdown waits for a cron that DEBUG has paused, before it looks again. */
const CRON_WAIT = 100;

/** So many internal errors of commands are logged in such a time, ms. */
const FAULTS_TOLD = 10;
const FAULTS_WINDOW = 10_000;

const NOT_ENDED = 'Errors trying to shut down the server. Check the logs for more information.';

export class Services implements ServerPort {
  readonly config: Config;
  readonly log: Log;
  readonly environment: Environment;
  readonly runId: string;
  readonly fileNames: FileNames;
  readonly startedAt: number;
  readonly version: Version;
  private readonly clock: Clock;
  private network: { readonly port: number } = { port: 0 };
  private stop: () => Promise<void> = async () => {};
  private onExit: (code: number) => void = () => {};
  private store: Persistence | null = null;
  private ending = false;
  /** Internal errors of commands since `faultsSince`, ms. */
  private faults = 0;
  private faultsSince = 0;
  private abandoned = false;
  private engine: Engine | null = null;
  /** A shutdown that a signal has asked for and that has not begun yet. */
  private asked: { readonly timer: Timer; readonly failed: () => void } | null = null;

  constructor(config: Config, environment: Environment, log: Log, version: Version) {
    const { clock, ids } = environment;
    this.environment = environment;
    this.runId = ids.secret(20).toString('hex');
    this.fileNames = new FileNames(this.runId);
    this.version = version;
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

  get persistence(): Persistence {
    if (this.store === null) throw new Error('persistence is attached before anything asks for it');
    return this.store;
  }

  get port(): number {
    return this.network.port;
  }

  /** Hangs the settings that the engine obeys into it; `stop` ends the server, `onExit` hears that it has ended. */
  attach(
    engine: Engine,
    persistence: Persistence,
    network: { readonly port: number },
    stop: () => Promise<void>,
    onExit: (code: number) => void,
  ): void {
    this.engine = engine;
    this.store = persistence;
    this.network = network;
    this.stop = stop;
    this.onExit = onExit;
    this.config.follow('notify-keyspace-events', (s) => {
      engine.events = s.notifyKeyspaceEvents === 0 ? null : s.notifyKeyspaceEvents;
    });
    this.config.follow(['maxmemory-clients', 'maxmemory'], (s) => {
      engine.clientMemory.follow(s.maxmemoryClients, s.maxmemory);
    });
    this.config.follow('lazyfree-lazy-server-del', (s) => {
      engine.keyspaces.lazyServerDel = s.lazyfreeLazyServerDel;
    });
    this.config.follow('latency-tracking', (s) => {
      engine.trackLatency = s.latencyTracking;
    });
  }

  commandFailed(command: string, error: unknown, changed: boolean): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (changed || this.mayTell()) this.log.warning(`Command '${command}' failed: ${what}`);
    if (!changed || this.ending) return;
    this.ending = true;
    this.log.warning('A write has failed half way, so the data can no longer be trusted. Exiting.');
    // The clients' replies, this error among them, go out with the turn that is under way.
    this.clock.after(0, () => void this.stop().then(() => this.onExit(1)));
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

  shutdown(request: ShutdownRequest): string | undefined {
    if (this.ending) return undefined;
    this.log.warning('User requested shutdown...');
    const { snapshots, aof } = this.persistence;
    snapshots.endJob();
    if (!aof.finish(request.force) || (this.saves(request) && !snapshots.saveAtExit() && !request.force)) {
      this.log.warning(NOT_ENDED);
      return 'Errors trying to SHUTDOWN. Check logs.';
    }
    this.end();
    return undefined;
  }

  /**
   * The same for a signal, which comes into force at the next tick of the cron: until then it can be taken back. The final
   * snapshot is saved aside while clients are held, so that a further signal is heard. `failed` is told where it fails.
   */
  shutdownBySignal(request: ShutdownRequest, failed: () => void): void {
    if (this.ending || this.asked !== null) return;
    const begin = (): void => {
      const { engine } = this;
      // A script that is suspended half way is waited for, too.
      if (engine !== null && (engine.keyspaces.cronPaused || engine.propagation.held)) {
        this.asked = { timer: this.clock.after(CRON_WAIT, begin), failed };
        return;
      }
      this.asked = null;
      void this.beginBySignal(request, failed);
    };
    this.asked = { timer: this.clock.after(0, begin), failed };
  }

  private async beginBySignal(request: ShutdownRequest, failed: () => void): Promise<void> {
    const { engine, persistence } = this;
    if (this.ending || engine === null) return;
    this.log.warning('User requested shutdown...');
    const { snapshots, aof } = persistence;
    snapshots.endJob();
    const release = engine.pause.holdAll();
    const good = aof.finish(request.force) && (!this.saves(request) || (await snapshots.saveAsideAtExit()));
    if (!good && !request.force) {
      this.log.warning(NOT_ENDED);
      release();
      failed();
      return;
    }
    this.end();
  }

  abortShutdown(): boolean {
    const { asked } = this;
    if (asked === null) return false;
    asked.timer.cancel();
    this.asked = null;
    asked.failed();
    this.log.notice('Shutdown manually aborted.');
    return true;
  }

  /** Whether the end is preceded by a snapshot: what is half loaded is not saved over what it was loaded from. */
  private saves(request: ShutdownRequest): boolean {
    const { persistence } = this;
    return !persistence.loading && (request.save || (persistence.savesAtExit && !request.noSave));
  }

  /** The server can't keep what replies of this turn promise: none of them is sent, and it ends. */
  abandon(): void {
    if (this.abandoned) return;
    this.abandoned = true;
    this.ending = true;
    for (const session of this.engine?.sessions.values() ?? []) {
      session.reply.abandon();
      session.close(false);
    }
    this.onExit(1);
    void this.stop();
  }

  private end(): void {
    this.ending = true;
    this.persistence.aof.close();
    this.persistence.loads.cancelled = true;
    void this.stop().then(() => {
      this.log.warning('Redis is now ready to exit, bye bye...');
      this.onExit(0);
    });
  }
}
