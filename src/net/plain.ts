/**
 * The plain road: public streams, from node:net or from whatever Network the server was given. An accepted stream must
 * allow half-open use: a client that ends its side is still owed its replies.
 */
import type { Duplex } from 'node:stream';
import { addressText, type Network } from '../base/network.ts';
import {
  type Connection,
  isUnix,
  type ListenEndpoint,
  ListenError,
  type Listening,
  type Receiver,
  type Transport,
} from './transport.ts';

/** What a socket has and a Duplex of another Network may lack. */
interface MaybeSocket {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  setKeepAlive?(on: boolean, milliseconds: number): unknown;
  setNoDelay?(on: boolean): unknown;
}

export class PlainTransport implements Transport {
  readonly name = 'plain';
  private readonly network: Network;
  /** Where no descriptor can be had, connections are numbered from here. */
  private nextFd = 1000;

  constructor(network: Network) {
    this.network = network;
  }

  listen(endpoint: ListenEndpoint, backlog: number, accept: (c: Connection) => void): Promise<Listening> {
    const path = isUnix(endpoint) ? endpoint.path : null;
    return listenPlain(this.network, endpoint, backlog, (stream) => {
      accept(new PlainConnection(stream, path, this.nextFd++));
    });
  }
}

/** Listens, with the system's refusal as a ListenError. */
export async function listenPlain(
  network: Network,
  endpoint: ListenEndpoint,
  backlog: number,
  accept: (stream: Duplex) => void,
): Promise<Listening> {
  try {
    return await network.listen(endpoint, backlog, accept);
  } catch (error) {
    throw new ListenError(error instanceof Error && 'code' in error ? String(error.code) : String(error));
  }
}

export class PlainConnection implements Connection {
  receiver: Receiver | null = null;
  readonly fd: number;
  readonly unix: boolean;
  readonly secure: boolean = false;
  readonly peer: string;
  readonly address: string;
  readonly localAddress: string;
  protected readonly stream: Duplex & MaybeSocket;
  /** Whether a write is under way whose end the receiver awaits. */
  private awaiting = false;
  private open = true;
  private readonly onWrite = (): void => {
    if (!this.awaiting || this.stream.writableLength > 0) return;
    this.awaiting = false;
    this.receiver?.onWritten();
  };

  constructor(stream: Duplex & MaybeSocket, path: string | null, fd: number) {
    this.stream = stream;
    this.fd = fd;
    this.unix = path !== null;
    this.peer = path === null ? (stream.remoteAddress ?? '') : '';
    this.address = path === null ? addressText(this.peer, stream.remotePort ?? 0) : `${path}:0`;
    this.localAddress = path === null ? addressText(stream.localAddress ?? '', stream.localPort ?? 0) : `${path}:0`;
    stream.on('data', (chunk: Buffer) => {
      // A plain array, as on the other road: code that reads both kinds would be slower for each.
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      if (this.open) this.receiver?.onData(bytes, 0, bytes.length);
    });
    stream.on('end', () => this.receiver?.onEnd(null));
    stream.on('error', (error: Error) => {
      this.receiver?.onEnd('code' in error ? String(error.code) : error.message);
    });
    stream.on('close', () => this.receiver?.onEnd(null));
  }

  write(bytes: Uint8Array): boolean {
    this.stream.write(bytes, this.onWrite);
    return this.written();
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    this.stream.cork();
    for (const part of parts) this.stream.write(part, this.onWrite);
    this.stream.uncork();
    return this.written();
  }

  /** A stream that holds nothing after a write has handed everything on. */
  private written(): boolean {
    this.awaiting = this.stream.writableLength > 0;
    return !this.awaiting;
  }

  finish(): boolean {
    return true;
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    if (this.open) this.stream.resume();
  }

  keepAlive(seconds: number): void {
    if (!this.unix) this.stream.setKeepAlive?.(seconds > 0, seconds * 1000);
  }

  setNoDelay(on: boolean): void {
    if (!this.unix) this.stream.setNoDelay?.(on);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.receiver = null;
    this.destroy();
  }

  protected destroy(): void {
    this.stream.destroy();
  }
}
