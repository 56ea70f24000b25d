/** Client libraries in their Sentinel modes, each of which goes on writing while the master is killed and another takes over. */
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, Deployment, MASTER_NAME, waitFor } from '../support/sentinels.ts';

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ replicas: 1, sentinels: 3, downAfter: 1000 });
}, 120_000);

afterAll(() => deployment?.stop(), 60_000);

/** A client that writes numbers into a list, one after another, and what it has written so far. */
interface Writer {
  readonly acknowledged: number[];
  stop(): Promise<void>;
}

function writer(write: (value: string) => Promise<unknown>, close: () => Promise<void>): Writer {
  const acknowledged: number[] = [];
  let going = true;
  const run = async (): Promise<void> => {
    for (let i = 0; going; i++) {
      await write(String(i)).then(
        () => acknowledged.push(i),
        () => {},
      );
      await new Promise((done) => setTimeout(done, 20));
    }
  };
  const running = run();
  return {
    acknowledged,
    async stop() {
      going = false;
      await running;
      await close();
    },
  };
}

async function withIoredis(): Promise<Writer> {
  const sentinels = deployment.sentinelPorts.map((port) => ({ host: '127.0.0.1', port }));
  const client = new Redis({ sentinels, name: MASTER_NAME, sentinelRetryStrategy: () => 100 });
  client.on('error', () => {});
  return writer(
    (value) => client.rpush('ioredis', value),
    async () => client.disconnect(),
  );
}

async function withNodeRedis(): Promise<Writer> {
  const sentinelRootNodes = deployment.sentinelPorts.map((port) => ({ host: '127.0.0.1', port }));
  const client = createSentinel({ name: MASTER_NAME, sentinelRootNodes, scanInterval: 200 });
  client.on('error', () => {});
  await client.connect();
  return writer(
    (value) => client.rPush('node-redis', value),
    async () => client.destroy(),
  );
}

test('ioredis and node-redis carry their writes over a failover', async () => {
  const before = await deployment.masterPort();
  const writers = [await withIoredis(), await withNodeRedis()];
  const many = async (least: number): Promise<void> =>
    waitFor(`${least} writes of each`, async () => writers.every(({ acknowledged }) => acknowledged.length >= least));
  await many(20);
  // What was acknowledged and not yet replicated is lost with its master; all has been while the replica lags by nothing.
  deployment.kill(before);
  const atKill = writers.map(({ acknowledged }) => acknowledged.length);
  await waitFor('another master', async () => (await deployment.masterPort()) !== before);
  await many(Math.max(...atKill) + 20);
  await Promise.all(writers.map((each) => each.stop()));

  const after = await deployment.masterPort();
  for (const [i, name] of ['ioredis', 'node-redis'].entries()) {
    const kept = ((await ask(after, 'LRANGE', name, '0', '-1')) as string[]).map(Number);
    const { acknowledged } = writers[i];
    // The writes since the new master are all there; of those before only the last may be missing.
    const lost = acknowledged.filter((value) => !kept.includes(value));
    expect(lost.length, `${name} lost ${lost}`).toBeLessThanOrEqual(1);
    expect(kept.at(-1)).toBe(acknowledged.at(-1));
  }
  const role = (await ask(after, 'ROLE')) as unknown[];
  expect(role[0]).toBe('master');
}, 150_000);
