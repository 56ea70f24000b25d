/**
 * PING and PONG, and what they tell of third nodes: of max(3, a tenth of all), chosen at random, so that word of each gets
 * round, and of all that do not answer us, so that the others hear of it at once.
 */
import type { Gossip, Heartbeat } from '../bus/packet.ts';
import { HANDSHAKE, MYSELF, NOADDR, PFAIL } from '../flags.ts';
import type { Connection, Node } from '../state.ts';
import { packetOf } from './links.ts';
import type { Turn } from './turn.ts';

const LEAST_GOSSIPS = 3;
/** One of so many nodes is told of. */
const GOSSIP_SHARE = 10;

/** Asks a node for a PONG. Where the connection is still to come, the wait begins all the same. */
export function ping(turn: Turn, node: Node): void {
  node.pingSent = turn.now;
  if (node.link?.open) beat(turn, node.link, 'ping');
}

export function beat(turn: Turn, connection: Connection, type: Heartbeat['type']): void {
  turn.send(
    connection,
    packetOf(turn, {
      type,
      gossips: gossips(turn, connection.node),
      hostname: turn.state.myself.hostname,
      unknownExtensions: [],
    }),
  );
}

/** Tells everybody, or those of our shard, at once what has changed with us. */
export function announce(turn: Turn, to: 'all' | 'shard'): void {
  const { myself, nodes } = turn.state;
  for (const node of nodes.values()) {
    if (!node.link?.open || node.is(MYSELF | HANDSHAKE)) continue;
    if (to === 'all' || (node.isReplica && node.shard === myself.shard)) beat(turn, node.link, 'pong');
  }
}

function gossips(turn: Turn, receiver: Node | null): Gossip[] {
  const { nodes } = turn.state;
  const most = Math.min(Math.max(LEAST_GOSSIPS, Math.floor(nodes.size / GOSSIP_SHARE)), nodes.size - 2);
  const news: Node[] = [];
  const suspects: Node[] = [];
  for (const node of nodes.values()) {
    if (node === receiver || node.is(MYSELF | HANDSHAKE | NOADDR)) continue;
    if (node.is(PFAIL)) suspects.push(node);
    else if (node.link !== null || node.slots.size > 0) news.push(node);
  }
  return [...chosen(turn, news, most), ...suspects].map(gossipOf);
}

/** So many of them, at random; all where they are fewer. */
function chosen(turn: Turn, nodes: Node[], most: number): Node[] {
  const count = Math.max(0, Math.min(most, nodes.length));
  for (let i = 0; i < count; i++) {
    const other = i + turn.world.random.below(nodes.length - i);
    [nodes[i], nodes[other]] = [nodes[other], nodes[i]];
  }
  return nodes.slice(0, count);
}

function gossipOf(node: Node): Gossip {
  const { id, ip, port, busPort, plainPort, flags } = node;
  return {
    id,
    pingSent: seconds(node.pingSent),
    pongReceived: seconds(node.pongReceived),
    ip,
    port,
    busPort,
    plainPort,
    flags,
  };
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) >>> 0;
}
