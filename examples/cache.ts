/**
 * A cache in front of something slow that survives being popular. What goes wrong with the plain "GET, else load and SET":
 *
 *   stampede     a popular entry expires, and a thousand requests load it at once       one loads, the others wait (mutex)
 *   avalanche    what was filled together expires together                              times to live differ (jitter)
 *   penetration  what does not exist is never cached, so each request loads             "none" is cached, too, for less long
 *                ids that were made up are all different, so that does not help         a Bloom filter turns them away
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { BloomFilter } from './bloom-filter.ts';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

export interface CacheOptions {
  readonly time: Time;
  /** Reads from the database; null where there is no such thing. */
  readonly load: (id: string) => Promise<string | null>;
  /** Turns away what surely does not exist. */
  readonly known?: BloomFilter;
  /** Milliseconds that an entry lives, at least ... */
  readonly timeToLive?: number;
  /** ... and up to this share more, by chance. */
  readonly jitter?: number;
  /** Milliseconds that "there is none" is believed: short, since it may come into being at any moment. */
  readonly timeToLiveOfNone?: number;
  /** Longer than a load takes: the lock of a loader that died is gone after this. */
  readonly lockTime?: number;
  readonly random?: () => number;
}

/** What lies in the cache begins with one of these: an empty string, too, is a value. */
const VALUE = '=';
const NONE = '-';
const WAIT = 20;

/**
 * Only who still holds the lock stores. A loader that was overtaken, because its lock ran out or somebody has invalidated
 * the entry meanwhile, holds an old value in its hands. Looking and storing is one step, or the lock could go in between.
 */
const STORE = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`;

/** Deletes the lock only where it is ours: after our time it is somebody else's. */
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export class Cache {
  private readonly redis: Redis;
  private readonly options: Required<Omit<CacheOptions, 'known'>> & Pick<CacheOptions, 'known'>;

  constructor(redis: Redis, options: CacheOptions) {
    this.redis = redis;
    this.options = {
      timeToLive: 60_000,
      jitter: 0.2,
      timeToLiveOfNone: 5_000,
      lockTime: 5_000,
      random: Math.random,
      ...options,
    };
  }

  async get(id: string): Promise<string | null> {
    const { known, time, lockTime } = this.options;
    if (known && !(await known.mayContain(id))) return null;
    const giveUp = time.now() + lockTime;
    for (;;) {
      const cached = await this.redis.get(entryKey(id));
      if (cached !== null) return cached.startsWith(VALUE) ? cached.slice(VALUE.length) : null;
      const token = randomUUID();
      const isOurs = (await this.redis.set(lockKey(id), token, 'PX', lockTime, 'NX')) === 'OK';
      if (isOurs) return this.fill(id, token);
      // Somebody else is loading. Who has waited as long as a loader may take answers from the database, so that a loader
      // that hangs makes the cache useless and not the site.
      if (time.now() >= giveUp) return this.options.load(id);
      await time.sleep(WAIT);
    }
  }

  /** To be called after each change of the database. The lock goes, too: who is loading now may have read what was before. */
  async invalidate(id: string): Promise<void> {
    await this.redis.del(entryKey(id), lockKey(id));
  }

  private async fill(id: string, token: string): Promise<string | null> {
    const { load, timeToLive, timeToLiveOfNone, jitter, random } = this.options;
    try {
      // Another one may have filled it, and let the lock go, between our look and our lock.
      const cached = await this.redis.get(entryKey(id));
      if (cached !== null) return cached.startsWith(VALUE) ? cached.slice(VALUE.length) : null;
      const value = await load(id);
      const lives = (value === null ? timeToLiveOfNone : timeToLive) * (1 + jitter * random());
      const stored = value === null ? NONE : VALUE + value;
      await this.redis.eval(STORE, 2, entryKey(id), lockKey(id), token, stored, Math.round(lives));
      return value;
    } finally {
      // After STORE there is nothing left to release; after a load that failed the next one may try at once.
      await this.redis.eval(RELEASE, 1, lockKey(id), token);
    }
  }
}

/** Braces: in a cluster the two keys of an entry lie in one slot, so that a script may touch both. */
function entryKey(id: string): string {
  return `cache:{${id}}`;
}

function lockKey(id: string): string {
  return `cache:{${id}}:lock`;
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  let loads = 0;
  const load = async (id: string): Promise<string | null> => {
    loads++;
    await time.sleep(100);
    return id === 'ghost' ? null : `product ${id}`;
  };
  const known = new BloomFilter(redis, 'cache:known', { bits: 10_000, hashes: 7 });
  for (const id of ['1', '2', 'ghost']) await known.add(id);
  const cache = new Cache(redis, { time, load, known });
  for (const id of ['1', '2', 'ghost']) await cache.invalidate(id);

  const answers = await Promise.all(Array.from({ length: 1000 }, () => cache.get('1')));
  print(`${answers.length} requests at once for "${answers[0]}" loaded it ${loads} time(s)`);
  await cache.get('ghost');
  await cache.get('ghost');
  print(`two requests for what does not exist made it ${loads} loads in all`);
  await Promise.all(Array.from({ length: 1000 }, (_, i) => cache.get(`made-up-${i}`)));
  print(`1000 requests for ids that were made up: ${loads} loads in all`);
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
