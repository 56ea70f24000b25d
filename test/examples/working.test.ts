/** Limits, queues, boards, sessions, sales, workers and rings: what each promises, at its edges. */
import type { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DelayQueue, type Job } from '../../examples/delay-queue.ts';
import { FlashSale } from '../../examples/flash-sale.ts';
import { Leaderboard, MOST_POINTS } from '../../examples/leaderboard.ts';
import {
  fixedWindow,
  type RateLimiter,
  slidingCounter,
  slidingLog,
  tokenBucket,
} from '../../examples/rate-limiters.ts';
import { Ring, ShardedRedis } from '../../examples/ring.ts';
import { type Client, Sessions } from '../../examples/sessions.ts';
import { Worker } from '../../examples/workers.ts';
import { Stage } from './stage.ts';

let stage: Stage;
let redis: Redis;

beforeEach(async () => {
  stage = await Stage.open();
  redis = stage.client();
});

afterEach(() => stage.close());

describe('rate limiters', () => {
  const limit = { requests: 10, window: 1000 };

  async function pass(ask: RateLimiter, count: number): Promise<number> {
    const verdicts = await Promise.all(Array.from({ length: count }, () => ask(redis, 'rate', limit)));
    return verdicts.filter(({ allowed }) => allowed).length;
  }

  test.each(Object.entries({ fixedWindow, slidingLog, slidingCounter, tokenBucket }))(
    '%s: never more at once than the limit; who waits as told is let in, and not before; nothing is left behind',
    async (_name, ask) => {
      expect((await ask(redis, 'rate', limit)).left).toBe(9);
      expect(await pass(ask, 100)).toBe(9);
      const { retryAfter } = await ask(redis, 'rate', limit);
      expect(retryAfter).toBeGreaterThan(0);
      await stage.advance(retryAfter - 1);
      expect(await pass(ask, 1)).toBe(0);
      await stage.advance(1);
      expect(await pass(ask, 1)).toBe(1);
      await stage.advance(2001);
      expect(await redis.exists('rate')).toBe(0);
    },
  );

  test('around the end of a window the fixed one lets twice as many pass, the others do not', async () => {
    // To the beginning of a window of the sliding counter.
    await stage.advance(1000 - (stage.time.now() % 1000));
    const around = async (ask: RateLimiter): Promise<number> => {
      await redis.del('rate');
      const first = await pass(ask, 1);
      await stage.advance(900);
      const before = await pass(ask, 20);
      await stage.advance(101);
      return first + before + (await pass(ask, 20));
    };
    expect(await around(fixedWindow)).toBe(20);
    expect(await around(slidingLog)).toBe(11);
    expect(await around(slidingCounter)).toBe(10);
    // One token for each tenth of a window.
    expect(await around(tokenBucket)).toBe(12);
  });
});

describe('the delay queue', () => {
  const make = (): DelayQueue => new DelayQueue(redis, 'q', { workTime: 1000, attempts: 2 });

  test('gives each job to one worker, when it is due', async () => {
    const queue = make();
    for (let i = 0; i < 20; i++) await queue.add(`job ${i}`, i * 10);
    expect(await queue.untilNext()).toBe(0);
    await stage.advance(99);
    const claimed = await Promise.all(Array.from({ length: 50 }, () => queue.claim()));
    const jobs = claimed.filter((job): job is Job => job !== null);
    expect(jobs.map(({ payload }) => payload)).toEqual(Array.from({ length: 10 }, (_, i) => `job ${i}`));
    expect(await queue.untilNext()).toBe(1);
    for (const job of jobs) expect([await queue.finish(job), await queue.finish(job)]).toEqual([true, false]);
    expect(await redis.hlen('queue:{q}:payloads')).toBe(10);
  });

  test('a job of a worker that has died comes again, and is put aside when it was tried too often', async () => {
    const queue = make();
    await queue.add('deadly', 0, 'x');
    expect(await queue.claim()).toMatchObject({ id: 'x', attempt: 1 });
    await stage.advance(999);
    expect(await queue.claim()).toBe(null);
    await stage.advance(1);
    const second = (await queue.claim())!;
    expect(second).toMatchObject({ id: 'x', attempt: 2 });
    await stage.advance(1000);
    expect(await queue.claim()).toBe(null);
    expect(await queue.dead()).toEqual(['x']);
    expect(await queue.untilNext()).toBe(null);
    // The worker was only slow: what it has done is done.
    expect(await queue.finish(second)).toBe(true);
    expect(await redis.keys('*')).toEqual([]);
  });

  test('what is added twice is done once, at the later moment', async () => {
    const queue = make();
    await queue.add('first', 100, 'x');
    await queue.add('second', 200, 'x');
    await stage.advance(150);
    expect(await queue.claim()).toBe(null);
    await stage.advance(50);
    expect(await queue.claim()).toMatchObject({ payload: 'second' });
    expect(await queue.claim()).toBe(null);
  });
});

