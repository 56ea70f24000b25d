/**
 * When a read is safe (ReadIndex). It must not miss what was committed when it was asked for: that lies before the commit
 * index then, or before our no-op, if we lead. That we did is known from a round begun later, or from the lease. All reads
 * that come while a round is under way share the next.
 */
import type { Asker } from '../messages.ts';
import type { Leadership, Read } from '../state.ts';
import { beginRound, confirmRounds, holdsLease } from './rounds.ts';
import type { Turn } from './turn.ts';

export function askRead(turn: Turn, asker: Asker, seen: number): void {
  const { state, leading } = turn;
  if (leading === null) {
    turn.refuse(asker, 'not-leader');
    return;
  }
  const round = holdsLease(turn, leading) ? 0 : leading.round + 1;
  leading.reads.push({ asker, index: Math.max(seen, state.commit, leading.first), round });
}

export function releaseReads(turn: Turn, leading: Leadership): void {
  if (leading.reads.length === 0) return;
  const { confirmed, round } = leading;
  if (confirmed === round && leading.reads.some((read) => read.round > round)) {
    beginRound(turn, leading);
    confirmRounds(turn, leading);
  }
  const { commit } = turn.state;
  const isSafe = (read: Read): boolean => read.round <= leading.confirmed && read.index <= commit;
  const safe = leading.reads.filter(isSafe);
  if (safe.length === 0) return;
  leading.reads = leading.reads.filter((read) => !isSafe(read));
  turn.output({ kind: 'readable', askers: safe.map(({ asker }) => asker) });
}
