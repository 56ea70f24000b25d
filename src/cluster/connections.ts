/**
 * The connections of the bus: those that the rules ask for, and those that other nodes have opened to us. Bytes that come are
 * cut into packets; packets that go are put into bytes, a broadcast once for all.
 *
 * What a node that does not read makes us hold is bounded by cluster-link-sendbuf-limit, looked at with each tick: its
 * connection is ended, and a new one opened.
 */
import type { Log } from '../engine/server-port.ts';
import type { Guest } from '../links/acceptor.ts';
import type { Dialer, Link } from '../links/link.ts';
import { decode, isRefused } from './bus/decode.ts';
import { encode } from './bus/encode.ts';
import { Framer } from './bus/framer.ts';
import type { Packet } from './bus/packet.ts';
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

/** Bytes of a packet that whoever has not yet said who he is may make us hold: he begins with a heartbeat. */
const STRANGERS_MOST = 1024 * 1024;
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
  private readonly settings: BusSettings;
  private readonly receiver: ConnectionReceiver;
  private readonly log: Log;
  private readonly ends = new Map<Connection, End>();
  private encoded: { readonly packet: Packet; readonly bytes: Uint8Array } | null = null;

  constructor(dialer: Dialer, settings: BusSettings, log: Log, receiver: ConnectionReceiver) {
    this.dialer = dialer;
    this.settings = settings;
    this.log = log;
    this.receiver = receiver;
  }

  connect(connection: Connection): void {
    const { tlsCluster: secure, bindSourceAddr: source, clusterNodeTimeout } = this.settings;
    const framer = new Framer();
    const target = { host: connection.ip, port: connection.port, secure, source, timeout: null };
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
    this.receiver.accepted(connection);
  }

  /** Ends it without a word to the rules, who have asked for it. */
  disconnect(connection: Connection): void {
    this.ends.get(connection)?.wire.close();
    this.ends.delete(connection);
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
    let { refused } = framer;
    if (connection.node === null && framer.size > STRANGERS_MOST) refused = TOO_LONG;
    if (refused === '') return;
    this.log.warning(refused);
    this.kill(connection, refused);
  }

  private ended(connection: Connection, reason: string): void {
    if (this.ends.delete(connection)) this.receiver.lost(connection, reason);
  }
}

/** What is published is handed to subscribers as it lies here: as a plain array, as code for both kinds would be slower. */
function plain(bytes: Buffer, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from);
}
