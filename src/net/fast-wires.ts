/**
 * Connections to and from other servers over libuv's handles (raw.ts), as clients' are in fast.ts: one receive buffer for
 * all, and a write that the kernel takes at once costs one call. What it does not take waits here, as in a stream, and goes
 * in one call once the write under way is over.
 */
import { nextTick } from 'node:process';
import { getSystemErrorName } from 'node:util';
import { lengthOf } from '../base/copy.ts';
import { isIP, type Listener, type Network, streamOver } from '../base/network.ts';
import { SystemError } from '../base/system-error.ts';
import type { Arrival, FastWires, Wire, WirePlace, WireReceiver } from '../links/wire.ts';
import { bindingsOf, listenRaw, type RawHandle, RawRoom, RawSocket, readInto, UV_EOF, WRITTEN } from './raw.ts';

/** Null where there are streams only. */
export function fastWiresOf(network: Network, choice?: string): FastWires | null {
  const bindings = bindingsOf(network, choice);
  return bindings === undefined ? null : new HandleWires(bindings);
}

class HandleWires extends RawRoom implements FastWires {
  connect({ host, port, source, fleeting = false }: WirePlace): Wire {
    const { TCP, TCPConnectWrap, tcpSocket } = this.bindings;
    const six = isIP(host) === 6;
    const handle = new TCP(tcpSocket);
    const wire = new HandleWire(this, handle, fleeting);
    if (source !== undefined) {
      const status = six ? handle.bind6(source, 0, 0) : handle.bind(source, 0);
      if (status !== 0) {
        wire.failSoon(status, 'bind');
        return wire;
      }
    }
    const request = new TCPConnectWrap();
    request.oncomplete = (status) => wire.connected(status);
    const status = six ? handle.connect6(request, host, port) : handle.connect(request, host, port);
    if (status !== 0) wire.failSoon(status, 'connect');
    return wire;
  }

  listen({ host, port, fleeting = false }: WirePlace, backlog: number, accept: (arrival: Arrival) => void): Listener {
    return listenRaw(this.bindings, { host, port, ipv6Only: host.includes(':') }, backlog, (handle) =>
      accept({ wire: () => new HandleWire(this, handle, fleeting), stream: () => streamOver(handle) }),
    );
  }
}

class HandleWire extends RawSocket implements Wire {
  receiver: WireReceiver | null = null;
  /** Of the write under way, and of what waits for it to be over. */
  unsent = 0;
  private readonly wires: HandleWires;
  private readonly fleeting: boolean;
  private reads = true;
  private begun = false;
  /** A write has failed: nothing more is sent, and the receiver will be told. */
  private broken = false;
  /** The write under way, and who wants to know when it is over. */
  private flight: readonly Uint8Array[] | null = null;
  private flightTaken: readonly (() => void)[] = [];
  private waiting: Uint8Array[] = [];
  private waitingTaken: (() => void)[] = [];

  constructor(wires: HandleWires, handle: RawHandle, fleeting: boolean) {
    super(handle, null);
    this.wires = wires;
    this.fleeting = fleeting;
    readInto(this, handle, wires.buffer);
  }

  connected(status: number): void {
    if (status !== 0) this.fail(status, 'connect');
    else this.receiver?.connected?.();
  }

  begin(): void {
    if (!this.open || this.begun) return;
    this.begun = true;
    if (this.reads) this.handle.readStart();
  }

  received(): void {
    const { receiver } = this;
    if (receiver === null || !this.open) return;
    const { buffer, count } = this.wires;
    if (count > 0) {
      // Others' bytes come into the same buffer next: whoever may keep his gets them in memory of their own.
      const bytes = buffer.subarray(0, count);
      receiver.data(this.fleeting ? (bytes as Buffer) : owned(bytes), 0, count);
    } else if (count === UV_EOF) this.end(null);
    else if (count < 0) this.fail(count, 'read');
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (!this.open || this.broken) return;
    if (this.flight === null) this.send([bytes], taken === undefined ? [] : [taken]);
    else {
      this.wait(bytes);
      if (taken !== undefined) this.waitingTaken.push(taken);
    }
  }

  writeAll(parts: readonly Uint8Array[]): void {
    if (!this.open || this.broken || parts.length === 0) return;
    if (this.flight === null) this.send(parts, []);
    else for (const part of parts) this.wait(part);
  }

  completed(status: number): void {
    const { flight, flightTaken } = this;
    if (!this.open || flight === null) return;
    if (status !== 0) {
      this.fail(status, 'write');
      return;
    }
    this.flight = null;
    this.unsent -= lengthOf(flight);
    const { waiting, waitingTaken } = this;
    if (waiting.length > 0) {
      this.waiting = [];
      this.waitingTaken = [];
      this.unsent -= lengthOf(waiting);
      this.send(waiting, waitingTaken);
    }
    this.tell(flightTaken);
  }

  pause(): void {
    this.reads = false;
    if (this.begun && this.open) this.handle.readStop();
  }

  resume(): void {
    if (this.reads) return;
    this.reads = true;
    if (this.begun && this.open) this.handle.readStart();
  }

  hold(on: boolean): void {
    if (!this.open) return;
    if (on) this.handle.ref();
    else this.handle.unref();
  }

  failSoon(status: number, syscall: string): void {
    nextTick(() => this.fail(status, syscall));
  }

  override close(): void {
    this.receiver = null;
    this.flight = null;
    this.waiting = [];
    this.waitingTaken = [];
    this.unsent = 0;
    super.close();
  }

  private wait(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.unsent += bytes.length;
  }

  private send(parts: readonly Uint8Array[], taken: readonly (() => void)[]): void {
    const { writes } = this.wires;
    // The array that lies with the write is nobody else's: it keeps the bytes alive.
    const outcome =
      parts.length === 1 ? writes.write(this, this.handle, parts[0]) : writes.writeAll(this, this.handle, parts);
    if (outcome === WRITTEN) {
      // Whoever is told writes on, and would otherwise do so from within his own write, ever deeper.
      if (taken.length > 0) nextTick(() => this.tell(taken));
      return;
    }
    if (outcome < 0) {
      this.broken = true;
      this.failSoon(outcome, 'write');
      return;
    }
    this.flight = [...parts];
    this.flightTaken = taken;
    this.unsent += lengthOf(parts);
  }

  private tell(taken: readonly (() => void)[]): void {
    for (const each of taken) if (this.open && !this.broken) each();
  }

  private fail(status: number, syscall: string): void {
    this.end(new SystemError(getSystemErrorName(status), syscall));
  }

  private end(error: Error | null): void {
    const { receiver } = this;
    this.close();
    receiver?.ended(error);
  }
}

function owned(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
