/**
 * TLS: raw streams of the plain road go through node:tls before anybody hears of them.
 *
 *   listener -> raw stream -> handshake (bounded in number and time) -> PlainConnection over the TLS stream -> accept
 *
 * A node:tls server that listens nowhere does the handshakes. New settings make a new one; connections that were accepted
 * by the old one stay as they are.
 */
import type { Duplex } from 'node:stream';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Network } from '../base/network.ts';
import { codeOf } from '../base/system-error.ts';
import type { Clock } from '../base/time.ts';
import { tlsReason, UNVERIFIED } from '../config/tls-options.ts';
import { listenPlain, PlainConnection } from './plain.ts';
import type { Connection, ListenEndpoint, Listening, Transport } from './transport.ts';

/** How long a handshake may take. */
const HANDSHAKE_MS = 10_000;
/** How long a connection that is being closed may take to say so to its peer. */
const FAREWELL_MS = 1000;

export type ClientCertificates = 'no' | 'yes' | 'optional';

type Accept = (connection: Connection) => void;

export interface TlsWatcher {
  /** Whether one more connection may begin its handshake beside those that are at it. */
  admits(handshakes: number): boolean;
  /** A handshake failed. */
  refused(reason: string): void;
}

export class TlsTransport implements Transport {
  readonly name = 'tls';
  private readonly network: Network;
  private readonly clock: Clock;
  private readonly watcher: TlsWatcher;
  private readonly handshakeMs: number;
  private options: SecureContextOptions | null = null;
  private certificates: ClientCertificates = 'yes';
  private server: Server | null = null;
  private accept: Accept = (connection) => connection.close();
  private handshakes = 0;
  private nextFd = 100_000;

  constructor(network: Network, clock: Clock, watcher: TlsWatcher, handshakeMs = HANDSHAKE_MS) {
    this.network = network;
    this.clock = clock;
    this.watcher = watcher;
    this.handshakeMs = handshakeMs;
  }

  get configured(): boolean {
    return this.options !== null;
  }

  /** From now on handshakes are made like this. */
  configure(options: SecureContextOptions, certificates: ClientCertificates): void {
    this.options = options;
    this.ask(certificates);
  }

  /** From now on clients are asked for certificates like this. */
  ask(certificates: ClientCertificates): void {
    this.certificates = certificates;
    if (this.options !== null) this.server = this.makeServer(this.options);
  }

  listen(endpoint: ListenEndpoint, backlog: number, accept: Accept): Promise<Listening> {
    this.accept = accept;
    return listenPlain(this.network, endpoint, backlog, (raw) => this.begin(raw));
  }

  private begin(raw: Duplex): void {
    if (this.server === null || !this.watcher.admits(this.handshakes)) {
      raw.on('error', () => {});
      raw.destroy();
      return;
    }
    this.handshakes++;
    // Only an established connection is worth answering after its peer's end.
    raw.allowHalfOpen = false;
    this.server.emit('connection', raw);
  }

  /** Each stream that goes in comes out by exactly one of the two events. */
  private makeServer(options: SecureContextOptions): Server {
    const { certificates } = this;
    const server = createServer({
      ...options,
      requestCert: certificates !== 'no',
      rejectUnauthorized: certificates === 'yes',
      handshakeTimeout: this.handshakeMs,
      noDelay: true,
    });
    server.on('secureConnection', (stream) => {
      this.handshakes--;
      stream.allowHalfOpen = true;
      if (certificates === 'optional' && !stream.authorized && showsCertificate(stream)) {
        stream.on('error', () => {});
        stream.destroy();
        this.watcher.refused(UNVERIFIED);
      } else {
        this.accept(new TlsConnection(stream, this.nextFd++, this.clock));
      }
    });
    server.on('tlsClientError', (error, stream) => {
      this.handshakes--;
      stream.on('error', () => {});
      stream.destroy();
      this.watcher.refused(reasonOf(error, stream));
    });
    return server;
  }
}

function showsCertificate(stream: TLSSocket): boolean {
  return Object.keys(stream.getPeerCertificate()).length > 0;
}

function reasonOf(error: Error, stream: TLSSocket): string {
  return codeOf(error) === 'ECONNRESET' && stream.authorizationError ? UNVERIFIED : tlsReason(error);
}

class TlsConnection extends PlainConnection {
  override readonly secure = true;
  private readonly clock: Clock;

  /** The peer is told that no more comes, as far as that can be done at once. */
  protected override destroy(): void {
    const { stream } = this;
    if (stream.destroyed || stream.writableLength > 0 || stream.writableEnded) {
      stream.destroy();
      return;
    }
    const late = this.clock.after(FAREWELL_MS, () => stream.destroy());
    stream.once('close', () => late.cancel());
    stream.resume();
    stream.end(() => stream.destroy());
  }

  constructor(stream: TLSSocket, fd: number, clock: Clock) {
    super(stream, null, fd);
    this.clock = clock;
  }
}
