/**
 * Connections that other servers open to a port of ours that is not for clients, as the bus of a cluster has one: over TCP or
 * TLS, from the network that is handed in. Who comes by TLS must show a certificate of the authorities.
 *
 *   listener ─> arrival ─> (handshake, bounded in number and time) ─> wire ─> Guest
 */
import type { Duplex } from 'node:stream';
import { createServer, type Server } from 'node:tls';
import type { Listener, Network } from '../base/network.ts';
import { systemError } from '../base/system-error.ts';
import { type TlsContextOptions, tlsReason } from '../config/tls-options.ts';
import { type Arrival, type FastWires, StreamWire, type Wire } from './wire.ts';

/** How long a handshake may take, and how many may be at it. */
const HANDSHAKE_MS = 10_000;
const HANDSHAKES = 256;

export interface AcceptorParts {
  readonly network: Network;
  /** Null where there are streams only. */
  readonly fast: FastWires | null;
  /** What the settings say of TLS; null where nothing is configured. The same value is the same context. */
  readonly tls: () => TlsContextOptions | null;
  readonly log: { verbose(message: string): void };
}

export interface Place {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  /** Receivers keep no buffer that they are handed. */
  readonly fleeting?: boolean;
}

/** Hears what comes over a connection; nothing after `closed`, nor after the connection's own `close()`. */
export interface GuestReceiver {
  /** The buffer is the receiver's to keep, unless the place says that receivers keep none. */
  data(bytes: Buffer, from: number, to: number): void;
  closed(reason: string): void;
}

/** A connection that was accepted. */
export class Guest {
  receiver: GuestReceiver | null = null;
  /** Addresses of both ends; '' where there are none. */
  readonly ip: string;
  readonly localIp: string;
  private readonly wire: Wire;

  constructor(wire: Wire) {
    this.wire = wire;
    this.ip = bare(wire.peer);
    this.localIp = bare(wire.localIp);
    wire.receiver = {
      data: (bytes, from, to) => this.receiver?.data(bytes, from, to),
      ended: (error) => this.end(error === null ? 'connection lost' : systemError(error)),
    };
    wire.begin();
  }

  /** Bytes that were written and that the system has not taken yet. */
  get unsent(): number {
    return this.wire.unsent;
  }

  write(bytes: Uint8Array): void {
    this.wire.write(bytes);
  }

  /** Ends it at once, silently. */
  close(): void {
    this.receiver = null;
    this.wire.close();
  }

  private end(reason: string): void {
    const { receiver } = this;
    this.close();
    receiver?.closed(reason);
  }
}

/** IPv4 addresses of a socket that takes both families are told as such. */
function bare(address: string): string {
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
  async listen(
    { host, port, backlog, fleeting = false }: Place,
    secure: () => boolean,
    accept: (guest: Guest) => void,
  ): Promise<Listener> {
    this.accept = accept;
    const arrived = (arrival: Arrival): void => {
      if (secure()) this.secure(arrival.stream());
      else accept(new Guest(arrival.wire()));
    };
    const { network, fast } = this.parts;
    if (fast !== null) return fast.listen({ host, port, fleeting }, backlog, arrived);
    const endpoint = { host, port, ipv6Only: host.includes(':') };
    return network.listen(endpoint, backlog, (stream) => {
      arrived({ wire: () => new StreamWire(stream), stream: () => stream });
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
      this.accept(new Guest(new StreamWire(stream)));
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
