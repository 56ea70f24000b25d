/** What a whole cluster, or a group, in one process is made from, and what there is then. */
import type { Environment } from '../base/environment.ts';
import type { Log } from '../engine/server-port.ts';
import type { CinnabarServer, ServerOptions } from './server.ts';

/** Of the environment what is not given is the machine's, but for the disk: without a folder nothing is kept. */
export interface ClusterOptions extends Partial<Environment> {
  /** 3 when absent. */
  readonly masters?: number;
  /** Of each master; 0 when absent. */
  readonly replicas?: number;
  /** Instead of masters and replicas: the members of one group that loses no acknowledged write (raft-enabled), 1 or more. */
  readonly raft?: number;
  /** Of the first node; the others have those behind it, and buses theirs 10,000 above. Any that are free when absent. */
  readonly port?: number;
  /** Settings of all nodes, as in redis.conf. */
  readonly settings?: ServerOptions['settings'];
  /** Where each node keeps its data, in a folder of its own named after its port. Nothing is kept when absent. */
  readonly folder?: string;
  readonly log?: Log;
}

export interface CinnabarCluster {
  /** The masters in the order of their slots, then the replicas in that of their masters. */
  readonly nodes: readonly CinnabarServer[];
  /** Where clients find them. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Whether every node serves, knows all others, and has its master's data. */
  readonly isReady: boolean;
  close(): Promise<void>;
}
