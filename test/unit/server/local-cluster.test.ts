/** A whole cluster in one process. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { type CinnabarCluster, createCluster } from '../../../src/index.ts';
import { freePort } from '../../support/ports.ts';

let cluster: CinnabarCluster | undefined;

afterEach(() => cluster?.close());

test('is up when it is there: slots, replicas with their data, publishers', async () => {
  cluster = await createCluster({ masters: 3, replicas: 1 });
  expect(cluster.nodes).toHaveLength(6);
  const client = new Redis.Cluster(cluster.addresses.map((address) => ({ ...address })));
  for (let i = 0; i < 100; i++) expect(await client.set(`key${i}`, String(i))).toBe('OK');
  const sizes = cluster.nodes.map(({ engine }) => engine.keyspaces.databases[0].size);
  expect(sizes.slice(0, 3).reduce((sum, size) => sum + size)).toBe(100);
  client.disconnect();
  const [first, , , , , last] = cluster.nodes;
  const heard = new Promise((resolve) => {
    const subscriber = last.session();
    subscriber.onPush = resolve;
    void subscriber.call('SUBSCRIBE', 'news');
  });
  await first.session().call('PUBLISH', 'news', 'hello');
  expect(await heard).toEqual(['message', 'news', 'hello']);
}, 30_000);

test('keeps nothing without a folder, and comes back from one with its data', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-cluster-'));
  try {
    const options = { masters: 1, port: await freePort(), folder, settings: { appendonly: true } };
    cluster = await createCluster(options);
    expect(readdirSync(folder)).toEqual([String(options.port)]);
    expect(await cluster.nodes[0].session().call('SET', 'foo', 'bar')).toBe('OK');
    const id = await cluster.nodes[0].session().call('CLUSTER', 'MYID');
    await cluster.close();
    cluster = await createCluster(options);
    expect(await cluster.nodes[0].session().call('GET', 'foo')).toBe('bar');
    expect(await cluster.nodes[0].session().call('CLUSTER', 'MYID')).toBe(id);
  } finally {
    await cluster?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);

test('a number of masters that makes no sense is refused', async () => {
  await expect(createCluster({ masters: 0 })).rejects.toThrow(RangeError);
});
