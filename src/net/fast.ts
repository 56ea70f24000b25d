/**
 * The faster road: libuv's handles (raw.ts), with one receive buffer for all connections. Reading costs one call from
 * native code; a write that the kernel takes at once costs one call and makes nothing. Where there are no such handles
 * plain.ts does the same work over public streams.
 */

import { setImmediate } from 'node:timers';
import { getSystemErrorName } from 'node:util';
import { listenRaw, type RawHandle, RawRoom, RawSocket, readInto, UV_EOF, WRITTEN } from './raw.ts';
import type { Connection, ListenEndpoint, Listening, Receiver, Transport } from './transport.ts';

export class FastTransport extends RawRoom implements Transport {
  readonly name = 'fast';

  listen(endpoint: ListenEndpoint, backlog: number, accept: (c: Connection) => void): Listening {
    return listenRaw(this.bindings, endpoint, backlog, (handle, path) => accept(this.connection(handle, path)));
  }

  /** A connection over a socket that has been accepted. */
  connection(handle: RawHandle, path: string | null): Connection {
    return new FastConnection(this, handle, path);
  }
}

class FastConnection extends RawSocket implements Connection {
  receiver: Receiver | null = null;
  readonly secure = false;
  private readonly transport: FastTransport;
  private reading = true;

  constructor(transport: FastTransport, handle: RawHandle, path: string | null) {
    super(handle, path);
    this.transport = transport;
    readInto(this, handle, transport.buffer);
    handle.readStart();
  }

  /** Bytes have come into the shared buffer, or a negative status. */
  received(): void {
    const receiver = this.receiver;
    if (receiver === null || !this.open) return;
    const { count } = this.transport;
    if (count > 0) receiver.onData(this.transport.buffer, 0, count);
    else if (count < 0) receiver.onEnd(count === UV_EOF ? null : getSystemErrorName(count));
  }

  write(bytes: Uint8Array): boolean {
    return this.wrote(this.transport.writes.write(this, this.handle, bytes));
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    return this.wrote(this.transport.writes.writeAll(this, this.handle, parts));
  }

  private wrote(outcome: number): boolean {
    if (outcome === WRITTEN) return true;
    // The break is told outside of the caller's stack, as a failing read would be.
    if (outcome < 0) setImmediate(() => this.completed(outcome));
    return false;
  }

  completed(status: number): void {
    const receiver = this.receiver;
    if (receiver === null || !this.open) return;
    if (status === 0) receiver.onWritten();
    else receiver.onEnd(getSystemErrorName(status));
  }

  pause(): void {
    if (!this.reading || !this.open) return;
    this.reading = false;
    this.handle.readStop();
  }

  resume(): void {
    if (this.reading || !this.open) return;
    this.reading = true;
    this.handle.readStart();
  }

  finish(): boolean {
    return true;
  }

  override close(): void {
    this.receiver = null;
    super.close();
  }
}
