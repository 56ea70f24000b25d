/** The thread that saves frozen views, one after another, while the event loop goes on. Started by saver.ts. */
import { parentPort } from 'node:worker_threads';
import { RealDisk } from '../../base/disk.ts';
import { standBack } from '../../base/thread.ts';
import { RealClock } from '../../base/time.ts';
import { collectGarbage } from '../../memory/collect.ts';
import { ViewSaves } from './run.ts';
import type { SaveTask } from './task.ts';

standBack();
const clock = new RealClock();
const saves = new ViewSaves(new RealDisk());
parentPort?.on('message', (task: SaveTask) => {
  parentPort?.postMessage(saves.run(task));
  // What was preserved for the view weighs nothing on the heap, and would stay for as long as the thread rests.
  clock.soon(collectGarbage);
});
