/** Connections to and from the other nodes, and what goes over them. */
import type { Body, Header, Packet } from '../bus/packet.ts';
import { HANDSHAKE, MYSELF, NOADDR } from '../flags.ts';
import { Connection, type Node } from '../state.ts';
import { claimedSlots } from './table.ts';
import type { Turn } from './turn.ts';

/** What every packet of ours says of us: a replica tells its master's slots and epoch. */
export function ownHeader(turn: Turn): Header {
  const { state, settings, world } = turn;
  const { myself, manual } = state;
  const { shard } = myself;
  return {
    sender: myself.id,
    currentEpoch: state.currentEpoch,
    configEpoch: shard.configEpoch,
    offset: Math.max(0, world.engine.replicationOffset()),
    slots: claimedSlots(state, shard).bitmap(),
    master: myself.master?.id ?? '',
    ip: settings.announceIp,
    port: settings.port,
    plainPort: settings.plainPort,
    busPort: settings.busPort,
    flags: myself.flags,
    state: state.ok ? 'ok' : 'fail',
    paused: myself.isMaster && manual.end !== 0,
    forceAck: false,
  };
}

export function packetOf(turn: Turn, body: Body): Packet {
  return { header: ownHeader(turn), body };
}

/** To one node, where there is a connection to it. */
export function sendTo(turn: Turn, node: Node, body: Body): void {
  if (node.link?.open) turn.send(node.link, packetOf(turn, body));
}

/** To every node that is connected, in one and the same packet. */
export function broadcast(turn: Turn, body: Body, change: Partial<Header> = {}): void {
  const packet = { header: { ...ownHeader(turn), ...change }, body };
  for (const node of turn.state.nodes.values())
    if (node.link?.open && !node.is(MYSELF | HANDSHAKE)) turn.send(node.link, packet);
}

/** A node whose configuration is older than the owner of slots that it claims hears of that one. */
export function sendUpdate(turn: Turn, to: Node, about: Node): void {
  sendTo(turn, to, {
    type: 'update',
    node: about.id,
    configEpoch: about.configEpoch,
    slots: claimedSlots(turn.state, about).bitmap(),
  });
}

/** Milliseconds between two tries to reach a node that may not be there at all. */
const HEARSAY_PERIOD = 1000;

/** Opens a connection to a node that has none. */
export function connect(turn: Turn, node: Node): void {
  if (node.link !== null || node.is(MYSELF | NOADDR)) return;
  if (turn.state.hearsay.has(node) && turn.now - node.dialled < HEARSAY_PERIOD) return;
  node.dialled = turn.now;
  node.link = Connection.to(node, turn.now);
  turn.output({ kind: 'connect', connection: node.link });
}

export function closeLink(turn: Turn, node: Node): void {
  if (node.link !== null) disconnect(turn, node.link);
  node.link = null;
}

/** What still comes over it means nothing. */
function disconnect(turn: Turn, connection: Connection): void {
  connection.open = false;
  turn.output({ kind: 'disconnect', connection });
}

/** In both directions: the node is forgotten. */
export function closeConnections(turn: Turn, node: Node): void {
  closeLink(turn, node);
  if (node.inbound !== null) disconnect(turn, node.inbound);
  node.inbound = null;
}

/** A packet over an inbound connection tells whose it is. A node has one: the last. */
export function claimInbound(turn: Turn, connection: Connection, node: Node): void {
  if (connection.direction === 'out' || connection.node === node) return;
  if (connection.node?.inbound === connection) connection.node.inbound = null;
  if (node.inbound !== null) {
    turn.log('debug', `Replacing inbound link from node ${node.id}`);
    disconnect(turn, node.inbound);
  }
  node.inbound = connection;
  connection.node = node;
}

export function connectionLost(turn: Turn, connection: Connection, reason: string): void {
  const { node } = connection;
  if (node === null) return;
  if (node.inbound === connection) node.inbound = null;
  if (node.link !== connection) return;
  node.link = null;
  if (!connection.open)
    turn.log('verbose', `Connection with Node ${node.id} at ${node.ip}:${node.busPort} failed: ${reason}`);
}
