/**
 * A whole cluster in one process, for tests and for a first look: its nodes are servers that come to life knowing one another,
 * each with its slots or its master, and serve at once.
 *
 *   nodes.conf of each is written before it starts:   node 0 ... masters-1 share the slots; then `replicas` rounds of replicas
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Environment, environmentWith } from '../base/environment.ts';
import { MemoryDisk, Storage } from '../base/memory-disk.ts';
import type { Network } from '../base/network.ts';
import { MASTER, MYSELF, SLAVE } from '../cluster/flags.ts';
import { formatNodesFile, type SavedNode } from '../cluster/nodes-file.ts';
import { SLOTS } from '../cluster/slots.ts';
import type { Log } from '../engine/server-port.ts';
import { type CinnabarServer, createServer, type ServerOptions } from './server.ts';

/** Of the environment what is not given is the machine's, but for the disk: without a folder nothing is kept. */
export interface ClusterOptions extends Partial<Environment> {
  /** 3 when absent. */
  readonly masters?: number;
  /** Of each master; 0 when absent. */
  readonly replicas?: number;
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

const HOST = '127.0.0.1';
const BUS_PORT_INCREMENT = 10_000;
const LOOK_AGAIN_MS = 10;
const FIRST_EPOCH = 1;

interface Seat {
  readonly id: string;
  readonly port: number;
  readonly busPort: number;
  /** Which master it replicates; null where it is one. */
  readonly master: number | null;
}

/**
 * Resolves when it is ready, or, where a clock is handed in, when all listen: it is ready some moments of that clock later.
 * Rejects where a port can't be had.
 */
export async function createCluster(options: ClusterOptions = {}): Promise<CinnabarCluster> {
  const { masters = 3, replicas = 0 } = options;
  if (!(masters >= 1 && masters <= SLOTS)) throw new RangeError(`a cluster has 1 to ${SLOTS} masters`);
  const environment = environmentWith(options);
  const seats = await seatsOf(options, environment, masters, masters * (1 + replicas));
  const nodes = seats.map((_, number) => createNode(options, seats, number));
  const cluster: CinnabarCluster = {
    nodes,
    addresses: seats.map(({ port }) => ({ host: HOST, port })),
    get isReady() {
      return nodes.every((node) => isReady(node, nodes.length));
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

async function seatsOf(
  { port }: ClusterOptions,
  { ids, network }: Environment,
  masters: number,
  count: number,
): Promise<Seat[]> {
  const ports =
    port === undefined
      ? await freePorts(network, count * 2)
      : Array.from({ length: count * 2 }, (_, i) => (i < count ? port + i : port + i - count + BUS_PORT_INCREMENT));
  return Array.from({ length: count }, (_, i) => ({
    id: ids.secret(20).toString('hex'),
    port: ports[i],
    busPort: ports[count + i],
    master: i < masters ? null : i % masters,
  }));
}

/** Ports at which nobody listens now. */
async function freePorts(network: Network, count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, () => network.listen({ host: HOST, port: 0 }, 1, (stream) => stream.destroy())),
  );
  for (const listener of listeners) listener.close();
  return listeners.map(({ port }) => port);
}

function createNode(options: ClusterOptions, seats: readonly Seat[], number: number): CinnabarServer {
  const { masters: _masters, replicas: _replicas, port: _port, folder, settings, ...rest } = options;
  const { port, busPort } = seats[number];
  const clock = options.clock && { clock: options.clock };
  // A thread would write to the machine's disk.
  const own =
    folder === undefined && options.disk === undefined ? { disk: new MemoryDisk(new Storage()), threads: null } : {};
  const { disk } = environmentWith({ ...rest, ...own, ...clock });
  const place = folder === undefined ? disk.folder : `${folder}/${port}`;
  disk.makeFolder(place);
  const file = `${place}/nodes.conf`;
  const isNew = disk.status(file) === undefined;
  if (isNew) disk.open(file, 'w').writeAll(Buffer.from(nodesFile(seats, number), 'latin1'));
  return createServer({
    ...rest,
    ...own,
    persistent: folder !== undefined,
    newCluster: isNew,
    settings: {
      bind: HOST,
      'repl-diskless-sync-delay': 0,
      ...settings,
      dir: place,
      port,
      'cluster-enabled': true,
      'cluster-port': busPort,
      'cluster-config-file': 'nodes.conf',
    },
  });
}

/** What the node of this number knows at first. */
function nodesFile(seats: readonly Seat[], number: number): string {
  const masters = seats.filter(({ master }) => master === null).length;
  const nodes = seats.map(({ id, port, busPort, master }, i): SavedNode => {
    const role = master === null ? MASTER : SLAVE;
    const start = Math.floor((i * SLOTS) / masters);
    const end = Math.floor(((i + 1) * SLOTS) / masters) - 1;
    return {
      ...{ id, port, busPort, ip: HOST, hostname: '', pingSent: 0, pongReceived: 0, moves: [] },
      flags: i === number ? role | MYSELF : role,
      master: master === null ? '' : seats[master].id,
      configEpoch: FIRST_EPOCH + (master ?? i),
      connected: i === number,
      slots: master === null ? [{ start, end }] : [],
    };
  });
  return formatNodesFile({ nodes, currentEpoch: FIRST_EPOCH + masters - 1, lastVoteEpoch: 0 });
}

function isReady({ engine }: CinnabarServer, nodes: number): boolean {
  const { port } = engine.membership;
  if (port === null || !port.map.ok || port.traffic.connections < 2 * (nodes - 1)) return false;
  return !engine.replication.isReplica || engine.replication.figures()['master_link_status'] === 'up';
}
