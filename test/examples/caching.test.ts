/** Caches that stay right whatever comes in between. */
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BloomFilter } from '../../examples/bloom-filter.ts';
import { Cache } from '../../examples/cache.ts';
import { CachedStore } from '../../examples/cache-aside.ts';
import { nearCache } from '../../examples/near-cache.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let redis: Redis;

beforeEach(async () => {
  stage = await Stage.open();
  redis = stage.client();
});

afterEach(() => stage.close());

describe('the cache', () => {
  /** Loads that end when they are told to, oldest first. */
  function slowDatabase(): { load: () => Promise<string | null>; answers: ((value: string | null) => void)[] } {
    const answers: ((value: string | null) => void)[] = [];
    return { answers, load: () => new Promise((done) => answers.push(done)) };
  }

  test('loads once for a hundred who ask, and again once the entry has expired', async () => {
    const { load, answers } = slowDatabase();
    const cache = new Cache(redis, { time: stage.time, load, timeToLive: 1000, jitter: 0 });
    const asked = Promise.all(Array.from({ length: 100 }, () => cache.get('a')));
    await stage.advance(100);
    expect(answers.length).toBe(1);
    answers[0]('one');
    expect(new Set(await stage.until(asked))).toEqual(new Set(['one']));
    await stage.advance(1001);
    const again = cache.get('a');
    await stage.advance(1);
    answers[1]('two');
    expect(await again).toBe('two');
    expect(answers.length).toBe(2);
  });

  test('times to live differ', async () => {
    const chances = [0, 0.5, 1];
    const random = (): number => chances.shift()!;
    const cache = new Cache(redis, { time: stage.time, load: async (id) => id, timeToLive: 1000, jitter: 0.2, random });
    for (const id of ['a', 'b', 'c']) await cache.get(id);
    const left = await Promise.all(['a', 'b', 'c'].map((id) => redis.pttl(`cache:{${id}}`)));
    expect(left).toEqual([1000, 1100, 1200]);
  });

  test('what does not exist is remembered for less long; what is empty exists', async () => {
    let loads = 0;
    const load = async (id: string): Promise<string | null> => {
      loads++;
      return id === 'empty' ? '' : null;
    };
    const cache = new Cache(redis, { time: stage.time, load, timeToLive: 1000, timeToLiveOfNone: 100, jitter: 0 });
    for (let i = 0; i < 3; i++) expect([await cache.get('none'), await cache.get('empty')]).toEqual([null, '']);
    expect(loads).toBe(2);
    await stage.advance(101);
    await cache.get('none');
    await cache.get('empty');
    expect(loads).toBe(3);
  });

  test('a load that was begun before a change is answered and not kept', async () => {
    const { load, answers } = slowDatabase();
    const cache = new Cache(redis, { time: stage.time, load });
    const before = cache.get('a');
    await stage.advance(1);
    await cache.invalidate('a');
    const after = cache.get('a');
    await stage.advance(1);
    answers[1]('new');
    answers[0]('old');
    expect([await before, await after]).toEqual(['old', 'new']);
    expect(await cache.get('a')).toBe('new');
  });

  test('a loader that hangs keeps nobody for ever, and a load that fails lets the next one try', async () => {
    const { load, answers } = slowDatabase();
    const cache = new Cache(redis, { time: stage.time, load, lockTime: 500 });
    void cache.get('a');
    await stage.advance(1);
    const next = cache.get('a');
    await stage.advance(600);
    answers[1]('found');
    expect(await next).toBe('found');
    const failing = new Cache(redis, { time: stage.time, load: () => Promise.reject(new Error('down')) });
    await expect(failing.get('b')).rejects.toThrow('down');
    expect(await redis.exists('cache:{b}:lock')).toBe(0);
  });

  test('the filter knows all that was added, and turns away nearly all else', async () => {
    const filter = new BloomFilter(redis, 'known', { bits: 10_000, hashes: 7 });
    const names = (kind: string): string[] => Array.from({ length: 1000 }, (_, i) => `${kind}-${i}`);
    await Promise.all(names('real').map((name) => filter.add(name)));
    const found = await Promise.all(names('real').map((name) => filter.mayContain(name)));
    expect(found.every((may) => may)).toBe(true);
    const wrong = await Promise.all(names('made-up').map((name) => filter.mayContain(name)));
    expect(wrong.filter((may) => may).length).toBeLessThan(20);
    expect(await redis.strlen('known')).toBe(1250);
  });
});

test('cache-aside: readers see a change at once, and a slow reader spoils nothing for long', async () => {
  const rows = new Map([['1', 'old']]);
  const waiting: (() => void)[] = [];
  const database = {
    read: (id: string) => {
      const value = rows.get(id) ?? null;
      return new Promise<string | null>((done) => waiting.push(() => done(value)));
    },
    write: async (id: string, value: string) => void rows.set(id, value),
  };
  const store = new CachedStore(redis, database, { time: stage.time, secondDeleteAfter: 500 });
  const slow = store.read('1');
  await stage.advance(1);
  await store.write('1', 'new');
  waiting[0]();
  expect([await slow, await redis.get('product:1')]).toEqual(['old', 'old']);
  await stage.advance(499);
  expect(await redis.get('product:1')).toBe('old');
  await stage.advance(1);
  await store.settled();
  const next = store.read('1');
  await stage.advance(1);
  waiting[1]();
  expect([await next, await redis.get('product:1')]).toEqual(['new', 'new']);
  expect(await store.read('1')).toBe('new');
  expect(waiting.length).toBe(2);
});

test('client-side caching: reads cost nothing until somebody writes, deletes or flushes', async () => {
  const cache = await nearCache(stage.urls[0]);
  await redis.mset('a', '1', 'b', '2');
  const see = async (key: string, wanted: string | null): Promise<void> => {
    while ((await cache.get(key)) !== wanted) await new Promise((done) => setImmediate(done));
  };
  for (let i = 0; i < 10; i++) expect([await cache.get('a'), await cache.get('b')]).toEqual(['1', '2']);
  expect(cache.figures()).toEqual({ hits: 18, misses: 2 });
  const seen = async (): Promise<number> =>
    Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))![1]);
  const before = await seen();
  for (let i = 0; i < 100; i++) await cache.get('a');
  expect(await seen()).toBe(before + 1);
  await redis.set('a', '3');
  await see('a', '3');
  await redis.del('a');
  await see('a', null);
  await redis.flushall();
  await see('b', null);
  cache.close();
});
