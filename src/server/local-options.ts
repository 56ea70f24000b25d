/** What several servers in one process (a cluster, a group, a master with Sentinels) are made from, and what there is then. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Disk } from '../base/disk.ts';
import { type Environment, environmentWith } from '../base/environment.ts';
import { MemoryDisk, Storage } from '../base/memory-disk.ts';
import type { Network } from '../base/network.ts';
import { BUS_PORT_INCREMENT } from '../cluster/endpoints.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../engine/server-port.ts';
import type { CinnabarServer, ServerOptions } from './server.ts';

export const HOST = '127.0.0.1';
const LOOK_AGAIN_MS = 10;

/** Of the environment what is not given is the machine's, but for the disk: without a folder nothing is kept. */
export interface ClusterOptions extends Partial<Environment>, Pick<ServerOptions, 'commands' | 'modules'> {
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

/** One server of several: its disk, where its files lie there, and what it has in common with the others. */
interface Place {
  readonly disk: Disk;
  readonly folder: string;
  readonly options: ServerOptions & { readonly settings: NonNullable<ServerOptions['settings']> };
}

/** The place of the one at this port, made. */
export function placeOf(options: ClusterOptions, port: number): Place {
  const { masters: _masters, replicas: _replicas, raft: _raft, port: _port, folder, settings, ...rest } = options;
  const clock = options.clock && { clock: options.clock };
  // A thread would write to the machine's disk.
  const own: Partial<Environment> =
    folder === undefined && options.disk === undefined ? { disk: new MemoryDisk(new Storage()), threads: null } : {};
  const { disk } = environmentWith({ ...rest, ...own, ...clock });
  const dir = folder === undefined ? disk.folder : `${folder}/${port}`;
  disk.makeFolder(dir);
  const common = { ...rest, ...own, persistent: folder !== undefined };
  return { disk, folder: dir, options: { ...common, settings: { bind: HOST, ...settings, dir, port } } };
}

/** Resolves once they listen and, where time goes on by itself, are ready. */
export async function opened(
  options: Pick<ClusterOptions, 'clock'>,
  nodes: readonly CinnabarServer[],
  ports: readonly number[],
  isReady: (nodes: readonly CinnabarServer[]) => boolean,
): Promise<CinnabarCluster> {
  const cluster: CinnabarCluster = {
    nodes,
    addresses: nodes.map((_, i) => ({ host: HOST, port: ports[i] })),
    get isReady() {
      return isReady(nodes);
    },
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
  try {
    for (const node of nodes) await node.listen();
    while (options.clock === undefined && !cluster.isReady) await pause(LOOK_AGAIN_MS);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

/** Of so many servers, and behind them those of the buses of so many. */
export async function portsOf(
  { port }: Pick<ClusterOptions, 'port'>,
  { network }: Environment,
  count: number,
  buses: number,
): Promise<number[]> {
  return port === undefined
    ? freePorts(network, count + buses)
    : Array.from({ length: count + buses }, (_, i) => (i < count ? port + i : port + i - count + BUS_PORT_INCREMENT));
}

/** Ports at which nobody listens now. */
async function freePorts(network: Network, count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, () => network.listen({ host: HOST, port: 0 }, 1, (stream) => stream.destroy())),
  );
  for (const listener of listeners) listener.close();
  return listeners.map(({ port }) => port);
}

/** Whether it is a master, or has all of its master's data. */
export function hasItsData({ replication }: Engine): boolean {
  return !replication.isReplica || replication.figures()['master_link_status'] === 'up';
}
