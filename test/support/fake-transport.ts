/** A transport without sockets: a test says what arrives, and whether and when the writes of a connection finish. */

import { RealDisk } from '../../src/base/disk.ts';
import { RealNetwork } from '../../src/base/network.ts';
import { VirtualClock } from '../../src/base/time.ts';
import type { Session } from '../../src/engine/session.ts';
import { NetServer } from '../../src/net/server.ts';
import type { Connection, ListenEndpoint, Listening, Receiver, Transport } from '../../src/net/transport.ts';
import { type CinnabarServer, createServer, type ServerOptions } from '../../src/server/server.ts';
import { command } from '../reliability/harness.ts';

/** One write that has not finished: what it was given, and a copy of it. */
export interface Flight {
  readonly views: readonly Uint8Array[];
  readonly copies: readonly Uint8Array[];
}

export class FakeConnection implements Connection {
  receiver: Receiver | null = null;
  readonly fd = 7;
  readonly address: string;
  readonly localAddress = '127.0.0.1:1';
  readonly peer = '127.0.0.1';
  readonly unix = false;
  readonly secure = false;
  /** While set, writes don't finish. */
  stuck = false;
  closed = false;
  noDelay = true;
  /** All that was written, one character a byte. */
  sent = '';
  readonly flights: Flight[] = [];

  constructor(address: string) {
    this.address = address;
  }

  write(bytes: Uint8Array): boolean {
    return this.writeAll([bytes]);
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) this.sent += Buffer.from(part).toString('latin1');
    if (this.stuck) this.flights.push({ views: [...parts], copies: parts.map((part) => part.slice()) });
    return !this.stuck;
  }

  finish(): boolean {
    return true;
  }

  pause(): void {}
  setNoDelay(on: boolean): void {
    this.noDelay = on;
  }
  resume(): void {}
  keepAlive(): void {}

  close(): void {
    this.closed = true;
    this.receiver = null;
  }

  /** Bytes arrive, one a character. */
  arrive(text: string): void {
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'));
    this.receiver?.onData(bytes, 0, bytes.length);
  }

  command(...args: readonly (string | number)[]): void {
    this.arrive(command(...args));
  }

  /** Whether what the unfinished writes were given is as it was. */
  get intact(): boolean {
    return this.flights.every(({ views, copies }) => views.every((view, i) => Buffer.compare(view, copies[i]) === 0));
  }
}

export class FakeTransport implements Transport {
  readonly name = 'plain';
  private accept: (c: Connection) => void = () => {};
  private count = 0;

  listen(_: ListenEndpoint, __: number, accept: (c: Connection) => void): Listening {
    this.accept = accept;
    return { port: 1, close: () => {} };
  }

  connect(): FakeConnection {
    const connection = new FakeConnection(`127.0.0.1:${10_000 + this.count++}`);
    this.accept(connection);
    return connection;
  }
}

/** A server with real commands and clients over fake connections and a virtual clock. */
export class FakeServer {
  readonly clock = new VirtualClock();
  readonly server: CinnabarServer;
  readonly net: NetServer<Session>;
  readonly transport = new FakeTransport();

  constructor(settings: ServerOptions['settings'] = {}, more: ServerOptions = {}) {
    this.server = createServer({ settings, clock: this.clock, ...more });
    const { engine, config } = this.server;
    this.net = new NetServer<Session>({
      host: engine,
      settings: config.settings,
      counters: engine.stats,
      log: { verbose() {}, notice() {}, warning() {} },
      clock: this.clock,
      transport: this.transport,
      network: new RealNetwork(),
      disk: new RealDisk(),
    });
  }

  async listen(): Promise<void> {
    await this.net.listeners.listen();
  }

  connect(): FakeConnection {
    return this.transport.connect();
  }

  /** Lets the turns of the event loop that are under way end. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }

  /** Sends a command and answers with what the connection has been sent since, without the last line's end. */
  async ask(connection: FakeConnection, ...args: readonly (string | number)[]): Promise<string> {
    connection.sent = '';
    connection.command(...args);
    await this.turn();
    return connection.sent.replace(/\r\n$/, '');
  }

  async close(): Promise<void> {
    this.net.stop();
    await this.server.close();
  }
}
