/**
 * What stands for the beginning of the log. A snapshot of somebody else's replaces all that we have, unless we have what it
 * ends with: then the log is the same up to there, and only the commit index is news. Entries before our own snapshot are
 * compacted, but for some that followers may still need.
 */
import { assert } from '../../base/assert.ts';
import type { SnapshotMessage } from '../message.ts';
import { accept, hearLeader } from './follow.ts';
import type { Turn } from './turn.ts';

export function receiveSnapshot(turn: Turn, message: SnapshotMessage): void {
  const { state } = turn;
  const { mark } = message;
  hearLeader(turn, message);
  if (mark.index > state.commit) {
    if (state.log.term(mark.index) === mark.term) state.commit = mark.index;
    else turn.install(mark);
  }
  state.matched = Math.max(state.matched, state.commit);
  accept(turn);
}

export function takeSnapshot(turn: Turn, index: number): void {
  const { state, settings } = turn;
  const { log, snapshot } = state;
  assert(index <= state.applied, 'a snapshot has what was applied');
  if (index <= snapshot.index) return;
  state.snapshot = log.mark(index);
  const { first } = log;
  log.compact(index - settings.kept);
  if (log.first > first) turn.output({ kind: 'compacted', index: log.first - 1 });
}
