/** What a node that we know tells of others. */
import type { Gossip, Heartbeat } from '../bus/packet.ts';
import { FAIL, MASTER, NOADDR, NOFAILOVER, PFAIL, SLAVE } from '../flags.ts';
import { Node } from '../state.ts';
import { countReports, heardReport } from './failures.ts';
import { moveTo } from './introductions.ts';
import { addNode, hasRoomForHearsay } from './table.ts';
import type { Turn } from './turn.ts';

/** Milliseconds that another's clock may be ahead of ours. */
const CLOCK_SKEW = 500;

export function heardGossip(turn: Turn, sender: Node, { gossips }: Heartbeat): void {
  for (const gossip of gossips) {
    const node = turn.state.nodes.get(gossip.id);
    if (node === undefined) learn(turn, gossip);
    else hear(turn, sender, node, gossip);
  }
}

/** A node that we did not know is one of the cluster's, unless an administrator has just removed it or there are too many. */
function learn(turn: Turn, gossip: Gossip): void {
  const { state, now } = turn;
  const { id, ip, port, busPort, plainPort, flags } = gossip;
  if ((flags & NOADDR) !== 0 || ip === '' || (state.forgotten.get(id) ?? 0) > now) return;
  if (!hasRoomForHearsay(state)) return;
  const role = (flags & SLAVE) !== 0 ? SLAVE : MASTER;
  const node = new Node(id, role | (flags & NOFAILOVER), now);
  Object.assign(node, { ip, port, busPort, plainPort });
  addNode(state, node);
  state.hearsay.add(node);
  turn.persist();
}

function hear(turn: Turn, sender: Node, node: Node, gossip: Gossip): void {
  if (sender.isMaster && sender !== node && node !== turn.state.myself) heardReport(turn, sender, node, gossip);
  const isWellThere = (gossip.flags & (FAIL | PFAIL)) === 0;
  if (!isWellThere) return;
  if (node.pingSent === 0 && countReports(turn, node) === 0) {
    const pong = gossip.pongReceived * 1000;
    if (pong <= turn.now + CLOCK_SKEW && pong > node.pongReceived) node.pongReceived = pong;
  }
  const { ip, port, busPort } = gossip;
  const moved = node.ip !== ip || node.port !== port || node.busPort !== busPort;
  // Who is down here and well there may have another address by now.
  if (moved && !node.isWell && (gossip.flags & NOADDR) === 0 && ip !== '') moveTo(turn, node, { ip, port, busPort });
}