test('the leaderboard keeps the best, and of equal ones the earlier first', async () => {
  const board = new Leaderboard(redis, 'b', stage.time);
  await board.submit('late', 7);
  await board.submit('zoe', MOST_POINTS);
  await stage.advance(1000);
  await board.submit('adam', MOST_POINTS);
  await board.submit('zoe', MOST_POINTS);
  await board.submit('zoe', 5);
  for (let i = 0; i < 10; i++) await board.submit(`p${i}`, 10 + i);
  expect(await board.top(3)).toEqual([
    { rank: 1, player: 'zoe', points: MOST_POINTS },
    { rank: 2, player: 'adam', points: MOST_POINTS },
    { rank: 3, player: 'p9', points: 19 },
  ]);
  expect((await board.around('p0', 1)).map(({ rank, player }) => `${rank} ${player}`)).toEqual([
    '11 p1',
    '12 p0',
    '13 late',
  ]);
  expect((await board.around('zoe', 1)).map(({ player }) => player)).toEqual(['zoe', 'adam']);
  expect(await board.around('nobody', 1)).toEqual([]);
  await expect(board.submit('cheat', MOST_POINTS + 1)).rejects.toThrow(RangeError);
});

describe('sessions', () => {
  let client: Client;
  let sessions: Sessions;

  beforeEach(async () => {
    client = createClient({ url: stage.urls[0] });
    await client.connect();
    sessions = new Sessions(client, { time: stage.time, idle: 1000, longest: 5000 });
  });

  afterEach(() => client.destroy());

  test('live while they are used, and not for ever', async () => {
    const id = await sessions.logIn('ann');
    for (let i = 0; i < 5; i++) {
      expect(await sessions.visit(id, { page: String(i) })).toMatchObject({ user: 'ann', page: String(i) });
      await stage.advance(900);
    }
    expect(await sessions.visit(id)).toMatchObject({ page: '4' });
    await stage.advance(501);
    expect(await sessions.visit(id)).toBe(null);
    const idle = await sessions.logIn('ann');
    await stage.advance(1001);
    expect(await sessions.visit(idle, { page: '1' })).toBe(null);
    await stage.advance(5000);
    expect(await redis.keys('*')).toEqual([]);
  });

  test('end here, or everywhere, and writing to one does not wake it', async () => {
    const ids = [await sessions.logIn('ann'), await sessions.logIn('ann'), await sessions.logIn('ann')];
    const other = await sessions.logIn('bob');
    await sessions.logOut(ids[0]);
    expect(await redis.zcard('sessions-of:ann')).toBe(2);
    const [count, visited] = await Promise.all([sessions.logOutEverywhere('ann'), sessions.visit(ids[1], { a: '1' })]);
    expect([count, visited === null || visited['user'] === 'ann']).toEqual([2, true]);
    for (const id of ids) expect(await sessions.visit(id, { a: '1' })).toBe(null);
    expect(await sessions.visit(other)).toMatchObject({ user: 'bob' });
    expect(await redis.exists('sessions-of:ann')).toBe(0);
  });
});

test('the flash sale: 1,000 buyers over 20 connections, each asking twice, and some who give back', async () => {
  const sales = Array.from({ length: 20 }, () => new FlashSale(stage.client(), 'lamp'));
  await sales[0].open(100);
  const buyers = Array.from({ length: 1000 }, (_, i) => `buyer ${i}`);
  const first = await Promise.all(buyers.map((buyer, i) => sales[i % 20].buy(buyer)));
  const again = await Promise.all(buyers.map((buyer, i) => sales[(i + 7) % 20].buy(buyer)));
  expect(first.filter((outcome) => outcome === 'bought').length).toBe(100);
  expect(again.every((outcome, i) => outcome === (first[i] === 'bought' ? 'bought before' : 'sold out'))).toBe(true);
  expect(await sales[0].figures()).toEqual({ stock: 0, buyers: 100, orders: 100 });
  const winner = buyers[first.indexOf('bought')];
  const loser = buyers[first.indexOf('sold out')];
  const cancelled = await Promise.all([sales[0].cancel(winner), sales[1].cancel(winner), sales[2].cancel(loser)]);
  expect(cancelled.filter((done) => done).length).toBe(1);
  expect(await sales[3].buy(loser)).toBe('bought');
  expect(await sales[0].figures()).toEqual({ stock: 0, buyers: 100, orders: 102 });
});

