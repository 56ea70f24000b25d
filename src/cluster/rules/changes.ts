/** Changes to nodes and slots, and what follows from each. */
import { assert } from '../../base/assert.ts';
import { MASTER, MIGRATE_TO, SLAVE } from '../flags.ts';
import type { Node } from '../state.ts';
import { closeConnections } from './links.ts';
import { resetManual } from './manual.ts';
import { addNode, detach, own } from './table.ts';
import type { Turn } from './turn.ts';

/** The node that we have shaken hands with has told its ID. */
export function renameNode(turn: Turn, node: Node, id: string): void {
  const { nodes } = turn.state;
  turn.log('debug', `Renaming node ${node.id} into ${id}`);
  nodes.delete(node.id);
  node.id = id;
  addNode(turn.state, node);
}

/** Nothing refers to it any more; its connections are closed. */
export function removeNode(turn: Turn, node: Node): void {
  const { state } = turn;
  assert(node !== state.myself, 'we know ourselves');
  for (const slot of [...node.slots]) assign(turn, slot, null);
  for (const moves of [state.migrating, state.importing])
    for (const [slot, other] of moves) if (other === node) moves.delete(slot);
  for (const other of state.nodes.values()) other.reports.delete(node);
  for (const replica of node.replicas) replica.master = null;
  node.replicas.clear();
  detach(node);
  state.election.voters.delete(node);
  if (state.manual.replica === node) resetManual(turn);
  closeConnections(turn, node);
  state.nodes.delete(node.id);
  state.hearsay.delete(node);
  turn.stateIsStale = true;
}

/**
 * Gives a slot to a node, or to nobody, whoever has it. That it is ours no longer, a loss of power leaves where nobody would
 * tell us so: whose claim is later than ours does.
 */
export function assign(turn: Turn, slot: number, node: Node | null): void {
  const { state } = turn;
  const before = state.owners[slot];
  if (before === node) return;
  turn.stateIsStale = true;
  state.unclaimed.delete(slot);
  if (before !== null) {
    before.slots.delete(slot);
    state.owners[slot] = null;
    if (before === state.myself.shard) turn.lostSlots.push(slot);
    if (before === state.myself) state.migrating.delete(slot);
  }
  if (node !== null) own(state, slot, node);
  if (before === state.myself) {
    if (node !== null && node.configEpoch > before.configEpoch) turn.giveUp(slot);
    else turn.commit();
  } else if (node === state.myself) turn.keep();
  else turn.persist();
}

/** A node is a master from now on: another than we is one for replicas to come to. */
export function makeMaster(turn: Turn, node: Node): void {
  if (node.isMaster) return;
  detach(node);
  const orphan = node === turn.state.myself ? 0 : MIGRATE_TO;
  node.flags = (node.flags & ~SLAVE) | MASTER | orphan;
  turn.stateIsStale = true;
  if (node === turn.state.myself) turn.commit();
  else turn.persist();
}

/** The engine of a replica follows its master where that is, once it is known. */
export function pointEngineAtMaster(turn: Turn): void {
  const { master } = turn.state.myself;
  if (master !== null && master.ip !== '') turn.output({ kind: 'replicate', ip: master.ip, port: master.port });
}
