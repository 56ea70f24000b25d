/** Links over TLS to servers of ours and to redis-server: MIGRATE, which goes by tls-cluster. */
import { type AddressInfo, createServer as createListener } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RealNetwork } from '../../src/base/network.ts';
import { RealClock } from '../../src/base/time.ts';
import type { TlsContextOptions } from '../../src/config/tls-options.ts';
import { authRequest, Conversation } from '../../src/links/conversation.ts';
import { Dialer, LinkError } from '../../src/links/link.ts';
import { ReplyError } from '../../src/protocol/reply-error.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

const PATIENCE = 20_000;

let certificates: Certificates;
let ours: CinnabarServer;
let target: CinnabarServer;
let redis: ServerProcess;
let tlsPorts: { redis: number; target: number };
let client: Pipeline;
let theirs: Pipeline;

const text = (answer: Answer): string => (answer instanceof Error ? answer.message : String(answer));

beforeAll(async () => {
  certificates = makeCertificates();
  const tls = {
    'tls-cert-file': certificates.path('server.crt'),
    'tls-key-file': certificates.path('server.key'),
    'tls-ca-cert-file': certificates.path('ca.crt'),
    'enable-debug-command': 'yes',
  } as const;
  tlsPorts = { redis: await freePort(), target: await freePort() };
  ours = createServer({ port: await freePort(), settings: { ...tls, save: '', 'tls-cluster': 'yes' } });
  target = createServer({ port: await freePort(), settings: { ...tls, save: '', 'tls-port': tlsPorts.target } });
  await Promise.all([ours.listen(), target.listen()]);
  const options = Object.entries({ ...tls, 'tls-port': tlsPorts.redis }).flatMap(([name, word]) => [
    `--${name}`,
    String(word),
  ]);
  redis = await startRedis(...options);
  client = new Pipeline(ours.port);
  theirs = new Pipeline(redis.port);
});

afterAll(async () => {
  client?.close();
  theirs?.close();
  await Promise.all([ours?.close(), target?.close()]);
  await redis?.stop();
  certificates?.remove();
});

beforeEach(async () => {
  await client.send([
    ['CONFIG', 'SET', 'tls-cluster', 'yes', 'tls-ca-cert-file', certificates.path('ca.crt')],
    ['SET', 'k', 'v'],
  ]);
  await theirs.call('FLUSHALL');
});

const migrate = (port: number, ...more: string[]): Promise<Answer> =>
  client.call('MIGRATE', '127.0.0.1', String(port), 'k', '0', '2000', ...more);

describe('MIGRATE with tls-cluster', () => {
  test('moves keys to redis-server and to a server of ours, large ones too', async () => {
    await client.call('SET', 'k', 'x'.repeat(3_000_000));
    const [digest] = [await client.call('DEBUG', 'DIGEST-VALUE', 'k')].flat();
    expect(await migrate(tlsPorts.target, 'COPY', 'REPLACE')).toBe('OK');
    expect(await migrate(tlsPorts.redis)).toBe('OK');
    expect(await client.call('EXISTS', 'k')).toBe(0);
    expect([await theirs.call('DEBUG', 'DIGEST-VALUE', 'k')].flat()).toEqual([digest]);
  });

  test('in a transaction and in a script', async () => {
    const words = ['MIGRATE', '127.0.0.1', String(tlsPorts.redis), 'k', '0', '2000', 'COPY', 'REPLACE'];
    expect((await client.send([['MULTI'], words, ['EXEC']]))[2]).toEqual(['OK']);
    expect(await client.call('EVAL', 'return redis.call(unpack(ARGV))', '0', ...words)).toBe('OK');
    expect(await theirs.call('GET', 'k')).toBe('v');
  });

  test('to a port without TLS, or without it to one that has it, is refused, and the key stays', async () => {
    // A hello of TLS is the beginning of an inline command there, whose end is waited for.
    const late = ['MIGRATE', '127.0.0.1', String(redis.port), 'k', '0', '200'];
    expect(text(await client.call(...late))).toBe('IOERR error or timeout connecting to the client');
    await client.call('CONFIG', 'SET', 'tls-cluster', 'no');
    expect(text(await migrate(tlsPorts.redis))).toMatch(/^IOERR error or timeout (writing|reading) to target/);
    expect(await migrate(redis.port)).toBe('OK');
  });

  test('trusts only whom tls-ca-cert-file vouches for', async () => {
    // A link that is kept was opened before.
    const place = await freePort();
    expect(await theirs.call('CONFIG', 'SET', 'tls-port', String(place))).toBe('OK');
    await client.call('CONFIG', 'SET', 'tls-ca-cert-file', certificates.path('other-ca.crt'));
    expect(text(await migrate(place))).toMatch(/^IOERR/);
    expect(await client.call('EXISTS', 'k')).toBe(1);
    await theirs.call('CONFIG', 'SET', 'tls-port', String(tlsPorts.redis));
  });
});

describe('a conversation with redis-server over TLS', () => {
  let tls: TlsContextOptions | null;
  const dialer = new Dialer({ network: new RealNetwork(), fast: null, clock: new RealClock(), tls: () => tls });
  const open = (port: number): Promise<Conversation> =>
    Conversation.open(dialer, { host: '127.0.0.1', port, secure: true, timeout: PATIENCE });
  const failure = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'open',
      (error: unknown) => (error instanceof LinkError ? `${error.failure}: ${error.message}` : String(error)),
    );

  beforeEach(() => {
    tls = {
      ca: certificates.read('ca.crt'),
      cert: certificates.read('client.crt'),
      key: certificates.read('client.key'),
    };
  });

  test('logs in, and is told its refusals as values', async () => {
    await theirs.send([['ACL', 'SETUSER', 'u', 'on', '>secret', '+@all', '~*']]);
    const conversation = await open(tlsPorts.redis);
    expect(await conversation.call(authRequest('u', 'wrong')!, PATIENCE)).toBeInstanceOf(ReplyError);
    expect(String(await conversation.call(authRequest('u', 'secret')!, PATIENCE))).toBe('OK');
    expect(String(await conversation.call(['ACL', 'WHOAMI'], PATIENCE))).toBe('u');
    conversation.close();
  });

  test('fails in the words of OpenSSL', async () => {
    const other = createListener((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('-ERR no TLS here\r\n'),
    );
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as AddressInfo;
    expect(await failure(open(port))).toMatch(/^refused: error:0A[0-9A-F]{6}:SSL routines::/);
    await new Promise((done) => other.close(done));
    tls = { ...tls!, ca: certificates.read('other-ca.crt') };
    expect(await failure(open(tlsPorts.redis))).toBe('refused: error:0A000086:SSL routines::certificate verify failed');
    expect(await failure(open(await freePort()))).toBe('refused: Connection refused');
    tls = null;
    expect(await failure(open(tlsPorts.redis))).toBe('refused: TLS is not configured');
  });

  test('one whose certificate the server does not accept ends with the first reply', async () => {
    tls = { ...tls!, cert: certificates.read('stranger.crt'), key: certificates.read('stranger.key') };
    const told = failure(open(tlsPorts.redis).then((conversation) => conversation.call(['PING'], PATIENCE)));
    expect(await told).toMatch(/^(lost|refused): /);
  });
});
