/**
 * Suite 20, the soak: a master at its maxmemory with an append-only file, rewritten again and again, snapshots between, keys
 * that expire and keys that are evicted, and a replica. What is resident must not grow, the replica must follow nearly always,
 * and at the end both have the same data.
 *
 * Samples are taken every hundredth of the run. The slope is that of a straight line through those after the first fifth,
 * in percent of their mean per 10 million operations; it is judged in runs of 5 million and more, as a shorter one has not
 * warmed up.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { MIB, pause, resident, until } from './harness.ts';

export interface SoakReport {
  readonly operations: number;
  readonly seconds: number;
  readonly evicted: number;
  readonly expired: number;
  readonly rewrites: number;
  readonly snapshots: number;
  /** Samples at which the replica had no link, and how often it was sent everything. */
  readonly unlinked: number;
  readonly fullSyncs: number;
  /** MiB at each twentieth of the run. */
  readonly master: readonly number[];
  readonly replica: readonly number[];
  /** Percent per 10 million operations. */
  readonly slopes: { readonly master: number; readonly replica: number };
  readonly failures: string[];
}

const BATCH = 2000;
const SAMPLES = 100;
const WARM_UP = SAMPLES / 5;
const SHOWN = SAMPLES / 20;
const ROOM = 64 * MIB;
const MOST_PERCENT = 1;
const JUDGED_FROM = 5_000_000;
const MOST_UNLINKED = SAMPLES / 20;
const PATIENCE = 120_000;
const KEYS = 300_000;

const MASTER = [
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-min-size', '32mb'],
  ...['--maxmemory-policy', 'allkeys-lru', '--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0'],
  ...['--client-output-buffer-limit', 'replica 0 0 0'],
];

/** One write of any kind; what it makes is small, or is kept small. */
function operation(random: SeededRandom): string[] {
  const n = (most: number): string => String(random.below(most));
  const text = (most: number): string => 'x'.repeat(1 + random.below(most));
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return ['SET', `s${n(KEYS)}`, text(400)];
    case 3:
    case 4:
      return ['SET', `v${n(KEYS)}`, text(200), 'PX', String(1 + random.below(5000))];
    case 5:
      return ['INCR', `i${n(KEYS)}`];
    case 6:
      return ['HSET', `h${n(2000)}`, n(300), text(60)];
    case 7:
      return ['ZADD', `z${n(2000)}`, n(1000), n(300)];
    case 8:
      return ['SADD', `t${n(2000)}`, n(600)];
    case 9:
      return random.below(2) === 0 ? ['LPUSH', `l${n(500)}`, text(60)] : ['LTRIM', `l${n(500)}`, '0', '200'];
    case 10:
      return ['XADD', `x${n(100)}`, 'MAXLEN', '~', '500', '*', 'f', text(40)];
    default:
      return random.below(2) === 0 ? ['DEL', `h${n(2000)}`] : ['EXPIRE', `z${n(2000)}`, n(20)];
  }
}

async function field(client: Pipeline, name: string): Promise<string> {
  const text = String(await client.call('INFO', 'everything'));
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
}

/** Percent of the mean by which a straight line through the values rises per 10 million operations. */
export function slopePercent(values: readonly number[], operationsEach: number): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  let above = 0;
  let below = 0;
  for (let i = 0; i < count; i++) {
    const x = i - (count - 1) / 2;
    above += x * (values[i] - mean);
    below += x * x;
  }
  return ((above / below / mean) * 100 * 10_000_000) / operationsEach;
}

class Soak {
  readonly master: ServerProcess;
  readonly replica: ServerProcess;
  readonly client: Pipeline;
  readonly other: Pipeline;
  readonly samples = { master: [] as number[], replica: [] as number[] };
  snapshots = 0;
  unlinked = 0;

  constructor(master: ServerProcess, replica: ServerProcess) {
    this.master = master;
    this.replica = replica;
    this.client = new Pipeline(master.port);
    this.other = new Pipeline(replica.port);
  }

  async write(operations: number, random: SeededRandom): Promise<void> {
    const each = operations / SAMPLES;
    let last: Promise<unknown> = Promise.resolve();
    for (let done = 0, sample = 1; done < operations; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, operations - done) }, () => operation(random));
      // The next batch is made while the servers work on this one.
      await last;
      last = this.client.send(batch);
      if (done + BATCH < sample * each) continue;
      await last;
      sample++;
      this.samples.master.push(resident(this.master.pid));
      this.samples.replica.push(resident(this.replica.pid));
      if ((await field(this.other, 'master_link_status')) !== 'up') this.unlinked++;
      if (sample % 10 === 0 && (await field(this.client, 'rdb_bgsave_in_progress')) === '0') {
        this.snapshots++;
        await this.client.call('BGSAVE', 'SCHEDULE');
      }
    }
  }

  /** Waits until nothing expires any more and the replica has everything. */
  async agreed(): Promise<boolean> {
    await this.client.call('CONFIG', 'SET', 'maxmemory', '0');
    let digests: unknown[] = [];
    const agree = async (): Promise<boolean> => {
      digests = await Promise.all([this.client.call('DEBUG', 'DIGEST'), this.other.call('DEBUG', 'DIGEST')]);
      if (digests[0] === digests[1]) return true;
      await pause(500);
      return false;
    };
    return until(agree, 'the same data', PATIENCE).then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    this.client.close();
    this.other.close();
    await this.replica.stop();
    await this.master.stop();
  }
}

export async function soak(operations: number, seed: number): Promise<SoakReport> {
  const master = await startCinnabar(...MASTER);
  const options = ['--enable-debug-command', 'yes', '--appendonly', 'yes', '--replicaof', `127.0.0.1 ${master.port}`];
  const it = new Soak(master, await startCinnabar(...options));
  const begin = performance.now();
  const failures: string[] = [];
  try {
    const { client, other, samples } = it;
    await until(async () => (await field(other, 'master_link_status')) === 'up', 'the replica is there', PATIENCE);
    const limit = Number(await field(client, 'used_memory')) + ROOM;
    await client.call('CONFIG', 'SET', 'maxmemory', String(limit));
    await it.write(operations, new SeededRandom(seed));
    const evicted = Number(await field(client, 'evicted_keys'));
    if (!(await it.agreed())) failures.push('the replica has other data than the master');
    if (it.unlinked > MOST_UNLINKED) failures.push(`the replica had no link at ${it.unlinked} of ${SAMPLES} samples`);
    const slope = (values: number[]): number => slopePercent(values.slice(WARM_UP), operations / SAMPLES);
    const slopes = { master: slope(samples.master), replica: slope(samples.replica) };
    if (operations >= JUDGED_FROM)
      for (const [name, percent] of Object.entries(slopes))
        if (percent >= MOST_PERCENT) failures.push(`${name}: ${percent.toFixed(2)} % per 10 million operations`);
    const shown = (values: number[]): number[] =>
      values.filter((_, i) => i % SHOWN === SHOWN - 1).map((bytes) => Math.round(bytes / MIB));
    return {
      operations,
      seconds: (performance.now() - begin) / 1000,
      evicted,
      expired: Number(await field(client, 'expired_keys')),
      rewrites: Number(await field(client, 'aof_rewrites')),
      snapshots: it.snapshots,
      unlinked: it.unlinked,
      fullSyncs: Number(await field(client, 'sync_full')),
      master: shown(samples.master),
      replica: shown(samples.replica),
      slopes,
      failures,
    };
  } finally {
    await it.stop();
  }
}
