/**
 * Suite 15. Handshakes that come to nothing: random bytes, ClientHellos cut off or changed, records of impossible length,
 * certificates missing or of strangers, peers that go away or say nothing more.
 *
 * Afterwards the server lives, serves a good client, and has as many descriptors as before.
 * Planted once: a peer's end in the middle of its handshake was left to the timeout; the slice found it.
 */
import { createServer as createTcpServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { atOnce, descriptors, pause, Raw, resident, until } from './harness.ts';

const AT_ONCE = 64;
/** Whose peer has ended its side is let go long before the time for a handshake is over. */
const PROMPTLY_MS = 8000;
/** Longer than the server gives a handshake. */
const HANDSHAKE_MS = 12_000;

export interface TlsReport {
  readonly handshakes: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly grownMiB: number;
}

/** The first flight of a real client. */
async function clientHello(): Promise<Buffer> {
  const port = await freePort();
  return new Promise((resolve) => {
    const listener = createTcpServer((socket: Socket) => {
      socket.once('data', (bytes: Buffer) => {
        socket.destroy();
        listener.close();
        resolve(bytes);
      });
    });
    listener.listen(port, '127.0.0.1', () => {
      connectTls({ port, host: '127.0.0.1' }).on('error', () => {});
    });
  });
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

function badBytes(random: Random, hello: Buffer): Buffer {
  switch (random.below(7)) {
    case 0:
      return randomBytes(random, random.below(600));
    case 1:
      return hello.subarray(0, random.below(hello.length));
    case 2: {
      const changed = Buffer.from(hello);
      for (let i = random.below(8); i >= 0; i--) changed[random.below(changed.length)] = random.below(256);
      return changed;
    }
    case 3:
      return Buffer.concat([Buffer.from([22, 3, random.below(5), 0xff, 0xff]), randomBytes(random, 300)]);
    case 4:
      return Buffer.concat([hello, randomBytes(random, 1 + random.below(100))]);
    case 5:
      return Buffer.from([21, 3, 3, 0, 2, 2, random.below(120)]);
    default:
      return Buffer.from('*1\r\n$4\r\nPING\r\n');
  }
}

/** A real client that has no certificate, or one that the server doesn't trust. */
function unwelcome(port: number, certificates: Certificates, stranger: boolean): Promise<void> {
  return new Promise((resolve) => {
    const identity = stranger && { cert: certificates.read('stranger.crt'), key: certificates.read('stranger.key') };
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...identity });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
}

async function badHandshake(port: number, certificates: Certificates, random: Random, hello: Buffer): Promise<void> {
  const choice = random.below(40);
  if (choice < 2) return unwelcome(port, certificates, choice === 0);
  const raw = new Raw(port);
  raw.socket.write(badBytes(random, hello));
  const leaving = random.below(3);
  await until(() => raw.connected || raw.closed, 'a connection');
  if (leaving === 0) raw.reset();
  else raw.socket.end();
  await until(() => raw.closed, 'the end of a bad handshake', PROMPTLY_MS);
}

async function goodClient(port: number, certificates: Certificates): Promise<void> {
  const answer = await new Promise<string>((resolve, reject) => {
    const identity = { cert: certificates.read('client.crt'), key: certificates.read('client.key') };
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...identity });
    socket.on('error', reject);
    socket.on('data', (bytes: Buffer) => {
      resolve(bytes.toString());
      socket.destroy();
    });
    socket.write('PING\r\n');
  });
  if (answer !== '+PONG\r\n') throw new Error(`a good client got ${JSON.stringify(answer)}`);
}

async function attack(
  server: ServerProcess,
  port: number,
  certificates: Certificates,
  count: number,
  seed: number,
): Promise<TlsReport> {
  const hello = await clientHello();
  const random = new SeededRandom(seed);
  await goodClient(port, certificates);
  await pause(50);
  const before = descriptors(server.pid);
  const memory = resident(server.pid);
  // These never say anything more; the server has to end them by itself.
  const silent = Array.from({ length: Math.min(100, Math.floor(count / 1000)) }, () => new Raw(port));
  for (const raw of silent) raw.socket.write(hello.subarray(0, 50));
  await atOnce(count - silent.length, AT_ONCE, () => badHandshake(port, certificates, random, hello));
  await until(() => silent.every((raw) => raw.closed), 'the end of those that are silent', HANDSHAKE_MS);
  await goodClient(port, certificates);
  await until(() => descriptors(server.pid) <= before, `descriptors back to ${before}`, 3000);
  const grownMiB = (resident(server.pid) - memory) / 2 ** 20;
  return { handshakes: count, descriptorsBefore: before, descriptorsAfter: descriptors(server.pid), grownMiB };
}

export async function badHandshakes(count: number, seed: number): Promise<TlsReport> {
  const certificates = makeCertificates();
  const port = await freePort();
  const file = (name: string): string => certificates.path(name);
  const files = ['--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key')];
  const server = await startCinnabar('--tls-port', String(port), ...files, '--tls-ca-cert-file', file('ca.crt'));
  try {
    return await attack(server, port, certificates, count, seed);
  } finally {
    await server.stop();
    certificates.remove();
  }
}
