/**
 * What commands and the engine ask of the composition root: settings, log, life and death of the server.
 *
 * The rooms behind it (config, log, shutdown) are built by server/; commands of rank 6 see this face only.
 */
import type { Session } from './session.ts';

export interface Log {
  debug(message: string): void;
  verbose(message: string): void;
  notice(message: string): void;
  warning(message: string): void;
}

export interface ServerPort {
  readonly log: Log;
  /** Whether a new session must authenticate before anything else. */
  readonly passwordRequired: boolean;
  /** A session in the words of CLIENT LIST. */
  describeSession(session: Session): string;
  /** A command threw what it should not: logged with its stack; a write that did so stops the server when it must. */
  commandFailed(command: string, error: unknown): void;
  /** Once a turn, before replies are written. */
  beforeWrite(): void;
}
