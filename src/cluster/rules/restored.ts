/** The state that a restart begins with. */
import { FAIL, HANDSHAKE, MASTER, MYSELF, NOADDR, PFAIL } from '../flags.ts';
import type { NodesFile, SavedNode } from '../nodes-file.ts';
import { SLOTS } from '../slots.ts';
import { type ClusterState, Node } from '../state.ts';
import { addNode, makeReplicaOf, own } from './table.ts';

/**
 * Nodes that the file names and does not describe are there too, without an address. Who was down when it was written has
 * the time to answer from now on.
 */
export function restoredState(file: NodesFile, now: number): ClusterState {
  const saved = file.nodes.find(({ flags }) => (flags & MYSELF) !== 0)!;
  const state = emptyState(new Node(saved.id, saved.flags, now), file);
  for (const node of file.nodes) restore(state, node, now);
  for (const node of file.nodes) {
    const restored = lookUpOrAdd(state, node.id, now);
    if (node.master !== '') makeReplicaOf(restored, lookUpOrAdd(state, node.master, now));
    for (const { slot, direction, node: other } of node.moves)
      if (restored === state.myself) state[direction].set(slot, lookUpOrAdd(state, other, now));
    for (const { start, end } of node.slots) for (let slot = start; slot <= end; slot++) own(state, slot, restored);
    state.currentEpoch = Math.max(state.currentEpoch, node.configEpoch);
  }
  for (const { start, end } of file.unclaimed)
    for (let slot = start; slot <= end; slot++) {
      const owner = state.owners[slot];
      if (owner !== null && owner !== state.myself) state.unclaimed.add(slot);
    }
  return state;
}

function emptyState(myself: Node, file: NodesFile): ClusterState {
  return {
    myself,
    nodes: new Map(),
    hearsay: new Set(),
    owners: new Array<Node | null>(SLOTS).fill(null),
    unclaimed: new Set(),
    migrating: new Map(),
    importing: new Map(),
    currentEpoch: file.currentEpoch,
    lastVoteEpoch: file.lastVoteEpoch,
    ok: false,
    size: 1,
    begun: 0,
    minoritySince: 0,
    forgotten: new Map(),
    election: {
      ...{ time: 0, rank: 0, asked: false, epoch: 0, voters: new Set<Node>() },
      ...{ reason: 'none', reasonTime: 0 },
    },
    manual: { end: 0, replica: null, masterOffset: -1, canStart: false },
    sent: new Map(),
    received: new Map(),
  };
}

function restore(state: ClusterState, saved: SavedNode, now: number): void {
  const node = (saved.flags & MYSELF) !== 0 ? state.myself : new Node(saved.id, saved.flags & ~HANDSHAKE, now);
  const { ip, port, busPort, hostname } = saved;
  Object.assign(node, { ip, port, busPort, hostname });
  node.configEpoch = saved.configEpoch;
  if (saved.pingSent !== 0) node.pingSent = now;
  if (saved.pongReceived !== 0) node.pongReceived = now;
  if (node.is(FAIL)) node.failTime = now;
  if (node === state.myself) node.flags &= ~(FAIL | PFAIL);
  addNode(state, node);
}

function lookUpOrAdd(state: ClusterState, id: string, now: number): Node {
  const known = state.nodes.get(id);
  if (known !== undefined) return known;
  const node = new Node(id, MASTER | NOADDR, now);
  addNode(state, node);
  return node;
}
