/** What commands ask of the server as a whole (engine/server-port.ts), put together from the rooms that do it. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/time.ts';
import { REDIS_VERSION } from '../base/version.ts';
import { describe } from '../commands/client/list.ts';
import { attachServerCommands } from '../commands/server/index.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log, ServerPort, ShutdownRequest } from '../engine/server-port.ts';
import type { Session } from '../engine/session.ts';
import { followMaxmemory } from './maxmemory.ts';

export class Services implements ServerPort {
  readonly config: Config;
  readonly log: Log;
  readonly runId = randomBytes(20).toString('hex');
  readonly startedAt: number;
  readonly version = REDIS_VERSION;
  private readonly clock: Clock;
  private network: { readonly port: number } = { port: 0 };
  private stop: () => Promise<void> = async () => {};
  private onExit: (code: number) => void = () => {};
  private ending = false;

  constructor(config: Config, clock: Clock, log: Log) {
    this.config = config;
    this.clock = clock;
    this.log = log;
    this.startedAt = clock.now();
  }

  get settings(): Readonly<Settings> {
    return this.config.settings;
  }

  get port(): number {
    return this.network.port;
  }

  /** Hangs the settings that the engine obeys into it; `stop` ends the server, `onExit` hears that it has ended. */
  attach(
    engine: Engine,
    network: { readonly port: number },
    stop: () => Promise<void>,
    onExit: (code: number) => void,
  ): void {
    this.network = network;
    this.stop = stop;
    this.onExit = onExit;
    attachServerCommands(engine);
    followMaxmemory(this.config, engine);
    this.config.follow('notify-keyspace-events', (s) => {
      engine.events = s.notifyKeyspaceEvents === 0 ? null : s.notifyKeyspaceEvents;
    });
    this.config.follow(['maxmemory-clients', 'maxmemory'], (s) => {
      engine.accounts.follow(s.maxmemoryClients, s.maxmemory);
    });
    this.config.follow('latency-tracking', (s) => {
      engine.trackLatency = s.latencyTracking;
    });
  }

  describeSession(session: Session): string {
    return describe(session, this.clock.now());
  }

  commandFailed(command: string, error: unknown, isWrite: boolean): void {
    this.log.warning(`Command '${command}' failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    if (!isWrite || this.ending) return;
    this.ending = true;
    this.log.warning('A write has failed half way, so the data can no longer be trusted. Exiting.');
    // The clients' replies, this error among them, go out with the turn that is under way.
    this.clock.after(0, () => void this.stop().then(() => this.onExit(1)));
  }

  beforeWrite(): void {}

  shutdown(request: ShutdownRequest): string | undefined {
    if (this.ending) return undefined;
    if (request.save) {
      this.log.warning('Saving is not part of this version: SHUTDOWN SAVE is refused.');
      return 'Errors trying to SHUTDOWN. Check logs.';
    }
    this.ending = true;
    this.log.warning('User requested shutdown...');
    void this.stop().then(() => {
      this.log.warning('Redis is now ready to exit, bye bye...');
      this.onExit(0);
    });
    return undefined;
  }
}
