/** Commands of an administrator about slots, with Redis's errors. */
import type { Answer, Command, SlotAction } from '../messages.ts';
import { isSlot, type SlotRange } from '../slots.ts';
import type { Node } from '../state.ts';
import { assign } from './changes.ts';
import { bumpEpoch } from './epochs.ts';
import { announce } from './heartbeats.ts';
import { follow } from './roles.ts';
import type { Turn } from './turn.ts';

const OK: Answer = { kind: 'ok' };
const BAD_SLOT = error('Invalid or out of range slot');

function error(text: string): Answer {
  return { kind: 'error', text: `ERR ${text}` };
}

/** ADDSLOTS and DELSLOTS: all of them or none. */
export function changeSlots(turn: Turn, name: 'addslots' | 'delslots', ranges: readonly SlotRange[]): Answer {
  const { myself, owners, importing } = turn.state;
  const slots = new Set<number>();
  for (const { start, end } of ranges) {
    if (!isSlot(start) || !isSlot(end)) return BAD_SLOT;
    if (start > end) return error(`start slot number ${start} is greater than end slot number ${end}`);
  }
  for (const { start, end } of ranges)
    for (let slot = start; slot <= end; slot++) {
      if (name === 'delslots' && owners[slot] === null) return error(`Slot ${slot} is already unassigned`);
      if (name === 'addslots' && owners[slot] !== null) return error(`Slot ${slot} is already busy`);
      if (slots.has(slot)) return error(`Slot ${slot} specified multiple times`);
      slots.add(slot);
    }
  for (const slot of slots) {
    if (name === 'addslots') importing.delete(slot);
    assign(turn, slot, name === 'addslots' ? myself : null);
  }
  return OK;
}

export function flushSlots(turn: Turn): Answer {
  const { myself } = turn.state;
  if (!turn.world.engine.isEmpty()) return error('DB must be empty to perform CLUSTER FLUSHSLOTS.');
  for (const slot of [...myself.slots]) assign(turn, slot, null);
  return OK;
}

export function setSlot(turn: Turn, { slot, action }: Command & { readonly name: 'setslot' }): Answer {
  const { state } = turn;
  if (state.myself.isReplica) return error('Please use SETSLOT only with masters.');
  if (!isSlot(slot)) return BAD_SLOT;
  if (action.kind === 'stable') {
    const moves = [state.migrating.delete(slot), state.importing.delete(slot)];
    if (moves.includes(true)) turn.keep();
    else turn.confirm();
    return OK;
  }
  const refusal = refuseOwner(turn, slot, action);
  if (refusal !== null) return refusal;
  const node = state.nodes.get(action.node);
  if (node === undefined)
    return error(action.kind === 'node' ? `Unknown node ${action.node}` : `I don't know about node ${action.node}`);
  if (node.isReplica) return error('Target node is not a master');
  if (action.kind === 'node') return giveSlot(turn, slot, node);
  if (state[action.kind].get(slot) === node) turn.confirm();
  else if (action.kind === 'importing') turn.takeBack(slot);
  else turn.keep();
  state[action.kind].set(slot, node);
  return OK;
}

function refuseOwner({ state }: Turn, slot: number, { kind }: SlotAction): Answer | null {
  const isOurs = state.owners[slot] === state.myself;
  if (kind === 'migrating' && !isOurs) return error(`I'm not the owner of hash slot ${slot}`);
  if (kind === 'importing' && isOurs) return error(`I'm already the owner of hash slot ${slot}`);
  return null;
}

/**
 * SETSLOT NODE ends a move. Whoever has imported the slot claims it with a new epoch, without asking: no other claim is of
 * later, and the others must hear of this one.
 */
function giveSlot(turn: Turn, slot: number, node: Node): Answer {
  const { state, settings, world } = turn;
  const { myself } = state;
  const wasOurs = state.owners[slot] === myself;
  if (wasOurs && node !== myself && world.engine.keysIn(slot) > 0)
    return error(`Can't assign hashslot ${slot} to a different node while I still hold keys for this hash slot.`);
  if (world.engine.keysIn(slot) === 0 && state.migrating.delete(slot)) turn.keep();
  const imported = node === myself && state.importing.delete(slot);
  if (imported) turn.keep();
  assign(turn, slot, node);
  if (wasOurs && node !== myself && myself.slots.size === 0 && settings.allowReplicaMigration) {
    turn.log('warning', `Configuration change detected. Reconfiguring myself as a replica of ${node.id}`);
    follow(turn, node);
  }
  if (imported) {
    if (bumpEpoch(turn)) turn.log('warning', `configEpoch updated after importing slot ${slot}`);
    announce(turn, 'all');
  }
  turn.confirm();
  return OK;
}

/** Keys that we have and whose slots are not ours: nobody's become ours, others' are imported, for the administrator to see. */
export function compareWithData(turn: Turn): void {
  const { state, world } = turn;
  const { myself, owners, importing } = state;
  if (myself.isReplica) return;
  for (let slot = 0; slot < owners.length; slot++) {
    const owner = owners[slot];
    if (owner === myself || importing.has(slot) || world.engine.keysIn(slot) === 0) continue;
    if (owner === null) {
      turn.log('warning', `I have keys for unassigned slot ${slot}. Taking responsibility for it.`);
      assign(turn, slot, myself);
    } else {
      const text = 'but the slot is assigned to another node. Setting it to importing state.';
      turn.log('warning', `I have keys for slot ${slot}, ${text}`);
      importing.set(slot, owner);
      turn.keep();
    }
  }
}
