/**
 * A whole cluster in one process, for tests and for a first look: its nodes are servers that come to life knowing one another,
 * each with its slots or its master, and serve at once.
 *
 *   nodes.conf of each is written before it starts:   node 0 ... masters-1 share the slots; then `replicas` rounds of replicas
 */

import { type Environment, environmentWith } from '../base/environment.ts';
import { MASTER, MYSELF, SLAVE } from '../cluster/flags.ts';
import { formatNodesFile, type SavedNode } from '../cluster/nodes-file.ts';
import { SLOTS } from '../cluster/slots.ts';
import { NOBODY } from '../raft/configuration.ts';
import { membershipOf } from '../raft/owners.ts';
import { createGroup } from './local-group.ts';
import {
  type CinnabarCluster,
  type ClusterOptions,
  HOST,
  hasItsData,
  opened,
  placeOf,
  portsOf,
} from './local-options.ts';
import { type CinnabarServer, createServer } from './server.ts';

const FIRST_EPOCH = 1;
const MOST_MEMBERS = 9;

/** A node to be: who it is, where, and as what. */
export interface Seat {
  readonly id: string;
  readonly ip: string;
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
  const { masters = 3, replicas = 0, raft } = options;
  const environment = environmentWith(options);
  if (raft !== undefined) {
    if (!(raft >= 1 && raft <= MOST_MEMBERS)) throw new RangeError(`a group has 1 to ${MOST_MEMBERS} members`);
    const ports = await portsOf(options, environment, raft, raft);
    return opened(
      options,
      createGroup(options, ports),
      ports,
      (nodes) => nodes.some(leads) && nodes.every(knowsLeader),
    );
  }
  if (!(masters >= 1 && masters <= SLOTS)) throw new RangeError(`a cluster has 1 to ${SLOTS} masters`);
  const seats = await seatsOf(options, environment, masters, masters * (1 + replicas));
  const nodes = seats.map((_, number) => createNode(options, seats, number));
  return opened(
    options,
    nodes,
    seats.map(({ port }) => port),
    () => nodes.every((node) => isReady(node, nodes.length)),
  );
}

async function seatsOf(
  options: ClusterOptions,
  environment: Environment,
  masters: number,
  count: number,
): Promise<Seat[]> {
  const { ids } = environment;
  const ports = await portsOf(options, environment, count, count);
  return Array.from({ length: count }, (_, i) => ({
    id: ids.secret(20).toString('hex'),
    ip: HOST,
    port: ports[i],
    busPort: ports[count + i],
    master: i < masters ? null : i % masters,
  }));
}

function createNode(options: ClusterOptions, seats: readonly Seat[], number: number): CinnabarServer {
  const { port, busPort } = seats[number];
  const place = placeOf(options, port);
  const file = `${place.folder}/nodes.conf`;
  const isNew = place.disk.status(file) === undefined;
  if (isNew) place.disk.open(file, 'w').writeAll(Buffer.from(nodesFile(seats, number), 'latin1'));
  return createServer({
    ...place.options,
    newCluster: isNew,
    settings: {
      'repl-diskless-sync-delay': 0,
      ...place.options.settings,
      'cluster-enabled': true,
      'cluster-port': busPort,
      'cluster-config-file': 'nodes.conf',
    },
  });
}

/** nodes.conf of the node of this number, which knows all the others. */
export function nodesFile(seats: readonly Seat[], number: number): string {
  const masters = seats.filter(({ master }) => master === null).length;
  const nodes = seats.map(({ id, ip, port, busPort, master }, i): SavedNode => {
    const role = master === null ? MASTER : SLAVE;
    const start = Math.floor((i * SLOTS) / masters);
    const end = Math.floor(((i + 1) * SLOTS) / masters) - 1;
    return {
      ...{ id, ip, port, busPort, hostname: '', pingSent: 0, pongReceived: 0, moves: [] },
      flags: i === number ? role | MYSELF : role,
      master: master === null ? '' : seats[master].id,
      configEpoch: FIRST_EPOCH + (master ?? i),
      connected: i === number,
      slots: master === null ? [{ start, end }] : [],
    };
  });
  return formatNodesFile({ nodes, currentEpoch: FIRST_EPOCH + masters - 1, lastVoteEpoch: 0, unclaimed: [] });
}

function leads({ engine }: CinnabarServer): boolean {
  return engine.membership.group?.serves === true;
}

function knowsLeader({ engine }: CinnabarServer): boolean {
  return membershipOf(engine).shell.state?.leader !== NOBODY;
}

function isReady({ engine }: CinnabarServer, nodes: number): boolean {
  const { port } = engine.membership;
  if (port === null || !port.map.ok || port.traffic.connections < 2 * (nodes - 1)) return false;
  return hasItsData(engine);
}
