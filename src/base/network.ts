/**
 * The network as a server sees it, handed in like time: the real one is node:net, a simulation's is a queue of its own.
 */
import { lookup } from 'node:dns/promises';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';

export const PORT_MAX = 65_535;

/** '127.0.0.1:6379' or '[::1]:6379'. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A TCP address, or the path of a unix socket. */
export type Endpoint =
  | { readonly host?: string; readonly port: number; readonly ipv6Only?: boolean }
  | { readonly path: string };

/** Where to connect to and, if that matters, the IP address to go out from. */
export type Destination = Endpoint & {
  readonly source?: string;
  /** What 'data' shows is good until its listener returns: bytes that come in bulk need no memory of their own then. */
  readonly fleeting?: boolean;
};

export interface Listener {
  /** The port that was taken, 0 for a unix socket. */
  readonly port: number;
  /** Takes no further connection; those there are stay. */
  close(): void;
}

/** A connection that we have opened; what a socket has beside a stream's methods, another network may lack. */
export type Outgoing = Duplex & {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  setNoDelay?(on: boolean): unknown;
  setKeepAlive?(on: boolean, milliseconds: number): unknown;
  /** Whether it keeps the process from ending. */
  ref?(): unknown;
  unref?(): unknown;
};

export interface Network {
  /** Rejects with Node's own error (EADDRINUSE ...) when the endpoint can't be had. */
  listen(endpoint: Endpoint, backlog: number, accept: (stream: Duplex) => void): Promise<Listener>;
  /** A stream that emits 'connect', or an error; one of 'bind' where the address that it goes out from can't be had. */
  connect(endpoint: Destination): Outgoing;
  /** The first address of a host; rejects where it has none. */
  lookup(host: string, family: 0 | 4 | 6): Promise<string>;
  /** All addresses of a host; none where it has none. */
  addresses(host: string): Promise<string[]>;
}

export { isIP } from 'node:net';

const READ_BYTES = 64 * 1024;

/** A stream over an accepted socket that is at hand as Node's own handle; half-open use is allowed. */
export function streamOver(handle: object): Duplex {
  const options = { handle, allowHalfOpen: true, readable: true, writable: true };
  return new net.Socket(options).setNoDelay(true);
}

/** Deno's imitation of Node is otherwise in some places of the network. */
export const IN_DENO = 'deno' in process.versions;

export class RealNetwork implements Network {
  listen(endpoint: Endpoint, backlog: number, accept: (stream: Duplex) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      // It listens at :: for both families whatever it is asked, and so would find its own port taken beside 0.0.0.0.
      if (IN_DENO && 'ipv6Only' in endpoint && endpoint.ipv6Only && endpoint.host === '::')
        throw Object.assign(new Error('Deno has no :: of its own'), { code: 'EAFNOSUPPORT' });
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, accept);
      server.once('error', reject);
      server.listen({ ...endpoint, backlog }, () => {
        server.off('error', reject);
        const address = server.address();
        resolve({
          port: typeof address === 'object' && address !== null ? address.port : 0,
          close: () => void server.close(),
        });
      });
    });
  }

  connect({ source, fleeting = false, ...endpoint }: Destination): Outgoing {
    const buffer = new Uint8Array(fleeting ? READ_BYTES : 0);
    const callback = (count: number): boolean => {
      socket.emit('data', buffer.subarray(0, count));
      return true;
    };
    const socket = net.connect({
      ...endpoint,
      ...(source !== undefined && { localAddress: source }),
      ...(fleeting && { onread: { buffer, callback } }),
    });
    return socket;
  }

  async lookup(host: string, family: 0 | 4 | 6): Promise<string> {
    return (await lookup(host, { family })).address;
  }

  async addresses(host: string): Promise<string[]> {
    const found = await lookup(host, { all: true }).catch(() => []);
    return found.map(({ address }) => address);
  }
}
