/** What the network of a server is built from, and what its parts ask for. */
import type { Disk } from '../base/disk.ts';
import type { Network } from '../base/network.ts';
import type { Clock } from '../base/time.ts';
import type { Settings } from '../config/settings.ts';
import type { SessionHost, TransportSession } from '../engine/ports.ts';
import type { IoCounters } from './io-threads/main-side.ts';
import type { ListenSettings } from './listeners.ts';
import type { Transport } from './transport.ts';

export type NetSettings = ListenSettings &
  Readonly<
    Pick<
      Settings,
      | 'ioThreads'
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
export interface NetCounters extends IoCounters {
  netInput: number;
  netOutput: number;
  /** What of that went to replicas. */
  netReplOutput: number;
  /** Reads that brought bytes, and writes. */
  totalReads: number;
  totalWrites: number;
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
  /** Under TLS, which has no fast road. */
  readonly network: Network;
  /** Where certificates lie, and the names of unix sockets. */
  readonly disk: Disk;
  /** Where relative paths of certificates begin; usually the process's own folder. */
  readonly folder?: () => string;
}
