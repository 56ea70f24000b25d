/**
 * RESTORE fuzz: payloads of every type and encoding with 1 to 8 bytes changed, their checksum not looked at, then traffic
 * of the matching type on what was accepted. The server runs over the debug allocator (CINNABAR_VERIFY=1), so an access
 * outside the owning block, a stale address or a leak stops it. Each value that is accepted is also dumped, and the dump
 * must be restored.
 *
 * The server lives in a thread without sockets; this side watches that it gets on. A case follows from the seed and its
 * number alone: `--from N --count 1` plays it again.
 *
 * Planted bug: listpacks that are taken as they come (no `lpValidate`): the thread crashes at case 200 of seed 1.
 */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../../src/base/thread.ts';
import { pause } from '../reliability/harness.ts';
import { CASE, CONTROL_BYTES, type FuzzReport, type FuzzTask } from './restore-task.ts';

export const MODES = ['no', 'yes', 'clients'] as const;

/** A case that takes longer is a hang. */
const HANG_MILLISECONDS = 5000;
/** The thread has played none yet. */
const NOT_BEGUN = -1;
const START_MILLISECONDS = 60_000;

const WORKER = new URL('./restore-worker.ts', import.meta.url);

/** Plays the cases of one mode from `from` on; what fails is told by its number. */
export async function restoreFuzz(mode: FuzzTask['mode'], count: number, seed: number, from = 0): Promise<FuzzReport> {
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  control[CASE] = NOT_BEGUN;
  const task: FuzzTask = { mode, from, to: from + count, seed, control };
  const worker: Worker = startThread(WORKER, { workerData: task, env: { ...process.env, CINNABAR_VERIFY: '1' } });
  let report: FuzzReport | undefined;
  let ended = false;
  worker.once('message', (message: FuzzReport) => {
    report = message;
  });
  const end = new Promise<void>((done, failed) => {
    worker.once('error', failed);
    worker.once('exit', () => {
      ended = true;
      done();
    });
  });
  let last = NOT_BEGUN;
  let since = performance.now();
  const watch = (async () => {
    while (!ended) {
      await Promise.race([pause(200), end]);
      const now = control[CASE];
      if (now !== last) since = performance.now();
      last = now;
      if (performance.now() - since < (now === NOT_BEGUN ? START_MILLISECONDS : HANG_MILLISECONDS)) continue;
      await worker.terminate();
      throw new Error(`mode ${mode}, seed ${seed}: case ${last} hangs`);
    }
  })();
  await Promise.all([end, watch]);
  if (report === undefined) throw new Error(`mode ${mode}, seed ${seed}: the thread ended at case ${control[CASE]}`);
  return report;
}

/** All modes, as many at a time as there are processors. */
export async function restoreFuzzAll(count: number, seed: number, from = 0): Promise<FuzzReport[]> {
  const reports: FuzzReport[] = [];
  const left = [...MODES];
  const lane = async (): Promise<void> => {
    for (let mode = left.shift(); mode !== undefined; mode = left.shift())
      reports.push(await restoreFuzz(mode, count, seed, from));
  };
  await Promise.all(Array.from({ length: Math.min(left.length, availableParallelism()) }, lane));
  return reports;
}
