/**
 * The connections of the bus: those that the rules ask for, and those that other nodes have opened to us. Bytes that come are
 * cut into packets; packets that go are put into bytes, a broadcast once for all.
 *
 * What a node that does not read makes us hold is bounded by cluster-link-sendbuf-limit, looked at with each tick: its
 * connection is ended, and a new one opened. Of those who have opened a connection and have not said who they are, so many
 * may be there, with so much that is half said; where there is more, the oldest go: a node says at once who it is.
 */
import { isIP } from '../base/network.ts';
import type { Log } from '../engine/server-port.ts';
import type { Guest } from '../links/acceptor.ts';
import type { Dialer, Link } from '../links/link.ts';
import { decode, isRefused } from './bus/decode.ts';
import { encode } from './bus/encode.ts';
import { Framer } from './bus/framer.ts';
import type { Packet } from './bus/packet.ts';
import type { Names } from './names.ts';
import { Connection } from './state.ts';

/** How links are opened, by the settings of the server. */
export interface BusSettings {
  readonly tlsCluster: boolean;
  readonly bindSourceAddr: string;
  /** Bytes; 0 for no bound. */
  readonly clusterLinkSendbufLimit: number;
  readonly clusterNodeTimeout: number;
}

/** Who is told what comes. */
export interface ConnectionReceiver {
  accepted(connection: Connection): void;
  opened(connection: Connection): void;
  lost(connection: Connection, reason: string): void;
  packet(connection: Connection, packet: Packet): void;
}

/** Strangers: who has not said who he is. So many there may be, and so many bytes of their packets we hold in all. */
const MOST_STRANGERS = 1000;
const STRANGERS_MOST = 16 * 1024 * 1024;
/** And of one: he begins with a heartbeat. */
const STRANGER_MOST = 1024 * 1024;
const TOO_MANY = 'Too many who have not said who they are are connected to the cluster bus.';
const TOO_LONG = 'A packet of the cluster bus from nobody we know is too long.';

/** What a connection goes over: one that we have opened, or one that another node has. */
type Wire = Pick<Link | Guest, 'unsent' | 'write' | 'close'>;

/** One end of a connection. */
interface End {
  readonly wire: Wire;
  readonly framer: Framer;
}

export class Connections {
  /** How often one was ended because too much was owed over it, since the start or CONFIG RESETSTAT. */
  overflows = 0;
  private readonly dialer: Dialer;
  private readonly names: Names;
  private readonly settings: BusSettings;
  private readonly receiver: ConnectionReceiver;
  private readonly log: Log;
  /** Of each node one in either direction, and those of strangers. */
  private readonly ends = new Map<Connection, End>();
  /** The oldest first. */
  private readonly strangers = new Set<Connection>();
  private encoded: { readonly packet: Packet; readonly bytes: Uint8Array } | null = null;

  constructor(dialer: Dialer, names: Names, settings: BusSettings, log: Log, receiver: ConnectionReceiver) {
    this.dialer = dialer;
    this.names = names;
    this.settings = settings;
    this.log = log;
    this.receiver = receiver;
  }

  /** Where a name stands for an address that is not known yet, it is lost at once: the next try finds it. */
  connect(connection: Connection): void {
    const [host] = isIP(connection.ip) === 0 ? (this.names.addresses(connection.ip) ?? []) : [connection.ip];
    if (host === undefined) {
      this.receiver.lost(connection, `the address of ${connection.ip} is not known`);
      return;
    }
    const { tlsCluster: secure, bindSourceAddr: source, clusterNodeTimeout } = this.settings;
    const framer = new Framer();
    const target = { host, port: connection.port, secure, source, timeout: null };
    const link = this.dialer.open(target, {
      opened: () => {
        link.keepAlive(Math.max(1, Math.floor((clusterNodeTimeout * 2) / 1000)));
        connection.localIp = link.localIp;
        this.receiver.opened(connection);
      },
      data: (bytes, from, to) => this.read(connection, framer, plain(bytes, from, to)),
      closed: (error) => this.ended(connection, error.message),
    });
    this.ends.set(connection, { wire: link, framer });
  }

