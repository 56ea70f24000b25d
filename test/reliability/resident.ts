/**
 * What the system counts as the server's against what it uses: after filling, as PURGE answers after a random half was
 * deleted, and within 5 s of a FLUSHALL; each beyond what an empty server takes. Then while long words come, a GB in all, and
 * 5 s afterwards.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { MIB, pause, resident } from './harness.ts';

export interface ResidentReport {
  readonly emptyMiB: number;
  /** Resident beyond the empty server over used_memory, and the most that it may be. */
  readonly filled: { readonly usedMiB: number; readonly ratio: number; readonly most: number };
  readonly halved: { readonly usedMiB: number; readonly ratio: number; readonly most: number };
  /** MiB beyond the empty server 5 s after FLUSHALL. */
  readonly flushed: { readonly MiB: number; readonly most: number };
  /** MiB beyond the empty server at the most while long words come, and 5 s afterwards. */
  readonly words: { readonly MiB: number; readonly most: number };
  readonly behind: { readonly MiB: number; readonly most: number };
  readonly failures: string[];
}

const BATCH = 500;
const MOST_FILLED = 1.3;
const MOST_HALVED = 1.5;
const MOST_FLUSHED = 40;
const MOST_WORDS = 450;
const WORD = 'x'.repeat(32 * MIB);
const PLACES = 32;
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

/** A long word at each place of a command, by a client of its own; the most that is resident meanwhile. */
async function longWords({ port, pid }: ServerProcess): Promise<number> {
  let most = 0;
  for (let place = 0; place < PLACES; place++) {
    const client = new Pipeline(port);
    await client.call('EXISTS', ...Array.from({ length: PLACES }, (_, i) => (i === place ? WORD : `key:${i}`)));
    most = Math.max(most, resident(pid));
    client.close();
  }
  return most;
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
    const halved = await ratio(MOST_HALVED);
    await client.call('FLUSHALL');
    await pause(GRACE);
    const beyond = (bytes: number, most: number) => ({ MiB: (bytes - empty) / MIB, most });
    const flushed = beyond(resident(server.pid), MOST_FLUSHED);
    const words = beyond(await longWords(server), MOST_WORDS);
    await pause(GRACE);
    const behind = beyond(resident(server.pid), MOST_FLUSHED);
    const failures: string[] = [];
    if (filled.ratio > MOST_FILLED) failures.push(`filled: ${filled.ratio.toFixed(2)} x`);
    if (halved.ratio > MOST_HALVED) failures.push(`a half deleted: ${halved.ratio.toFixed(2)} x`);
    for (const [name, { MiB, most }] of Object.entries({ flushed, words, behind }))
      if (MiB > most) failures.push(`${name}: ${MiB.toFixed(0)} MiB`);
    return { emptyMiB: empty / MIB, filled, halved, flushed, words, behind, failures };
  } finally {
    client.close();
    await server.stop();
  }
}
