/**
 * Listeners, the connections that they accept, and the end of each turn of the event loop.
 *
 * Commands run at once as their bytes arrive; whoever has something left to do then (replies to write, waiting commands
 * to go on with, a connection to end) enlists itself, and one immediate per turn serves the list:
 *
 *   continue() of each  ->  host.beforeWrite() (group commit)  ->  flush() of each  ->  destroy() of those that are done
 */

import { lookup } from 'node:dns/promises';
import { chmodSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Network as NetworkInterface, RealNetwork } from '../base/network.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Config } from '../config/config.ts';
import type { Settings } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import type { SessionHost, TransportSession } from '../engine/ports.ts';
import type { Session } from '../engine/session.ts';
import { Client } from './client.ts';
import { openFast } from './fast.ts';
import { SmallBuffers } from './input.ts';
import { PlainTransport } from './plain.ts';
import { ABSENT_ADDRESS, type Connection, ListenError, type Listening, type Transport } from './transport.ts';

export type NetSettings = Readonly<
  Pick<
    Settings,
    | 'port'
    | 'bind'
    | 'tcpBacklog'
    | 'unixsocket'
    | 'unixsocketperm'
    | 'tcpKeepalive'
    | 'timeout'
    | 'maxclients'
    | 'protectedMode'
    | 'protoMaxBulkLen'
    | 'clientQueryBufferLimit'
    | 'clientOutputBufferLimit'
  >
>;

/** Figures of the server that net/ keeps up. */
export interface NetCounters {
  netInput: number;
  netOutput: number;
  rejectedConnections: number;
  queryLimitDisconnections: number;
  outputLimitDisconnections: number;
}

export interface NetLog {
  verbose(message: string): void;
  notice(message: string): void;
  warning(message: string): void;
}

export interface NetParts<S extends TransportSession> {
  readonly host: SessionHost<S>;
  readonly settings: NetSettings;
  readonly counters: NetCounters;
  readonly log: NetLog;
  readonly clock: Clock;
  readonly transport: Transport;
}

const TICKS_PER_SECOND = 10;
const MIN_TICKED = 50;

/** Texts for CONFIG SET. */
const PORT_TAKEN = 'Unable to listen on this port. Check server logs.';
const BIND_FAILED = 'Failed to bind to specified addresses.';

const TOO_MANY = Buffer.from('-ERR max number of clients reached\r\n');
const DENIED = Buffer.from(
  '-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the ' +
    'default user. In this mode connections are only accepted from the loopback interface. If you want to connect ' +
    'from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode ' +
    "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the " +
    'same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. ' +
    'Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by ' +
    "editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the " +
    'server. 3) If you started the server manually just for testing, restart it with the ' +
    "'--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need " +
    'to do one of the above things in order for the server to start accepting connections from the outside.\r\n',
);

/** The transport that this machine offers: the faster one over the real network, unless CINNABAR_NET says otherwise. */
export function transportFor(network: NetworkInterface, choice = process.env['CINNABAR_NET']): Transport {
  const fast = network instanceof RealNetwork && choice !== 'plain' ? openFast() : undefined;
  return fast ?? new PlainTransport(network);
}

export class NetServer<S extends TransportSession> {
  readonly host: SessionHost<S>;
  readonly settings: NetSettings;
  readonly counters: NetCounters;
  readonly log: NetLog;
  readonly buffers = new SmallBuffers();
  readonly transport: Transport;
  /** The TCP port that is listened on now; 0 for none. */
  port = 0;
  private readonly clock: Clock;
  private readonly clients = new Set<Client<S>>();
  /** How far the ticking has come among them. */
  private walk: Iterator<Client<S>> = this.clients.values();
  private tcp: Listening[] = [];
  private unix: Listening | null = null;
  /** The addresses that \`tcp\` was opened for. */
  private bound: readonly string[] = [];
  private list: Client<S>[] = [];
  private spareList: Client<S>[] = [];
  private scheduled = false;
  private timed = false;
  private turnNow = 0;
  private readonly runTurn = (): void => this.endTurn();

