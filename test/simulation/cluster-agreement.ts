/** Whether the nodes of a simulated cluster have come to one and the same configuration, in which every slot is served. */
import { type ClusterState, verify } from '../../src/cluster/state.ts';

/** What is not yet as it must be, of nodes by their names; '' where all is. */
export function disagreementOf(nodes: ReadonlyMap<string, ClusterState>): string {
  const discontent = discontentOf(nodes);
  if (discontent !== '') return discontent;
  const [first] = nodes.values();
  const serving = new Set<string>();
  const masters = new Map([...nodes.values()].map(({ myself }) => [myself.id, myself.master?.id]));
  for (const [name, { myself, ok, nodes: known, owners }] of nodes) {
    if (!ok) return `${name} does not serve`;
    for (const { id, ip, master } of known.values())
      if (master?.id !== masters.get(id)) return `${name} does not know whom ${ip} follows`;
    for (let slot = 0; slot < owners.length; slot++) {
      const [owner, other] = [owners[slot], first.owners[slot]];
      if (owner !== other && owner?.id !== other?.id)
        return `${name} has ${owner?.ip} of epoch ${owner?.configEpoch} for the owner of slot ${slot}, and others ${other?.ip}`;
    }
    if (myself.slots.size > 0) serving.add(myself.id);
  }
  const missing = first.owners.findIndex((owner) => owner === null || !serving.has(owner.id));
  return missing < 0 ? '' : `slot ${missing} is not served`;
}

/** The same, but for who serves what. */
export function discontentOf(nodes: ReadonlyMap<string, ClusterState>): string {
  const epochs = new Set<number>();
  for (const [name, state] of nodes) {
    const fault = discontent(state, nodes.size);
    if (fault !== '') return `${name} ${fault}`;
    const { slots, configEpoch } = state.myself;
    if (slots.size === 0) continue;
    if (epochs.has(configEpoch)) return `${name} has the config epoch of another master`;
    epochs.add(configEpoch);
  }
  return '';
}

/** Why a node is not content with the others; '' where it is. */
function discontent(state: ClusterState, count: number): string {
  const { myself, nodes, manual } = state;
  verify(state);
  if (manual.end !== 0) return 'is about to fail over';
  if (nodes.size !== count) return `knows ${nodes.size} nodes`;
  for (const node of nodes.values()) if (!node.isWell) return `holds ${node.ip} for down`;
  return myself.isReplica && myself.master === null ? 'has no master' : '';
}
