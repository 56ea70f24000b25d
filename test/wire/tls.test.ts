/** TLS: certificates, versions, reloading, and handshakes that come to nothing. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RealDisk } from '../../src/base/disk.ts';
import { RealNetwork } from '../../src/base/network.ts';
import { RealClock } from '../../src/base/time.ts';
import { tlsOptions } from '../../src/config/tls-options.ts';
import { TlsTransport } from '../../src/net/tls.ts';
import { ServerLog } from '../../src/server/log.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';

const lines: string[] = [];
let certificates: Certificates;
let server: CinnabarServer;
let port = 0;

const UPDATE_FAILED = 'Unable to update TLS configuration. Check server logs.';

function settings(more: Readonly<Record<string, string | number>> = {}): Record<string, string | number> {
  return {
    bind: '127.0.0.1',
    save: '',
    port: 0,
    'tls-port': port,
    'tls-cert-file': certificates.path('server.crt'),
    'tls-key-file': certificates.path('server.key'),
    'tls-ca-cert-file': certificates.path('ca.crt'),
    ...more,
  };
}

function logged(text: string): boolean {
  return lines.some((line) => line.includes(text));
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${what}\n${lines.slice(-5).join('')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class Peer {
  readonly socket: TLSSocket;
  received = '';
  closed = false;
  failure = '';

  constructor(options: ConnectionOptions = {}, as: string | null = 'client') {
    const identity = as === null ? {} : { cert: certificates.read(`${as}.crt`), key: certificates.read(`${as}.key`) };
    const ca = certificates.read('ca.crt');
    this.socket = connect({
      port,
      host: '127.0.0.1',
      ca,
      checkServerIdentity: () => undefined,
      ...identity,
      ...options,
    });
    this.socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    this.socket.on('error', (error: Error & { code?: string }) => (this.failure = error.code ?? error.message));
    this.socket.on('close', () => (this.closed = true));
  }

  /** What the server says to PING; empty when the connection came to nothing. */
  async ping(): Promise<string> {
    this.received = '';
    this.socket.write('PING\r\n');
    await until(() => this.closed || this.received.endsWith('\r\n'), 'an answer to PING');
    return this.received;
  }
}

async function pingAs(as: string | null, options: ConnectionOptions = {}): Promise<string> {
  const peer = new Peer(options, as);
  const answer = await peer.ping();
  peer.socket.destroy();
  return answer;
}

function run(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(program, args);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk));
    child.on('error', (error) => resolve(String(error)));
    child.on('close', () => resolve(output));
  });
}

async function set(...words: string[]): Promise<unknown> {
  const session = server.session();
  return session
    .call('CONFIG', 'SET', ...words)
    .catch((error: Error) => error.message)
    .finally(() => session.close());
}

beforeAll(async () => {
  certificates = makeCertificates();
  port = await freePort();
  const log = new ServerLog({ file: '', level: 'verbose', format: 'redis', sink: (line) => lines.push(line) });
  server = createServer({ settings: settings(), log });
  await server.listen();
});

afterAll(async () => {
  await server?.close();
  certificates?.remove();
});