describe('workers', () => {
  const make = (name: string): Worker =>
    new Worker(stage.client(), { stream: 's', group: 'g', name, patience: 1000, deliveries: 3 });

  async function joined(...names: string[]): Promise<Worker[]> {
    const workers = names.map(make);
    await Promise.all(workers.map((worker) => worker.join()));
    return workers;
  }

  test('share the entries, take over those of a dead one, and book each once', async () => {
    const [a, b] = await joined('a', 'b');
    for (let i = 1; i <= 10; i++) await redis.xadd('s', '*', 'amount', i);
    const taken = await a.take(4);
    const rest = await b.take(10);
    expect([taken.length, rest.length]).toEqual([4, 6]);
    for (const entry of [...rest, taken[0]]) await b.finish(entry, 't', 'sum', Number(entry.fields['amount']));
    await stage.advance(999);
    expect(await b.take(10)).toEqual([]);
    await stage.advance(1);
    const over = await b.take(10);
    expect(over).toEqual(taken.slice(1));
    for (const entry of over) expect(await b.finish(entry, 't', 'sum', Number(entry.fields['amount']))).toBe(true);
    // The first one was only slow.
    for (const entry of taken) expect(await a.finish(entry, 't', 'sum', Number(entry.fields['amount']))).toBe(false);
    expect(await redis.hget('t', 'sum')).toBe('55');
  });

  test('put aside what kills them', async () => {
    const [a, b] = await joined('a', 'b');
    await redis.xadd('s', '*', 'poison', '1');
    for (let i = 0; i < 3; i++) {
      expect((await (i % 2 === 0 ? a : b).take(1)).length).toBe(1);
      await stage.advance(1000);
    }
    expect(await a.take(1)).toEqual([]);
    const [[, fields]] = await redis.xrange('s:aside', '-', '+');
    expect(fields.slice(2)).toEqual(['poison', '1']);
    expect((await redis.xpending('s', 'g'))[0]).toBe(0);
  });

  test('wait for what comes', async () => {
    const [a] = await joined('a');
    const waiting = a.take(1, 5000);
    await stage.advance(100);
    await redis.xadd('s', '*', 'amount', '1');
    expect((await waiting).length).toBe(1);
    const none = a.take(1, 500);
    await stage.advance(1000);
    expect(await none).toEqual([]);
  });
});

describe('the ring', () => {
  const names = Array.from({ length: 5 }, (_, i) => `redis://10.0.0.${i + 1}`);
  const keys = Array.from({ length: 20_000 }, (_, i) => `key:${i}`);

  test('shares are alike, and a fifth server takes a fifth, from all others alike', () => {
    const [four, five] = [new Ring(names.slice(0, 4)), new Ring(names)];
    const shares = new Map<string, number>();
    const moved = new Map<string, number>();
    for (const key of keys) {
      const [before, after] = [four.serverOf(key), five.serverOf(key)];
      shares.set(before, (shares.get(before) ?? 0) + 1 / keys.length);
      if (before === after) continue;
      expect(after).toBe(names[4]);
      moved.set(before, (moved.get(before) ?? 0) + 1 / keys.length);
    }
    for (const name of names.slice(0, 4)) {
      expect(Math.abs(shares.get(name)! - 1 / 4)).toBeLessThan(0.05);
      expect(Math.abs(moved.get(name)! - 1 / 20)).toBeLessThan(0.03);
    }
  });

  test('the order in which servers are named means nothing', () => {
    const [one, other] = [new Ring(names), new Ring([...names].reverse())];
    expect(keys.every((key) => one.serverOf(key) === other.serverOf(key))).toBe(true);
  });

  test('keys move with their times to live, and are found at every moment; newer values stay', async () => {
    const urls = Array.from({ length: 5 }, (_, database) => new URL(`/${database}`, stage.urls[0]).href);
    const sharded = new ShardedRedis(urls.slice(0, 4));
    const some = keys.slice(0, 100);
    await Promise.all(some.map((key) => sharded.set(key, 'old')));
    const ring = new Ring(urls);
    const [staying, moving] = [false, true].map(
      (moves) => some.find((key) => (ring.serverOf(key) === urls[4]) === moves)!,
    );
    const client = stage.client();
    await client.select(urls.indexOf(new Ring(urls.slice(0, 4)).serverOf(moving)));
    await client.pexpire(moving, 60_000);
    const state = { over: false };
    const move = sharded.add(urls[4]).finally(() => {
      state.over = true;
    });
    await sharded.set(staying, 'new');
    while (!state.over) {
      const values = await Promise.all(some.map((key) => sharded.get(key)));
      expect(values.filter((value) => value === null)).toEqual([]);
    }
    expect(await move).toBe(some.filter((key) => ring.serverOf(key) === urls[4]).length);
    const fifth = stage.client();
    await fifth.select(4);
    expect(await fifth.pttl(moving)).toBe(60_000);
    expect(Object.values(await sharded.sizes()).reduce((sum, size) => sum + size, 0)).toBe(some.length);
    expect(await sharded.get(staying)).toBe('new');
    sharded.close();
  });
});
