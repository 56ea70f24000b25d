/** rate-limiter-flexible's documented uses, over both of the clients that it takes. */
import { Redis } from 'ioredis';
import {
  BurstyRateLimiter,
  RateLimiterMemory,
  RateLimiterQueue,
  RateLimiterQueueError,
  RateLimiterRedis,
  RateLimiterRedisNonAtomic,
  RateLimiterRes,
  RateLimiterUnion,
  RLWrapperBlackAndWhite,
} from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sharedServer, sleep } from './server.ts';

const server = sharedServer();

const drivers = {
  ioredis: async () => ({ storeClient: new Redis(server.port, '127.0.0.1', { enableOfflineQueue: true }) }),
  'node-redis': async () => {
    const storeClient = createClient({ url: `redis://127.0.0.1:${server.port}` });
    storeClient.on('error', () => {});
    await storeClient.connect();
    return { storeClient, useRedisPackage: true };
  },
};

/** What a consumption that is refused says. */
async function refusal(consumed: Promise<unknown>): Promise<RateLimiterRes> {
  const reason: unknown = await consumed.then(
    () => 'let through',
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(RateLimiterRes);
  return reason as RateLimiterRes;
}

describe.each(['ioredis', 'node-redis'] as const)('rate-limiter-flexible over %s', (driver) => {
  let store: { storeClient: unknown; useRedisPackage?: boolean };

  beforeAll(async () => {
    store = await drivers[driver]();
  });

  afterAll(async () => {
    await (store.storeClient as Redis).quit();
  });

  beforeEach(() => server.admin.flushall());

  test('a fixed window: so many points, then none until it is over', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 5, duration: 2, keyPrefix: 'window' });
    const first = await limiter.consume('user', 2);
    expect(first.toJSON()).toMatchObject({ remainingPoints: 3, consumedPoints: 2, isFirstInDuration: true });
    expect(first.msBeforeNext).toBeGreaterThan(0);
    expect(await limiter.consume('user', 3)).toMatchObject({ remainingPoints: 0, isFirstInDuration: false });
    const refused = await refusal(limiter.consume('user'));
    expect(refused).toMatchObject({ remainingPoints: 0, consumedPoints: 6 });
    expect(await limiter.consume('another')).toMatchObject({ remainingPoints: 4 });
    expect(await server.admin.pttl('window:user')).toBeGreaterThan(0);
    await sleep(refused.msBeforeNext + 20);
    expect(await limiter.consume('user')).toMatchObject({ remainingPoints: 4, isFirstInDuration: true });
  });

  test('many at once get no more than there is', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 40, duration: 60 });
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => limiter.consume('crowd')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(40);
    expect(await limiter.get('crowd')).toMatchObject({ consumedPoints: 100, remainingPoints: 0 });
  });

  test('penalty, reward, get, set, delete', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 10, duration: 60 });
    expect(await limiter.get('user')).toBeNull();
    expect(await limiter.penalty('user', 4)).toMatchObject({ consumedPoints: 4, remainingPoints: 6 });
    expect(await limiter.reward('user', 3)).toMatchObject({ consumedPoints: 1, remainingPoints: 9 });
    await limiter.set('user', 8, 30);
    expect(await limiter.get('user')).toMatchObject({ consumedPoints: 8, remainingPoints: 2 });
    expect(await server.admin.ttl(limiter.getKey('user'))).toBeGreaterThan(25);
    expect(await limiter.delete('user')).toBe(true);
    expect(await limiter.delete('user')).toBe(false);
    await limiter.consume('user', 1, { customDuration: 600 });
    expect(await server.admin.ttl(limiter.getKey('user'))).toBeGreaterThan(590);
  });

  test('blocks: by hand, and for a time of its own once the points are used up', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 2, duration: 1, blockDuration: 100 });
    await limiter.block('bad', 50);
    expect((await refusal(limiter.consume('bad'))).msBeforeNext).toBeGreaterThan(45_000);
    await limiter.consume('user', 2);
    expect((await refusal(limiter.consume('user'))).msBeforeNext).toBe(100_000);
    expect(await server.admin.ttl(limiter.getKey('user'))).toBeGreaterThan(95);
    expect((await refusal(limiter.consume('user'))).msBeforeNext).toBeGreaterThan(95_000);
  });

  test('blocks in memory spare the store', async () => {
    const limiter = new RateLimiterRedis({
      ...store,
      points: 1,
      duration: 60,
      inMemoryBlockOnConsumed: 2,
      inMemoryBlockDuration: 30,
    });
    await limiter.consume('user');
    await refusal(limiter.consume('user'));
    for (let i = 0; i < 5; i++) await refusal(limiter.consume('user'));
    expect(await server.admin.get(limiter.getKey('user'))).toBe('2');
    limiter.deleteInMemoryBlockedAll();
    await refusal(limiter.consume('user'));
    expect(await server.admin.get(limiter.getKey('user'))).toBe('3');
  });

  test('points that never come back', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 2, duration: 0 });
    await limiter.consume('user', 2);
    expect((await refusal(limiter.consume('user'))).msBeforeNext).toBe(-1);
    expect(await server.admin.ttl(limiter.getKey('user'))).toBe(-1);
  });

  test('evenly spread over the window', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 10, duration: 1, execEvenly: true });
    const begin = Date.now();
    for (let i = 0; i < 4; i++) await limiter.consume('user');
    expect(Date.now() - begin).toBeGreaterThanOrEqual(250);
  });

  test('a script of its own: a sliding window', async () => {
    const customIncrTtlLuaScript = `
      local time = redis.call('time')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      redis.call('zremrangebyscore', KEYS[1], '-inf', now - ARGV[2] * 1000)
      for i = 1, tonumber(ARGV[1]) do redis.call('zadd', KEYS[1], now, now .. ':' .. i .. ':' .. redis.call('zcard', KEYS[1])) end
      redis.call('expire', KEYS[1], ARGV[2])
      return {redis.call('zcard', KEYS[1]), redis.call('pttl', KEYS[1])}`;
    const limiter = new RateLimiterRedis({ ...store, points: 3, duration: 2, customIncrTtlLuaScript });
    // ioredis defines the script on the client, under one name for all limiters.
    await limiter.consume('user', 2);
    await sleep(1000);
    expect(await limiter.consume('user')).toMatchObject({ consumedPoints: 3 });
    await refusal(limiter.consume('user'));
    await sleep(1100);
    expect(await limiter.consume('user')).toMatchObject({ consumedPoints: 3 });
    const usual = new RateLimiterRedis({ ...store, points: 3, duration: 1, keyPrefix: 'usual' });
    expect(await usual.consume('user')).toMatchObject({ consumedPoints: 1 });
  });

  test('without scripts', async () => {
    const limiter = new RateLimiterRedisNonAtomic({ ...store, points: 3, duration: 10 });
    expect(await limiter.consume('user')).toMatchObject({ consumedPoints: 1 });
    expect(await limiter.consume('user', 2)).toMatchObject({ consumedPoints: 3, remainingPoints: 0 });
    await refusal(limiter.consume('user'));
    expect(await server.admin.pttl(limiter.getKey('user'))).toBeGreaterThan(8000);
  });

  test('bursts beyond the steady rate', async () => {
    const limiter = new BurstyRateLimiter(
      new RateLimiterRedis({ ...store, points: 2, duration: 5, keyPrefix: 'steady' }),
      new RateLimiterRedis({ ...store, points: 5, duration: 10, keyPrefix: 'burst' }),
    );
    for (let i = 0; i < 7; i++) await limiter.consume('user');
    const refused = await refusal(limiter.consume('user'));
    expect(refused.msBeforeNext).toBeLessThanOrEqual(5000);
    expect(await server.admin.mget('steady:user', 'burst:user')).toEqual(['8', '6']);
  });

  test('a queue of those who wait for tokens', async () => {
    const limiter = new RateLimiterRedis({ ...store, points: 3, duration: 1, keyPrefix: 'queue' });
    const queue = new RateLimiterQueue(limiter, { maxQueueSize: 4 });
    const begin = Date.now();
    const order: number[] = [];
    const take = (n: number): Promise<void> => queue.removeTokens(1).then(() => void order.push(n));
    await Promise.all([0, 1, 2].map(take));
    expect(await queue.getTokensRemaining()).toBe(0);
    const waiting = [3, 4, 5, 6].map(take);
    await sleep(50);
    await expect(queue.removeTokens(1)).rejects.toBeInstanceOf(RateLimiterQueueError);
    await expect(queue.removeTokens(4)).rejects.toThrow('exceeds maximum');
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(1900);
  });

  test('limiters together, and lists of who is always or never let through', async () => {
    const union = new RateLimiterUnion(
      new RateLimiterRedis({ ...store, points: 2, duration: 30, keyPrefix: 'second' }),
      new RateLimiterRedis({ ...store, points: 3, duration: 60, keyPrefix: 'minute' }),
    );
    expect((await union.consume('user'))['minute']).toMatchObject({ remainingPoints: 2 });
    await union.consume('user');
    await expect(union.consume('user')).rejects.toHaveProperty('second');
    const listed = new RLWrapperBlackAndWhite({
      limiter: new RateLimiterRedis({ ...store, points: 1, duration: 60, keyPrefix: 'listed' }),
      whiteList: ['friend'],
      blackList: ['foe'],
    });
    for (let i = 0; i < 3; i++) await listed.consume('friend');
    await refusal(listed.consume('foe'));
    expect(await server.admin.keys('listed:*')).toEqual([]);
  });
});

test('insurance: another limiter stands in while the store is away', async () => {
  const storeClient = new Redis(1, '127.0.0.1', {
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => null,
  });
  storeClient.on('error', () => {});
  const insuranceLimiter = new RateLimiterMemory({ points: 2, duration: 60 });
  const limiter = new RateLimiterRedis({
    storeClient,
    points: 100,
    duration: 60,
    insuranceLimiter,
    rejectIfRedisNotReady: true,
  });
  expect(await limiter.consume('user')).toMatchObject({ remainingPoints: 1 });
  await limiter.consume('user');
  await refusal(limiter.consume('user'));
  const bare = new RateLimiterRedis({ storeClient, points: 1, duration: 1, rejectIfRedisNotReady: true });
  await expect(bare.consume('user')).rejects.toThrow('not ready');
  storeClient.disconnect();
});
