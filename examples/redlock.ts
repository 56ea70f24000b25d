/**
 * Redlock: a lock on several servers that know nothing of each other, held by who has it on most of them. Two of five may be
 * down, or forget, and no two clients have the lock. https://redis.io/docs/latest/develop/use/patterns/distributed-locks/
 *
 * It rests on clocks that run at nearly the same speed. For what must never be done twice add a fence (lock.ts) or let the
 * database decide: the lock is there to spare work.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

export interface RedlockOptions {
  readonly time: Time;
  /** Milliseconds that a lock is good for. */
  readonly timeToLive?: number;
  /** Milliseconds that one server has for its answer: few, so that one that is down costs little of the time to live. */
  readonly patience?: number;
  readonly tries?: number;
  readonly random?: () => number;
}

export interface Redlocked {
  readonly token: string;
  /** The moment, by our clock, until which it may be relied upon. */
  readonly until: number;
}

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;
const PROLONG = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
/** Servers' clocks may run a hundredth faster than ours; and a millisecond or two are lost by rounding. */
const DRIFT = 0.01;
const ROUNDING = 2;
const RETRY = 100;

/**
 * A client that tells at once that a server is not there. One that keeps commands for later, or sends them again, would
 * take the lock at a moment at which nobody wants it any more.
 */
export function lockClient(url: string): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  });
  // Each call tells by itself what went wrong.
  redis.on('error', () => {});
  return redis;
}

export class Redlock {
  private readonly servers: readonly Redis[];
  private readonly options: Required<RedlockOptions>;

  constructor(servers: readonly Redis[], options: RedlockOptions) {
    this.servers = servers;
    this.options = { timeToLive: 10_000, patience: 50, tries: 3, random: Math.random, ...options };
  }

  /** Null where most of the servers could not be won. */
  async acquire(name: string): Promise<Redlocked | null> {
    const { time, timeToLive, tries, random } = this.options;
    for (let i = 1; ; i++) {
      const token = randomUUID();
      const lock = await this.majority(token, async (server) => {
        return (await server.set(name, token, 'PX', timeToLive, 'NX')) === 'OK';
      });
      if (lock !== null) return lock;
      // Everywhere, also where the answer was no or none: an answer may have been lost after the lock was set.
      await this.release(name, token);
      if (i >= tries) return null;
      // Two that tried at once each won some; by chance one of them is first the next time.
      await time.sleep(RETRY * (0.5 + random()));
    }
  }

  /** The same lock for another time to live; null where it is held no longer on most of the servers. */
  async prolong(name: string, { token }: Redlocked): Promise<Redlocked | null> {
    const { timeToLive } = this.options;
    return this.majority(token, async (server) => (await server.eval(PROLONG, 1, name, token, timeToLive)) === 1);
  }

  async release(name: string, token: string): Promise<void> {
    await this.votes((server) => server.eval(RELEASE, 1, name, token).then((deleted) => deleted === 1));
  }

  /** Won where most say yes while the lock is still good for something: what asking took is lost of it. */
  private async majority(token: string, ask: (server: Redis) => Promise<boolean>): Promise<Redlocked | null> {
    const { time, timeToLive } = this.options;
    const began = time.now();
    const votes = await this.votes(ask);
    const until = began + timeToLive - timeToLive * DRIFT - ROUNDING;
    const most = Math.floor(this.servers.length / 2) + 1;
    return votes >= most && time.now() < until ? { token, until } : null;
  }

  /** All are asked at once: one after the other, those that are down would use up the time to live. */
  private async votes(ask: (server: Redis) => Promise<boolean>): Promise<number> {
    const { time, patience } = this.options;
    const answered = new AbortController();
    const late = time.sleep(patience, answered.signal).then(() => false);
    const asked = this.servers.map((server) => Promise.race([ask(server).catch(() => false), late]));
    const votes = await Promise.all(asked);
    answered.abort();
    return votes.filter((vote) => vote).length;
  }
}

/** With one server its five databases play five servers: independent keys are all that the rules ask for. */
export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const servers = Array.from({ length: 5 }, (_, database) => lockClient(new URL(`/${database}`, url).href));
  await Promise.all(servers.map((server) => server.connect()));
  const redlock = new Redlock(servers, { time, tries: 1 });
  const lock = await redlock.acquire('invoice');
  print(`won on most of ${servers.length}: ${lock !== null}`);
  print(`a second one wins: ${(await redlock.acquire('invoice')) !== null}`);
  if (lock) await redlock.release('invoice', lock.token);
  const next = await redlock.acquire('invoice');
  print(`after the release it does: ${next !== null}`);
  if (next) await redlock.release('invoice', next.token);
  for (const server of servers) server.disconnect();
}

await runAsProgram(import.meta.url, demo);
