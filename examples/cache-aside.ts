/**
 * Cache-aside: the program reads the cache, then the database, and keeps the two alike by deleting.
 *
 * Why delete and not update? Two writers may update the database in one order and the cache in the other, and the cache is
 * wrong until it expires. Two deletes in any order delete.
 *
 * Why after the update and not before? Before, a reader fills the cache with the old value while the update is under way,
 * and that happens easily, for updates are slow. After, one race is left:
 *
 *   reader   finds nothing in the cache, reads OLD from the database ........................ stores OLD
 *   writer                                              writes NEW to it, deletes from cache
 *
 * It needs a reader that takes longer between two steps than a writer for a whole update; rare, but OLD would then stay until
 * it expires. So the entry is deleted a second time, once all such readers are through. The second one is lost where the
 * process dies first: the time to live bounds what is left. (cache.ts shows the way without a delay: a reader may store
 * only while a lock is there, which the writer deletes, too.)
 */
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

/** What is true. */
export interface Database {
  read(id: string): Promise<string | null>;
  write(id: string, value: string): Promise<void>;
}

export interface Options {
  readonly time: Time;
  /** Milliseconds that the slowest reader takes from its read to its store, with a margin. */
  readonly secondDeleteAfter?: number;
  readonly timeToLive?: number;
}

export class CachedStore {
  private readonly redis: Redis;
  private readonly database: Database;
  private readonly options: Required<Options>;
  private readonly pending = new Set<Promise<void>>();

  constructor(redis: Redis, database: Database, options: Options) {
    this.redis = redis;
    this.database = database;
    this.options = { secondDeleteAfter: 500, timeToLive: 60_000, ...options };
  }

  async read(id: string): Promise<string | null> {
    const cached = await this.redis.get(key(id));
    if (cached !== null) return cached;
    const value = await this.database.read(id);
    if (value !== null) await this.redis.set(key(id), value, 'PX', this.options.timeToLive);
    return value;
  }

  /** Resolves after the first delete: who made the change sees it in what it reads next. */
  async write(id: string, value: string): Promise<void> {
    await this.database.write(id, value);
    try {
      await this.redis.del(key(id));
    } finally {
      // Also where the first delete has failed: then it is the second one that matters.
      this.deleteLater(id);
    }
  }

  /** Resolves when no second delete is outstanding: to be awaited before the process ends. */
  async settled(): Promise<void> {
    await Promise.all(this.pending);
  }

  private deleteLater(id: string): void {
    const { time, secondDeleteAfter } = this.options;
    const done = time.sleep(secondDeleteAfter).then(async () => {
      // Nobody waits for this one, so nobody could catch its error; the time to live is what is left then.
      await this.redis.del(key(id)).catch(() => {});
      this.pending.delete(done);
    });
    this.pending.add(done);
  }
}

function key(id: string): string {
  return `product:${id}`;
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const rows = new Map([['1', 'old']]);
  let readerMayGoOn = (): void => {};
  const slowReader = new Promise<void>((done) => (readerMayGoOn = done));
  const database: Database = {
    async read(id) {
      const value = rows.get(id) ?? null;
      if (value === 'old') await slowReader;
      return value;
    },
    write: async (id, value) => void rows.set(id, value),
  };
  await redis.del(key('1'));
  const store = new CachedStore(redis, database, { time });
  const reading = store.read('1');
  // The reader has asked the cache and the database before the writer comes.
  await time.sleep(100);
  await store.write('1', 'new');
  readerMayGoOn();
  print(`the slow reader has read "${await reading}", and the cache has "${await redis.get(key('1'))}"`);
  await store.settled();
  print(`after the second delete the next one reads "${await store.read('1')}"`);
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
