/**
 * What net/ asks of a way to move bytes. There are three: fast.ts, over handles inside Node, plain.ts, over node:net's
 * public streams, and io-threads/, where other threads hold such handles. All pass the same tests; transportFor() chooses.
 * tls.ts puts node:tls over the second.
 */

import { wordsOf } from '../base/system-error.ts';

export interface TcpEndpoint {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
}

export interface UnixEndpoint {
  readonly path: string;
}

export type ListenEndpoint = TcpEndpoint | UnixEndpoint;

/** A listening socket. */
export interface Listening {
  /** The port that was taken, 0 for a unix socket. */
  readonly port: number;
  /** Takes no further connection; those there are stay. */
  close(): void;
}

/** Hears what happens to a connection. Nothing is called after `onEnd`, nor after the connection's own `close()`. */
export interface Receiver {
  /** Bytes from `from` to `to` of a buffer that is the transport's again when this returns; they may be changed. */
  onData(buffer: Uint8Array, from: number, to: number): void;
  /** The write that had not finished has. */
  onWritten(): void;
  /** The peer sends no more; `error` when the connection broke. The receiver is still to close it. */
  onEnd(error: string | null): void;
}

export interface Connection {
  /** Set by the acceptor before it returns. */
  receiver: Receiver | null;
  readonly fd: number;
  /** As CLIENT LIST shows it; for a unix socket its path and ':0'. */
  readonly address: string;
  readonly localAddress: string;
  /** The peer's bare IP address, empty for a unix socket. */
  readonly peer: string;
  readonly unix: boolean;
  /** Whether it is one with TLS. */
  readonly secure: boolean;
  /**
   * Writes all of it. True when it has been taken and the bytes are the caller's again; false when that is still to come
   * and `onWritten` (or `onEnd`) will say so. Only one write is under way at a time.
   */
  write(bytes: Uint8Array): boolean;
  writeAll(parts: readonly Uint8Array[]): boolean;
  /** Whether all that was taken is the kernel's; if not, `onWritten` will tell that it is. */
  finish(): boolean;
  pause(): void;
  resume(): void;
  keepAlive(seconds: number): void;
  /** Sends what is small at once (as at first), or gathers it. */
  setNoDelay(on: boolean): void;
  /** At once; what is not written is lost. */
  close(): void;
}

export interface Transport {
  readonly name: 'fast' | 'plain' | 'threads' | 'tls';
  /** Throws or rejects with a ListenError. */
  listen(endpoint: ListenEndpoint, backlog: number, accept: (c: Connection) => void): Listening | Promise<Listening>;
  /** Lets go of what all connections shared; resolves when what they were closed with has been done. */
  close?(): Promise<void>;
}

/** Why an endpoint can't be had, in the words of the system. */
export class ListenError extends Error {
  override name = 'ListenError';
  readonly code: string;

  constructor(code: string) {
    super(`bind: ${code === 'ENOTFOUND' ? 'Name or service not known' : wordsOf(code)}`);
    this.code = code;
  }
}

/** Causes for which an address of `bind` is passed over: the machine lacks it (if it is optional) or its family. */
export const ABSENT_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT']);

export function isUnix(endpoint: ListenEndpoint): endpoint is UnixEndpoint {
  return 'path' in endpoint;
}
