/**
 * Sessions of a web site: a hash each, which goes by itself when nobody has come for a while, and a list a user, to log out
 * everywhere at once.
 */
import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { runAsProgram, type Surroundings, type Time } from './surroundings.ts';

/** A client of node-redis, as far as it is used here. */
export type Client = ReturnType<typeof createClient>;

export interface SessionOptions {
  readonly time: Time;
  /** Milliseconds from one visit to the next. */
  readonly idle?: number;
  /** Milliseconds from the log-in to the next, however often the user comes. */
  readonly longest?: number;
}

/**
 * A session that has just expired, or that another tab has logged out, must not come to life again by being written to, and
 * without an end at that: whether it is there, the writing and the new end are one step.
 */
const TOUCH = `
local ends = redis.call('HGET', KEYS[1], 'ends')
if not ends then return false end
local time = redis.call('TIME')
local left = ends - (time[1] * 1000 + math.floor(time[2] / 1000))
if left <= 0 then return false end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], math.min(left, ARGV[1]))
return redis.call('HGETALL', KEYS[1])`;

export class Sessions {
  private readonly redis: Client;
  private readonly options: Required<SessionOptions>;

  constructor(redis: Client, options: SessionOptions) {
    this.redis = redis;
    this.options = { idle: 30 * 60_000, longest: 12 * 3_600_000, ...options };
  }

  /** A new id at each log-in, never one that the browser brought: somebody else may have planted that. */
  async logIn(user: string): Promise<string> {
    const { time, idle, longest } = this.options;
    const id = randomBytes(16).toString('base64url');
    const ends = time.now() + longest;
    // First the list: a session that is not in it could not be logged out from elsewhere. One that is in it and does not
    // exist harms nobody.
    await this.redis
      .multi()
      .zRemRangeByScore(listKey(user), '-inf', time.now())
      .zAdd(listKey(user), { score: ends, value: id })
      .pExpire(listKey(user), longest)
      .exec();
    // HSET and its end in one transaction: a crash between them would leave a session for ever.
    await this.redis
      .multi()
      .hSet(sessionKey(id), { user, ends: String(ends) })
      .pExpire(sessionKey(id), idle)
      .exec();
    return id;
  }

  /** What the session knows, prolonged, after `changes` have been written to it; null where there is none any more. */
  async visit(id: string, changes: Readonly<Record<string, string>> = {}): Promise<Record<string, string> | null> {
    const { idle } = this.options;
    const reply = await this.redis.eval(TOUCH, {
      keys: [sessionKey(id)],
      arguments: [String(idle), ...Object.entries(changes).flat()],
    });
    if (reply === null) return null;
    const words = reply as unknown as string[];
    return Object.fromEntries(Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], words[2 * i + 1]]));
  }

  async logOut(id: string): Promise<void> {
    const user = await this.redis.hGet(sessionKey(id), 'user');
    await this.redis.del(sessionKey(id));
    if (user !== null) await this.redis.zRem(listKey(user), id);
  }

  /**
   * After a change of the password. Only what was read leaves the list: deleting the list itself would forget a session that
   * begins at this moment.
   */
  async logOutEverywhere(user: string): Promise<number> {
    const ids = await this.redis.zRange(listKey(user), 0, -1);
    // One by one, since in a cluster sessions of one user lie in different slots.
    const deleted = await Promise.all(ids.map((id) => this.redis.del(sessionKey(id))));
    if (ids.length > 0) await this.redis.zRem(listKey(user), ids);
    return deleted.reduce((sum, count) => sum + count, 0);
  }
}

function sessionKey(id: string): string {
  return `session:${id}`;
}

function listKey(user: string): string {
  return `sessions-of:${user}`;
}

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis: Client = createClient({ url });
  await redis.connect();
  const sessions = new Sessions(redis, { time, idle: 1000 });
  const laptop = await sessions.logIn('ann');
  const phone = await sessions.logIn('ann');
  await time.sleep(600);
  print(`on the laptop: ${JSON.stringify((await sessions.visit(laptop, { theme: 'dark' }))?.['theme'])}`);
  await time.sleep(600);
  print(`the phone was idle for too long: ${await sessions.visit(phone)}`);
  print(`logged out on ${await sessions.logOutEverywhere('ann')} device(s): ${await sessions.visit(laptop)}`);
  redis.destroy();
}

await runAsProgram(import.meta.url, demo);
