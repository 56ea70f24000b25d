/** DEBUG about the bus of a cluster. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';

/** CLUSTERLINK KILL <to|from|all> <node-id>. */
export function killClusterLink(c: Call): void {
  const { port } = c.engine.membership;
  if (!isWord(c.arg(2), 'KILL')) {
    c.unknownSubcommand(1);
    return;
  }
  if (port === null) {
    c.reply.error('ERR Debug option only available for cluster mode enabled setup!');
    return;
  }
  const direction = (['to', 'from', 'all'] as const).find((each) => isWord(c.arg(3), each.toUpperCase()));
  const id = c.arg(4).shown();
  if (port.map.nodes.get(id) === undefined) c.reply.error(`ERR Unknown node ${id}`);
  else if (direction === undefined) c.reply.error(`ERR Unknown direction ${c.arg(3).shown()}`);
  else {
    port.endLinks(id, direction);
    c.reply.ok();
  }
}

/** DROP-CLUSTER-PACKET-FILTER <packet-type>. */
export function dropClusterPackets(c: Call): void {
  const type = c.integer(2);
  if (type === undefined) return;
  c.engine.membership.port?.dropPackets(type);
  c.reply.ok();
}
