/** Epochs: the number by which the later of two claims on a slot is known. No two masters may keep the same one. */
import { greatestEpoch, type Node } from '../state.ts';
import type { Turn } from './turn.ts';

/** Two masters have the same config epoch, which elections never give: the one with the smaller ID takes a new one. */
export function resolveCollision(turn: Turn, sender: Node, configEpoch: number): void {
  const { state } = turn;
  const { myself } = state;
  if (!myself.isMaster || !sender.isMaster || configEpoch !== myself.configEpoch || sender.id <= myself.id) return;
  takeNewEpoch(turn);
  const change = `configEpoch set to ${myself.configEpoch}`;
  turn.log('verbose', `WARNING: configEpoch collision with node ${sender.id}. ${change}`);
}

/** Makes our config epoch the greatest there is, without asking anybody. False where it was that, and is not 0. */
export function bumpEpoch(turn: Turn): boolean {
  const { state } = turn;
  const greatest = greatestEpoch(state);
  if (state.myself.configEpoch !== 0 && state.myself.configEpoch === greatest) return false;
  state.currentEpoch = greatest;
  takeNewEpoch(turn);
  turn.log('warning', `New configEpoch set to ${state.myself.configEpoch}`);
  return true;
}

function takeNewEpoch(turn: Turn): void {
  const { state } = turn;
  state.currentEpoch++;
  state.myself.configEpoch = state.currentEpoch;
  turn.commit();
}

/** Of everybody whom we know. */
export function learnEpoch(turn: Turn, currentEpoch: number): void {
  const { state } = turn;
  if (currentEpoch <= state.currentEpoch) return;
  state.currentEpoch = currentEpoch;
  turn.commit();
}

/** Only together with the slots that are claimed with it: others would be held for claimed with it as well. */
export function learnConfigEpoch(turn: Turn, sender: Node, configEpoch: number): void {
  if (configEpoch <= sender.configEpoch) return;
  sender.configEpoch = configEpoch;
  turn.persist();
}
