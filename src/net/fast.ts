/**
 * The faster road: libuv's handles as Node itself uses them underneath node:net, without its streams, with one receive
 * buffer for all connections. Reading costs one call from native code; a write that the kernel takes at once costs one
 * call and makes nothing.
 *
 * These are not public interfaces. Their shape is checked before they are used, and `openFast()` answers undefined where
 * it doesn't fit; plain.ts does the same work over public ones.
 */

import { setImmediate } from 'node:timers';
import { getSystemErrorName } from 'node:util';
import { addressText } from '../base/network.ts';
import {
  type Connection,
  isUnix,
  type ListenEndpoint,
  ListenError,
  type Listening,
  type Receiver,
  type Transport,
} from './transport.ts';

interface SocketName {
  address?: string;
  port?: number;
}

interface RawHandle {
  readonly fd: number;
  onread: (this: RawHandle) => void;
  onconnection: (this: RawHandle, status: number, client?: RawHandle) => void;
  /** Ours, to find the way back from a native callback. */
  cinnabar?: FastConnection;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: RawRequest, bytes: Uint8Array): number;
  writev(request: RawRequest, parts: readonly Uint8Array[], allBuffers: true): number;
  close(callback?: () => void): void;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  bind(address: string, port?: number): number;
  bind6(address: string, port: number, flags: number): number;
  listen(backlog: number): number;
  getsockname(into: SocketName): number;
  getpeername(into: SocketName): number;
}

interface RawRequest {
  oncomplete: (this: RawRequest, status: number) => void;
  cinnabar?: FastConnection;
  /** Keeps the bytes alive until they are written. */
  bytes?: unknown;
}

interface Bindings {
  readonly TCP: new (type: number) => RawHandle;
  readonly Pipe: new (type: number) => RawHandle;
  readonly WriteWrap: new () => RawRequest;
  readonly state: Int32Array;
  readonly readBytes: number;
  readonly wasAsync: number;
  readonly tcpServer: number;
  readonly pipeServer: number;
  readonly ipv6Only: number;
}

const RECEIVE_BYTES = 64 * 1024;
const UV_EOF = -4095;

/** The transport, or undefined where this Node doesn't have what it needs. */
export function openFast(): Transport | undefined {
  const bindings = findBindings();
  return bindings === undefined ? undefined : new FastTransport(bindings);
}

class FastTransport implements Transport {
  readonly name = 'fast';
  readonly bindings: Bindings;
  readonly buffer = new Uint8Array(RECEIVE_BYTES);
  /** Reused for as long as writes finish at once. */
  spare: RawRequest;

  constructor(bindings: Bindings) {
    this.bindings = bindings;
    this.spare = new bindings.WriteWrap();
  }

  listen(endpoint: ListenEndpoint, backlog: number, accept: (c: Connection) => void): Listening {
    const { TCP, Pipe, tcpServer, pipeServer, ipv6Only } = this.bindings;
    const unix = isUnix(endpoint);
    const handle = unix ? new Pipe(pipeServer) : new TCP(tcpServer);
    let status: number;
    if (unix) status = handle.bind(endpoint.path);
    else if (!endpoint.host.includes(':')) status = handle.bind(endpoint.host, endpoint.port);
    else status = handle.bind6(endpoint.host, endpoint.port, endpoint.ipv6Only ? ipv6Only : 0);
    if (status === 0) {
      handle.onconnection = (failed, client) => {
        if (failed === 0 && client) accept(new FastConnection(this, client, unix ? endpoint.path : null));
      };
      status = handle.listen(backlog);
    }
    if (status !== 0) {
      handle.close();
      throw new ListenError(getSystemErrorName(status));
    }
    const name: SocketName = {};
    if (!unix) handle.getsockname(name);
    return { port: name.port ?? 0, close: () => handle.close() };
  }

  /** A request for one write of `connection`. */
  request(connection: FastConnection): RawRequest {
    const request = this.spare;
    request.cinnabar = connection;
    return request;
  }

  /** The write has become asynchronous: its request is taken until it completes. */
  taken(request: RawRequest, bytes: unknown): void {
    request.bytes = bytes;
    request.oncomplete = onComplete;
    this.spare = new this.bindings.WriteWrap();
  }
}

class FastConnection implements Connection {
  receiver: Receiver | null = null;
  readonly unix: boolean;
  readonly secure = false;
  private readonly transport: FastTransport;
  private readonly handle: RawHandle;
  private readonly path: string | null;
  private remote: SocketName | null = null;
  private local: SocketName | null = null;
  private open = true;
  private reading = true;

  constructor(transport: FastTransport, handle: RawHandle, path: string | null) {
    this.transport = transport;
    this.handle = handle;
    this.path = path;
    this.unix = path !== null;
    handle.cinnabar = this;
    handle.onread = onRead;
    handle.useUserBuffer(transport.buffer);
    if (path === null) handle.setNoDelay(true);
    handle.readStart();
  }

