/** redlock's documented uses, of version 5 (beta, whose README is the project's) and of version 4 (the registry's latest). */
import { Redis } from 'ioredis';
import Redlock, { ExecutionError, ResourceLockedError } from 'redlock';
import Redlock4 from 'redlock-4';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PackageServer, packageServer, sleep, until } from './server.ts';

/** Databases stand for independent servers: the algorithm asks no more of them than keys of their own. */
const NODES = 3;

let server: PackageServer;
let clients: Redis[] = [];

beforeAll(async () => {
  server = await packageServer();
  clients = Array.from({ length: NODES }, (_, db) => new Redis(server.port, '127.0.0.1', { db }));
});

afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server?.stop();
});

beforeEach(async () => {
  await clients[0].flushall();
  await clients[0].script('FLUSH');
});

describe('redlock 5', () => {
  const make = (settings: object = {}, of = clients): Redlock => {
    const redlock = new Redlock(of, { retryCount: 3, retryDelay: 20, retryJitter: 10, ...settings });
    redlock.on('error', () => {});
    return redlock;
  };

  test('acquire, extend, release', async () => {
    const redlock = make();
    let lock = await redlock.acquire(['a'], 60_000);
    for (const client of clients) {
      expect(await client.get('a')).toBe(lock.value);
      expect(await client.pttl('a')).toBeGreaterThan(4000);
    }
    lock = await lock.extend(60_000);
    for (const client of clients) expect(await client.pttl('a')).toBeGreaterThan(50_000);
    await lock.release();
    for (const client of clients) expect(await client.exists('a')).toBe(0);
    const stats = await (await redlock.acquire(['b'], 1000)).attempts[0];
    expect([stats.membershipSize, stats.quorumSize, stats.votesFor.size]).toEqual([3, 2, 3]);
  });

  test('who comes second is refused, and gets it once it is released or its time is up', async () => {
    const redlock = make({ retryCount: 0 });
    const refusals: Error[] = [];
    redlock.on('error', (error) => refusals.push(error));
    const lock = await redlock.acquire(['a'], 60_000);
    const refused = await redlock.acquire(['a'], 60_000).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ExecutionError);
    expect((await (refused as ExecutionError).attempts[0]).votesAgainst.size).toBeGreaterThanOrEqual(2);
    expect(refusals.every((error) => error instanceof ResourceLockedError)).toBe(true);
    await lock.release();
    const short = await redlock.acquire(['a'], 100);
    const next = await redlock.acquire(['a'], 60_000, { retryCount: 200 });
    expect(next.value).not.toBe(short.value);
    await expect(short.extend(1000)).rejects.toThrow();
    await expect(short.release()).rejects.toThrow();
    expect(await clients[0].get('a')).toBe(next.value);
  });

  test('several resources at once: all of them or none', async () => {
    const redlock = make({ retryCount: 0 });
    const one = await redlock.acquire(['b'], 60_000);
    await expect(redlock.acquire(['a', 'b', 'c'], 60_000)).rejects.toThrow();
    await until('nothing of the refused lock', async () => (await clients[0].exists('a', 'c')) === 0);
    await one.release();
    const all = await redlock.acquire(['a', 'b', 'c'], 60_000);
    expect(await clients[0].mget('a', 'b', 'c')).toEqual([all.value, all.value, all.value]);
    await (await all.extend(9000)).release();
    expect(await clients[0].dbsize()).toBe(0);
  });

  test('using extends the lock for as long as the routine runs', async () => {
    const redlock = make({ automaticExtensionThreshold: 600 });
    const seen: number[] = [];
    const result = await redlock.using(['a', 'b'], 1000, {}, async (signal) => {
      for (let i = 0; i < 8; i++) {
        await sleep(300);
        seen.push(await clients[0].pttl('a'));
      }
      expect(signal.aborted).toBe(false);
      return 'done';
    });
    expect(result).toBe('done');
    expect(seen.every((left) => left > 0)).toBe(true);
    expect(await clients[0].exists('a', 'b')).toBe(0);
  });

  test('using tells the routine that the lock is lost', async () => {
    const redlock = make({ automaticExtensionThreshold: 100, retryCount: 0 });
    const lost = redlock.using(['a'], 300, {}, async (signal) => {
      for (const client of clients) await client.set('a', 'stolen');
      await until('the signal', () => signal.aborted);
      throw signal.error;
    });
    await expect(lost).rejects.toThrow();
    expect(await clients[0].get('a')).toBe('stolen');
  });

  test('a minority of nodes that fail does not matter, a majority does', async () => {
    const dead = new Redis(1, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    const another = dead.duplicate();
    for (const client of [dead, another]) client.on('error', () => {});
    const lock = await make({}, [clients[0], clients[1], dead]).acquire(['a'], 1000);
    await lock.release();
    await expect(make({ retryCount: 1 }, [clients[0], dead, another]).acquire(['a'], 1000)).rejects.toThrow();
  });

  test('contention: one at a time, however many want it', async () => {
    // On one node: with several the contenders split the votes, and all of them try again.
    const redlock = make({ retryCount: -1, retryDelay: 5, retryJitter: 5 }, [clients[0]]);
    let [inside, most, balance] = [0, 0, 0];
    await Promise.all(
      Array.from({ length: 25 }, async () => {
        const lock = await redlock.acquire(['account'], 10_000);
        most = Math.max(most, ++inside);
        const before = balance;
        await sleep(1);
        balance = before + 1;
        inside--;
        await lock.release();
      }),
    );
    expect([most, balance]).toEqual([1, 25]);
  });
});

describe('redlock 4', () => {
  const make = (options: object = {}): Redlock4 => {
    const redlock = new Redlock4(clients, { retryCount: 3, retryDelay: 20, retryJitter: 10, ...options });
    redlock.on('clientError', () => {});
    return redlock;
  };

  test('lock, extend, unlock', async () => {
    const lock = await make().lock('locks:account:322456', 1000);
    expect(await clients[1].get('locks:account:322456')).toBe(lock.value);
    const longer = await lock.extend(60_000);
    expect(await clients[2].pttl('locks:account:322456')).toBeGreaterThan(50_000);
    await longer.unlock();
    expect(await clients[0].dbsize()).toBe(0);
    await expect(longer.unlock()).rejects.toThrow(Redlock4.LockError);
  });

  test('contention, and locks of several resources', async () => {
    const redlock = make({ retryCount: 500, retryDelay: 5, retryJitter: 5 });
    const lock = await redlock.lock(['a', 'b'], 60_000);
    await expect(make({ retryCount: 1 }).lock('b', 60_000)).rejects.toThrow(Redlock4.LockError);
    const waiting = redlock.lock('b', 60_000);
    await lock.unlock();
    const next = await waiting;
    expect(await clients[1].get('b')).toBe(next.value);
    await redlock.unlock(next);
  });
});
