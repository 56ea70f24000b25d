/**
 * A full collection of the JavaScript heap on demand.
 *
 * The segments lie outside the heap but are owned by objects in it: their memory goes when V8 finds those objects dead,
 * and a server that is idle, or that makes no garbage, gives V8 no reason to look. The heap is small, so looking costs
 * some 10 ms however much data there is.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const collector: { run?: () => void } = {};

export function collectGarbage(): void {
  if (collector.run === undefined) {
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('gc');
    collector.run = typeof found === 'function' ? () => found() : () => {};
  }
  collector.run();
}
