/** CLUSTER INFO. */
import { TYPES } from './bus/layout.ts';
import type { PacketType } from './bus/packet.ts';
import { FAIL, PFAIL } from './flags.ts';
import type { ClusterState } from './state.ts';

/** `overflows`: connections that were ended because too much was owed over them. */
export function infoText(state: ClusterState, overflows: number): string {
  const count = { ok: 0, pfail: 0, fail: 0 };
  for (const node of state.nodes.values()) {
    if (node.is(FAIL)) count.fail += node.slots.size;
    else if (node.is(PFAIL)) count.pfail += node.slots.size;
    else count.ok += node.slots.size;
  }
  const fields: (readonly [string, string | number])[] = [
    ['cluster_state', state.ok ? 'ok' : 'fail'],
    ['cluster_slots_assigned', count.ok + count.pfail + count.fail],
    ['cluster_slots_ok', count.ok],
    ['cluster_slots_pfail', count.pfail],
    ['cluster_slots_fail', count.fail],
    ['cluster_known_nodes', state.nodes.size],
    ['cluster_size', state.size],
    ['cluster_current_epoch', state.currentEpoch],
    ['cluster_my_epoch', state.myself.shard.configEpoch],
    ...messages(state.sent, 'sent'),
    ...messages(state.received, 'received'),
    ['total_cluster_links_buffer_limit_exceeded', overflows],
  ];
  return fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
}

/** Of each type of which there are some, and the sum. */
function messages(counts: ReadonlyMap<PacketType, number>, way: string): (readonly [string, number])[] {
  const lines: (readonly [string, number])[] = [];
  let sum = 0;
  for (const type of TYPES) {
    const count = counts.get(type) ?? 0;
    if (count === 0) continue;
    sum += count;
    lines.push([`cluster_stats_messages_${type}_${way}`, count]);
  }
  return [...lines, [`cluster_stats_messages_${way}`, sum]];
}
