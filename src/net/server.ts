/**
 * Listeners, the connections that they accept, and the end of each turn of the event loop.
 *
 * Commands run at once as their bytes arrive; whoever has something left to do then (replies to write, waiting commands
 * to go on with, a connection to end) enlists itself, and one immediate per turn serves the list:
 *
 *   continue() of each  ->  host.beforeWrite() (group commit)  ->  flush() of each  ->  destroy() of those that are done
 */
import type { Duplex } from 'node:stream';
import { BEATS_A_SECOND } from '../base/beat.ts';
import type { Environment } from '../base/environment.ts';
import { isLoopback } from '../base/loopback.ts';
import type { Clock } from '../base/time.ts';
import type { TlsContextOptions } from '../config/tls-options.ts';
import type { SessionHost, TransportSession } from '../engine/ports.ts';
import { SmallBuffers } from '../protocol/input.ts';
import { ARGUMENT_OVERHEAD } from '../protocol/request.ts';
import { Client, type ClientHost } from './client.ts';
import { FastTransport } from './fast.ts';
import { IoThreads, noIoThreads } from './io-threads/threads.ts';
import { Listeners } from './listeners.ts';
import type { NetCounters, NetLog, NetParts, NetSettings } from './parts.ts';
import { PlainConnection, PlainTransport } from './plain.ts';
import { bindingsOf } from './raw.ts';
import { TlsTransport } from './tls.ts';
import type { Connection, Transport } from './transport.ts';

const MIN_TICKED = 50;
/** Streams that nobody listened for are numbered from here. */
const FIRST_ADOPTED_FD = 200_000;

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

/** What may take part in choosing a transport. */
export interface TransportParts {
  readonly environment: Environment;
  readonly settings: Pick<NetSettings, 'ioThreads'>;
  readonly counters: NetCounters;
  readonly log: NetLog;
}

/**
 * The transport that this machine offers: the faster one over the real network, unless CINNABAR_NET says otherwise; with
 * threads under it where the settings want them.
 */
export function transportFor(parts: TransportParts, choice?: string): Transport {
  const { environment, settings, log } = parts;
  const bindings = bindingsOf(environment.network, choice);
  const fast = bindings && new FastTransport(bindings);
  if (settings.ioThreads > 1) {
    const none = noIoThreads(environment, fast !== undefined);
    if (none === undefined && fast !== undefined)
      return new IoThreads(fast, { ...parts, count: settings.ioThreads - 1 });
    log.warning(`The setting io-threads has no effect here, one thread does all: ${none}.`);
  }
  return fast ?? new PlainTransport(environment.network);
}

export class NetServer<S extends TransportSession> implements ClientHost<S> {
  readonly host: SessionHost<S>;
  readonly settings: NetSettings;
  readonly counters: NetCounters;
  readonly log: NetLog;
  readonly buffers = new SmallBuffers();
  readonly listeners: Listeners;
  marked = 0;
  private readonly clock: Clock;
  private readonly clients = new Set<Client<S>>();
  /** How far the ticking has come among them. */
  private walk: Iterator<Client<S>> = this.clients.values();
  private list: Client<S>[] = [];
  private spareList: Client<S>[] = [];
  /** Those whose sessions take commands again, in that order. */
  private readonly resumed: Client<S>[] = [];
  private nextFd = FIRST_ADOPTED_FD;
  private scheduled = false;
  private someEnded = false;
  private timed = false;
  private turnNow = 0;
  private lookedAgain = false;
  private readonly runTurn = (): void => {
    // Where sessions are measured, a second look at the sockets comes before the replies: the system names those that were
    // readable last time first, so that otherwise who reacts to a reply could be heard before what was sent earlier.
    this.lookedAgain = !this.lookedAgain && this.host.clientMemory?.active === true;
    if (!this.lookedAgain) {
      this.endTurn();
      return;
    }
    this.removeDone();
    this.clock.soon(this.runTurn);
  };

  constructor(parts: NetParts<S>) {
    this.host = parts.host;
    this.settings = parts.settings;
    this.counters = parts.counters;
    this.log = parts.log;
    this.clock = parts.clock;
    const tls = new TlsTransport(parts.network, parts.clock, {
      admits: (handshakes) => this.admits(handshakes),
      refused: (reason) => this.log.warning(`Error accepting a client connection: ${reason}`),
    });
    this.listeners = new Listeners({
      settings: parts.settings,
      transport: parts.transport,
      tls,
      network: parts.network,
      disk: parts.disk,
      folder: parts.folder ?? (() => parts.disk.folder),
      log: parts.log,
      accept: (connection) => this.accept(connection),
    });
  }