describe('clients', () => {
  test('one with a certificate is served; pipelines and large values in both directions', async () => {
    const tls = {
      ca: certificates.read('ca.crt'),
      cert: certificates.read('client.crt'),
      key: certificates.read('client.key'),
    };
    const client = new Redis(port, '127.0.0.1', { tls: { ...tls, checkServerIdentity: () => undefined } });
    const value = Buffer.alloc(5_000_000, 'xyz');
    expect(await client.set('large', value)).toBe('OK');
    expect((await client.getBuffer('large'))?.equals(value)).toBe(true);
    const replies = await Promise.all(Array.from({ length: 5000 }, (_, i) => client.echo(`v${i}`)));
    expect(replies.every((reply, i) => reply === `v${i}`)).toBe(true);
    expect(await client.client('INFO')).toMatch(/addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+/);
    client.disconnect();
  });

  test('one without is refused, as is one whose certificate nobody vouches for', async () => {
    lines.length = 0;
    expect(await pingAs(null)).toBe('');
    await until(
      () =>
        logged('Error accepting a client connection: error:0A0000C7:SSL routines::peer did not return a certificate'),
      'the log line',
    );
    expect(await pingAs('stranger')).toBe('');
    await until(() => logged('error:0A000086:SSL routines::certificate verify failed'), 'the log line');
  });

  test('tls-auth-clients optional and no', async () => {
    expect(await set('tls-auth-clients', 'optional')).toBe('OK');
    expect([await pingAs(null), await pingAs('client'), await pingAs('stranger')]).toEqual([
      '+PONG\r\n',
      '+PONG\r\n',
      '',
    ]);
    expect(await set('tls-auth-clients', 'no')).toBe('OK');
    expect([await pingAs(null), await pingAs('stranger')]).toEqual(['+PONG\r\n', '+PONG\r\n']);
    expect(await set('tls-auth-clients', 'yes')).toBe('OK');
    expect(await pingAs(null)).toBe('');
  });

  test('redis-cli --tls', async () => {
    const file = (name: string): string => certificates.path(name);
    const base = ['--tls', '-h', '127.0.0.1', '-p', String(port), '--cacert', file('ca.crt')];
    const identity = ['--cert', file('client.crt'), '--key', file('client.key')];
    expect(await run(oracle('redis-cli'), ...base, ...identity, 'PING')).toBe('PONG\n');
    expect(await run(oracle('redis-cli'), ...base, ...identity, '--insecure', 'INCRBY', 'cli', '5')).toBe('5\n');
    expect(await run(oracle('redis-cli'), ...base, 'PING')).toMatch(/Error/);
  });

  test('a server that ends a connection says so first', async () => {
    const peer = new Peer();
    peer.socket.write('PING\r\nQUIT\r\n');
    let ended = false;
    peer.socket.on('end', () => (ended = true));
    await until(() => peer.closed, 'the end');
    expect([peer.received, ended, peer.failure]).toEqual(['+PONG\r\n+OK\r\n', true, '']);
  });

  test('a session is resumed, unless tls-session-caching is off', async () => {
    const resumed = async (): Promise<boolean> => {
      const first = new Peer({ maxVersion: 'TLSv1.2' });
      await first.ping();
      const session = first.socket.getSession();
      first.socket.destroy();
      const second = new Peer({ maxVersion: 'TLSv1.2', ...(session && { session }) });
      await second.ping();
      const reused = second.socket.isSessionReused();
      second.socket.destroy();
      return reused;
    };
    expect(await resumed()).toBe(true);
    expect(await set('tls-session-caching', 'no')).toBe('OK');
    expect(await resumed()).toBe(false);
    expect(await set('tls-session-caching', 'yes')).toBe('OK');
  });
});

