/** Clusters of processes, ours and mixed with real ones: formed by redis-cli, written to by clients, failed over. */
import { spawn } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { type NodeKind, TestCluster } from '../support/clusters.ts';
import { freePorts } from '../support/ports.ts';
import { ask, waitFor } from '../support/sentinels.ts';
import { MAIN } from '../support/server-process.ts';

let cluster: TestCluster | undefined;

afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
}, 60_000);

/** The node that serves `foo`, and its replica. */
async function pairOf(nodes: TestCluster): Promise<{ master: number; replica: number }> {
  const table = await nodes.table();
  const serves = (range: string): boolean => {
    const [start, end = start] = range.split('-').map(Number);
    return start <= 12182 && 12182 <= end;
  };
  const master = table.find(({ slots }) => slots.some(serves))!;
  return { master: master.port, replica: table.find((node) => node.master === master.id)?.port ?? 0 };
}

async function becomesMaster(port: number): Promise<void> {
  await waitFor('the replica takes over', async () =>
    String(await ask(port, 'INFO', 'replication')).includes('role:master'),
  );
}

test('three nodes form a cluster by redis-cli, and send clients on to one another', async () => {
  cluster = await TestCluster.start({ kinds: ['cinnabar', 'cinnabar', 'cinnabar'], replicas: 0 });
  const { master } = await pairOf(cluster);
  const [elsewhere] = cluster.ports.filter((port) => port !== master);
  await expect(ask(elsewhere, 'SET', 'foo', 'bar')).rejects.toThrow(`MOVED 12182 127.0.0.1:${master}`);
  expect(await ask(master, 'SET', 'foo', 'bar')).toBe('OK');
  expect(await cluster.cli('check', cluster.addresses[0])).toContain('All 16384 slots covered.');
}, 60_000);

const MIXES: readonly (readonly [string, readonly NodeKind[]])[] = [
  ['ours', ['cinnabar', 'cinnabar', 'cinnabar', 'cinnabar', 'cinnabar', 'cinnabar']],
  ['real masters with replicas of ours', ['redis', 'redis', 'redis', 'cinnabar', 'cinnabar', 'cinnabar']],
  ['masters of ours with real replicas', ['cinnabar', 'cinnabar', 'cinnabar', 'redis', 'redis', 'redis']],
];

describe.each(MIXES)('%s', (_name, kinds) => {
  test('a replica takes over from a master that is killed, and on request', async () => {
    cluster = await TestCluster.start({ kinds, replicas: 1 });
    const { master, replica } = await pairOf(cluster);
    expect(await ask(master, 'SET', 'foo', '1')).toBe('OK');
    expect(await ask(replica, 'CLUSTER', 'FAILOVER')).toBe('OK');
    await becomesMaster(replica);
    expect(await ask(replica, 'GET', 'foo')).toBe('1');
    await waitFor('the old master follows', async () =>
      String(await ask(master, 'INFO', 'replication')).includes('master_link_status:up'),
    );
    expect(await ask(replica, 'SET', 'foo', '2')).toBe('OK');
    await waitFor('the write arrives', async () =>
      String(await ask(master, 'INFO', 'replication')).includes('master_link_status:up'),
    );
    await cluster.kill(replica);
    await becomesMaster(master);
    await waitFor('it serves', async () => (await ask(master, 'GET', 'foo')) === '2');
  }, 120_000);
});

test('cinnabar cluster says when it serves, and ends when it is told to', async () => {
  const first = await freePorts(2);
  const child = spawn(process.execPath, [
    MAIN,
    'cluster',
    '--masters',
    '1',
    '--replicas',
    '1',
    '--port',
    String(first),
  ]);
  let output = '';
  await new Promise<void>((done) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ready')) done();
    });
    child.once('exit', () => done());
  });
  expect(output).toBe(
    `127.0.0.1:${first} master\n127.0.0.1:${first + 1} replica of 127.0.0.1:${first}\n` +
      `Ready: 2 nodes. Try redis-cli -c -h 127.0.0.1 -p ${first}\n`,
  );
  expect(await ask(first, 'SET', 'foo', 'bar')).toBe('OK');
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
}, 30_000);
