/**
 * A network in memory for simulations: hosts that listen and connect, with delays by chance, directions that are cut and
 * healed, and hosts that vanish. All that happens is an action at a time of the clock, so one seed gives one course of events.
 *
 *   connect ──delay──> listener: accept ──delay──> 'connect'        none listens: ──delay──> ECONNREFUSED
 *   write   ──delay──> the peer's buffer; a write is done at once while no more than a window is on its way
 *   what is sent in a direction that is cut waits, in order, until that is healed, as under TCP
 *
 * A process that is killed has its connections ended by its system; a host that vanishes says nothing, and its peers find
 * out when they send: ECONNRESET once somebody is there again to say so.
 */
import { Duplex } from 'node:stream';
import { assert } from './assert.ts';
import type { Destination, Endpoint, Listener, Network } from './network.ts';
import type { Random } from './random.ts';
import { SystemError } from './system-error.ts';
import type { Clock } from './time.ts';

/** Bytes that a host takes off a writer's hands before the peer has taken them. */
const WINDOW = 64 * 1024;
const FIRST_EPHEMERAL_PORT = 40_000;
/** What is not acknowledged is sent again, and given up after a quarter of an hour. */
const RETRY_MS = 1000;
const TRIES = 900;

type Accept = (stream: Duplex) => void;

/** Told of what arrives: 'connect', 'data', 'end' or 'reset', and how many bytes. */
export type TrafficWatcher = (what: string, from: string, to: string, bytes: number) => void;

/** What all hosts are connected by. */
export class Wires {
  /** Milliseconds that something takes from host to host, least and most. */
  delay: readonly [number, number] = [0.1, 1];
  onTraffic: TrafficWatcher = () => {};
  readonly listeners = new Map<string, { readonly accept: Accept; readonly network: MemoryNetwork }>();
  private readonly clock: Clock;
  private readonly random: Random;
  /** Directions that are cut, 'from>to', and what waits in them. */
  private readonly cuts = new Map<string, (() => void)[]>();
  private port = FIRST_EPHEMERAL_PORT;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  nextPort(): number {
    return this.port++;
  }

  latency(): number {
    const [least, most] = this.delay;
    return least + this.random.double01() * (most - least);
  }

  /** Does `action` at `host` when it arrives there from `from`. */
  send(from: string, host: string, wait: number, action: () => void): void {
    this.clock.after(wait, () => {
      const waiting = this.cuts.get(`${from}>${host}`);
      if (waiting === undefined) action();
      else waiting.push(action);
    });
  }

  /** From now on nothing arrives at `to` from `from`. */
  cut(from: string, to: string): void {
    const way = `${from}>${to}`;
    if (!this.cuts.has(way)) this.cuts.set(way, []);
  }

  heal(from: string, to: string): void {
    const way = `${from}>${to}`;
    const waiting = this.cuts.get(way) ?? [];
    this.cuts.delete(way);
    for (const action of waiting) action();
  }

  /** No host of one side reaches one of the other. */
  part(one: readonly string[], other: readonly string[]): void {
    for (const a of one)
      for (const b of other) {
        this.cut(a, b);
        this.cut(b, a);
      }
  }

  healAll(): void {
    for (const way of [...this.cuts.keys()]) {
      const [from, to] = way.split('>');
      this.heal(from, to);
    }
  }
}

/** What one process on a host sees of the network. */
export class MemoryNetwork implements Network {
  readonly host: string;
  readonly wires: Wires;
  readonly sockets = new Set<MemorySocket>();
  gone = false;

  constructor(wires: Wires, host: string) {
    this.wires = wires;
    this.host = host;
  }

  async listen(endpoint: Endpoint, _backlog: number, accept: Accept): Promise<Listener> {
    assert('port' in endpoint, 'hosts of a simulation listen at ports');
    const port = endpoint.port === 0 ? this.wires.nextPort() : endpoint.port;
    const name = `${this.host}:${port}`;
    const { listeners } = this.wires;
    if (this.gone) return { port, close: () => {} };
    if (listeners.has(name)) throw new SystemError('EADDRINUSE', 'listen', name);
    listeners.set(name, { accept, network: this });
    return { port, close: () => void listeners.delete(name) };
  }

  connect(endpoint: Destination): MemorySocket {
    assert('port' in endpoint, 'hosts of a simulation listen at ports');
    const { wires, host } = this;
    const target = endpoint.host ?? host;
    const socket = new MemorySocket(this, wires.nextPort(), target, endpoint.port, false);
    if (this.gone) {
      socket.dead = true;
      return socket;
    }
    if (endpoint.source !== undefined && endpoint.source !== host) {
      socket.destroy(new SystemError('EADDRNOTAVAIL', 'bind', endpoint.source));
      return socket;
    }
    wires.send(host, target, wires.latency(), () => {
      const listener = wires.listeners.get(`${target}:${endpoint.port}`);
      wires.onTraffic('connect', host, target, 0);
      // Whoever dials has hung up meanwhile.
      if (socket.destroyed || socket.dead) return;
      if (listener === undefined) {
        socket.arrive(() => socket.destroy(new SystemError('ECONNREFUSED', 'connect', `${target}:${endpoint.port}`)));
        return;
      }
      const other = new MemorySocket(listener.network, endpoint.port, host, socket.localPort, true);
      socket.peer = other;
      other.peer = socket;
      other.connected = true;
      listener.accept(other);
      wires.send(target, host, wires.latency(), () => socket.arrive(() => socket.establish()));
    });
    return socket;
  }

