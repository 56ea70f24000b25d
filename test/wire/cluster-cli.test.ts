/** `redis-cli --cluster` against nodes of ours, alone and mixed with real ones. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NodeKind, startNode, TestCluster } from '../support/clusters.ts';
import { ask, waitFor } from '../support/sentinels.ts';
import { startRedis } from '../support/server-process.ts';

const KEYS = 300;

function countSlots(slots: readonly string[]): number {
  return slots
    .filter((range) => !range.startsWith('['))
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [start, end = start]) => sum + end - start + 1, 0);
}

describe.each<{ readonly name: string; readonly kinds: readonly NodeKind[] }>([
  { name: 'ours', kinds: ['cinnabar', 'cinnabar', 'cinnabar'] },
  { name: 'mixed', kinds: ['cinnabar', 'redis', 'cinnabar'] },
])('$name', ({ kinds }) => {
  let cluster: TestCluster;
  let client: InstanceType<typeof Redis.Cluster>;
  /** The weight of the node that has come in. */
  let newcomer = '';

  beforeAll(async () => {
    cluster = await TestCluster.start({ kinds, replicas: 0 });
    client = new Redis.Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })));
    for (let i = 0; i < KEYS; i++) await client.set(`key${i}`, String(i));
  }, 60_000);

  afterAll(async () => {
    client?.disconnect();
    await cluster?.stop();
  }, 60_000);

  async function intact(): Promise<void> {
    for (let i = 0; i < KEYS; i++) expect(await client.get(`key${i}`)).toBe(String(i));
    expect(await cluster.cli('check', cluster.addresses[0])).toContain('[OK] All 16384 slots covered.');
  }

  test('reshard moves slots with their keys', async () => {
    const [from, to] = [await cluster.self(cluster.ports[0]), await cluster.self(cluster.ports[1])];
    const moved = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', '200'];
    await cluster.cli('reshard', cluster.addresses[0], ...moved);
    expect(countSlots((await cluster.self(cluster.ports[1])).slots)).toBe(countSlots(to.slots) + 200);
    await intact();
  }, 60_000);

  test('add-node takes a master and a replica in, rebalance gives slots to the first, del-node removes the other', async () => {
    const master = await startNode('cinnabar');
    cluster.nodes.push(master);
    await cluster.cli('add-node', `127.0.0.1:${master.port}`, cluster.addresses[0]);
    await cluster.knowsAll(4);
    await cluster.settled();
    const { id } = await cluster.self(master.port);
    newcomer = `${id}=0.05`;
    const weights = ['--cluster-use-empty-masters', '--cluster-weight', newcomer];
    await cluster.cli('rebalance', cluster.addresses[0], ...weights);
    expect(countSlots((await cluster.self(master.port)).slots)).toBeCloseTo((16384 * 0.05) / 3.05, -1);
    const replica = await startNode('cinnabar');
    cluster.nodes.push(replica);
    const words = ['--cluster-slave', '--cluster-master-id', id];
    await cluster.cli('add-node', `127.0.0.1:${replica.port}`, cluster.addresses[0], ...words);
    await waitFor('the replica has its data', async () =>
      String(await ask(replica.port, 'INFO', 'replication')).includes('master_link_status:up'),
    );
    await cluster.cli('del-node', cluster.addresses[0], (await cluster.self(replica.port)).id);
    await waitFor('it is forgotten', async () => (await cluster.table()).length === 4);
    cluster.nodes.pop();
    await replica.stop();
    await intact();
  }, 60_000);

  test('rebalance by weights', async () => {
    const [first] = cluster.ports;
    const { id } = await cluster.self(first);
    await cluster.cli('rebalance', cluster.addresses[0], '--cluster-weight', `${id}=1.05`, newcomer);
    expect(countSlots((await cluster.self(first)).slots)).toBeCloseTo((16384 * 1.05) / 3.1, -1);
    await intact();
  }, 60_000);

  test('fix closes a slot that is open, and covers one that nobody has', async () => {
    const [a, b] = [await cluster.self(cluster.ports[0]), await cluster.self(cluster.ports[1])];
    const [slot] = a.slots[0].split('-');
    expect(await ask(a.port, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', b.id)).toBe('OK');
    expect(await ask(b.port, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', a.id)).toBe('OK');
    await expect(cluster.cli('check', cluster.addresses[0])).rejects.toThrow();
    await cluster.cli('fix', cluster.addresses[0]);
    for (const port of cluster.ports) await ask(port, 'CLUSTER', 'DELSLOTS', slot);
    await cluster.cli('fix', cluster.addresses[0]);
    await waitFor('all agree', async () => {
      await intact();
      return true;
    });
  }, 60_000);

  test('info, call, set-timeout, backup and import', async () => {
    expect(await cluster.cli('info', cluster.addresses[0])).toContain('[OK]');
    expect(await cluster.cli('call', cluster.addresses[0], 'PING')).toContain('PONG');
    expect(await cluster.cli('set-timeout', cluster.addresses[0], '2500')).toContain('OK');
    const folder = mkdtempSync(join(tmpdir(), 'cinnabar-backup-'));
    await cluster.cli('backup', cluster.addresses[0], folder);
    expect(existsSync(join(folder, 'nodes.json'))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.endsWith('.rdb')).length).toBe(cluster.nodes.length);
    rmSync(folder, { recursive: true });
    const source = await startRedis();
    for (let i = 0; i < 20; i++) await ask(source.port, 'SET', `foreign${i}`, String(i));
    await cluster.cli('import', cluster.addresses[0], '--cluster-from', `127.0.0.1:${source.port}`);
    for (let i = 0; i < 20; i++) expect(await client.get(`foreign${i}`)).toBe(String(i));
    await source.stop();
  }, 60_000);
});
