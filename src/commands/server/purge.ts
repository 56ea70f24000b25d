/**
 * MEMORY PURGE. Memory is given back in slices between which others are served, and its client waits for the end of
 * it; within a transaction or a script only what is empty goes, so that nobody waits long.
 */
import type { Call } from '../../engine/call.ts';
import { Suspension } from '../../engine/suspension.ts';

export function purgeMemory(c: Call): void {
  const { engine, memory } = c;
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
  const suspension = Suspension.waiting(c);
  const goOn = (): void => {
    if (slices.next().done) suspension.goOn();
    else engine.clock.after(0, goOn);
  };
  engine.clock.after(0, goOn);
}
