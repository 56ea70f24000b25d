/**
 * Four ways to allow so many requests in so much time, each as one script: between a look and a count in two commands
 * others would look, too, and be let in.
 *
 *   fixed window     one counter          twice the limit may pass around the end of a window
 *   sliding log      a member a request   exact, and as large as the limit
 *   sliding counter  two counters         nearly exact: takes the window before as evenly filled
 *   token bucket     two numbers          allows bursts, and a steady rate after them
 *
 * All ask the server for the time, so that the clocks of the clients need not agree.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

export interface Limit {
  readonly requests: number;
  /** In so many milliseconds. */
  readonly window: number;
}

export interface Verdict {
  readonly allowed: boolean;
  /** How many more would be allowed now. */
  readonly left: number;
  /** Milliseconds until the next one may be allowed; 0 where this one was. */
  readonly retryAfter: number;
}

export type RateLimiter = (redis: Redis, key: string, limit: Limit) => Promise<Verdict>;

/** Milliseconds since 1970 by the server's clock. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])`;

/**
 * The window begins with its first request. A counter that was made without its end would count for ever: both are one step.
 * It is gone in the millisecond after its last one.
 */
const FIXED_WINDOW = `
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count >= limit then return {0, 0, redis.call('PTTL', KEYS[1]) + 1} end
redis.call('INCR', KEYS[1])
if count == 0 then redis.call('PEXPIRE', KEYS[1], window) end
return {1, limit - count - 1, 0}`;

/** What was refused is not in the log: otherwise who goes on asking is never let in. */
const SLIDING_LOG = `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, 0, oldest[2] + window - now}
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return {1, limit - count - 1, 0}`;

/** Of the window before counts as much as still lies within one window's length from now. Both counters are in one key. */
const SLIDING_COUNTER = `${NOW}
local current = math.floor(now / window)
local counts = redis.call('HMGET', KEYS[1], current - 1, current)
local before, count = tonumber(counts[1] or 0), tonumber(counts[2] or 0)
local passed = now - current * window
local used = before * (window - passed) / window + count
if used + 1 > limit then
  -- One fits in once so little is left of the window before; where this one is full, of it in the next.
  if count < limit then return {0, 0, math.ceil(window - passed - (limit - 1 - count) * window / before)} end
  return {0, 0, math.ceil(2 * window - passed - (limit - 1) * window / count)}
end
if count == 0 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if tonumber(field) < current - 1 then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('HINCRBY', KEYS[1], current, 1)
redis.call('PEXPIRE', KEYS[1], 2 * window)
return {1, math.floor(limit - used - 1), 0}`;

/** Nothing fills the bucket but the look into it: what has dripped in since the last one is worked out. */
const TOKEN_BUCKET = `${NOW}
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1] or limit), tonumber(state[2] or now)
tokens = math.min(limit, tokens + math.max(0, now - at) * limit / window)
local allowed = tokens >= 1
if allowed then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], window)
if allowed then return {1, math.floor(tokens), 0} end
return {0, 0, math.ceil((1 - tokens) * window / limit)}`;

function limiter(script: string): RateLimiter {
  return async (redis, key, { requests, window }) => {
    // The name of the request makes its line of the log its own, also where two come in one millisecond.
    const reply = await redis.eval(script, 1, key, requests, window, randomUUID());
    const [allowed, left, retryAfter] = reply as [number, number, number];
    return { allowed: allowed === 1, left, retryAfter };
  };
}

export const fixedWindow = limiter(FIXED_WINDOW);
export const slidingLog = limiter(SLIDING_LOG);
export const slidingCounter = limiter(SLIDING_COUNTER);
export const tokenBucket = limiter(TOKEN_BUCKET);

export async function demo({ url, time, print }: Surroundings): Promise<void> {
  const redis = new Redis(url);
  const limit = { requests: 10, window: 1000 };
  for (const [name, ask] of Object.entries({ fixedWindow, slidingLog, slidingCounter, tokenBucket })) {
    const key = `rate:${name}`;
    await redis.del(key);
    const at = async (): Promise<number> => {
      const verdicts = await Promise.all(Array.from({ length: 20 }, () => ask(redis, key, limit)));
      return verdicts.filter(({ allowed }) => allowed).length;
    };
    const first = await at();
    await time.sleep(limit.window / 2);
    print(`${name}: of 20 at once ${first} pass, of 20 half a window later ${await at()}`);
  }
  redis.disconnect();
}

await runAsProgram(import.meta.url, demo);
