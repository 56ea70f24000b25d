/** Locks: at most one has it, whoever dies, sleeps or comes too late. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lock } from '../../examples/lock.ts';
import { lockClient, Redlock } from '../../examples/redlock.ts';
import { Stage } from './stage.ts';

let stage: Stage;

afterEach(() => stage.close());

describe('on one server', () => {
  const make = (timeToLive = 1000): Lock => new Lock(stage.client(), 'a', { time: stage.time, timeToLive });

  beforeEach(async () => {
    stage = await Stage.open();
  });

  test('one of many has it at a time, and each gets its turn', async () => {
    const inside = { now: 0, most: 0, fences: [] as number[] };
    const turn = (): Promise<boolean | undefined> =>
      make().run(60_000, async ({ fence }) => {
        inside.most = Math.max(inside.most, ++inside.now);
        inside.fences.push(fence);
        await stage.time.sleep(10);
        inside.now--;
        return true;
      });
    const done = await stage.until(Promise.all(Array.from({ length: 10 }, turn)));
    expect(done.every((each) => each)).toBe(true);
    expect(inside).toEqual({ now: 0, most: 1, fences: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
  });

  test('it is kept for as long as the work takes, and free when it is released', async () => {
    const [first, second] = [make(), make()];
    const hold = (await first.acquire())!;
    await stage.advance(10_000);
    expect(await second.acquire()).toBe(null);
    expect(hold.lost.aborted).toBe(false);
    expect(await hold.release()).toBe(true);
    await stage.advance(10_000);
    expect(hold.lost.aborted).toBe(false);
    expect((await second.acquire())!.fence).toBe(2);
  });

  test('an owner may enter again; the lock is free with its last release', async () => {
    const [first, second] = [make(), make()];
    const outer = (await first.acquire())!;
    const inner = (await first.acquire())!;
    expect(inner.fence).toBe(outer.fence);
    expect(await outer.release()).toBe(true);
    expect(await outer.release()).toBe(false);
    expect(await second.acquire()).toBe(null);
    expect(await inner.release()).toBe(true);
    expect(await second.acquire()).not.toBe(null);
  });

  test('who has lost it is told, and takes nothing from the next one', async () => {
    const [first, second] = [make(), make()];
    const hold = (await first.acquire())!;
    // As after a failover to a replica that has not heard of the lock.
    await stage.client().del('lock:{a}');
    const next = (await second.acquire())!;
    expect(next.fence).toBe(2);
    await stage.advance(400);
    expect(hold.lost.aborted).toBe(true);
    expect(await hold.release()).toBe(false);
    expect(await make().acquire()).toBe(null);
    expect(next.lost.aborted).toBe(false);
  });

  test('a holder whose server is silent counts it as lost when its time is up; a dead one is followed', async () => {
    const client = stage.client();
    const lock = new Lock(client, 'a', { time: stage.time, timeToLive: 1000 });
    const hold = (await lock.acquire())!;
    client.disconnect();
    await stage.advance(999);
    expect(hold.lost.aborted).toBe(false);
    await stage.advance(1);
    expect(hold.lost.aborted).toBe(true);
    expect((await stage.until(make().acquire(100)))!.fence).toBe(2);
  });
});

describe('on five servers', () => {
  beforeEach(async () => {
    stage = await Stage.open(5);
  });

  const down = async (...servers: number[]): Promise<void> => {
    await Promise.all(servers.map((i) => stage.servers[i].close()));
  };

  async function withClients<T>(use: (make: () => Redlock) => Promise<T>): Promise<T> {
    const clients = stage.urls.map(lockClient);
    const up = clients.filter((_, i) => stage.servers[i].listens);
    await Promise.all(up.map((client) => client.connect().catch(() => {})));
    const time = stage.time;
    const make = (): Redlock => new Redlock(clients, { time, timeToLive: 1000, tries: 1 });
    try {
      return await use(make);
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  test('one of two wins; the other after the release, or when the time is up', () =>
    withClients(async (make) => {
      const [first, second] = [make(), make()];
      const lock = (await first.acquire('a'))!;
      expect(lock.until - stage.time.now()).toBe(988);
      expect(await second.acquire('a')).toBe(null);
      await first.release('a', lock.token);
      const next = (await second.acquire('a'))!;
      await stage.advance(900);
      expect(await second.prolong('a', next)).not.toBe(null);
      await stage.advance(900);
      expect(await first.acquire('a')).toBe(null);
      // A key is gone in the millisecond after its last one.
      await stage.advance(101);
      expect(await second.prolong('a', next)).toBe(null);
      expect(await first.acquire('a')).not.toBe(null);
    }));

  test('of many who try at once no two win', () =>
    withClients(async (make) => {
      const locks = await Promise.all(Array.from({ length: 20 }, () => make().acquire('a')));
      expect(locks.filter((lock) => lock !== null).length).toBeLessThanOrEqual(1);
    }));

  test('two servers may be down or forget, three not; and what was won of too few is given back', () =>
    withClients(async (make) => {
      const lock = (await make().acquire('a'))!;
      await stage.client(3).flushall();
      await stage.client(4).flushall();
      expect(await make().acquire('a')).toBe(null);
      expect(await stage.client(3).exists('a')).toBe(0);
      await make().release('a', lock.token);
      await down(3, 4);
      expect(await stage.until(make().acquire('b'))).not.toBe(null);
      await down(2);
      expect(await stage.until(make().acquire('c'))).toBe(null);
      expect(await stage.client(0).exists('c')).toBe(0);
    }));
});
