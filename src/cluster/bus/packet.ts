/** What nodes of a cluster tell one another, as values. layout.ts has them as bytes. */
import type { TYPES } from './layout.ts';

export type PacketType = (typeof TYPES)[number];

export interface Packet {
  readonly header: Header;
  readonly body: Body;
}

/** What every packet says of its sender. Bytes may lie in the packet's own. */
export interface Header {
  /** 40 hexadecimal digits. */
  readonly sender: string;
  readonly currentEpoch: number;
  /** The sender's; a replica tells its master's, and that one's slots. */
  readonly configEpoch: number;
  /** Of its replication. */
  readonly offset: number;
  /** A bit a slot. */
  readonly slots: Uint8Array;
  /** '' where the sender is a master, or knows of none. */
  readonly master: string;
  /** '' where it is not announced: it is where the packet comes from. */
  readonly ip: string;
  readonly port: number;
  /** The port for clients without TLS where `port` is one with it; 0 where it is not. */
  readonly plainPort: number;
  readonly busPort: number;
  readonly flags: number;
  readonly state: 'ok' | 'fail';
  /** Of a master that has stopped its clients for a manual failover: `offset` is the last. */
  readonly paused: boolean;
  /** Of a manual failover's request for votes: the master that is to be replaced is not down. */
  readonly forceAck: boolean;
}

export type Body = Heartbeat | Fail | Publish | Update | Module | Plain;

export interface Heartbeat {
  readonly type: 'ping' | 'pong' | 'meet';
  readonly gossips: readonly Gossip[];
  /** The sender's; '' where it has told none. */
  readonly hostname: string;
  /** Types of extensions that we don't know. */
  readonly unknownExtensions: readonly number[];
}

/** What the sender knows of another node. */
export interface Gossip {
  readonly id: string;
  /** Seconds; 0 where no PING is without its PONG, and where no PONG ever came. */
  readonly pingSent: number;
  readonly pongReceived: number;
  readonly ip: string;
  readonly port: number;
  readonly busPort: number;
  readonly plainPort: number;
  readonly flags: number;
}

export interface Fail {
  readonly type: 'fail';
  readonly node: string;
}

export interface Publish {
  readonly type: 'publish' | 'publishshard';
  readonly channel: Uint8Array;
  readonly message: Uint8Array;
}

export interface Update {
  readonly type: 'update';
  readonly node: string;
  readonly configEpoch: number;
  readonly slots: Uint8Array;
}

export interface Module {
  readonly type: 'module';
  /** Eight bytes. */
  readonly module: Uint8Array;
  readonly messageType: number;
  readonly payload: Uint8Array;
}

/** The header says it all. */
export interface Plain {
  readonly type: 'auth-req' | 'auth-ack' | 'mfstart';
}
