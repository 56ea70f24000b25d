/**
 * Handing buffers that were let go of back to the system.
 *
 * The segments lie outside the JavaScript heap but are owned by objects in it: their memory goes when V8 finds those
 * objects dead, and shared buffers weigh nothing on the heap, so a server that is idle, or that makes no garbage, gives V8
 * no reason to look. Two ways to make it look:
 *
 *   at once    a full collection, some 10 ms however much data there is, since the heap is small
 *   by steps   an ordinary buffer of 96 MiB, of which no page is ever touched, does weigh: V8 takes it for pressure from
 *              outside and begins to mark by increments and in other threads, which ends in a pause of 1 to 3 ms
 *
 * Whether the second way has led anywhere is told by the buffers themselves as they are finalized; where it hasn't, the
 * first way follows.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** More than the 64 MiB beyond which V8 looks, by what else may have gone since the last time. */
const PRESSING_BYTES = 96 * 1024 * 1024;
/** Calls of `step` between the two ways: some seconds of cron. */
const PATIENCE = 100;

const collector: { run?: () => void } = {};

/** A full collection, at once. */
export function collectGarbage(): void {
  if (collector.run === undefined) {
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('gc');
    collector.run = typeof found === 'function' ? () => found() : () => {};
    setFlagsFromString('--no-expose-gc');
  }
  collector.run();
}

/** Has V8 begin a collection by steps; whether it could be asked. */
function beginCollection(): boolean {
  try {
    return new ArrayBuffer(PRESSING_BYTES).byteLength > 0;
  } catch {
    return false;
  }
}

/** Buffers that were let go of and are still there. */
export class Leftovers {
  /** What they take. */
  bytes = 0;
  private readonly registry = new FinalizationRegistry<number>((bytes) => {
    this.bytes -= bytes;
  });
  private waited = 0;

  add(buffer: SharedArrayBuffer): void {
    this.bytes += buffer.byteLength;
    this.registry.register(buffer, buffer.byteLength);
  }

  /** Works towards having them collected; to be called again and again for as long as there are too many. */
  step(): void {
    if (this.waited === 0 && !beginCollection()) this.waited = PATIENCE;
    if (++this.waited > PATIENCE) this.now();
  }

  /** Has them collected at once. */
  now(): void {
    this.waited = 1;
    collectGarbage();
  }

  /** There are too few to bother. */
  rest(): void {
    this.waited = 0;
  }
}
