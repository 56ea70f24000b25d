/**
 * Error replies to those whose commands were done before without one, by a master or before they were logged: the data
 * are no longer what they were there. The same of a reply to a replica. Nobody reads such a reply. So the log tells of it, and propagation-error-behavior
 * may have the server end before it answers from such data.
 */
import type { Engine } from './engine.ts';
import type { Log } from './server-port.ts';

/** Bytes of an error that are shown. */
const SHOWN = 4096;

export interface Divergence {
  /** Who replies, and to whom, as the log names them. */
  readonly from: 'server' | 'replica' | 'master';
  readonly to: 'AOF-loading-client' | 'master' | 'replica';
  readonly error: string;
  /** The name of the command; null of an unknown one. */
  readonly command: string | null;
  /** The server can't go on. */
  readonly fatal: boolean;
}

export function tellDivergence(engine: Engine, log: Pick<Log, 'warning'>, divergence: Divergence): void {
  const { from, to, error, command, fatal } = divergence;
  const after = `after processing the command '${command ?? '<unknown>'}'`;
  engine.stats.unexpectedErrorReplies++;
  log.warning(
    `== CRITICAL == This ${from} is sending an error to its ${to}: '${`-${error}`.slice(0, SHOWN)}' ${after}`,
  );
  if (fatal) engine.server.panic(`This ${from} panicked sending an error to its ${to} ${after}`);
}
