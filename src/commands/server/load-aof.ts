/**
 * DEBUG LOADAOF. The log is read in slices between which others are told that data is being loaded, and its client waits
 * for it; within a transaction or a script it is read at one go.
 */
import type { Call } from '../../engine/call.ts';
import type { Session } from '../../engine/session.ts';
import { Suspension } from '../../engine/suspension.ts';

/** What those who wait will be told: an error, or undefined. */
const outcomes = new WeakMap<Session, string | undefined>();

export function loadAof(c: Call): void {
  const { engine, session } = c;
  const { persistence } = engine.server;
  if (c.resuming) {
    reply(c, outcomes.get(session));
    return;
  }
  const outcome = c.denyBlocking ? persistence.loadAof() : persistence.loadAofInSlices();
  if (!(outcome instanceof Promise)) {
    reply(c, outcome);
    return;
  }
  const suspension = Suspension.waiting(c);
  void outcome.then((error) => {
    outcomes.set(session, error);
    suspension.goOn();
  });
}

function reply(c: Call, error: string | undefined): void {
  if (error === undefined) c.reply.ok();
  else c.reply.error(error);
}