  constructor(parts: NetParts<S>) {
    this.host = parts.host;
    this.settings = parts.settings;
    this.counters = parts.counters;
    this.log = parts.log;
    this.clock = parts.clock;
    this.transport = parts.transport;
  }

  /** Wall time in ms, read once a turn as soon as the turn has work for its end. */
  get now(): number {
    return this.timed ? this.turnNow : this.clock.now();
  }

  // Listening.

  /** Listens wherever the settings say; answers why that can't be, if it can't (all is logged). */
  async open(): Promise<string | undefined> {
    const { port, bind, unixsocket } = this.settings;
    if (port !== 0) {
      const opened = await this.listenTcp(port, bind);
      if (opened === undefined) {
        this.log.warning(`Failed listening on port ${port} (TCP), aborting.`);
        return PORT_TAKEN;
      }
      this.adopt(opened, port, bind);
    }
    return unixsocket === '' || unixsocket === null ? undefined : this.listenUnix(unixsocket);
  }

  /** The setting `port` has changed: CONFIG SET's listener. */
  async portChanged(): Promise<string | undefined> {
    const { port, bind } = this.settings;
    if (port === this.port) return undefined;
    const opened = port === 0 ? [] : await this.listenTcp(port, bind);
    if (opened === undefined) return PORT_TAKEN;
    this.stopTcp();
    this.adopt(opened, port, bind);
    return undefined;
  }

  /** The setting `bind` has changed. The old addresses are let go first, since the new may repeat them. */
  async bindChanged(): Promise<string | undefined> {
    const { bind, port } = this.settings;
    const before = this.bound;
    if (port === 0) return undefined;
    this.stopTcp();
    const opened = await this.listenTcp(port, bind);
    if (opened !== undefined) {
      this.adopt(opened, port, bind);
      return undefined;
    }
    const again = await this.listenTcp(port, before);
    if (again !== undefined) this.adopt(again, port, before);
    return BIND_FAILED;
  }

  private adopt(listeners: Listening[], port: number, addresses: readonly string[]): void {
    this.tcp = listeners;
    this.port = port;
    this.bound = addresses;
  }

  private stopTcp(): void {
    for (const listener of this.tcp) listener.close();
    this.tcp = [];
    this.port = 0;
  }

  /** Listens at `port` of all `addresses`, or of none. */
  private async listenTcp(port: number, addresses: readonly string[]): Promise<Listening[] | undefined> {
    const opened: Listening[] = [];
    for (const text of addresses) {
      const optional = text.startsWith('-');
      const address = optional ? text.slice(1) : text;
      try {
        const host = await resolve(address);
        const endpoint = { host, port, ipv6Only: host.includes(':') };
        opened.push(await this.transport.listen(endpoint, this.settings.tcpBacklog, (c) => this.accept(c)));
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        this.log.warning(`Warning: Could not create server TCP listening socket ${address}:${port}: ${error.message}`);
        if (ABSENT_ADDRESS.has(error.code) && (optional || error.code !== 'EADDRNOTAVAIL')) continue;
        for (const listener of opened) listener.close();
        return undefined;
      }
    }
    return opened;
  }

  private async listenUnix(path: string): Promise<string | undefined> {
    try {
      rmSync(path, { force: true });
      this.unix = await this.transport.listen({ path }, this.settings.tcpBacklog, (c) => this.accept(c));
      const { unixsocketperm } = this.settings;
      if (unixsocketperm !== 0) chmodSync(path, unixsocketperm);
      return undefined;
    } catch (error) {
      const text = `Failed opening Unix socket: ${error instanceof Error ? error.message : String(error)}`;
      this.log.warning(text);
      return text;
    }
  }

  /** Takes no further connection and ends those there are, each with what it is owed as far as the kernel takes it. */
  stop(): void {
    this.stopTcp();
    this.unix?.close();
    this.unix = null;
    for (const client of this.clients) {
      client.flush();
      client.destroy();
    }
    this.clients.clear();
  }

  // Connections.

