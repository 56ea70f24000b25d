/** The thread that saves a snapshot from a frozen view, while the event loop goes on. Started by job.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { RealDisk } from '../../base/disk.ts';
import { standBack } from '../../base/thread.ts';
import { runSave } from './run.ts';
import type { SaveTask } from './task.ts';

standBack();
parentPort?.postMessage(runSave(new RealDisk(), workerData as SaveTask));
