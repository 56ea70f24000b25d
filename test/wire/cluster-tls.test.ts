/** A cluster whose bus goes over TLS, of nodes of ours and a real one: slots, messages, a replica and its failover. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Raw, until } from '../reliability/harness.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { type NodeKind, startNode } from '../support/clusters.ts';
import { freePort } from '../support/ports.ts';
import { ask, waitFor } from '../support/sentinels.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { recordedPackets } from '../unit/cluster/recorded.ts';

const BUS_DISTANCE = 10_000;
/** Masters, and a replica of the second. */
const KINDS: readonly NodeKind[] = ['cinnabar', 'redis', 'cinnabar', 'cinnabar'];
const SLOTS = [
  ['0', '5460'],
  ['5461', '10922'],
  ['10923', '16383'],
] as const;

let certificates: Certificates;
const nodes: { readonly process: ServerProcess; readonly tlsPort: number }[] = [];

async function start(kind: NodeKind): Promise<void> {
  const tlsPort = await freePort();
  const settings = {
    'tls-port': String(tlsPort),
    'tls-cluster': 'yes',
    'tls-replication': 'yes',
    'tls-cert-file': certificates.path('server.crt'),
    'tls-key-file': certificates.path('server.key'),
    'tls-ca-cert-file': certificates.path('ca.crt'),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  nodes.push({ process: await startNode(kind, ...options), tlsPort });
}

async function info(i: number, ...words: string[]): Promise<string> {
  const [command, ...more] = words;
  return String(await ask(nodes[i].process.port, command, ...more));
}

beforeAll(async () => {
  certificates = makeCertificates();
  for (const kind of KINDS) await start(kind);
  for (const { tlsPort } of nodes.slice(1))
    expect(await info(0, 'CLUSTER', 'MEET', '127.0.0.1', String(tlsPort))).toBe('OK');
  for (const [i, range] of SLOTS.entries()) expect(await info(i, 'CLUSTER', 'ADDSLOTSRANGE', ...range)).toBe('OK');
}, 60_000);

afterAll(async () => {
  await Promise.all(nodes.map(({ process: node }) => node.stop()));
  certificates?.remove();
});

async function allSay(word: string, but = -1): Promise<void> {
  for (const i of nodes.keys())
    if (i !== but)
      await waitFor(`node ${i} says ${word}`, async () => (await info(i, 'CLUSTER', 'INFO')).includes(word));
}

test('they find one another, and tell clients the port that they came to', async () => {
  await allSay('cluster_known_nodes:4');
  await allSay('cluster_state:ok');
  const [plain, secure] = [nodes[1].process.port, nodes[1].tlsPort];
  await expect(ask(nodes[0].process.port, 'GET', 'b{a}')).rejects.toThrow(
    `MOVED 15495 127.0.0.1:${nodes[2].process.port}`,
  );
  const lines = (await info(0, 'CLUSTER', 'NODES')).split('\n');
  expect(lines.some((line) => line.includes(`127.0.0.1:${plain}@${secure + BUS_DISTANCE}`))).toBe(true);
});

test('what is published at one is heard at the others', async () => {
  for (const [from, to] of [
    [0, 1],
    [1, 2],
  ]) {
    const subscriber = new Raw(nodes[to].process.port);
    subscriber.call('SUBSCRIBE', 'news');
    await until(() => subscriber.received.includes('subscribe'), 'the subscription');
    await info(from, 'PUBLISH', 'news', 'heard');
    await until(() => subscriber.received.includes('heard'), 'the message');
    subscriber.destroy();
  }
});

test('whoever has no certificate says nothing', async () => {
  const stranger = new Raw(nodes[0].tlsPort + BUS_DISTANCE);
  stranger.send(Buffer.from(recordedPackets()[0]).toString('latin1'));
  await until(() => stranger.closed, 'the end of the connection');
  expect(await info(0, 'CLUSTER', 'INFO')).toContain('cluster_known_nodes:4');
});

test('a replica of ours takes over from the real master', async () => {
  const master = await info(1, 'CLUSTER', 'MYID');
  expect(await info(3, 'CLUSTER', 'REPLICATE', master)).toBe('OK');
  await waitFor('the replica has the data', async () => (await info(3, 'INFO', 'replication')).includes('status:up'));
  await waitFor('the others know of it', async () => (await info(0, 'CLUSTER', 'NODES')).includes(`slave ${master}`));
  process.kill(nodes[1].process.pid, 'SIGKILL');
  await waitFor('the replica is the master', async () => (await info(3, 'ROLE')).startsWith('master'));
  await allSay('cluster_state:ok', 1);
}, 60_000);
