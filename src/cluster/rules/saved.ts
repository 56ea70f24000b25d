/** What of the state outlives a restart. */
import { MASTER, MYSELF } from '../flags.ts';
import type { NodesFile, SavedNode, SlotMove } from '../nodes-file.ts';
import { type SlotRange, SlotSet } from '../slots.ts';
import type { ClusterState, Node } from '../state.ts';

/** A copy that later steps don't change. Nodes in handshake are left out. */
export function savedState(state: ClusterState): NodesFile {
  const nodes: SavedNode[] = [];
  for (const node of state.nodes.values()) if (!node.inHandshake) nodes.push(describe(state, node));
  return {
    nodes,
    currentEpoch: state.currentEpoch,
    lastVoteEpoch: state.lastVoteEpoch,
    unclaimed: rangesOf(state.unclaimed),
  };
}

function rangesOf(slots: ReadonlySet<number>): readonly SlotRange[] {
  if (slots.size === 0) return [];
  const set = new SlotSet();
  for (const slot of slots) set.add(slot);
  return set.ranges();
}

/** A node as nodes.conf and CLUSTER NODES tell of it. */
export function describe(state: ClusterState, node: Node): SavedNode {
  return {
    id: node.id,
    ip: node.ip,
    port: node.port,
    busPort: node.busPort,
    hostname: node.hostname,
    flags: node.flags,
    pingSent: node.pingSent,
    pongReceived: node.pongReceived,
    master: node.master?.id ?? '',
    configEpoch: node.shard.configEpoch,
    connected: node.link !== null || node.is(MYSELF),
    slots: node.slots.ranges(),
    moves: node.is(MYSELF) ? moves(state) : [],
  };
}

function moves(state: ClusterState): SlotMove[] {
  const found: SlotMove[] = [];
  for (const [slot, node] of state.migrating) found.push({ slot, direction: 'migrating', node: node.id });
  for (const [slot, node] of state.importing) found.push({ slot, direction: 'importing', node: node.id });
  return found.sort((a, b) => a.slot - b.slot);
}

/** The file of a node that has never been in a cluster. */
export function newNode(id: string): NodesFile {
  const nothing = { ip: '', port: 0, busPort: 0, hostname: '', master: '', pingSent: 0, pongReceived: 0 };
  const myself = { id, flags: MYSELF | MASTER, configEpoch: 0, connected: true, slots: [], moves: [], ...nothing };
  return { nodes: [myself], currentEpoch: 0, lastVoteEpoch: 0, unclaimed: [] };
}
