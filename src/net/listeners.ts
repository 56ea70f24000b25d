/** Where a server listens: TCP, TLS and a unix socket, opened at the start and moved by CONFIG SET. All failures are logged. */

import { dirname } from 'node:path';
import { type Disk, exists, removeQuietly } from '../base/disk.ts';
import { isIP, type Network } from '../base/network.ts';
import { widen } from '../base/text.ts';
import type { Settings } from '../config/settings.ts';
import { type TlsContextOptions, TlsError, type TlsSettings, tlsOptions, wantsTls } from '../config/tls-options.ts';
import type { TlsTransport } from './tls.ts';
import {
  ABSENT_ADDRESS,
  type Connection,
  ListenError,
  type Listening,
  type TcpEndpoint,
  type Transport,
} from './transport.ts';

export type ListenSettings = TlsSettings &
  Readonly<Pick<Settings, 'port' | 'bind' | 'tcpBacklog' | 'unixsocket' | 'unixsocketperm'>>;

export interface ListenersParts {
  readonly settings: ListenSettings;
  readonly transport: Transport;
  readonly tls: TlsTransport;
  readonly network: Network;
  readonly disk: Disk;
  /** Where relative paths begin. */
  readonly folder: () => string;
  readonly log: { warning(message: string): void };
  readonly accept: (connection: Connection) => void;
}

/** Texts for CONFIG SET. */
const PORT_TAKEN = 'Unable to listen on this port. Check server logs.';
const BIND_FAILED = 'Failed to bind to specified addresses.';
/** How often a port that is free everywhere is looked for. */
const ATTEMPTS = 16;
const TLS_FAILED = 'Unable to update TLS configuration. Check server logs.';

/** The listeners at one port of all addresses. */
class Group {
  port = 0;
  private listeners: readonly Listening[] = [];

  get open(): boolean {
    return this.listeners.length > 0;
  }

  adopt(listeners: readonly Listening[], port: number): void {
    this.close();
    this.listeners = listeners;
    this.port = port;
  }

  close(): void {
    for (const listener of this.listeners) listener.close();
    this.listeners = [];
    this.port = 0;
  }
}

export class Listeners {
  private readonly parts: ListenersParts;
  private readonly tcp = new Group();
  private readonly tls = new Group();
  private unix: Listening | null = null;
  /** The addresses that are listened at. */
  private bound: readonly string[] = [];
  /** With what the server's own links begin their handshakes, and with what it answers others'; null before anything is configured. */
  clientTls: TlsContextOptions | null = null;
  serverTls: TlsContextOptions | null = null;
  /** Why an address could not be had at last. */
  private refusal = PORT_TAKEN;

  constructor(parts: ListenersParts) {
    this.parts = parts;
  }

  /** The TCP port that is listened on now; 0 for none. */
  get port(): number {
    return this.tcp.port;
  }

  /** Whether anything is listened at: a port alone is no promise, as addresses may be optional. */
  get open(): boolean {
    return this.tcp.open || this.tls.open || this.unix !== null;
  }

  get tlsPort(): number {
    return this.tls.port;
  }

  /** Listens wherever the settings say; answers why that can't be, if it can't. `anyPort`: TCP at a port that is free. */
  async listen(anyPort = false): Promise<string | undefined> {
    const { settings, log } = this.parts;
    const { port, tlsPort, bind, unixsocket } = settings;
    if (wantsTls(settings) && !this.configureTls()) {
      log.warning('Failed to configure TLS. Check logs for more info.');
      return TLS_FAILED;
    }
    this.bound = bind;
    for (const [group, wanted, kind] of [
      [this.tcp, port, 'TCP'],
      [this.tls, tlsPort, 'TLS'],
    ] as const) {
      const opened = anyPort && group === this.tcp ? await this.moveAnywhere() : await this.move(group, wanted);
      if (opened) continue;
      log.warning(`Failed listening on port ${wanted} (${kind}), aborting.`);
      return this.refusal;
    }
    return unixsocket === '' || unixsocket === null ? undefined : this.listenUnix(unixsocket);
  }

  close(): void {
    this.tcp.close();
    this.tls.close();
    this.unix?.close();
    this.unix = null;
  }

  // What CONFIG SET's listeners call.

  async portChanged(): Promise<string | undefined> {
    return (await this.move(this.tcp, this.parts.settings.port)) ? undefined : PORT_TAKEN;
  }

  async tlsPortChanged(): Promise<string | undefined> {
    if (!this.parts.tls.configured && !this.configureTls()) return TLS_FAILED;
    return (await this.move(this.tls, this.parts.settings.tlsPort)) ? undefined : PORT_TAKEN;
  }

