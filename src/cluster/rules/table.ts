/** The tables of nodes and slots, and what holds between them (state.ts says what). */
import { assert } from '../../base/assert.ts';
import { MASTER, MIGRATE_TO, SLAVE } from '../flags.ts';
import { SlotSet } from '../slots.ts';
import { type ClusterState, MOST_BY_HEARSAY, MOST_NODES, type Node } from '../state.ts';

export function addNode(state: ClusterState, node: Node): void {
  assert(!state.nodes.has(node.id), 'a node is added once');
  state.nodes.set(node.id, node);
}

/** Whether one more can be known because somebody says that it is there. */
export function hasRoomForHearsay({ nodes, hearsay }: ClusterState): boolean {
  return nodes.size < MOST_NODES && hearsay.size < MOST_BY_HEARSAY;
}

/** Takes a slot that nobody has. */
export function own(state: ClusterState, slot: number, node: Node): void {
  assert(state.owners[slot] === null, 'a slot has one owner');
  state.owners[slot] = node;
  node.slots.add(slot);
}

/** Of a node's slots those that it claims, as far as we know. Nobody writes to them. */
export function claimedSlots({ owners, unclaimed }: ClusterState, node: Node): SlotSet {
  if (unclaimed.size === 0) return node.slots;
  const claimed = new SlotSet(node.slots.bitmap().slice());
  for (const slot of unclaimed) if (owners[slot] === node) claimed.delete(slot);
  return claimed;
}

/** Ends a replica's bond with its master. */
export function detach(node: Node): void {
  const { master } = node;
  node.master = null;
  if (master === null) return;
  master.replicas.delete(node);
  if (master.replicas.size === 0) master.flags &= ~MIGRATE_TO;
}

export function makeReplicaOf(node: Node, master: Node): void {
  assert(node !== master, 'nobody replicates himself');
  assert(node.slots.size === 0, 'a replica owns no slots');
  detach(node);
  node.flags = (node.flags & ~(MASTER | MIGRATE_TO)) | SLAVE;
  node.master = master;
  master.replicas.add(node);
  master.flags |= MIGRATE_TO;
}
