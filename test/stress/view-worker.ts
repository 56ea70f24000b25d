/** The reading side of the frozen view's stress: walks a frozen dict of records and reports what it found. */
import { parentPort } from 'node:worker_threads';
import { SeededRandom } from '../../src/base/random.ts';
import { FrozenMemory } from '../../src/memory/frozen.ts';
import { DictCursor } from '../../src/structures/dict.ts';
import { digestOf, type Findings, type Reading, storedChecksum, sumOfRecord } from './view-records.ts';

function read({ image, dict, count, seed }: Reading): Findings {
  const started = performance.now();
  const memory = new FrozenMemory(image);
  const random = new SeededRandom(seed);
  const found: Findings = { torn: 0, digest: 0, count: 0, failed: '', milliseconds: 0 };
  const pause = new Int32Array(new SharedArrayBuffer(4));
  try {
    const cursor = new DictCursor(memory).reset(memory, dict);
    for (let entry = cursor.next(); entry !== 0; entry = cursor.next()) {
      const sum = sumOfRecord(memory, entry);
      if (sum !== storedChecksum(memory, entry)) found.torn++;
      found.digest = (found.digest + digestOf(sum)) >>> 0;
      if (++found.count > count) break;
      if (random.below(20_000) === 0) Atomics.wait(pause, 0, 0, random.below(5));
    }
  } catch (error) {
    found.failed = String(error);
  }
  memory.close();
  found.milliseconds = performance.now() - started;
  return found;
}

parentPort?.on('message', (message: Reading) => parentPort?.postMessage(read(message)));
