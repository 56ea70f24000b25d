/**
 * DEBUG LOADAOF. The log is read in slices between which others are told that data is being loaded, and its client waits
 * for it like for a key; within a transaction or a script it is read at one go.
 */
import type { Waiter } from '../../engine/blocking.ts';
import type { Call } from '../../engine/call.ts';

/** What those who wait will be told: an error, or null. */
const outcomes = new WeakMap<Waiter, string | null>();

export function loadAof(c: Call): void {
  const { engine, session } = c;
  const { persistence } = engine.server;
  if (c.resuming) {
    const { waiter } = session;
    if (waiter !== null) reply(c, outcomes.get(waiter) ?? undefined);
    return;
  }
  const outcome = c.denyBlocking ? persistence.loadAof() : persistence.loadAofInSlices();
  if (!(outcome instanceof Promise)) {
    reply(c, outcome);
    return;
  }
  c.block({ type: -1, keys: [], timeout: 0, onTimeout: 'null', firm: true });
  const { waiter } = session;
  void outcome.then((error) => {
    outcomes.set(waiter!, error ?? null);
    engine.resume(waiter!);
  });
}

function reply(c: Call, error: string | undefined): void {
  if (error === undefined) c.reply.ok();
  else c.reply.error(error);
}
