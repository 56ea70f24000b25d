/**
 * Faults of a group that can be planted, so that a world shows that it would find them.
 *
 *   vote-not-synced    what tells a vote is sent before the vote is on the disk
 *   older-term         what most have counts as committed, of whatever term it is (figure 8 of the paper)
 *   early-reply        clients are answered before what they hear of is committed
 *   lease-margin       a lease is believed for as long as others' clocks would have it if none ran faster than ours
 *   snapshot-skips     a snapshot says that it has one entry more than it has
 */
import type { Raft } from '../../src/raft/raft.ts';
import type { RaftState } from '../../src/raft/state.ts';

export const RAFT_BUGS = ['vote-not-synced', 'older-term', 'early-reply', 'lease-margin', 'snapshot-skips'] as const;
export type RaftBug = (typeof RAFT_BUGS)[number] | 'none';

export function commitOlder({ state }: Raft): void {
  state.commit = Math.max(state.commit, olderThatMostHave(state));
}

/** The last entry of a leader's that most have, where it is of an earlier term and not committed; 0 where there is none. */
export function olderThatMostHave({ leading, log, commit, term }: RaftState): number {
  if (leading === null) return 0;
  const reached = [log.durable, ...[...leading.peers.values()].map(({ match }) => match)].sort((a, b) => b - a);
  const most = reached[reached.length >> 1];
  return most > commit && log.term(most) < term ? most : 0;
}
