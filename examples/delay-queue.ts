/**
 * A queue of jobs for later. A sorted set has them by the moment at which they are due.
 *
 *   waiting   by the moment when due    -- claim -->  running   by the moment until when its worker has it
 *      ^------------- its worker has not finished in time ---------'      finished: gone; tried too often: dead
 *
 * A job is done at least once: a worker that dies has its jobs given to another one, and one that is only slow, too. So
 * what a job does should be the same when it is done twice.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

export interface Job {
  readonly id: string;
  readonly payload: string;
  /** 1 for the first time. */
  readonly attempt: number;
}

export interface DelayQueueOptions {
  /** Milliseconds that a worker has for a job. */
  readonly workTime?: number;
  readonly attempts?: number;
}

/** By the server's clock: a worker whose own is ahead would do everything too early. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

const ADD = `${NOW}
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])`;

/**
 * Out of one set and into the other in one step: in two, a worker that dies between them takes the job with it, and two
 * workers may both take it. First come the jobs of workers whose time is up.
 */
const CLAIM = `${NOW}
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], id)
  if tonumber(redis.call('HGET', KEYS[4], id)) >= tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[4], id)
    redis.call('RPUSH', KEYS[5], id)
  else
    redis.call('ZADD', KEYS[1], now, id)
  end
end
local id = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
if not id then return false end
redis.call('ZREM', KEYS[1], id)
redis.call('ZADD', KEYS[2], now + ARGV[1], id)
return {id, redis.call('HGET', KEYS[3], id), redis.call('HINCRBY', KEYS[4], id, 1)}`;

/** Wherever it is now: the work is done, also when it took so long that the job waits for another worker already. */
const FINISH = `
local known = redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('LREM', KEYS[5], 0, ARGV[1])
return known`;

/** Milliseconds until something is due; -1 where there is nothing. */
const UNTIL_NEXT = `${NOW}
local first
for i = 1, 2 do
  local at = tonumber(redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2])
  if at and (not first or at < first) then first = at end
end
if not first then return -1 end
return math.max(0, first - now)`;

export class DelayQueue {
  private readonly redis: Redis;
  private readonly keys: readonly string[];
  private readonly options: Required<DelayQueueOptions>;

  constructor(redis: Redis, name: string, options: DelayQueueOptions = {}) {
    this.redis = redis;
    // Braces: all of a queue lies in one slot of a cluster.
    this.keys = ['waiting', 'running', 'payloads', 'attempts', 'dead'].map((part) => `queue:{${name}}:${part}`);
    this.options = { workTime: 30_000, attempts: 3, ...options };
  }

  /** `id` names what is to be done: added twice, it is done once, at the later moment. */
  async add(payload: string, delay: number, id: string = randomUUID()): Promise<string> {
    await this.script(ADD, id, payload, delay);
    return id;
  }

  /** A job that is due, which is now this worker's; null where there is none. */
  async claim(): Promise<Job | null> {
    const { workTime, attempts } = this.options;
    const reply = (await this.script(CLAIM, workTime, attempts)) as [string, string, number] | null;
    return reply && { id: reply[0], payload: reply[1], attempt: reply[2] };
  }

  /** False where another worker has finished it before. */
  async finish({ id }: Job): Promise<boolean> {
    return (await this.script(FINISH, id)) === 1;
  }

  /** Milliseconds; null where nothing is to come. */
  async untilNext(): Promise<number | null> {
    const wait = (await this.script(UNTIL_NEXT)) as number;
    return wait < 0 ? null : wait;
  }

  /** The jobs that were tried too often; their payloads are kept until finish(). */
  async dead(): Promise<string[]> {
    return this.redis.lrange(this.keys[4], 0, -1);
  }

  async clear(): Promise<void> {
    await this.redis.del(...this.keys);
  }

  private script(text: string, ...values: (string | number)[]): Promise<unknown> {
    return this.redis.eval(text, this.keys.length, ...this.keys, ...values);
  }
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const queue = new DelayQueue(redis, 'mail', { workTime: 200 });
  await queue.clear();
  await queue.add('remind of the basket', 400);
  await queue.add('welcome', 0);
  await queue.add('how do you like it?', 200);
  let crashed = false;
  for (let wait = await queue.untilNext(); wait !== null; wait = await queue.untilNext()) {
    await time.sleep(wait);
    const job = await queue.claim();
    if (job === null) continue;
    print(`${job.payload} (attempt ${job.attempt})`);
    // The worker of the first job dies, and somebody else gets it.
    if (crashed) await queue.finish(job);
    crashed = true;
  }
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
