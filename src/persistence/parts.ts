/** What snapshots, loads and the log of one server share, and what loading a snapshot and loading a log know of each other. */
import type { Environment } from '../base/environment.ts';
import type { Config } from '../config/config.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import type { UsagePolicy } from '../keyspace/usage.ts';

export interface PersistenceParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly environment: Environment;
  readonly log: Log;
  readonly usage: UsagePolicy;
  /** Whether the server loads at its start and saves by itself; one in a library does so only when told. */
  readonly automatic: boolean;
  /** What replies promise can't be kept: ends the server, with no further reply. */
  readonly die: () => void;
}

/** What a load tells. */
export type LoadLog = Pick<Log, 'debug' | 'notice' | 'warning'>;

/** A snapshot that is being read. */
export interface SnapshotLoad {
  /** Bytes read so far. */
  readonly offset: number;
  /** Bytes that were in use when it was made. */
  readonly usedMemory: number;
  /** Keys that have been stored, that were past their time, and aggregates without elements. */
  readonly loaded: number;
  readonly expired: number;
  readonly empty: number;
  /** Reads on; true at the end, false where `pause` said so. */
  run(pause: () => boolean): boolean;
}
