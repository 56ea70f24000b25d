/** A master, replicas and Sentinels in one process. */
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { type CinnabarSentinels, createSentinels } from '../../../src/index.ts';
import { shellOf } from '../../../src/sentinel/owners.ts';

let all: CinnabarSentinels | undefined;

afterEach(() => all?.close());

test('is ready when it is there, and a replica takes over where its master is gone', async () => {
  all = await createSentinels({ replicas: 2, downAfter: 300, settings: { requirepass: 'pw "1"' } });
  expect([all.servers.length, all.sentinels.length, all.name]).toEqual([3, 3, 'mymaster']);
  const [{ port }] = all.servers;
  const where = async (): Promise<unknown> =>
    all?.sentinels[0].session().call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster');
  expect(await where()).toEqual(['127.0.0.1', String(port)]);
  const client = new Redis({
    sentinels: all.addresses.map((address) => ({ ...address })),
    name: all.name,
    password: 'pw "1"',
    sentinelRetryStrategy: () => 100,
  });
  client.on('error', () => {});
  expect(await client.set('k', 'v')).toBe('OK');
  await client.wait(2, 10_000);
  await all.servers[0].close();
  await expect.poll(where, { timeout: 30_000 }).not.toEqual(['127.0.0.1', String(port)]);
  await expect.poll(() => client.get('k').catch(() => null), { timeout: 30_000 }).toBe('v');
  client.disconnect();
}, 90_000);

test('nothing goes on once it is closed', async () => {
  all = await createSentinels({ sentinels: 1, replicas: 0 });
  const { sentinels } = all;
  await all.close();
  const { state } = shellOf(sentinels[0].engine);
  const before = state.lastTick;
  await new Promise((done) => setTimeout(done, 500));
  expect(state.lastTick).toBe(before);
});

test('what makes no sense is refused', async () => {
  await expect(createSentinels({ sentinels: 0 })).rejects.toThrow(RangeError);
});
