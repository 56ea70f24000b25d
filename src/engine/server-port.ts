/**
 * What commands and the engine ask of the composition root: settings, log, life and death of the server.
 *
 * The rooms behind it (config, log, shutdown) are put together by server/; the engine and the commands see this interface only.
 */
import type { FileNames } from '../base/disk.ts';
import type { Environment } from '../base/environment.ts';
import type { Version } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { Dialer } from '../links/link.ts';
import type { ModulesPort } from './modules-port.ts';
import type { PersistencePort } from './persistence-port.ts';
import type { Session } from './session.ts';

export interface Log {
  debug(message: string): void;
  verbose(message: string): void;
  notice(message: string): void;
  warning(message: string): void;
}

export interface ShutdownRequest {
  readonly save: boolean;
  readonly noSave: boolean;
  readonly now: boolean;
  readonly force: boolean;
}

/** What kind of server this is, in the words of INFO. */
export type ServerMode = 'standalone' | 'cluster' | 'sentinel';

/** It is on its way; the client waits for it, with replicas; or what was to be saved could not be. */
export type ShutdownAnswer = 'ending' | 'waiting' | 'failed';

/** What supervises the process. */
export type Manager = 'no' | 'systemd' | 'upstart';

export interface ServerPort {
  readonly log: Log;
  readonly config: Config;
  readonly settings: Readonly<Settings>;
  readonly mode: ServerMode;
  readonly supervisedBy: Manager;
  /** 40 hexadecimal digits, new at each start. */
  readonly runId: string;
  readonly fileNames: FileNames;
  readonly environment: Environment;
  /** Opens connections to other servers. */
  readonly links: Dialer;
  /** Wall time of the start, ms. */
  readonly startedAt: number;
  /** The TCP port that is listened on now; 0 for none. */
  readonly port: number;
  /** The version of Redis whose behaviour is ours. */
  readonly version: Version;
  readonly persistence: PersistencePort;
  readonly modules: ModulesPort;
  /** A command threw what it should not: logged with its stack, within bounds. Once data is `changed` the server ends. */
  commandFailed(command: string, error: unknown, changed: boolean): void;
  /** The server can't go on: tells why and ends at once, without another reply. */
  panic(reason: string): void;
  /** Once a turn, before replies are written. */
  beforeWrite(): void;
  /** Ends the server, for a client. */
  shutdown(request: ShutdownRequest, session: Session): ShutdownAnswer;
  /** Milliseconds for which a shutdown waits for replicas yet; null where none does. */
  readonly shutdownTimeLeft: number | null;
  /** Takes back a shutdown that has not begun yet; false when there is none. */
  abortShutdown(): boolean;
}
