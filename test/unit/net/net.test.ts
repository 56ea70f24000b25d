import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RealDisk } from '../../../src/base/disk.ts';
import { environmentWith } from '../../../src/base/environment.ts';
import { RealNetwork } from '../../../src/base/network.ts';
import type { Slice } from '../../../src/base/slice.ts';
import { RealClock } from '../../../src/base/time.ts';
import type { SessionHost, SessionPort, TransportSession } from '../../../src/engine/ports.ts';
import { FastTransport } from '../../../src/net/fast.ts';
import { IoThreads } from '../../../src/net/io-threads/threads.ts';
import type { NetCounters, NetSettings } from '../../../src/net/parts.ts';
import { PlainTransport } from '../../../src/net/plain.ts';
import { findBindings } from '../../../src/net/raw.ts';
import { NetServer } from '../../../src/net/server.ts';
import type { Connection, Receiver, Transport } from '../../../src/net/transport.ts';
import { ChunkPool } from '../../../src/protocol/chunk.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { freePort } from '../../support/ports.ts';

class FakeSession implements TransportSession {
  readonly onDrained = null;
  readonly reply: Reply;
  readonly port: SessionPort;
  authenticated = true;
  outputClass = 0;
  mayIdleOut = true;
  released = false;

  constructor(port: SessionPort, pool: ChunkPool) {
    this.port = port;
    this.reply = new Reply(pool);
  }

  describe(): string {
    return `addr=${this.port.address}`;
  }
}

/** Answers a few commands, enough to exercise every path of a connection. */
class FakeHost implements SessionHost<FakeSession> {
  readonly pool = new ChunkPool();
  readonly sessions = new Set<FakeSession>();
  readonly blocked: FakeSession[] = [];
  readonly reasons: string[] = [];
  executed = 0;
  empties = 0;
  authenticated = true;

  open(port: SessionPort): FakeSession {
    const session = new FakeSession(port, this.pool);
    session.authenticated = this.authenticated;
    this.sessions.add(session);
    return session;
  }

  goOn(): boolean {
    return true;
  }

  executeNothing(): void {
    this.empties++;
  }

  execute(session: FakeSession, args: Slice[], argc: number): boolean {
    this.executed++;
    switch (args[0].latin1()) {
      case 'ECHO':
        session.reply.bulk(args[1]);
        return true;
      case 'LEN':
        session.reply.int(args[1].length);
        return true;
      case 'BIG':
        session.reply.bulkText('x'.repeat(Number(args[1].latin1())));
        return true;
      case 'BLOCK':
        this.blocked.push(session);
        return false;
      case 'WAKE':
        for (const other of this.blocked.splice(0)) {
          other.reply.status('WOKEN');
          other.port.resume();
        }
        break;
      case 'QUIT':
        session.reply.ok();
        session.port.closeAfterReply();
        return false;
      case 'DIE':
        session.reply.ok();
        session.port.close();
        return false;
      default:
        break;
    }
    session.reply.int(argc);
    return true;
  }

  protocolError(_: FakeSession, reason: string): void {
    this.reasons.push(reason);
  }

  leave(session: FakeSession): void {
    expect(this.sessions.delete(session)).toBe(true);
  }

  enter(): void {}
  beforeWrite(): void {}
}

class Peer {
  readonly socket: Socket;
  received = '';
  /** Bytes received while \`counting\`, not kept. */
  count = 0;
  counting = false;
  ended = false;
  private wake: () => void = () => {};

  constructor(to: { port: number } | { path: string }) {
    this.socket = connect({ ...to, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      if (this.counting) this.count += chunk.length;
      else this.received += chunk.toString('latin1');
      this.wake();
    });
    this.socket.on('end', () => this.finish());
    this.socket.on('close', () => this.finish());
    this.socket.on('error', () => this.finish());
  }

