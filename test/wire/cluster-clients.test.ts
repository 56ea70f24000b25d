/** Client libraries of Redis Cluster go on reading and writing while slots are moved and a master is killed. */
import { Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCluster } from '../support/clusters.ts';
import { ask, waitFor } from '../support/sentinels.ts';

/** Keys in all parts of the slots. */
const KEYS = Array.from({ length: 60 }, (_, i) => `key:${i}`);
const WRITES = 100;

interface Client {
  write(key: string, value: string): Promise<unknown>;
  read(key: string): Promise<string | null>;
  close(): Promise<void>;
}

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ kinds: Array.from({ length: 6 }, () => 'cinnabar' as const), replicas: 1 });
}, 120_000);

afterAll(() => cluster?.stop(), 60_000);

function withIoredis(): Client {
  const client = new Redis.Cluster(
    cluster.ports.map((port) => ({ host: '127.0.0.1', port })),
    { redisOptions: { commandTimeout: 2000 }, clusterRetryStrategy: () => 100 },
  );
  client.on('error', () => {});
  return {
    write: (key, value) => client.set(`io:${key}`, value),
    read: (key) => client.get(`io:${key}`),
    close: async () => client.disconnect(),
  };
}

async function withNodeRedis(): Promise<Client> {
  const client = createCluster({ rootNodes: cluster.ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) });
  client.on('error', () => {});
  await client.connect();
  return {
    write: (key, value) => client.set(`node:${key}`, value),
    read: (key) => client.get(`node:${key}`),
    close: async () => client.destroy(),
  };
}

/** Writes key after key and reads each back, and knows of each what was acknowledged last. */
class Traffic {
  readonly acknowledged = new Map<string, number>();
  count = 0;
  private going = true;
  private readonly running: Promise<void>;
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
    this.running = this.run();
  }

  private async run(): Promise<void> {
    for (let i = 0; this.going; i++) {
      const key = KEYS[i % KEYS.length];
      try {
        await this.client.write(key, String(i));
        this.acknowledged.set(key, i);
        this.count++;
        await this.client.read(key);
      } catch {
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  }

  /** Waits until so many more writes were acknowledged. */
  async more(least: number): Promise<void> {
    const wanted = this.count + least;
    await waitFor(`${least} writes more`, async () => this.count >= wanted);
  }

  async stop(): Promise<void> {
    this.going = false;
    await this.running;
  }
}

/** What the clients have been told is there. */
async function intact(clients: readonly Client[], traffic: readonly Traffic[]): Promise<void> {
  for (const [i, { acknowledged }] of traffic.entries())
    for (const [key, value] of acknowledged) expect(Number(await clients[i].read(key))).toBe(value);
}

async function becomesMaster(port: number): Promise<void> {
  await waitFor('the replica takes over', async () =>
    String(await ask(port, 'INFO', 'replication')).includes('role:master'),
  );
}

test('ioredis and node-redis lose nothing over a reshard and a failover that is asked for', async () => {
  const clients = [withIoredis(), await withNodeRedis()];
  const traffic = clients.map((client) => new Traffic(client));
  for (const each of traffic) await each.more(WRITES);
  const [from, to] = (await cluster.table()).filter(({ flags }) => flags.includes('master'));
  const moved = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', '100'];
  await cluster.cli('reshard', `127.0.0.1:${from.port}`, ...moved);
  for (const each of traffic) await each.more(WRITES);
  const replica = (await cluster.table()).find(({ master }) => master === to.id)!;
  expect(await ask(replica.port, 'CLUSTER', 'FAILOVER')).toBe('OK');
  await becomesMaster(replica.port);
  for (const each of traffic) await each.more(WRITES);
  for (const each of traffic) await each.stop();
  await intact(clients, traffic);
  for (const client of clients) await client.close();
}, 180_000);

// node-redis asks for the slots anew where it is told MOVED, and a node that is dead tells nothing.
test('ioredis goes on when a master is killed', async () => {
  const clients = [withIoredis()];
  const traffic = clients.map((client) => new Traffic(client));
  for (const each of traffic) await each.more(WRITES);
  const table = await cluster.table();
  const replica = table.find(({ master }) => master !== '')!;
  await cluster.kill(table.find(({ id }) => id === replica.master)!.port);
  await becomesMaster(replica.port);
  for (const each of traffic) await each.more(WRITES);
  for (const each of traffic) await each.stop();
  await intact(clients, traffic);
  for (const client of clients) await client.close();
}, 180_000);
