/**
 * Who gets our vote: one a term, and only somebody whose log has all that ours may have committed. It is on the disk before
 * it leaves. Whoever has heard a leader within an election timeout (or has started within one, and may have heard it before)
 * votes for nobody, unless that leader has asked for the election: leases rest on it, and nobody who was cut off or removed
 * disturbs a group that works.
 *
 * Learners vote as well: who has been made a voter may not know it yet, and a candidate counts only voters that it knows.
 */
import { NOBODY } from '../configuration.ts';
import type { VoteRequest } from '../message.ts';
import { delayElection, isBound } from './roles.ts';
import type { Turn } from './turn.ts';

/** Whether a request is not even looked at. */
export function isUnheard(turn: Turn, { transfer }: VoteRequest): boolean {
  return !transfer && isBound(turn);
}

/** `request` is of our term, or of an earlier one. */
export function answerRequest(turn: Turn, request: VoteRequest): void {
  const { state } = turn;
  const { from, term, pre, lastIndex, lastTerm } = request;
  const free = pre || state.vote === NOBODY || state.vote === from;
  const granted = term === state.term && free && state.log.isNoNewerThan(lastIndex, lastTerm);
  if (granted && !pre) {
    if (state.vote === NOBODY) turn.commitTo(term, from);
    delayElection(turn);
  }
  const { id, term: ours } = state;
  turn.send({ type: 'vote-reply', from: id, to: from, term: ours, pre, asked: term + (pre ? 1 : 0), granted });
}
