/**
 * The frozen view's stress: `npm run stress:view [-- seconds [seed]]`, 10 minutes unless told.
 *
 * Rounds of: freeze; a worker walks a dict of checksummed records through the view while this thread goes on changing
 * them (in place, by replacement, by removal and insertion, with rehashes, segments mapped and given back under it); then
 * the worker's digest must be the one that the records had at the freeze, and no record may be torn. Planted bug: with
 * the barrier taken out behind the view's back, both counts rise within a second.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { SeededRandom } from '../../src/base/random.ts';
import { Slice, sliceOf } from '../../src/base/slice.ts';
import { type Addr, NULL } from '../../src/memory/address.ts';
import { createMemory } from '../../src/memory/create.ts';
import { FrozenView } from '../../src/memory/view.ts';
import { dictFind, dictInsert, dictNew, dictRemove, dictShrinkIfNeeded, dictSize } from '../../src/structures/dict.ts';
import { hashBytes } from '../../src/structures/hash.ts';
import { startWorker } from '../support/worker.ts';
import {
  digestOf,
  type Findings,
  newRecord,
  payloadLength,
  type Reading,
  rewriteRecord,
  storedChecksum,
} from './view-records.ts';

export interface StressOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly records: number;
  /** Takes the barrier out, to show that the stress would notice. */
  readonly planted?: boolean;
}

export interface StressResult {
  rounds: number;
  records: number;
  /** Records whose checksum was not that of their bytes. */
  torn: number;
  /** Rounds whose digest or count was not that of the instant. */
  wrong: number;
  preserved: number;
  writes: number;
  nanosecondsPerRecord: number;
  failures: string[];
}

const MiB = 1024 * 1024;

class Writer {
  readonly memory = createMemory();
  readonly dict: Addr;
  digest = 0;
  writes = 0;
  private readonly random: SeededRandom;
  private readonly keys: number;
  private readonly payload = new Slice(new Uint8Array(40_000), 0, 0);
  private readonly huge: Addr[] = [];

  constructor(random: SeededRandom, keys: number) {
    this.random = random;
    this.keys = keys;
    this.dict = dictNew(this.memory);
    for (let i = 0; i < keys; i++) this.put(i);
  }

  /** A few hundred random changes. */
  step(): void {
    for (let i = 0; i < 400; i++) {
      const key = this.random.below(this.keys);
      const kind = this.random.below(100);
      if (kind < 60) this.change(key);
      else if (kind < 80) this.remove(key);
      else this.put(key);
    }
    if (this.random.below(50) === 0) this.hugeStep();
    this.writes += 400;
  }

  /** Removes most records and lets the segments go. */
  empty(): void {
    for (let key = 0; key < this.keys; key++) if (this.random.below(10) !== 0) this.remove(key);
    dictShrinkIfNeeded(this.memory, this.dict);
    this.memory.allocator.trim();
  }

  private hugeStep(): void {
    const old = this.huge.length > 1 ? this.huge.shift() : undefined;
    if (old !== undefined) this.memory.release(old);
    const fresh = this.memory.allocate(65 * MiB + this.random.below(10 * MiB));
    this.memory.fill(fresh, this.random.below(64) * MiB, this.random.below(256), MiB);
    this.huge.push(fresh);
  }

  private keyOf(key: number): Slice {
    return sliceOf('key:' + key);
  }

  private fresh(length: number): Slice {
    const buffer = this.payload.buffer;
    let word = this.random.bits32();
    for (let i = 0; i < length; i++) {
      buffer[i] = word;
      word = (word >>> 8) | (Math.imul(word, 0x2c9277b5) << 24);
    }
    return this.payload.set(buffer, 0, length);
  }

  private put(key: number): void {
    const length = this.random.below(200) === 0 ? this.random.below(40_000) : this.random.below(120);
    this.remove(key);
    const name = this.keyOf(key);
    const entry = newRecord(this.memory, name, this.fresh(length));
    dictInsert(this.memory, this.dict, entry, hashBytes(this.memory.seed, name));
    this.digest = (this.digest + digestOf(storedChecksum(this.memory, entry))) >>> 0;
  }

  private change(key: number): void {
    const name = this.keyOf(key);
    const entry = dictFind(this.memory, this.dict, name, hashBytes(this.memory.seed, name));
    if (entry === NULL) return;
    this.digest = (this.digest - digestOf(storedChecksum(this.memory, entry))) >>> 0;
    rewriteRecord(this.memory, entry, this.fresh(payloadLength(this.memory, entry)));
    this.digest = (this.digest + digestOf(storedChecksum(this.memory, entry))) >>> 0;
  }

  private remove(key: number): void {
    const name = this.keyOf(key);
    const entry = dictRemove(this.memory, this.dict, name, hashBytes(this.memory.seed, name));
    if (entry === NULL) return;
    this.digest = (this.digest - digestOf(storedChecksum(this.memory, entry))) >>> 0;
    this.memory.release(entry);
  }
}

/** One freeze: opens, lets the worker read while the writer writes, closes. */
async function round(writer: Writer, worker: Worker, options: StressOptions, result: StressResult): Promise<void> {
  const view = new FrozenView(writer.memory);
  const { digest, dict } = writer;
  const count = dictSize(writer.memory, dict);
  const message: Reading = { image: view.image, dict, count, seed: options.seed + result.rounds };
  worker.postMessage(message, view.transfer);
  if (options.planted) writer.memory.setBarrier(null);
  const answer: { found?: Findings } = {};
  worker.once('message', (found: Findings) => {
    answer.found = found;
  });
  if (result.rounds % 20 === 19) writer.empty();
  while (answer.found === undefined) {
    if (worker.threadId < 0) throw new Error('the reader died: ' + result.failures.join(', '));
    writer.step();
    await turn();
  }
  const found = answer.found;
  result.rounds++;
  result.records += found.count;
  result.torn += found.torn;
  result.preserved += view.preservedPages;
  result.nanosecondsPerRecord = (found.milliseconds * 1e6) / Math.max(1, found.count);
  if (found.digest !== digest || found.count !== count || found.failed !== '') {
    result.wrong++;
    if (result.failures.length < 5)
      result.failures.push(`${found.count} of ${count} records, digest ${found.digest} of ${digest} ${found.failed}`);
  }
  view.close();
}

export async function stress(options: StressOptions): Promise<StressResult> {
  const writer = new Writer(new SeededRandom(options.seed), options.records);
  const worker = startWorker(new URL('./view-worker.ts', import.meta.url));
  const result: StressResult = {
    rounds: 0,
    records: 0,
    torn: 0,
    wrong: 0,
    preserved: 0,
    writes: 0,
    nanosecondsPerRecord: 0,
    failures: [],
  };
  worker.once('error', (error) => result.failures.push(String(error)));
  const until = performance.now() + options.seconds * 1000;
  try {
    while (performance.now() < until) await round(writer, worker, options, result);
    if (!options.planted) writer.memory.allocator.verify();
    result.writes = writer.writes;
  } finally {
    await worker.terminate();
  }
  return result;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const seconds = Number(process.argv[2] ?? 600);
  const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
  console.log(`frozen view under stress for ${seconds} s, seed ${seed}`);
  const result = await stress({ seconds, seed, records: 300_000 });
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.torn + result.wrong === 0 ? 0 : 1;
}
