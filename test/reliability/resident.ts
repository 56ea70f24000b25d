/**
 * What the system counts as the server's against what it uses: after filling, after deleting a random half and a PURGE, and
 * within 5 s of a FLUSHALL; each beyond what an empty server takes.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { Pipeline } from '../support/pipeline.ts';
import { startCinnabar } from '../support/server-process.ts';
import { MIB, pause, resident } from './harness.ts';

export interface ResidentReport {
  readonly emptyMiB: number;
  /** Resident beyond the empty server over used_memory, and the most that it may be. */
  readonly filled: { readonly usedMiB: number; readonly ratio: number; readonly most: number };
  readonly halved: { readonly usedMiB: number; readonly ratio: number; readonly most: number };
  /** MiB beyond the empty server 5 s after FLUSHALL. */
  readonly flushed: { readonly MiB: number; readonly most: number };
  readonly failures: string[];
}

const BATCH = 500;
const MOST_FILLED = 1.3;
const MOST_HALVED = 1.5;
const MOST_FLUSHED = 40;
const GRACE = 5000;
/** The first write warms code up, which is no data. */
const WARM_UP = 20_000;

function write(i: number, random: SeededRandom): string[] {
  const value = 'x'.repeat(16 + random.below(600));
  if (i % 5 !== 0) return ['SET', `key:${i}`, value];
  const words = Array.from({ length: 4 + random.below(20) }, (_, j) => [`field:${j}`, value.slice(0, 40)]).flat();
  return ['HSET', `key:${i}`, ...words];
}

async function used(client: Pipeline): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(String(await client.call('INFO', 'memory')))?.[1]);
}

/** Writes keys until so much is used; returns how many they are. */
async function fill(client: Pipeline, bytes: number, random: SeededRandom): Promise<number> {
  let count = 0;
  do {
    for (let i = 0; i < 20; i++, count += BATCH)
      await client.send(Array.from({ length: BATCH }, (_, j) => write(count + j, random)));
  } while ((await used(client)) < bytes);
  return count;
}

async function deleteHalf(client: Pipeline, count: number, random: SeededRandom): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, i) => `key:${from + i}`).filter(() => random.below(2) === 0);
    if (keys.length > 0) await client.call('DEL', ...keys);
  }
}

export async function residentMemory(mebibytes: number, seed: number): Promise<ResidentReport> {
  const server = await startCinnabar();
  const client = new Pipeline(server.port);
  const random = new SeededRandom(seed);
  try {
    await pause(1000);
    const empty = resident(server.pid);
    await client.send(Array.from({ length: WARM_UP }, (_, i) => ['SET', `key:${i % 100}`, 'x']));
    const count = await fill(client, mebibytes * MIB, random);
    const ratio = async (most: number) => {
      const bytes = await used(client);
      return { usedMiB: bytes / MIB, ratio: (resident(server.pid) - empty) / bytes, most };
    };
    await pause(1000);
    const filled = await ratio(MOST_FILLED);
    await deleteHalf(client, count, random);
    await client.call('MEMORY', 'PURGE');
    await pause(GRACE);
    const halved = await ratio(MOST_HALVED);
    await client.call('FLUSHALL');
    await pause(GRACE);
    const flushed = { MiB: (resident(server.pid) - empty) / MIB, most: MOST_FLUSHED };
    const failures: string[] = [];
    if (filled.ratio > MOST_FILLED) failures.push(`filled: ${filled.ratio.toFixed(2)} x`);
    if (halved.ratio > MOST_HALVED) failures.push(`a half deleted: ${halved.ratio.toFixed(2)} x`);
    if (flushed.MiB > MOST_FLUSHED) failures.push(`flushed: ${flushed.MiB.toFixed(0)} MiB`);
    return { emptyMiB: empty / MIB, filled, halved, flushed, failures };
  } finally {
    client.close();
    await server.stop();
  }
}