  /** The TCP port that is listened on now; 0 for none. */
  get port(): number {
    return this.listeners.port;
  }

  get clientTls(): TlsContextOptions | null {
    return this.listeners.clientTls;
  }

  get serverTls(): TlsContextOptions | null {
    return this.listeners.serverTls;
  }

  /** Bytes that incomplete commands take, with the buffers that they wait in. */
  get held(): number {
    return this.buffers.held + this.marked * ARGUMENT_OVERHEAD;
  }

  get now(): number {
    return this.timed ? this.turnNow : this.clock.now();
  }

  /** Takes no further connection and ends those there are, each with what it is owed as far as the kernel takes it. */
  stop(): void {
    this.listeners.close();
    for (const client of this.clients) {
      client.flush();
      client.destroy();
    }
    this.clients.clear();
  }

  // Connections.

  /** Serves a client at the other end of a stream that has no listener; as one from this machine, unless it says otherwise. */
  adopt(stream: Duplex): void {
    this.accept(new PlainConnection(stream, null, this.nextFd++));
  }

  /** Before a handshake nobody can be told why. */
  private admits(handshakes: number): boolean {
    if (this.host.sessions.size + handshakes < this.settings.maxclients) return true;
    this.counters.rejectedConnections++;
    return false;
  }

  private accept(connection: Connection): void {
    if (connection.unix) this.log.verbose(`Accepted connection to ${this.settings.unixsocket}`);
    else this.log.verbose(`Accepted ${connection.address}`);
    if (this.host.sessions.size >= this.settings.maxclients) {
      this.turnAway(connection, TOO_MANY);
      return;
    }
    const client = new Client<S>(this, connection);
    const session = this.host.open(client);
    client.session = session;
    session.reply.owner = client;
    this.clients.add(client);
    if (this.settings.protectedMode && session.authenticated && !connection.unix && !isLoopback(connection.peer)) {
      this.counters.rejectedConnections++;
      session.reply.raw(DENIED, 0, DENIED.length);
      client.closeAfterReply();
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

  enlist(client: Client<S>): void {
    if (client.listed) return;
    client.listed = true;
    this.list.push(client);
    if (this.scheduled) return;
    this.scheduled = true;
    this.turnNow = this.clock.now();
    this.timed = true;
    this.clock.soon(this.runTurn);
  }

  /** `client` goes on at the end of this turn, after those that were resumed before it. */
  resume(client: Client<S>): void {
    this.resumed.push(client);
    this.enlist(client);
  }

  private continueResumed(): void {
    const { resumed } = this;
    if (resumed.length === 0) return;
    for (let i = 0; i < resumed.length; i++) resumed[i].continue();
    resumed.length = 0;
  }

  /** Ends the turn now: what waits goes on, replies are written, ended connections go. */
  endTurn(): void {
    const list = this.list;
    // The list grows while it is walked: a command that goes on here may give replies to other clients.
    this.continueResumed();
    for (let i = 0; i < list.length; i++) {
      list[i].continue();
      this.continueResumed();
    }
    const { clientMemory } = this.host;
    if (clientMemory?.active) clientMemory.prepare();
    this.host.beforeWrite();
    if (this.host.replyGate?.active)
      for (const { session, dead } of list) if (!dead) this.host.replyGate.settle(session);
    this.list = this.spareList;
    this.scheduled = false;
    // The latest first: who published is answered before his audience, and can go on while that is served.
    for (let i = list.length - 1; i >= 0; i--) {
      const client = list[i];
      client.listed = false;
      client.flush();
      if (client.done) this.remove(client);
      else if (client.eager) this.enlist(client);
    }
    if (clientMemory?.active) {
      for (const { dead, session } of list) if (!dead) clientMemory.measure(session);
      clientMemory.settle();
      this.removeDone();
    }
    // An array whose length is set gives up its room, which would be taken anew with every turn.
    while (list.length > 0) list.pop();
    this.spareList = list;
    this.timed = this.scheduled;
  }

  ended(): void {
    this.someEnded = true;
  }

  removeDone(): void {
    if (!this.someEnded) return;
    this.someEnded = false;
    for (const client of this.list) if (client.done) this.remove(client);
  }

  private remove(client: Client<S>): void {
    if (this.clients.delete(client)) client.destroy();
  }

  /**
   * Once within so many beats: idle clients, soft limits, buffers that have become too large; each client once a second at
   * least.
   */
  tick(beats = 1): void {
    const now = this.now;
    const { size } = this.clients;
    let left = Math.min(size, Math.max(MIN_TICKED, Math.ceil((size * beats) / BEATS_A_SECOND)));
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
