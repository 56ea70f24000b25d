/**
 * MEMORY PURGE. Memory is given back in slices between which others are served, and its client waits for the end of it like
 * for a key; within a transaction or a script only what is empty goes, so that nobody waits long.
 */
import type { Call } from '../../engine/call.ts';

export function purgeMemory(c: Call): void {
  const { engine, session, memory } = c;
  if (c.resuming) {
    c.reply.ok();
    return;
  }
  const slices = memory.purge();
  slices.next();
  if (c.denyBlocking) {
    memory.collect(true);
    c.reply.ok();
    return;
  }
  c.block({ type: -1, keys: [], timeout: 0, onTimeout: 'null', firm: true });
  const waiter = session.waiter!;
  const goOn = (): void => {
    if (slices.next().done) engine.resume(waiter);
    else engine.clock.after(0, goOn);
  };
  engine.clock.after(0, goOn);
}
