/**
 * libuv's handles as Node itself uses them underneath node:net, without its streams. These are not public interfaces:
 * their shape is checked before they are used, and `bindingsOf()` answers undefined where it doesn't fit.
 */

import { getSystemErrorName } from 'node:util';
import { addressText, IN_DENO, type Network, RealNetwork } from '../base/network.ts';
import { isUnix, type ListenEndpoint, ListenError, type Listening } from './transport.ts';

export interface SocketName {
  address?: string;
  port?: number;
}

/** Who hears of what native code has to tell. */
export interface RawOwner {
  /** Bytes have come into the buffer that was given, or a negative status. */
  received(): void;
  /** A write of `bytes` that was under way is over. */
  completed(status: number, bytes: unknown): void;
}

export interface RawHandle {
  readonly fd: number;
  onread: (this: RawHandle) => void;
  onconnection: (this: RawHandle, status: number, client?: RawHandle) => void;
  /** Ours, to find the way back from a native callback. */
  cinnabar?: RawOwner;
  readStart(): number;
  readStop(): number;
  /** The bytes must be kept alive by whoever gives them. */
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: RawRequest, bytes: Uint8Array): number;
  writev(request: RawRequest, parts: readonly Uint8Array[], allBuffers: true): number;
  /** Text, and with it, over a pipe of the kind IPC, another handle. */
  writeUtf8String(request: RawRequest, text: string, handle?: RawHandle): number;
  /** Takes a descriptor over. */
  open(fd: number): number;
  /** To a path, or to an IPv4 address and a port. */
  connect(request: RawRequest, address: string, port?: number): number;
  connect6(request: RawRequest, address: string, port: number): number;
  /** What has come with the bytes that are told of. */
  pendingHandle?: RawHandle | null;
  ref(): void;
  unref(): void;
  close(callback?: () => void): void;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  bind(address: string, port?: number): number;
  bind6(address: string, port: number, flags: number): number;
  listen(backlog: number): number;
  getsockname(into: SocketName): number;
  getpeername(into: SocketName): number;
}

export interface RawRequest {
  oncomplete: (this: RawRequest, status: number) => void;
  cinnabar?: RawOwner;
  /** Keeps the bytes alive until they are written. */
  bytes?: unknown;
}

export interface Bindings {
  readonly TCP: new (type: number) => RawHandle;
  readonly Pipe: new (type: number) => RawHandle;
  readonly WriteWrap: new () => RawRequest;
  readonly PipeConnectWrap: new () => RawRequest;
  readonly TCPConnectWrap: new () => RawRequest;
  readonly state: Int32Array;
  readonly readBytes: number;
  readonly wasAsync: number;
  readonly tcpServer: number;
  readonly tcpSocket: number;
  readonly pipeServer: number;
  /** The kind of pipes that carry handles. */
  readonly pipeIpc: number;
  readonly ipv6Only: number;
}

export const UV_EOF = -4095;

