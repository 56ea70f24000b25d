/**
 * What is committed: an entry of the leader's own term that most voters have on their disks, and with it all before. One of
 * an earlier term never by itself, however many have it: a later leader may lack it (figure 8 of the paper).
 */
import { assert } from '../../base/assert.ts';
import { reachedByMost } from '../configuration.ts';
import { sizeOf } from '../entry.ts';
import type { Leadership } from '../state.ts';
import type { Turn } from './turn.ts';

export function advanceCommit(turn: Turn, leading: Leadership): void {
  const { state } = turn;
  const { log, id, commit } = state;
  const stored = reachedByMost(log.configuration, (each) =>
    each === id ? log.durable : (leading.peers.get(each)?.match ?? 0),
  );
  if (stored <= commit || log.term(stored) !== state.term) return;
  assert(stored <= log.last && stored >= leading.first, "what is committed is the leader's");
  for (let index = Math.max(commit + 1, leading.first + 1); index <= stored; index++)
    leading.uncommitted -= sizeOf(log.entry(index));
  assert(leading.uncommitted >= 0, 'bytes that are not committed are counted');
  state.commit = stored;
}