  get fd(): number {
    return this.open ? this.handle.fd : -1;
  }

  get peer(): string {
    if (this.unix) return '';
    if (this.remote === null) this.handle.getpeername((this.remote = {}));
    return this.remote.address ?? '';
  }

  get address(): string {
    return this.path === null ? addressText(this.peer, this.remote?.port ?? 0) : `${this.path}:0`;
  }

  get localAddress(): string {
    if (this.path !== null) return `${this.path}:0`;
    if (this.local === null) this.handle.getsockname((this.local = {}));
    return addressText(this.local.address ?? '', this.local.port ?? 0);
  }

  /** Bytes have come into the shared buffer, or a negative status. */
  received(): void {
    const receiver = this.receiver;
    if (receiver === null || !this.open) return;
    const { state, readBytes } = this.transport.bindings;
    const count = state[readBytes];
    if (count > 0) receiver.onData(this.transport.buffer, 0, count);
    else if (count < 0) receiver.onEnd(count === UV_EOF ? null : getSystemErrorName(count));
  }

  write(bytes: Uint8Array): boolean {
    const request = this.transport.request(this);
    return this.wrote(request, this.handle.writeBuffer(request, bytes), bytes);
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    const request = this.transport.request(this);
    return this.wrote(request, this.handle.writev(request, parts, true), parts);
  }

  private wrote(request: RawRequest, status: number, bytes: unknown): boolean {
    const { state, wasAsync } = this.transport.bindings;
    if (status === 0 && state[wasAsync] === 0) return true;
    if (status === 0) {
      this.transport.taken(request, bytes);
      return false;
    }
    // The break is told outside of the caller's stack, as a failing read would be.
    setImmediate(() => this.completed(status));
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

  keepAlive(seconds: number): void {
    if (!this.unix && this.open) this.handle.setKeepAlive(seconds > 0, seconds);
  }

  setNoDelay(on: boolean): void {
    if (!this.unix && this.open) this.handle.setNoDelay(on);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.receiver = null;
    this.handle.close();
  }
}

// Native code calls these two with the handle or the request as `this`.

function onRead(this: RawHandle): void {
  this.cinnabar?.received();
}

function onComplete(this: RawRequest, status: number): void {
  this.bytes = undefined;
  this.cinnabar?.completed(status);
}

type Binding = Readonly<Record<string, unknown>>;

const HANDLE_METHODS = [
  'readStart',
  'readStop',
  'useUserBuffer',
  'writeBuffer',
  'writev',
  'close',
  'bind',
  'listen',
] as const;
const TCP_METHODS = ['bind6', 'setNoDelay', 'setKeepAlive', 'getsockname', 'getpeername'] as const;

function findBindings(): Bindings | undefined {
  const bindings = readBindings();
  if (bindings === undefined) return undefined;
  const numbers = [bindings.readBytes, bindings.wasAsync, bindings.tcpServer, bindings.pipeServer, bindings.ipv6Only];
  if (!numbers.every(Number.isInteger) || !(bindings.state instanceof Int32Array)) return undefined;
  if (![bindings.TCP, bindings.Pipe, bindings.WriteWrap].every((made) => typeof made === 'function')) return undefined;
  const tcp = new bindings.TCP(bindings.tcpServer);
  const pipe = new bindings.Pipe(bindings.pipeServer);
  const fits =
    [...HANDLE_METHODS, ...TCP_METHODS].every((name) => typeof tcp[name] === 'function') &&
    HANDLE_METHODS.every((name) => typeof pipe[name] === 'function');
  tcp.close();
  pipe.close();
  return fits ? bindings : undefined;
}

/** What Node lets out of its inside, unchecked; undefined where it lets nothing out. */
function readBindings(): Bindings | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => Binding };
  if (typeof binding !== 'function') return undefined;
  // Asking may be announced as deprecated; the users of this program can do nothing about it.
  const quiet = process.noDeprecation;
  process.noDeprecation = true;
  try {
    const tcp = binding.call(process, 'tcp_wrap');
    const pipe = binding.call(process, 'pipe_wrap');
    const stream = binding.call(process, 'stream_wrap');
    const tcpConstants = tcp['constants'] as Binding;
    const pipeConstants = pipe['constants'] as Binding;
    return {
      TCP: tcp['TCP'] as Bindings['TCP'],
      Pipe: pipe['Pipe'] as Bindings['Pipe'],
      WriteWrap: stream['WriteWrap'] as Bindings['WriteWrap'],
      state: stream['streamBaseState'] as Int32Array,
      readBytes: stream['kReadBytesOrError'] as number,
      wasAsync: stream['kLastWriteWasAsync'] as number,
      tcpServer: tcpConstants['SERVER'] as number,
      pipeServer: pipeConstants['SERVER'] as number,
      ipv6Only: tcpConstants['UV_TCP_IPV6ONLY'] as number,
    };
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = quiet;
  }
}
