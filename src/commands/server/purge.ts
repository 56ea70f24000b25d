/**
 * MEMORY PURGE. Blocks are moved together and free memory is given back, in slices between which others are served, and
 * its client waits for the end of it; within a transaction or a script only what is empty goes, so that nobody waits long.
 */
import { sliceOf } from '../../base/time.ts';
import type { Call } from '../../engine/call.ts';
import type { Engine } from '../../engine/engine.ts';
import { Suspension } from '../../engine/suspension.ts';

/** Waste in the pages in use from which moving blocks is worth it. */
const WORTH_MOVING = 4 * 1024 * 1024;
/** A slice of releasing or moving. */
const SLICE_MICROS = 4000;
const HELD_WAIT = 10;
/** ms between two looks whether memory has gone, and looks without any that has after which no more is waited for. */
const GONE_WAIT = 5;
const GONE_PATIENCE = 40;
/** Elements that are released between two looks at the clock. */
const RELEASES_PER_LOOK = 256;

export function purgeMemory(c: Call): void {
  const { engine, memory } = c;
  if (c.resuming) {
    c.reply.ok();
    return;
  }
  if (c.denyBlocking) {
    memory.purge(() => () => true).next();
    memory.collect(true);
    c.reply.ok();
    return;
  }
  const suspension = Suspension.waiting(c);
  const slices = purging(engine);
  const goOn = (): void => {
    // Nothing may move while a script or the like is left half way.
    if (engine.propagation.held) engine.clock.after(HELD_WAIT, goOn);
    else {
      const { done, value } = slices.next();
      if (done === true) suspension.goOn();
      else engine.clock.after(value, goOn);
    }
  };
  engine.clock.after(0, goOn);
}

/** The whole work; each `next()` is a slice of it, which says after how many ms the next one comes. */
function* purging({ memory, keyspaces, clock }: Engine): Generator<number, void> {
  const { defragmenter, reclaimer } = keyspaces;
  const begin = (): (() => boolean) => sliceOf(SLICE_MICROS, clock);
  // What has been deleted and waits to be released is free first of all.
  while (!reclaimer.idle && !memory.sparesPages) {
    const late = begin();
    while (reclaimer.run(RELEASES_PER_LOOK) && !late());
    yield 0;
  }
  if (memory.active - memory.used >= WORTH_MOVING) {
    defragmenter.begin();
    do yield 0;
    while (defragmenter.run(begin()));
  }
  for (const _ of memory.purge(begin)) yield 0;
  // Another thread unmaps what V8 has found dead. What a snapshot's thread holds as well is not waited for.
  for (let looks = 0, least = Number.POSITIVE_INFINITY; memory.awaited > 0 && looks < GONE_PATIENCE; looks++) {
    if (memory.awaited < least) looks = 0;
    least = memory.awaited;
    yield GONE_WAIT;
  }
}