/** Listens; throws a ListenError. */
export function listenRaw(
  bindings: Bindings,
  endpoint: ListenEndpoint,
  backlog: number,
  accept: (handle: RawHandle, path: string | null) => void,
): Listening {
  const { TCP, Pipe, tcpServer, pipeServer, ipv6Only } = bindings;
  const unix = isUnix(endpoint);
  const handle = unix ? new Pipe(pipeServer) : new TCP(tcpServer);
  let status: number;
  if (unix) status = handle.bind(endpoint.path);
  else if (!endpoint.host.includes(':')) status = handle.bind(endpoint.host, endpoint.port);
  else status = handle.bind6(endpoint.host, endpoint.port, endpoint.ipv6Only ? ipv6Only : 0);
  if (status === 0) {
    handle.onconnection = (failed, client) => {
      if (failed === 0 && client) accept(client, unix ? endpoint.path : null);
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

/** What came of a write: the kernel has taken all, or `completed` will tell; negative where it can't be. */
export const WRITTEN = 0;
export const UNDER_WAY = 1;

/** Writes, over one request for as long as they finish at once. */
export class RawWrites {
  private readonly bindings: Bindings;
  private spare: RawRequest;

  constructor(bindings: Bindings) {
    this.bindings = bindings;
    this.spare = new bindings.WriteWrap();
  }

  write(owner: RawOwner, handle: RawHandle, bytes: Uint8Array): number {
    const request = this.spare;
    return this.begun(owner, request, handle.writeBuffer(request, bytes), bytes);
  }

  writeAll(owner: RawOwner, handle: RawHandle, parts: readonly Uint8Array[]): number {
    const request = this.spare;
    return this.begun(owner, request, handle.writev(request, parts, true), parts);
  }

  /** Sends one byte, and with it `passed`, over a pipe of the kind IPC. */
  pass(owner: RawOwner, pipe: RawHandle, passed: RawHandle): number {
    const request = this.spare;
    return this.begun(owner, request, pipe.writeUtf8String(request, '.', passed), passed);
  }

  private begun(owner: RawOwner, request: RawRequest, status: number, bytes: unknown): number {
    const { state, wasAsync, WriteWrap } = this.bindings;
    if (status !== 0) return status;
    if (state[wasAsync] === 0) return WRITTEN;
    request.cinnabar = owner;
    request.bytes = bytes;
    request.oncomplete = onComplete;
    this.spare = new WriteWrap();
    return UNDER_WAY;
  }
}

const RECEIVE_BYTES = 64 * 1024;

/** What the sockets of one user share: the buffer that they are read into, and how they are written to. */
export class RawRoom {
  readonly bindings: Bindings;
  readonly buffer = new Uint8Array(RECEIVE_BYTES);
  readonly writes: RawWrites;

  constructor(bindings: Bindings) {
    this.bindings = bindings;
    this.writes = new RawWrites(bindings);
  }

  /** In `received()`: how many bytes have come, or a negative status. */
  get count(): number {
    const { state, readBytes } = this.bindings;
    return state[readBytes];
  }
}

/** From now on `owner` hears of what is read from `handle` into `buffer`, which must be kept alive. */
export function readInto(owner: RawOwner, handle: RawHandle, buffer: Uint8Array): void {
  handle.cinnabar = owner;
  handle.onread = onRead;
  handle.useUserBuffer(buffer);
}

// Native code calls these two with the handle or the request as `this`.

function onRead(this: RawHandle): void {
  this.cinnabar?.received();
}

function onComplete(this: RawRequest, status: number): void {
  const { bytes } = this;
  this.bytes = undefined;
  this.cinnabar?.completed(status, bytes);
}

/** A socket: where it leads, and what can be asked of it. */
export class RawSocket {
  readonly handle: RawHandle;
  readonly unix: boolean;
  protected open = true;
  private readonly path: string | null;
  private remote: SocketName | null = null;
  private local: SocketName | null = null;

  /** `path` of a unix socket. */
  constructor(handle: RawHandle, path: string | null) {
    this.handle = handle;
    this.path = path;
    this.unix = path !== null;
    if (path === null) handle.setNoDelay(true);
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
    return this.path === null ? addressText(this.localIp, this.localPort) : `${this.path}:0`;
  }

  /** Empty and 0 for a unix socket; asked only once it is connected. */
  get localIp(): string {
    return this.localName.address ?? '';
  }

  get localPort(): number {
    return this.localName.port ?? 0;
  }

  private get localName(): SocketName {
    if (this.local === null) {
      this.local = {};
      if (!this.unix) this.handle.getsockname(this.local);
    }
    return this.local;
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
    this.handle.close();
  }
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
const TCP_METHODS = [
  'bind6',
  'connect',
  'connect6',
  'ref',
  'unref',
  'setNoDelay',
  'setKeepAlive',
  'getsockname',
  'getpeername',
] as const;

/** Node is asked once in a process. */
const found: { bindings?: Bindings | undefined; asked: boolean } = { asked: false };

export function findBindings(): Bindings | undefined {
  if (!found.asked) found.bindings = checkedBindings();
  found.asked = true;
  return found.bindings;
}

/** Undefined over a network that is handed in, where there are no such handles, and where CINNABAR_NET wants none. */
export function bindingsOf(network: Network, choice = process.env['CINNABAR_NET']): Bindings | undefined {
  return network instanceof RealNetwork && choice !== 'plain' ? findBindings() : undefined;
}

function checkedBindings(): Bindings | undefined {
  const bindings = readBindings();
  if (bindings === undefined) return undefined;
  const numbers = [
    bindings.readBytes,
    bindings.wasAsync,
    bindings.tcpServer,
    bindings.tcpSocket,
    bindings.pipeServer,
    bindings.ipv6Only,
  ];
  if (!numbers.every(Number.isInteger) || !(bindings.state instanceof Int32Array)) return undefined;
  if (
    ![bindings.TCP, bindings.Pipe, bindings.WriteWrap, bindings.TCPConnectWrap].every(
      (made) => typeof made === 'function',
    )
  )
    return undefined;
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
  // Deno's handles have the shape and bring no bytes.
  if (typeof binding !== 'function' || IN_DENO) return undefined;
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
      PipeConnectWrap: pipe['PipeConnectWrap'] as Bindings['PipeConnectWrap'],
      TCPConnectWrap: tcp['TCPConnectWrap'] as Bindings['TCPConnectWrap'],
      WriteWrap: stream['WriteWrap'] as Bindings['WriteWrap'],
      state: stream['streamBaseState'] as Int32Array,
      readBytes: stream['kReadBytesOrError'] as number,
      wasAsync: stream['kLastWriteWasAsync'] as number,
      tcpServer: tcpConstants['SERVER'] as number,
      tcpSocket: tcpConstants['SOCKET'] as number,
      pipeServer: pipeConstants['SERVER'] as number,
      pipeIpc: pipeConstants['IPC'] as number,
      ipv6Only: tcpConstants['UV_TCP_IPV6ONLY'] as number,
    };
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = quiet;
  }
}