  accept(guest: Guest, now: number): void {
    const connection = Connection.from(guest.ip, guest.localIp, now);
    const framer = new Framer();
    guest.receiver = {
      data: (bytes, from, to) => this.read(connection, framer, plain(bytes, from, to)),
      closed: (reason) => this.ended(connection, reason),
    };
    this.ends.set(connection, { wire: guest, framer });
    this.strangers.add(connection);
    this.receiver.accepted(connection);
    this.limitStrangers();
  }

  /** Ends it without a word to the rules, who have asked for it. */
  disconnect(connection: Connection): void {
    this.ends.get(connection)?.wire.close();
    this.forget(connection);
  }

  send(connection: Connection, packet: Packet): void {
    const end = this.ends.get(connection);
    if (end === undefined || !connection.open) return;
    if (this.encoded?.packet !== packet) this.encoded = { packet, bytes: encode(packet) };
    end.wire.write(this.encoded.bytes);
  }

  /** Ends those over which too much is owed. */
  limit(): void {
    this.encoded = null;
    const { clusterLinkSendbufLimit: most } = this.settings;
    if (most === 0) return;
    for (const connection of [...this.ends.keys()]) {
      const owed = this.unsent(connection);
      const { node } = connection;
      if (owed <= most || node === null) continue;
      const which = `${connection.direction === 'in' ? 'from' : 'to'} node ${node.id}`;
      this.log.warning(
        `Freeing cluster link(${which}, used memory: ${owed}) due to exceeding send buffer memory limit.`,
      );
      this.overflows++;
      this.kill(connection, 'send buffer limit');
    }
  }

  /** Ends one as if it had been lost. */
  kill(connection: Connection, reason: string): void {
    if (!this.ends.has(connection)) return;
    this.disconnect(connection);
    this.receiver.lost(connection, reason);
  }

  /** Bytes that are owed over it. */
  unsent(connection: Connection): number {
    return this.ends.get(connection)?.wire.unsent ?? 0;
  }

  get count(): number {
    return this.ends.size;
  }

  /** Bytes that wait in all of them, to go or for the rest of their packet. */
  get bytes(): number {
    let sum = 0;
    for (const { wire, framer } of this.ends.values()) sum += wire.unsent + framer.size;
    return sum;
  }

  closeAll(): void {
    for (const connection of [...this.ends.keys()]) this.disconnect(connection);
  }

  private read(connection: Connection, framer: Framer, bytes: Uint8Array): void {
    for (const whole of framer.push(bytes)) {
      const packet = decode(whole);
      if (isRefused(packet)) this.log.verbose(`Ignoring a packet of the cluster bus: ${packet.refused}`);
      else this.receiver.packet(connection, packet);
      if (!this.ends.has(connection)) return;
    }
    if (connection.node !== null) this.strangers.delete(connection);
    else if (framer.size > 0) this.limitStrangers();
    let { refused } = framer;
    if (connection.node === null && framer.size > STRANGER_MOST) refused = TOO_LONG;
    if (refused === '') return;
    this.log.warning(refused);
    this.kill(connection, refused);
  }

  private limitStrangers(): void {
    const held = (connection: Connection): number => this.ends.get(connection)?.framer.size ?? 0;
    let bytes = 0;
    for (const stranger of this.strangers) bytes += held(stranger);
    for (const oldest of this.strangers) {
      if (this.strangers.size <= MOST_STRANGERS && bytes <= STRANGERS_MOST) return;
      bytes -= held(oldest);
      this.log.verbose(TOO_MANY);
      this.kill(oldest, TOO_MANY);
    }
  }

  private ended(connection: Connection, reason: string): void {
    if (this.forget(connection)) this.receiver.lost(connection, reason);
  }

  /** False where it is not there. */
  private forget(connection: Connection): boolean {
    this.strangers.delete(connection);
    return this.ends.delete(connection);
  }
}

/** What is published is handed to subscribers as it lies here: as a plain array, as code for both kinds would be slower. */
function plain(bytes: Buffer, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from);
}
