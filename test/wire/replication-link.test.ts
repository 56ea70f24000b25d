/** The way from a replica to its master: over TLS by tls-replication, from bind-source-addr, and what the log says of it. */
import { type AddressInfo, createServer as createListener } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServerLog } from '../../src/server/log.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { type Kind, Node } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';

let certificates: Certificates;
const nodes: Node[] = [];

beforeAll(() => {
  certificates = makeCertificates();
});

afterAll(() => certificates?.remove());

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const tls = (more: Record<string, string> = {}): Record<string, string> => ({
  'tls-cert-file': certificates.path('server.crt'),
  'tls-key-file': certificates.path('server.key'),
  'tls-ca-cert-file': certificates.path('ca.crt'),
  ...more,
});

async function start(kind: Kind, settings: Record<string, string> = {}): Promise<Node> {
  const node = await Node.start(kind, settings);
  nodes.push(node);
  return node;
}

const isUp = async (replica: Node): Promise<boolean> => (await replica.info('master_link_status')) === 'up';

describe.each<[Kind, Kind]>([
  ['redis', 'ours'],
  ['ours', 'redis'],
  ['ours', 'ours'],
])('%s is the master of %s', (masterKind, replicaKind) => {
  test('over TLS, with a certificate of its own for what it opens, and again after a cut', async () => {
    const tlsPort = String(await freePort());
    const master = await start(masterKind, tls({ 'tls-port': tlsPort }));
    const identity = {
      'tls-client-cert-file': certificates.path('client.crt'),
      'tls-client-key-file': certificates.path('client.key'),
    };
    const ownPort = String(await freePort());
    const replica = await start(replicaKind, tls({ 'tls-replication': 'yes', 'tls-port': ownPort, ...identity }));
    await master.send('SET', 'k', 'x'.repeat(2_000_000));
    await replica.send('REPLICAOF', '127.0.0.1', tlsPort);
    await replica.until('the link is up', () => isUp(replica));
    expect(await master.info('slave0')).toContain(`port=${ownPort},`);
    for (let i = 0; i < 100; i++) {
      await master.send('RPUSH', 'list', String(i));
      if (i === 50) await master.send('CLIENT', 'KILL', 'TYPE', 'replica');
    }
    await master.until('it has gone on', async () => (await master.info('sync_partial_ok')) === '1');
    await replica.until('it has caught up', async () => (await replica.send('LLEN', 'list')) === 100);
    expect(await replica.send('DEBUG', 'DIGEST')).toBe(await master.send('DEBUG', 'DIGEST'));
  });
});

test('it goes out from bind-source-addr, and from anywhere where that can not be had', async () => {
  const master = await start('redis', { 'protected-mode': 'no' });
  const replica = await start('ours', { 'bind-source-addr': '127.0.0.2' });
  for (const [source, seen] of [
    ['127.0.0.2', /^ip=127\.0\.0\.2,/],
    ['192.0.2.1', /^ip=127\.0\.0\.1,/],
    ['no.such.name.invalid', /^ip=127\.0\.0\.1,/],
  ] as const) {
    await replica.send('CONFIG', 'SET', 'bind-source-addr', source);
    await replica.send('REPLICAOF', '127.0.0.1', String(master.port));
    await replica.until(`the link is up from ${source}`, () => isUp(replica));
    expect(await master.info('slave0')).toMatch(seen);
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await master.until('it has left', async () => (await master.info('connected_slaves')) === '0');
  }
});

test('a stream that may not be run yet is read no further than a bound, and all of it is run in the end', async () => {
  const master = await start('redis', { 'client-output-buffer-limit': 'replica 0 0 0' });
  const replica = await start('ours');
  await replica.send('REPLICAOF', '127.0.0.1', String(master.port));
  await replica.until('the link is up', () => isUp(replica));
  await replica.send('CLIENT', 'PAUSE', '1000000', 'WRITE');
  const before = Number(await replica.info('slave_repl_offset'));
  for (let i = 0; i < 60; i++) await master.send('SET', `k${i % 7}`, String(i).padEnd(1_000_000, 'x'));
  const read = async (): Promise<number> => Number(await replica.info('slave_read_repl_offset')) - before;
  await replica.until('the bound is reached', async () => (await read()) > 16 * 1024 * 1024);
  expect(await read()).toBeLessThan(32 * 1024 * 1024);
  expect(Number(await replica.info('slave_repl_offset')) - before).toBeLessThan(1000);
  await replica.send('CLIENT', 'UNPAUSE');
  await replica.until('it has caught up', async () => (await read()) > 60_000_000);
  await replica.until('all is run', async () => (await replica.send('GETRANGE', 'k3', '0', '1')) === '59');
  expect(await replica.send('DEBUG', 'DIGEST')).toBe(await master.send('DEBUG', 'DIGEST'));
});

test('a link that dies as soon as it is there is not tried again at once', async () => {
  let came = 0;
  const master = createListener((socket) => {
    came++;
    // Answers the handshake and lets it go on, and is gone.
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      if (text.includes('PSYNC')) socket.end('+CONTINUE\r\n');
      else socket.write(text.includes('PING') ? '+PONG\r\n' : '+OK\r\n'.repeat(text.split('REPLCONF').length - 1));
    });
  });
  await new Promise<void>((done) => master.listen(0, '127.0.0.1', done));
  const replica = await start('ours');
  await replica.send('REPLICAOF', '127.0.0.1', String((master.address() as AddressInfo).port));
  await replica.until('it has come', async () => came > 0);
  const [begin, first] = [performance.now(), came];
  await new Promise((done) => setTimeout(done, 1500));
  expect(came - first).toBeLessThanOrEqual((performance.now() - begin) / 1000 + 1);
  await replica.send('REPLICAOF', 'NO', 'ONE');
  master.close();
});

describe('what the log says, in the words of redis-server', () => {
  const lines: string[] = [];
  let replica: CinnabarServer;

  beforeAll(async () => {
    const log = new ServerLog({ file: '', level: 'notice', format: 'redis', sink: (line) => lines.push(line) });
    replica = createServer({ port: await freePort(), settings: { ...tls(), save: '' }, log });
    await replica.listen();
  });

  afterAll(() => replica?.close());

  async function follow(host: string, port: number): Promise<void> {
    lines.length = 0;
    const session = replica.session();
    await session.call('REPLICAOF', host, String(port));
    session.close();
  }

  const told = (text: string): Promise<void> => expect.poll(() => lines.join(''), { timeout: 15_000 }).toContain(text);

  test('of a master that is not there', async () => {
    await follow('127.0.0.1', await freePort());
    await told('# Error condition on socket for SYNC: Connection refused\n');
  });

  test('of one whose name is unknown', async () => {
    await follow('no.such.name.invalid', 6379);
    await told('# Unable to connect to MASTER: Name or service not known\n');
  });

  test('of one that hangs up, and of one whose certificate nobody vouches for', async () => {
    const other = createListener((socket) => socket.on('error', () => {}).destroy());
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    await follow('127.0.0.1', (other.address() as AddressInfo).port);
    await told('# Failed to read response from the server: ');
    await new Promise((done) => other.close(done));

    const tlsPort = await freePort();
    await start('redis', tls({ 'tls-port': String(tlsPort) }));
    const session = replica.session();
    await session.call(
      'CONFIG',
      'SET',
      'tls-replication',
      'yes',
      'tls-ca-cert-file',
      certificates.path('other-ca.crt'),
    );
    session.close();
    await follow('127.0.0.1', tlsPort);
    await told('# Error condition on socket for SYNC: error:0A000086:SSL routines::certificate verify failed\n');
  });
});
