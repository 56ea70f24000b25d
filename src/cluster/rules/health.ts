/** Whether keys are served: every slot has a master that is up, and we can reach most masters. */
import { FAIL, PFAIL } from '../flags.ts';
import { SLOTS } from '../slots.ts';
import { majority } from '../state.ts';
import type { Turn } from './turn.ts';

/** Milliseconds for which a master that was started hears what has become of its slots. */
const WRITABLE_DELAY = 2000;
/** And for which one that could not reach most masters does, within these bounds a node timeout. */
const LEAST_REJOIN_DELAY = 500;
const MOST_REJOIN_DELAY = 5000;

export function updateHealth(turn: Turn): void {
  const { state, now, settings } = turn;
  turn.stateIsStale = false;
  if (state.begun === 0) state.begun = now;
  const reachable = countMasters(turn);
  if (state.myself.isMaster && !state.ok && now - state.begun < WRITABLE_DELAY) return;
  const inMinority = reachable < majority(state);
  if (inMinority) state.minoritySince = now;
  const ok = !inMinority && (!settings.requireFullCoverage || isCovered(turn));
  if (ok === state.ok) return;
  const delay = Math.max(LEAST_REJOIN_DELAY, Math.min(settings.nodeTimeout, MOST_REJOIN_DELAY));
  if (ok && state.myself.isMaster && now - state.minoritySince < delay) return;
  turn.log('warning', `Cluster state changed: ${ok ? 'ok' : 'fail'}`);
  state.ok = ok;
  turn.output({ kind: 'state', ok });
}

/** Counts masters with slots, anew; returns those that answer. */
function countMasters({ state }: Turn): number {
  let reachable = 0;
  state.size = 0;
  for (const node of state.nodes.values()) {
    if (!node.isMaster || node.slots.size === 0) continue;
    state.size++;
    if (!node.is(FAIL | PFAIL)) reachable++;
  }
  return reachable;
}

/** Each slot has one owner at most, so that to count is enough. */
function isCovered({ state }: Turn): boolean {
  let served = 0;
  for (const node of state.nodes.values()) if (!node.hasFailed) served += node.slots.size;
  return served === SLOTS;
}