  async lookup(host: string): Promise<string> {
    return host;
  }

  async addresses(host: string): Promise<string[]> {
    return [host];
  }

  /** The process has ended. Its system ends its connections, unless the whole host has vanished. */
  cutOff(vanished: boolean): void {
    this.gone = true;
    const { listeners } = this.wires;
    for (const [name, { network }] of listeners) if (network === this) listeners.delete(name);
    for (const socket of this.sockets) {
      if (!vanished) socket.tellEnd();
      socket.dead = true;
    }
    this.sockets.clear();
  }
}

export class MemorySocket extends Duplex {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  peer: MemorySocket | null = null;
  connected = false;
  /** Its process is no more. */
  dead = false;
  private readonly network: MemoryNetwork;
  /** What is on its way, in order: nothing that is sent later arrives earlier. */
  private readonly underWay: (() => void)[] = [];
  private onConnected: (() => void) | null = null;
  private readonly onRoom: (() => void)[] = [];
  private ended = false;
  /** Bytes that were sent and not taken, and what waits for them to be. */
  private flying = 0;
  private onTaken: (() => void) | null = null;

  constructor(network: MemoryNetwork, localPort: number, remote: string, remotePort: number, allowHalfOpen: boolean) {
    super({ allowHalfOpen });
    this.network = network;
    this.localAddress = network.host;
    this.localPort = localPort;
    this.remoteAddress = remote;
    this.remotePort = remotePort;
    network.sockets.add(this);
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Something reaches this end, unless there is none any more. */
  arrive(action: () => void): void {
    if (!this.dead && !this.destroyed) action();
  }

  establish(): void {
    this.connected = true;
    this.emit('connect');
    this.onConnected?.();
    this.onConnected = null;
  }

  /** Sends something to the other end; `lost` where there is none any more. */
  private send(what: string, bytes: number, action: (peer: MemorySocket) => void, lost: () => void): void {
    const { wires, host } = this.network;
    this.underWay.push(() => {
      wires.onTraffic(what, host, this.remoteAddress, bytes);
      const { peer } = this;
      if (peer !== null && !peer.dead && !peer.destroyed) action(peer);
      else lost();
    });
    wires.send(host, this.remoteAddress, wires.latency(), () => this.underWay.shift()?.());
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.connected) {
      this.onConnected = () => this._write(chunk, _encoding, done);
      return;
    }
    const bytes = Buffer.from(chunk);
    this.flying += bytes.length;
    const taken = (): void => {
      this.flying -= bytes.length;
      const { onTaken } = this;
      // It may write more at once, which then waits in its turn.
      this.onTaken = null;
      onTaken?.();
    };
    this.send(
      'data',
      bytes.length,
      (peer) => peer.takeBytes(bytes, () => this.arrive(taken)),
      () => this.lost(),
    );
    if (this.flying <= WINDOW) done();
    else this.onTaken = done;
  }

  /** The other end is gone: its host says so, if there is one. */
  private lost(tries = 1): void {
    const { wires, host } = this.network;
    if (this.peer?.dead && !this.hostAnswers()) {
      wires.send(host, this.remoteAddress, RETRY_MS, () =>
        this.arrive(() => {
          if (tries < TRIES) this.lost(tries + 1);
          else this.destroy(new SystemError('ETIMEDOUT', 'read'));
        }),
      );
      return;
    }
    wires.send(this.remoteAddress, host, wires.latency(), () => {
      wires.onTraffic('reset', this.remoteAddress, host, 0);
      this.arrive(() => this.destroy(new SystemError('ECONNRESET', 'read')));
    });
  }

  private hostAnswers(): boolean {
    const { listeners } = this.network.wires;
    return [...listeners.values()].some(({ network }) => network.host === this.remoteAddress);
  }

  private takeBytes(bytes: Buffer, done: () => void): void {
    if (this.ended || this.push(bytes)) done();
    else this.onRoom.push(done);
  }

  override _read(): void {
    for (const done of this.onRoom.splice(0)) done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.tellEnd();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.network.sockets.delete(this);
    if (!this.dead) this.tellEnd();
    done(error);
  }

  /** The other end hears that no more comes. */
  tellEnd(): void {
    if (this.peer === null) return;
    this.send(
      'end',
      0,
      (peer) => peer.takeEnd(),
      () => {},
    );
  }

  private takeEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.push(null);
  }
}