  private finish(): void {
    this.ended = true;
    this.wake();
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  async expect(text: string): Promise<void> {
    await this.until(() => this.ended || this.received.length >= text.length);
    expect(this.received).toBe(text);
    this.received = '';
  }
}

function command(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

const NO_TLS = {
  tlsPort: 0,
  tlsCertFile: '',
  tlsKeyFile: '',
  tlsKeyFilePass: '',
  tlsClientCertFile: '',
  tlsClientKeyFile: '',
  tlsClientKeyFilePass: '',
  tlsDhParamsFile: '',
  tlsCaCertFile: '',
  tlsCaCertDir: '',
  tlsAuthClients: 'yes',
  tlsReplication: false,
  tlsCluster: false,
  tlsProtocols: '',
  tlsCiphers: '',
  tlsCiphersuites: '',
  tlsPreferServerCiphers: false,
  tlsSessionCaching: true,
  tlsSessionCacheTimeout: 300,
} as const;

type Changeable = { -readonly [K in keyof NetSettings]: NetSettings[K] };

function netServer(host: FakeHost, transport: Transport, port: number, logged: string[] = [], unixsocket = '') {
  const none = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  const settings: Changeable = {
    port,
    bind: ['127.0.0.1', '-::1'],
    tcpBacklog: 511,
    unixsocket,
    unixsocketperm: 0o700,
    ...NO_TLS,
    ioThreads: 1,
    tcpKeepalive: 300,
    timeout: 0,
    maxclients: 100,
    protectedMode: true,
    protoMaxBulkLen: 512 * 1024 * 1024,
    clientQueryBufferLimit: 1024 * 1024 * 1024,
    clientOutputBufferLimit: [none, none, none],
  };
  const counters = {
    netInput: 0,
    netOutput: 0,
    netReplOutput: 0,
    totalReads: 0,
    totalWrites: 0,
    ioThreads: 0,
    ioThreadedReads: 0,
    ioThreadedWrites: 0,
    rejectedConnections: 0,
    queryLimitDisconnections: 0,
    outputLimitDisconnections: 0,
  };
  const log = (text: string): void => void logged.push(text);
  const server = new NetServer<FakeSession>({
    host,
    settings,
    counters,
    log: { verbose: log, notice: log, warning: log },
    clock: new RealClock(),
    transport,
    network: new RealNetwork(),
    disk: new RealDisk(),
  });
  return { server, settings, counters };
}

function fastTransport(): FastTransport {
  return new FastTransport(findBindings()!);
}

function ioThreads(): Transport {
  const counters = { ioThreads: 0, ioThreadedReads: 0, ioThreadedWrites: 0 };
  const log = { verbose() {}, notice() {}, warning() {} };
  return new IoThreads(fastTransport(), { environment: environmentWith(), count: 2, log, counters });
}

const ROADS: { name: string; make: () => Transport }[] = [
  { name: 'fast', make: fastTransport },
  { name: 'threads', make: ioThreads },
  { name: 'plain', make: () => new PlainTransport(new RealNetwork()) },
];

describe.each(ROADS)('the $name road', ({ make }) => {
  let host: FakeHost;
  let transport: Transport;
  let server: NetServer<FakeSession>;
  let settings: Changeable;
  let counters: NetCounters;
  const logged: string[] = [];
  const peers: Peer[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'net-'));

  function peer(): Peer {
    const made = new Peer({ port: server.port });
    peers.push(made);
    return made;
  }

  beforeEach(async () => {
    host = new FakeHost();
    logged.length = 0;
    transport = make();
    const made = netServer(host, transport, await freePort(), logged, join(folder, 'socket'));
    ({ server, settings, counters } = made);
    expect(await server.listeners.listen()).toBe(undefined);
  });

  afterEach(async () => {
    for (const p of peers.splice(0)) p.socket.destroy();
    server.stop();
    await transport.close?.();
    rmSync(join(folder, 'socket'), { force: true });
  });

  test('commands in any pieces, pipelined or not', async () => {
    const p = peer();
    p.send(command('ECHO', 'hello'));
    await p.expect('$5\r\nhello\r\n');
    const many = Array.from({ length: 5000 }, (_, i) => command('ECHO', `v${i}`)).join('');
    const replies = Array.from({ length: 5000 }, (_, i) => `$${`v${i}`.length}\r\nv${i}\r\n`).join('');
    p.send(many);
    await p.expect(replies);
    for (let at = 0; at < 300; at += 7) {
      p.send(many.slice(at, at + 7));
      await new Promise((resolve) => setImmediate(resolve));
    }
    p.send(many.slice(301));
    await p.expect(replies);
    expect(host.pool.held).toBe(0);
    expect(counters.netInput).toBeGreaterThan(many.length);
  });

  test('large arguments and large replies', async () => {
    const p = peer();
    p.send(command('LEN', 'y'.repeat(3_000_000)) + command('BIG', '5000000') + command('LEN', 'z'));
    await p.expect(`:3000000\r\n$5000000\r\n${'x'.repeat(5_000_000)}\r\n:1\r\n`);
    const [session] = host.sessions;
    expect(session.port.queryBytes).toBe(0);
    expect(session.port.queryFree).toBeGreaterThan(32768);
  });

  test('a blocked session takes no command until it is resumed; the bytes wait', async () => {
    const a = peer();
    const b = peer();
    a.send(command('BLOCK') + command('ECHO', 'after') + command('BLOCK'));
    a.send(command('ECHO', 'last'));
    await a.until(() => true);
    b.send(command('ECHO', 'b'));
    await b.expect('$1\r\nb\r\n');
    while (host.blocked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    b.send(command('WAKE'));
    await a.expect('+WOKEN\r\n$5\r\nafter\r\n');
    b.send(command('WAKE'));
    await a.expect('+WOKEN\r\n$4\r\nlast\r\n');
  });

  test('QUIT ends after its reply and drops what follows; DIE drops everything', async () => {
    const a = peer();
    a.send(command('QUIT') + command('ECHO', 'x'));
    await a.until(() => a.ended);
    expect(a.received).toBe('+OK\r\n');
    const b = peer();
    b.send(command('DIE') + command('ECHO', 'x'));
    await b.until(() => b.ended);
    expect(b.received).toBe('');
    expect(host.executed).toBe(2);
    expect(host.sessions.size).toBe(0);
  });

  test('a client that closes only its side gets its replies', async () => {
    const p = peer();
    p.socket.end(command('ECHO', 'one') + command('BIG', '300000'));
    await p.until(() => p.ended);
    expect(p.received.length).toBe(9 + 300000 + 11);
    expect(host.sessions.size).toBe(0);
  });

  test('protocol errors are told and close', async () => {
    const p = peer();
    p.send('*1\r\nfoo\r\n');
    await p.until(() => p.ended);
    expect(p.received).toBe("-ERR Protocol error: expected '$', got 'f'\r\n");
    expect(host.reasons).toEqual(['expected $ but got something else']);
  });

  test('maxclients and protected mode', async () => {
    settings.maxclients = 1;
    const a = peer();
    a.send(command('ECHO', 'x'));
    await a.expect('$1\r\nx\r\n');
    const b = peer();
    await b.until(() => b.ended);
    expect(b.received).toBe('-ERR max number of clients reached\r\n');
    expect(counters.rejectedConnections).toBe(1);
  });

  test('the query buffer limit', async () => {
    settings.clientQueryBufferLimit = 1024 * 1024;
    const p = peer();
    p.send(`*2\r\n$3\r\nLEN\r\n$5000000\r\n${'q'.repeat(2_000_000)}`);
    await p.until(() => p.ended);
    expect(logged.some((line) => line.startsWith('Closing client that reached max query buffer length: addr='))).toBe(
      true,
    );
  });

  test('output limits, hard; replies that are not read are bounded', async () => {
    settings.clientOutputBufferLimit = [
      { hardBytes: 20_000_000, softBytes: 0, softSeconds: 0 },
      ...settings.clientOutputBufferLimit.slice(1),
    ];
    const p = peer();
    p.socket.pause();
    p.send(command('BIG', '1000000').repeat(100));
    while (host.sessions.size > 0 || host.executed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(
      logged.some((line) => line.endsWith('scheduled to be closed ASAP for overcoming of output buffer limits.')),
    ).toBe(true);
    expect(host.pool.held).toBe(0);
  });

  test('without a limit a client that does not read is not read from either', async () => {
    const p = peer();
    p.counting = true;
    p.socket.pause();
    p.send(command('BIG', '10000000').repeat(30));
    while (host.executed < 12) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(host.executed).toBeLessThan(25);
    p.socket.resume();
    await p.until(() => p.count >= 30 * 10_000_013);
    expect(p.count).toBe(30 * 10_000_013);
  });

  test('idle clients are closed after timeout', async () => {
    settings.timeout = 1;
    const p = peer();
    p.send(command('ECHO', 'x'));
    await p.expect('$1\r\nx\r\n');
    server.tick();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    server.tick();
    await p.until(() => p.ended);
    expect(logged).toContain('Closing idle client');
  });

  test('unix socket', async () => {
    expect(statSync(settings.unixsocket).mode & 0o777).toBe(0o700);
    const p = new Peer({ path: settings.unixsocket });
    peers.push(p);
    p.send(command('ECHO', 'x'));
    await p.expect('$1\r\nx\r\n');
    const [session] = host.sessions;
    expect([session.port.address, session.port.unix]).toEqual([`${settings.unixsocket}:0`, true]);
  });

  test('port and bind change; a failure leaves the old ones', async () => {
    const taken = settings.port;
    const theirs = await freePort();
    const otherTransport = make();
    const other = new NetServer<FakeSession>({
      host,
      settings: { ...settings, port: theirs, unixsocket: '' },
      counters: counters as never,
      log: { verbose() {}, notice() {}, warning() {} },
      clock: new RealClock(),
      transport: otherTransport,
      network: new RealNetwork(),
      disk: new RealDisk(),
    });
    expect(await other.listeners.listen()).toBe(undefined);
    settings.port = theirs;
    expect(await server.listeners.portChanged()).toBe('Unable to listen on this port. Check server logs.');
    settings.port = taken;
    expect(logged.at(-1)).toBe(
      `Warning: Could not create server TCP listening socket 127.0.0.1:${theirs}: bind: Address already in use`,
    );
    other.stop();
    await otherTransport.close?.();
    settings.port = theirs;
    expect(await server.listeners.portChanged()).toBe(undefined);
    settings.bind = ['*', '-::*'];
    expect(await server.listeners.bindChanged()).toBe(undefined);
    settings.bind = ['203.0.113.7'];
    expect(await server.listeners.bindChanged()).toBe('Failed to bind to specified addresses.');
    settings.bind = ['*', '-::*'];
    const p = peer();
    p.send(command('ECHO', 'x'));
    await p.expect('$1\r\nx\r\n');
    const [session] = host.sessions;
    expect(session.port.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(session.port.localAddress).toBe(`127.0.0.1:${theirs}`);
  });

  test('many connections at once', async () => {
    const all = Array.from({ length: 60 }, () => peer());
    await Promise.all(
      all.map(async (p, i) => {
        for (let round = 0; round < 20; round++) {
          p.send(command('ECHO', `${i}-${round}`));
          await p.expect(`$${`${i}-${round}`.length}\r\n${i}-${round}\r\n`);
        }
      }),
    );
    expect(host.pool.held).toBe(0);
  });
});

/** Takes no write at once, and shows what lies where the kernel would still read. */
class SlowConnection implements Connection {
  receiver: Receiver | null = null;
  readonly fd = 1;
  readonly address = '127.0.0.1:1';
  readonly localAddress = '127.0.0.1:2';
  readonly peer = '127.0.0.1';
  readonly unix = false;
  readonly secure = false;
  underWay = '';
  private parts: readonly Uint8Array[] = [];

  write(bytes: Uint8Array): boolean {
    return this.writeAll([bytes]);
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    this.parts = parts;
    return false;
  }

  look(): string {
    return this.parts.map((part) => Buffer.from(part).toString('latin1')).join('');
  }

  close(): void {
    this.underWay = this.look();
  }

  finish(): boolean {
    return true;
  }

  pause(): void {}
  resume(): void {}
  setNoDelay(): void {}
  keepAlive(): void {}
}

test.each([4, 300_000])(
  'a reply of %i bytes that is being written is left alone until the connection is closed',
  async (size) => {
    let accept: (c: Connection) => void = () => {};
    const transport: Transport = {
      name: 'plain',
      listen: (_endpoint, _backlog, accepted) => {
        accept = accepted;
        return { port: 1, close() {} };
      },
    };
    const host = new FakeHost();
    const { server } = netServer(host, transport, 1);
    expect(await server.listeners.listen()).toBe(undefined);
    const [one, other] = [new SlowConnection(), new SlowConnection()];
    for (const connection of [one, other]) accept(connection);
    const ask = (connection: SlowConnection, letter: string): void => {
      const bytes = Buffer.from(command('ECHO', letter.repeat(size)));
      connection.receiver?.onData(bytes, 0, bytes.length);
    };
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    ask(one, 'a');
    await turn();
    const reply = `$${size}\r\n${'a'.repeat(size)}\r\n`;
    expect(one.look() === reply).toBe(true);
    [...host.sessions][0].port.close();
    ask(other, 'b');
    expect(one.look() === reply).toBe(true);
    await turn();
    expect(one.underWay === reply).toBe(true);
    expect(host.sessions.size).toBe(1);
    server.stop();
  },
);