describe('versions and ciphers', () => {
  test('tls-protocols', async () => {
    expect(await set('tls-protocols', 'TLSv1.2')).toBe('OK');
    expect(await pingAs('client', { minVersion: 'TLSv1.3' })).toBe('');
    expect(await pingAs('client', { maxVersion: 'TLSv1.2' })).toBe('+PONG\r\n');
    expect(await set('tls-protocols', 'tlsv1.3')).toBe('OK');
    expect(await pingAs('client', { maxVersion: 'TLSv1.2' })).toBe('');
    expect(await set('tls-protocols', '')).toBe('OK');
    expect(await pingAs('client', { maxVersion: 'TLSv1.2' })).toBe('+PONG\r\n');
    expect(await pingAs('client', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).toBe(
      '',
    );
  });

  test('tls-ciphers, tls-ciphersuites, tls-prefer-server-ciphers, tls-dh-params-file', async () => {
    const cipher = async (options: ConnectionOptions): Promise<string> => {
      const peer = new Peer(options);
      const name = (await peer.ping()) === '' ? '' : peer.socket.getCipher().standardName;
      peer.socket.destroy();
      return name;
    };
    expect(await set('tls-ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('OK');
    const weakFirst = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384';
    const tls12 = { maxVersion: 'TLSv1.2', ciphers: weakFirst } as const;
    expect(await cipher(tls12)).toBe('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
    expect(await set('tls-prefer-server-ciphers', 'yes')).toBe('OK');
    expect(await cipher(tls12)).toBe('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
    expect(await cipher({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' })).toBe('');
    expect(await set('tls-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256')).toBe('OK');
    expect(await cipher({})).toBe('TLS_CHACHA20_POLY1305_SHA256');
    expect(await set('tls-dh-params-file', certificates.path('dh.pem'))).toBe('OK');
    expect(await pingAs('client')).toBe('+PONG\r\n');
    const usual = [
      'tls-ciphers',
      '',
      'tls-ciphersuites',
      '',
      'tls-prefer-server-ciphers',
      'no',
      'tls-dh-params-file',
      '',
    ];
    expect(await set(...usual)).toBe('OK');
  });
});

describe('CONFIG SET', () => {
  test('new certificates serve new connections, and those there are stay', async () => {
    const old = new Peer();
    expect(await old.ping()).toBe('+PONG\r\n');
    certificates.issue('renewed');
    expect(
      await set('tls-cert-file', certificates.path('renewed.crt'), 'tls-key-file', certificates.path('renewed.key')),
    ).toBe('OK');
    const fresh = new Peer();
    expect(await fresh.ping()).toBe('+PONG\r\n');
    expect(fresh.socket.getPeerCertificate().subject.CN).toBe('renewed');
    expect(await old.ping()).toBe('+PONG\r\n');
    // The same names again, with other content: read anew.
    certificates.issue('renewed');
    const before = fresh.socket.getPeerCertificate().serialNumber;
    expect(
      await set('tls-cert-file', certificates.path('renewed.crt'), 'tls-key-file', certificates.path('renewed.key')),
    ).toBe('OK');
    const third = new Peer();
    await third.ping();
    expect(third.socket.getPeerCertificate().serialNumber).not.toBe(before);
    for (const peer of [old, fresh, third]) peer.socket.destroy();
  });

  test('a key under a passphrase', async () => {
    const failed = (name: string) =>
      `ERR CONFIG SET failed (possibly related to argument '${name}') - ${UPDATE_FAILED}`;
    const words = ['tls-cert-file', certificates.path('server.crt'), 'tls-key-file', certificates.path('locked.key')];
    expect(await set(...words)).toBe(failed('tls-cert-file'));
    expect(await set(...words, 'tls-key-file-pass', 'wrong')).toBe(failed('tls-cert-file'));
    expect(await set(...words, 'tls-key-file-pass', 'sesame')).toBe('OK');
    expect(await pingAs('client')).toBe('+PONG\r\n');
    expect(await set(...words.slice(0, 3), certificates.path('server.key'), 'tls-key-file-pass', '')).toBe('OK');
    expect(lines.filter((line) => line.includes('sesame') || line.includes('wrong'))).toEqual([]);
  });

  test('a directory of authorities', async () => {
    expect(await set('tls-ca-cert-file', '', 'tls-ca-cert-dir', certificates.path('authorities'))).toBe('OK');
    expect([await pingAs('client'), await pingAs('stranger')]).toEqual(['+PONG\r\n', '']);
    expect(await set('tls-ca-cert-dir', '', 'tls-ca-cert-file', certificates.path('ca.crt'))).toBe('OK');
  });

  test.each([
    ['tls-cert-file', 'absent', 'Failed to load certificate: absent: error:80000002:system library::No such file'],
    ['tls-cert-file', 'server.key', 'Failed to load certificate: '],
    ['tls-key-file', 'client.key', 'error:05800074:x509 certificate routines::key values mismatch'],
    ['tls-ca-cert-file', 'absent', 'Failed to configure CA certificate(s) file/directory: error:80000002:'],
    ['tls-ca-cert-file', 'server.key', 'Failed to configure CA certificate(s) file/directory: '],
    ['tls-ca-cert-file', '', 'Either tls-ca-cert-file or tls-ca-cert-dir must be specified when'],
    ['tls-ciphers', 'foo', 'Failed to configure ciphers: foo'],
    ['tls-ciphersuites', 'foo', 'Failed to configure ciphersuites: foo'],
    ['tls-protocols', 'bar', "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1',"],
    ['tls-dh-params-file', 'absent', 'Failed to load absent: No such file or directory'],
    ['tls-dh-params-file', 'server.key', 'failed to read DH params'],
  ])('%s %s is refused and changes nothing', async (name, value, line) => {
    lines.length = 0;
    const word = /\.key$/.test(value) ? certificates.path(value) : value;
    const before = server.config.text(name);
    expect(await set(name, word)).toBe(
      `ERR CONFIG SET failed (possibly related to argument '${name}') - ${UPDATE_FAILED}`,
    );
    expect(logged(line), lines.join('')).toBe(true);
    expect(server.config.text(name)).toBe(before);
    expect(await pingAs('client')).toBe('+PONG\r\n');
  });

  test('tls-port moves, and can go', async () => {
    const before = port;
    const client = new Peer();
    await client.ping();
    port = await freePort();
    expect(await set('tls-port', String(port))).toBe('OK');
    expect(await pingAs('client')).toBe('+PONG\r\n');
    expect(await client.ping()).toBe('+PONG\r\n');
    expect(await set('tls-port', '0')).toBe('OK');
    expect(await pingAs('client')).toBe('');
    expect(await set('tls-port', String(before))).toBe('OK');
    port = before;
    expect(await pingAs('client')).toBe('+PONG\r\n');
    client.socket.destroy();
  });

  test('a server without TLS: the port needs certificates first', async () => {
    const other = createServer({ settings: { bind: '127.0.0.1', save: '', port: await freePort() } });
    await other.listen();
    const session = other.session();
    await expect(session.call('CONFIG', 'SET', 'tls-port', String(await freePort()))).rejects.toThrow(UPDATE_FAILED);
    expect(await session.call('CONFIG', 'SET', 'tls-cert-file', 'absent')).toBe('OK');
    await other.close();
    const failing = createServer({ settings: settings({ 'tls-cert-file': 'absent', 'tls-port': await freePort() }) });
    await expect(failing.listen()).rejects.toThrow();
    await failing.close();
  });
});

describe('handshakes that come to nothing', () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;

  test('past maxclients the connection is dropped before its handshake', async () => {
    expect(await set('maxclients', '2')).toBe('OK');
    const peers = [new Peer(), new Peer()];
    for (const peer of peers) expect(await peer.ping()).toBe('+PONG\r\n');
    expect(await pingAs('client')).toBe('');
    for (const peer of peers) peer.socket.destroy();
    expect(await set('maxclients', '10000')).toBe('OK');
  });

  test('garbage in many forms: a log line each, and every descriptor comes back', async () => {
    lines.length = 0;
    await until(() => server.engine.sessions.size === 0, 'no clients');
    const before = descriptors();
    const inputs = ['', 'PING\r\n', '\x16\x03\x01\x00\x05abcde', '\x16\x03\x01\x02\x00', '\0'.repeat(100)];
    const count = 300;
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const socket = connectTcp({ port, host: '127.0.0.1' });
        socket.on('error', () => {});
        const closed = new Promise((resolve) => socket.on('close', resolve));
        socket.resume();
        const cut = i % 3 === 0;
        socket.on('connect', () => {
          socket.write(Buffer.from(inputs[i % inputs.length], 'latin1'));
          if (cut) socket.destroy();
          else socket.end();
        });
        await closed;
      }),
    );
    await until(() => lines.filter((line) => line.includes('Error accepting a client')).length >= count, 'all refused');
    expect(logged('error:0A00010B:SSL routines::wrong version number')).toBe(true);
    await until(() => descriptors() <= before, `descriptors back to ${before}`);
    expect(server.engine.sessions.size).toBe(0);
    expect(await pingAs('client')).toBe('+PONG\r\n');
  });

  test('a handshake that takes too long is ended', async () => {
    const reasons: string[] = [];
    const watcher = { admits: () => true, refused: (reason: string) => void reasons.push(reason) };
    const transport = new TlsTransport(new RealNetwork(), new RealClock(), watcher, 150);
    transport.configure(tlsOptions(server.config.settings, new RealDisk(), certificates.folder).server, 'no');
    const slow = await freePort();
    const listening = await transport.listen({ host: '127.0.0.1', port: slow, ipv6Only: false }, 10, () => {});
    const socket = connectTcp({ port: slow, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(Buffer.from('\x16\x03\x01\x02\x00', 'latin1'));
    const trickle = setInterval(() => socket.write('\x01'), 20);
    await new Promise((resolve) => socket.on('close', resolve));
    clearInterval(trickle);
    listening.close();
    expect(reasons).toEqual(['TLS handshake timed out']);
  });
});