  /** The old addresses are let go first, since the new may repeat them. */
  async bindChanged(): Promise<string | undefined> {
    const { bind } = this.parts.settings;
    const before = this.bound;
    const groups = [this.tcp, this.tls].filter((group) => group.port !== 0);
    const ports = groups.map((group) => group.port);
    const listenAt = async (addresses: readonly string[]): Promise<boolean> => {
      for (const group of groups) group.close();
      this.bound = addresses;
      for (const [i, group] of groups.entries()) if (!(await this.move(group, ports[i]))) return false;
      return true;
    };
    if (await listenAt(bind)) return undefined;
    await listenAt(before);
    return BIND_FAILED;
  }

  /** Certificates, ciphers and the like: new handshakes use the new ones. */
  tlsChanged(): string | undefined {
    return !wantsTls(this.parts.settings) || this.configureTls() ? undefined : TLS_FAILED;
  }

  tlsAuthChanged(): undefined {
    this.parts.tls.ask(this.parts.settings.tlsAuthClients);
  }

  private configureTls(): boolean {
    const { settings, tls, disk, folder, log } = this.parts;
    try {
      const options = tlsOptions(settings, disk, folder());
      tls.configure(options.server, settings.tlsAuthClients);
      this.clientTls = options.client;
      this.serverTls = options.server;
      return true;
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      log.warning(error.message);
      return false;
    }
  }

  /** Listens at another port, 0 for none; when that fails the old one stays. */
  private async move(group: Group, port: number): Promise<boolean> {
    if (port === group.port) return true;
    const opened = port === 0 ? [] : await this.listenAt(port, group === this.tls);
    if (opened === undefined) return false;
    group.adopt(opened, port);
    return true;
  }

  /** Listens at a port that the system gives. That of the first address may be taken at another: then another is tried. */
  private async moveAnywhere(): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const opened = await this.listenAt(0, false);
      if (opened === undefined) continue;
      this.tcp.adopt(opened, opened[0]?.port ?? 0);
      return true;
    }
    return false;
  }

  /** Listens at `port` of all addresses, or of none; at one that is free, the same for all, where it is 0. */
  private async listenAt(port: number, secure: boolean): Promise<Listening[] | undefined> {
    const { transport, tls, settings, network, log, accept } = this.parts;
    const opened = await listenAtAll({ addresses: this.bound, port, network, log }, (endpoint) =>
      (secure ? tls : transport).listen(endpoint, settings.tcpBacklog, accept),
    );
    if (typeof opened !== 'string') return opened;
    this.refusal = opened;
    return undefined;
  }

  private async listenUnix(path: string): Promise<string | undefined> {
    const { transport, settings, disk, log, accept } = this.parts;
    try {
      removeQuietly(disk, path);
      this.unix = await transport.listen({ path: widen(path) }, settings.tcpBacklog, accept);
      if (settings.unixsocketperm !== 0) disk.setMode(path, settings.unixsocketperm);
      return undefined;
    } catch (error) {
      // A folder that isn't there is called a refusal by libuv.
      const absent = error instanceof ListenError && error.code === 'EACCES' && !exists(disk, dirname(path));
      const reason = absent ? new ListenError('ENOENT') : error;
      const text = `Failed opening Unix socket: ${reason instanceof Error ? reason.message : String(reason)}`;
      log.warning(text);
      return text;
    }
  }
}

export interface Places {
  /** As `bind` has them; one that begins with '-' may be lacking. */
  readonly addresses: readonly string[];
  /** 0 for one that is free, the same at all of them. */
  readonly port: number;
  readonly network: Network;
  readonly log: { warning(message: string): void };
}

/** Listens at a port of all addresses, or of none: then what the last refusal says. Each is told to the log. */
export async function listenAtAll<Opened extends Listening>(
  { addresses, port, network, log }: Places,
  listen: (endpoint: TcpEndpoint) => Opened | Promise<Opened>,
): Promise<Opened[] | string> {
  const opened: Opened[] = [];
  for (const text of addresses) {
    const optional = text.startsWith('-');
    const address = optional ? text.slice(1) : text;
    try {
      const host = await resolveHost(network, address);
      const endpoint = { host, port: port === 0 ? (opened[0]?.port ?? 0) : port, ipv6Only: host.includes(':') };
      opened.push(await listen(endpoint));
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      const refusal = `Could not create server TCP listening socket ${address}:${port}: ${error.message}`;
      log.warning(`Warning: ${refusal}`);
      if (ABSENT_ADDRESS.has(error.code) && (optional || error.code !== 'EADDRNOTAVAIL')) continue;
      for (const listener of opened) listener.close();
      return refusal;
    }
  }
  return opened;
}

async function resolveHost(network: Network, address: string): Promise<string> {
  if (address === '*') return '0.0.0.0';
  if (address === '::*') return '::';
  if (isIP(address) !== 0) return address;
  try {
    return await network.lookup(address, address.includes(':') ? 6 : 4);
  } catch {
    throw new ListenError('ENOTFOUND');
  }
}
