/**
 * Nodes that do not answer, or whose address is no longer known, are looked up by the host name that they once told. So a
 * cluster finds itself again when all of its addresses have changed, or changed places, while it was down: gossip can't help
 * there, since nobody is left who knows a new one.
 */
import { NOADDR } from '../flags.ts';
import type { Node } from '../state.ts';
import { moveTo } from './introductions.ts';
import type { Turn } from './turn.ts';

/** Once in a node timeout. */
export function lookUpLost(turn: Turn, node: Node): void {
  const { now, settings } = turn;
  if (!isLost(node) || now - node.lookedUp < settings.nodeTimeout) return;
  node.lookedUp = now;
  turn.output({ kind: 'resolve', host: node.hostname });
}

function isLost(node: Node): boolean {
  return node.hostname !== '' && (!node.isWell || node.is(NOADDR));
}

/** Where nobody knows its ports any more, they are those that we have ourselves. */
export function resolved(turn: Turn, host: string, ips: readonly string[]): void {
  const { state, settings } = turn;
  for (const node of state.nodes.values()) {
    if (node.hostname !== host || !isLost(node) || ips.length === 0 || ips.includes(node.ip)) continue;
    const port = node.port || node.formerPort || settings.port;
    const busPort = node.busPort || node.formerBusPort || settings.busPort;
    turn.log('notice', `Node ${node.id} is looked for at ${ips[0]}:${busPort}, where ${host} is now`);
    moveTo(turn, node, { ip: ips[0], port, busPort });
  }
}
