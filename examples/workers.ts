/**
 * Workers that share a stream: each entry goes to one of them, and to another one when that one has died.
 *
 * An entry that was read and not acknowledged is delivered again, so it may be worked on twice. What it does to this server's
 * data happens once all the same: effect and acknowledgement are one script, and the effect is done only by the worker whose
 * acknowledgement is the first.
 */
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

export interface Entry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface WorkerOptions {
  readonly stream: string;
  readonly group: string;
  /** Of its own for each process, and the same after a restart, so that it finds what it had begun. */
  readonly name: string;
  /** Milliseconds after which an entry that was not acknowledged is taken from its worker: more than work ever takes. */
  readonly patience?: number;
  /** After so many deliveries an entry is put aside: it may be what kills the workers. */
  readonly deliveries?: number;
}

type RawEntry = [id: string, fields: string[] | null];

const ACKNOWLEDGE = `
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[2], ARGV[3], ARGV[4])
return 1`;

/** Aside, with its fields, and acknowledged: in one step, or a crash between them would lose it or keep it twice. */
const PUT_ASIDE = `
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 1 and entry then
  redis.call('XADD', KEYS[2], '*', 'from', ARGV[2], unpack(entry[2]))
end`;

export class Worker {
  private readonly redis: Redis;
  private readonly options: Required<WorkerOptions>;

  constructor(redis: Redis, options: WorkerOptions) {
    this.redis = redis;
    this.options = { patience: 30_000, deliveries: 5, ...options };
  }

  /** From 0, not $: entries that came before the first worker are work, too. */
  async join(): Promise<void> {
    const { stream, group } = this.options;
    try {
      await this.redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
    } catch (error) {
      // Another worker was first.
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }

  /** What this worker is to do next; empty where there is nothing within `wait` milliseconds. */
  async take(count: number, wait?: number): Promise<Entry[]> {
    const left = await this.takeOver(count);
    if (left.length > 0) return left;
    const { stream, group, name } = this.options;
    const reply =
      wait === undefined
        ? await this.redis.xreadgroup('GROUP', group, name, 'COUNT', count, 'STREAMS', stream, '>')
        : await this.redis.xreadgroup('GROUP', group, name, 'COUNT', count, 'BLOCK', wait, 'STREAMS', stream, '>');
    const [[, entries] = ['', []]] = (reply ?? []) as [string, RawEntry[]][];
    return entries.map(entryOf);
  }

  /** The effect of an entry, and that it is done; false where somebody else was first. */
  async finish({ id }: Entry, totals: string, field: string, amount: number): Promise<boolean> {
    const { stream, group } = this.options;
    return (await this.redis.eval(ACKNOWLEDGE, 2, stream, totals, group, id, field, amount)) === 1;
  }

  /** Entries of workers that are silent for too long; XAUTOCLAIM counts a delivery, and makes them ours in one step. */
  private async takeOver(count: number): Promise<Entry[]> {
    const { stream, group, name, patience } = this.options;
    await this.putAside();
    const reply = await this.redis.xautoclaim(stream, group, name, patience, '0-0', 'COUNT', count);
    const [, entries] = reply as [string, RawEntry[]];
    return entries.map(entryOf);
  }

  private async putAside(): Promise<void> {
    const { stream, group, patience, deliveries } = this.options;
    const pending = await this.redis.xpending(stream, group, 'IDLE', patience, '-', '+', 100);
    for (const [id, , , delivered] of pending as [string, string, number, number][]) {
      if (delivered >= deliveries) await this.redis.eval(PUT_ASIDE, 2, stream, `${stream}:aside`, group, id);
    }
  }
}

function entryOf([id, words]: RawEntry): Entry {
  const pairs = words ?? [];
  return {
    id,
    fields: Object.fromEntries(Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i], pairs[2 * i + 1]])),
  };
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const [stream, totals] = ['{payments}', '{payments}:totals'];
  await redis.del(stream, totals, `${stream}:aside`);
  const make = (name: string): Worker => new Worker(redis, { stream, group: 'booking', name, patience: 500 });
  const [dying, healthy] = [make('dying'), make('healthy')];
  await dying.join();
  for (const amount of [10, 20, 30]) await redis.xadd(stream, '*', 'account', 'ann', 'amount', amount);
  const begun = await dying.take(2);
  print(`one worker takes ${begun.length} entries and dies`);
  const work = async (): Promise<number> => {
    const entries = await healthy.take(10);
    for (const entry of entries)
      await healthy.finish(entry, totals, entry.fields['account'], Number(entry.fields['amount']));
    return entries.length;
  };
  print(`the other one does ${await work()}, and ann has ${await redis.hget(totals, 'ann')}`);
  await time.sleep(600);
  print(`later it takes over ${await work()}, and ann has ${await redis.hget(totals, 'ann')}`);
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
