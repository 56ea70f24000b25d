/** The thread in which memory that was let go of goes back to the system. Started by last-owner.ts. */
import { parentPort } from 'node:worker_threads';
import { standBack } from '../base/thread.ts';
import { RealClock } from '../base/time.ts';
import { collectGarbage } from './collect.ts';
import type { Held } from './last-owner.ts';

standBack();
const clock = new RealClock();
const held = new Map<number, SharedArrayBuffer>();
const released: number[] = [];

/** After all messages that have come: one collection does for all of them. The next one begins once their pages have gone. */
function collect(): void {
  collectGarbage();
  collectGarbage();
  parentPort?.postMessage(released.splice(0));
}

parentPort?.on('message', ({ id, buffer }: Held) => {
  if (buffer !== undefined) {
    held.set(id, buffer);
    return;
  }
  held.delete(id);
  if (released.push(id) === 1) clock.soon(collect);
});
