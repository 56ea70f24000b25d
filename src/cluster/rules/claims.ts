/**
 * Who serves a slot: whoever claims it with the greatest config epoch. Every packet carries its sender's claims (a replica's
 * are its master's); whoever claims what is known to be another's hears of that one by UPDATE.
 */
import type { Header, Update } from '../bus/packet.ts';
import { MASTER, MIGRATE_TO, SLAVE } from '../flags.ts';
import { countBits, SlotSet } from '../slots.ts';
import type { Node } from '../state.ts';
import { assign, makeMaster } from './changes.ts';
import { sendUpdate } from './links.ts';
import { follow } from './roles.ts';
import { makeReplicaOf } from './table.ts';
import type { Turn } from './turn.ts';

/** A node tells whether it is a master, or whose replica. */
export function heardRole(turn: Turn, sender: Node, header: Header): void {
  if (header.master === '') {
    makeMaster(turn, sender);
    return;
  }
  const master = turn.state.nodes.get(header.master) ?? null;
  if (sender.isMaster) {
    for (const slot of [...sender.slots]) assign(turn, slot, null);
    turn.stateIsStale = true;
  }
  if (sender.isReplica && (master === null || sender.master === master)) return;
  if (master === null || master === sender) sender.flags = (sender.flags & ~(MASTER | MIGRATE_TO)) | SLAVE;
  else makeReplicaOf(sender, master);
  turn.persist();
}

/** A node tells its slots, or its master's. */
export function heardSlots(turn: Turn, sender: Node, header: Header): void {
  const { owners, unclaimed } = turn.state;
  const { shard } = sender;
  if (sender.isMaster) heardUnclaimed(turn, sender, header.slots);
  if (shard.isReplica || shard.slots.equals(header.slots)) return;
  if (sender.isMaster) claim(turn, sender, header.configEpoch, header.slots);
  for (const slot of shard.slots.missing(header.slots)) {
    const owner = owners[slot];
    if (owner === null || owner.configEpoch <= header.configEpoch || unclaimed.has(slot)) continue;
    const text = 'has old slots configuration, sending an UPDATE message about';
    turn.log('verbose', `Node ${sender.id} ${text} ${owner.id}`);
    sendUpdate(turn, sender, owner);
    break;
  }
}

/**
 * What a master has that it does not claim was moved, and we have not heard to where. It stays its, so that it is served,
 * until somebody claims it, with whatever epoch: else who missed the move would hold the new owner's claim for old once the
 * former one has a later epoch, and would tell it so.
 */
function heardUnclaimed(turn: Turn, master: Node, slots: Uint8Array): void {
  const { owners, unclaimed } = turn.state;
  if (unclaimed.size === 0 && master.slots.equals(slots)) return;
  const claimed = new SlotSet(slots.slice());
  let isChanged = false;
  for (const slot of unclaimed) {
    if (owners[slot] !== master || !claimed.has(slot)) continue;
    unclaimed.delete(slot);
    isChanged = true;
  }
  for (const slot of claimed.missing(master.slots.bitmap())) {
    isChanged ||= !unclaimed.has(slot);
    unclaimed.add(slot);
  }
  if (isChanged) turn.persist();
}

/** Somebody tells of a third node that has the slots that we claim. */
export function heardUpdate(turn: Turn, { node: id, configEpoch, slots }: Update): void {
  const node = turn.state.nodes.get(id);
  if (node === undefined || node.configEpoch >= configEpoch) return;
  if (node === turn.state.myself) {
    turn.log('warning', 'Discarding UPDATE message about myself.');
    return;
  }
  makeMaster(turn, node);
  node.configEpoch = configEpoch;
  turn.persist();
  claim(turn, node, configEpoch, slots);
}

/**
 * Gives a node the slots that it claims and nobody claims with a later epoch. Where it has taken the last of ours, or of our
 * master's, we become its replica: somebody was elected in our place, or the slots were moved there one by one. Slots that we
 * import are left to the administrator who moves them.
 */
function claim(turn: Turn, node: Node, configEpoch: number, slots: Uint8Array): void {
  const { state, settings, world } = turn;
  const { myself, owners, unclaimed } = state;
  const before = myself.shard;
  const dirty: number[] = [];
  let ours = 0;
  for (const slot of node.slots.missing(slots)) {
    const owner = owners[slot];
    if (owner !== null && owner.configEpoch >= configEpoch && !unclaimed.has(slot)) continue;
    if (owner === myself && world.engine.keysIn(slot) > 0) dirty.push(slot);
    if (owner === before) ours++;
    assign(turn, slot, node);
  }
  if (ours > 0 && before.slots.size === 0 && (settings.allowReplicaMigration || countBits(slots) === ours)) {
    turn.log('warning', `Configuration change detected. Reconfiguring myself as a replica of ${node.id}`);
    follow(turn, node);
  } else if (dirty.length > 0) turn.output({ kind: 'drop-keys', slots: dirty });
}
