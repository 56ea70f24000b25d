/**
 * A thread that sleeps on a core and tells when it was not woken in time. It goes before all others there, so that no
 * process has kept it: the machine was away, for everybody on that core.
 */
import { hrtime } from 'node:process';
import { parentPort } from 'node:worker_threads';
import { goFirst } from './first.ts';

export interface WitnessTask {
  readonly core: string;
  /** Not 0 any more once it is to end. */
  readonly ended: Int32Array<SharedArrayBuffer>;
}

/** Above that of a client that is measured. */
const PRIORITY = 2;
/** Milliseconds of a sleep, and beyond that which are a stall. */
const SLEEP = 0.5;
const STALL = 1;

function nowMs(): number {
  return Number(hrtime.bigint()) / 1e6;
}

function run({ core, ended }: WitnessTask): void {
  const stalls: number[] = [];
  parentPort?.postMessage(goFirst(PRIORITY, core));
  for (let before = nowMs(); Atomics.load(ended, 0) === 0; ) {
    Atomics.wait(ended, 0, 0, SLEEP);
    const now = nowMs();
    if (now - before > SLEEP + STALL) stalls.push(before, now);
    before = now;
  }
  parentPort?.postMessage(Float64Array.from(stalls));
}

parentPort?.once('message', run);
