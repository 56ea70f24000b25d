/**
 * Connections that other servers open to a port of ours that is not for clients, as the bus of a cluster has one: over TCP or
 * TLS, from the network that is handed in. Who comes by TLS must show a certificate of the authorities.
 *
 *   listener ─> raw stream ─> (handshake, bounded in number and time) ─> Guest
 */
import type { Duplex } from 'node:stream';
import { createServer, type Server } from 'node:tls';
import type { Listener, Network } from '../base/network.ts';
import { systemError } from '../base/system-error.ts';
import { type TlsContextOptions, tlsReason } from '../config/tls-options.ts';

/** How long a handshake may take, and how many may be at it. */
const HANDSHAKE_MS = 10_000;
const HANDSHAKES = 256;

export interface AcceptorParts {
  readonly network: Network;
  /** What the settings say of TLS; null where nothing is configured. The same value is the same context. */
  readonly tls: () => TlsContextOptions | null;
  readonly log: { verbose(message: string): void };
}

export interface Place {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
}

/** Hears what comes over a connection; nothing after `closed`, nor after the connection's own `close()`. */
export interface GuestReceiver {
  /** The buffer is the receiver's to keep. */
  data(bytes: Buffer, from: number, to: number): void;
  closed(reason: string): void;
}

interface MaybeSocket {
  readonly remoteAddress?: string;
  readonly localAddress?: string;
}

/** A connection that was accepted. */
export class Guest {
  receiver: GuestReceiver | null = null;
  /** Addresses of both ends; '' where there are none. */
  readonly ip: string;
  readonly localIp: string;
  private readonly stream: Duplex;

  constructor(stream: Duplex & MaybeSocket) {
    this.stream = stream;
    this.ip = bare(stream.remoteAddress);
    this.localIp = bare(stream.localAddress);
    stream.on('data', (bytes: Buffer) => this.receiver?.data(bytes, 0, bytes.length));
    stream.on('error', (error) => this.end(systemError(error)));
    stream.once('end', () => this.end('connection lost'));
    stream.once('close', () => this.end('connection lost'));
  }

  /** Bytes that were written and that the system has not taken yet. */
  get unsent(): number {
    return this.stream.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.stream.destroyed) this.stream.write(bytes);
  }

  /** Ends it at once, silently. */
  close(): void {
    this.receiver = null;
    this.stream.destroy();
  }

  private end(reason: string): void {
    const { receiver } = this;
    this.close();
    receiver?.closed(reason);
  }
}

/** IPv4 addresses of a socket that takes both families are told as such. */
function bare(address = ''): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

export class Acceptor {
  private readonly parts: AcceptorParts;
  private handshakes = 0;
  private secured: { readonly options: TlsContextOptions; readonly server: Server } | null = null;
  private accept: (guest: Guest) => void = (guest) => guest.close();

  constructor(parts: AcceptorParts) {
    this.parts = parts;
  }

  /** Rejects with the system's error where the place can't be had. `secure` is asked for each connection. */
  listen({ host, port, backlog }: Place, secure: () => boolean, accept: (guest: Guest) => void): Promise<Listener> {
    this.accept = accept;
    const endpoint = { host, port, ipv6Only: host.includes(':') };
    return this.parts.network.listen(endpoint, backlog, (stream) => {
      if (secure()) this.secure(stream);
      else accept(new Guest(stream));
    });
  }

  private secure(raw: Duplex): void {
    const options = this.parts.tls();
    if (options === null || this.handshakes >= HANDSHAKES) {
      refuse(raw);
      return;
    }
    if (this.secured?.options !== options) this.secured = { options, server: this.makeServer(options) };
    this.handshakes++;
    raw.allowHalfOpen = false;
    this.secured.server.emit('connection', raw);
  }

  /** One that listens nowhere: each stream that goes in comes out by exactly one of the two events. */
  private makeServer(options: TlsContextOptions): Server {
    const server = createServer({
      ...options,
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS,
      noDelay: true,
    });
    server.on('secureConnection', (stream) => {
      this.handshakes--;
      this.accept(new Guest(stream));
    });
    server.on('tlsClientError', (error, stream) => {
      this.handshakes--;
      refuse(stream);
      this.parts.log.verbose(`Error accepting cluster node connection: ${tlsReason(error)}`);
    });
    return server;
  }
}

function refuse(stream: Duplex): void {
  stream.on('error', () => {});
  stream.destroy();
}
