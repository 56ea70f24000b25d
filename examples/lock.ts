/**
 * A lock among processes, on one server.
 *
 *   owner check   only who holds it releases or prolongs it, also when it has run out and belongs to the next one
 *   watchdog      the time to live is short, so that a crash frees the lock soon, and prolonged for as long as the work takes
 *   re-entrance   an owner that has it may take it again (a function that locks calls another one that does)
 *   fence         a number that grows with each new owner
 *
 * The fence is for what no lock can prevent: an owner that stands still (a long garbage collection, a suspended machine) wakes
 * after its lock has run out and writes as if it had it. Whoever takes the writes has to refuse a fence lower than one seen.
 *
 * One server forgets a lock that it had when it fails over to a replica that has not heard of it; see redlock.ts.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

export interface LockOptions {
  readonly time: Time;
  /** Who asks: a flow of work, not a process, since two requests of one process must not enter together. */
  readonly owner?: string;
  /** Milliseconds until a lock that nobody prolongs is free. */
  readonly timeToLive?: number;
  readonly random?: () => number;
}

export interface Hold {
  readonly fence: number;
  /** Aborted when the lock is lost: whoever works under it should stop. */
  readonly lost: AbortSignal;
  /** False where it had been lost before. */
  release(): Promise<boolean>;
}

/**
 * The lock is a hash: its owner, its fence, and a field for each hold. Holds have names of their own, instead of being
 * counted, because a client that loses its connection sends a command again of which it does not know whether it was done:
 * done twice, each of these scripts does the same as once.
 *
 * Returns {fence, 0}, or {0, milliseconds until it may be free}.
 */
const ACQUIRE = `
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return {0, redis.call('PTTL', KEYS[1])} end
if not owner then
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', redis.call('INCR', KEYS[2]))
end
redis.call('HSET', KEYS[1], 'hold:' .. ARGV[2], 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {tonumber(redis.call('HGET', KEYS[1], 'fence')), 0}`;

/** The hold is asked for, not only the owner: an owner that has lost the lock and got it again lost what it held. */
const PROLONG = `
if redis.call('HEXISTS', KEYS[1], 'hold:' .. ARGV[1]) == 0 then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

/** With the last hold the lock goes; what is left then is the owner and the fence. */
const RELEASE = `
if redis.call('HDEL', KEYS[1], 'hold:' .. ARGV[1]) == 0 then return 0 end
if redis.call('HLEN', KEYS[1]) == 2 then redis.call('DEL', KEYS[1]) end
return 1`;

const LONGEST_WAIT = 200;

export class Lock {
  readonly name: string;
  private readonly redis: Redis;
  private readonly options: Required<LockOptions>;

  constructor(redis: Redis, name: string, options: LockOptions) {
    this.redis = redis;
    this.name = name;
    this.options = { owner: randomUUID(), timeToLive: 10_000, random: Math.random, ...options };
  }

  /** Waits at most so many milliseconds; null where somebody else has it all that time. */
  async acquire(wait = 0): Promise<Hold | null> {
    const { time, owner, timeToLive, random } = this.options;
    const until = time.now() + wait;
    for (;;) {
      const id = randomUUID();
      // Counted from before the question: the server's time to live began later, so ours runs out first.
      const asked = time.now();
      const reply = await this.redis.eval(ACQUIRE, 2, this.key, `${this.key}:fence`, owner, id, timeToLive);
      const [fence, free] = reply as [number, number];
      if (fence > 0) return this.hold(id, fence, asked);
      const left = until - time.now();
      if (left <= 0) return null;
      // Not all at once: who waits asks at a moment of its own.
      await time.sleep(Math.min(left, free, LONGEST_WAIT * (0.5 + random() / 2)));
    }
  }

  /** Works under the lock; undefined where it could not be had. */
  async run<T>(wait: number, work: (hold: Hold) => Promise<T>): Promise<T | undefined> {
    const hold = await this.acquire(wait);
    if (hold === null) return undefined;
    try {
      return await work(hold);
    } finally {
      await hold.release();
    }
  }

  private hold(id: string, fence: number, since: number): Hold {
    const over = new AbortController();
    const lost = new AbortController();
    void this.watch(id, since, over.signal).then((kept) => {
      if (!kept) lost.abort(new Error(`the lock ${this.name} is lost`));
    });
    return {
      fence,
      lost: lost.signal,
      release: async () => {
        // First the watchdog: one that comes after the release would find no hold and tell of a loss that is none.
        over.abort();
        return (await this.redis.eval(RELEASE, 1, this.key, id)) === 1;
      },
    };
  }

  /** Prolongs a hold three times in its time to live, so that two may fail. Resolves with whether it was kept to its end. */
  private async watch(id: string, since: number, over: AbortSignal): Promise<boolean> {
    const { time, timeToLive } = this.options;
    for (let kept = since; ; ) {
      await time.sleep(Math.min(timeToLive / 3, kept + timeToLive - time.now()), over);
      if (over.aborted) return true;
      const asked = time.now();
      // A server that does not answer may have kept the lock or not; after its time to live nobody may rely on it.
      const asking = this.redis.eval(PROLONG, 1, this.key, id, timeToLive).catch(() => undefined);
      const answered = new AbortController();
      const answer = await Promise.race([asking, time.sleep(kept + timeToLive - asked, answered.signal)]);
      answered.abort();
      if (over.aborted) return true;
      if (answer === 0 || time.now() >= kept + timeToLive) return false;
      if (answer === 1) kept = asked;
    }
  }

  /** Braces: the lock and its fence lie in one slot of a cluster. */
  private get key(): string {
    return `lock:{${this.name}}`;
  }
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const timeToLive = 300;
  const first = new Lock(redis, 'report', { time, timeToLive });
  const second = new Lock(redis, 'report', { time, timeToLive });
  await first.run(1000, async ({ fence }) => {
    print(`the first has the lock, with fence ${fence}`);
    await first.run(0, async () => print('and takes it again, as the same owner'));
    await time.sleep(3 * timeToLive);
    print(`after three times its time to live the second gets ${await second.acquire()}`);
  });
  await second.run(1000, async ({ fence }) => print(`then the second has it, with fence ${fence}`));
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
