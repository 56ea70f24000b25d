/** What we are: a master, or the replica of one. */
import { assert } from '../../base/assert.ts';
import type { Node } from '../state.ts';
import { assign, makeMaster, pointEngineAtMaster } from './changes.ts';
import { announce } from './heartbeats.ts';
import { resetManual } from './manual.ts';
import { claimedSlots, makeReplicaOf } from './table.ts';
import type { Turn } from './turn.ts';

/** We have no slots, and become a replica of `master`. */
export function follow(turn: Turn, master: Node): void {
  const { state } = turn;
  const { myself } = state;
  if (myself.isMaster) closeSlots(turn);
  makeReplicaOf(myself, master);
  turn.commit();
  turn.stateIsStale = true;
  pointEngineAtMaster(turn);
  resetManual(turn);
}

/** No slot is being moved any more. */
export function closeSlots(turn: Turn): void {
  turn.state.migrating.clear();
  turn.state.importing.clear();
  turn.keep();
}

/** We become the master in our master's place. */
export function takeOver(turn: Turn): void {
  const { myself } = turn.state;
  const { master } = myself;
  assert(master !== null, 'a replica takes over from its master');
  const slots = [...claimedSlots(turn.state, master)];
  makeMaster(turn, myself);
  for (const slot of slots) assign(turn, slot, myself);
  turn.commit();
  turn.output({ kind: 'become-master' });
  resetManual(turn);
  announce(turn, 'all');
}

/** A replica whose master has become one itself follows that one's master. */
export function leaveReplica(turn: Turn): void {
  const { myself } = turn.state;
  const grandmaster = myself.master?.master ?? null;
  if (grandmaster === null || grandmaster === myself) return;
  turn.log('warning', `I'm a sub-replica! Reconfiguring myself as a replica of grandmaster ${grandmaster.id}`);
  follow(turn, grandmaster);
}