  private accept(connection: Connection): void {
    if (connection.unix) this.log.verbose(`Accepted connection to ${this.settings.unixsocket}`);
    else this.log.verbose(`Accepted ${connection.address}`);
    if (this.host.sessionCount >= this.settings.maxclients) {
      this.turnAway(connection, TOO_MANY);
      return;
    }
    const client = new Client<S>(this, connection);
    const session = this.host.open(client);
    client.session = session;
    session.reply.owner = client;
    this.clients.add(client);
    if (this.settings.protectedMode && session.authenticated && !isLocal(connection)) {
      this.counters.rejectedConnections++;
      session.reply.raw(DENIED, 0, DENIED.length);
      client.close(true);
      return;
    }
    if (this.settings.tcpKeepalive > 0) connection.keepAlive(this.settings.tcpKeepalive);
  }

  private turnAway(connection: Connection, text: Uint8Array): void {
    this.counters.rejectedConnections++;
    connection.receiver = { onData() {}, onWritten() {}, onEnd: () => connection.close() };
    if (connection.write(text)) connection.close();
    else connection.receiver.onWritten = () => connection.close();
  }

  // The turn.

  /** Serves `client` at the end of this turn. */
  enlist(client: Client<S>): void {
    if (client.listed) return;
    client.listed = true;
    this.list.push(client);
    if (this.scheduled) return;
    this.scheduled = true;
    this.turnNow = this.clock.now();
    this.timed = true;
    setImmediate(this.runTurn);
  }

  /** Ends the turn now: what waits goes on, replies are written, ended connections go. */
  endTurn(): void {
    const list = this.list;
    // The list grows while it is walked: a command that goes on here may give replies to other clients.
    for (let i = 0; i < list.length; i++) list[i].continue();
    this.host.beforeWrite();
    this.list = this.spareList;
    this.scheduled = false;
    for (const client of list) {
      client.listed = false;
      client.flush();
      if (client.done) this.remove(client);
      else if (client.eager) this.enlist(client);
    }
    list.length = 0;
    this.spareList = list;
    this.timed = this.scheduled;
  }

  private remove(client: Client<S>): void {
    if (this.clients.delete(client)) client.destroy();
  }

  /** Ten times a second: idle clients, soft limits, buffers that have become too large; each client once a second at least. */
  tick(): void {
    const now = this.now;
    const { size } = this.clients;
    let left = Math.min(size, Math.max(MIN_TICKED, Math.ceil(size / TICKS_PER_SECOND)));
    while (left-- > 0) {
      let next = this.walk.next();
      if (next.done) {
        this.walk = this.clients.values();
        next = this.walk.next();
      }
      if (!next.done) next.value.tick(now);
    }
  }
}

async function resolve(address: string): Promise<string> {
  if (address === '*') return '0.0.0.0';
  if (address === '::*') return '::';
  if (isIP(address) !== 0) return address;
  try {
    return (await lookup(address, { family: address.includes(':') ? 6 : 4 })).address;
  } catch {
    throw new ListenError('ENOTFOUND');
  }
}

function isLocal(connection: Connection): boolean {
  return connection.unix || connection.peer.startsWith('127.') || connection.peer === '::1';
}

/** The network of a server: NetServer with its settings followed and its clock ticking. */
export class Network extends NetServer<Session> {
  private readonly timers: Clock;
  private timer: Timer | null = null;

  constructor(
    engine: Engine,
    config: Config,
    clock: Clock,
    log: NetLog,
    network: NetworkInterface = new RealNetwork(),
  ) {
    const transport = transportFor(network);
    super({ host: engine, settings: config.settings, counters: engine.stats, log, clock, transport });
    this.timers = clock;
    config.on('port', () => (this.timer === null ? undefined : this.portChanged()));
    config.on('bind', () => (this.timer === null ? undefined : this.bindChanged()));
  }

  /** Opens all listeners; rejects with the reason, already logged, when one can't be had. */
  async listen(): Promise<void> {
    const failed = await this.open();
    if (failed !== undefined) throw new Error(failed);
    this.ticking();
  }

  async close(): Promise<void> {
    this.timer?.cancel();
    this.timer = null;
    this.stop();
  }

  private ticking(): void {
    this.timer = this.timers.after(1000 / TICKS_PER_SECOND, () => {
      this.tick();
      this.ticking();
    });
  }
}
