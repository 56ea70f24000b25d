/**
 * How a group changes: by one member at a time, and only once the change before is committed, so that two majorities always
 * have a member in common. A leader first commits an entry of its own term: without that a change of a leader before, which
 * it does not know, could be the one from which the next differs by two (the fault that was found in the thesis).
 *
 * Whoever was away while it was removed has no entry that tells it so, and nobody sends it one: it learns of it when it asks for
 * votes, and asks no more.
 *
 * A configuration counts as soon as it is in the log. A leader that is no voter in it goes on until it is committed, without
 * counting itself, and then steps down.
 */
import { type Change, changed, isVoter, memberOf, NOBODY, objection } from '../configuration.ts';
import { configurationEntry, sizeOf } from '../entry.ts';
import type { Removal, VoteRequest } from '../message.ts';
import type { Asker } from '../messages.ts';
import { Progress } from '../progress.ts';
import type { Leadership } from '../state.ts';
import { obstacle } from './proposals.ts';
import { becomeFollower } from './roles.ts';
import { beginRound } from './rounds.ts';
import type { Turn } from './turn.ts';

/** Why a change would be refused now; '' where it would not. */
export function objectionTo(turn: Turn, change: Change): ReturnType<typeof obstacle> | string {
  const { leading } = turn;
  return obstacle(turn) || (leading === null ? '' : reasonAgainst(turn, leading, change));
}

export function changeGroup(turn: Turn, asker: Asker, change: Change): void {
  const { leading, state } = turn;
  const { log, term } = state;
  const reason = objectionTo(turn, change);
  if (leading === null || reason !== '') {
    turn.refuse(asker, reason);
    return;
  }
  const entry = configurationEntry(log.last + 1, term, changed(log.configuration, change));
  leading.uncommitted += sizeOf(entry);
  turn.append(entry);
  turn.output({ kind: 'accepted', asker, first: entry.index, last: entry.index, term });
}

function reasonAgainst({ state, settings }: Turn, leading: Leadership, change: Change): string {
  const { log, commit } = state;
  if (commit < leading.first) return 'the leader is not ready yet';
  if (commit < log.configurationIndex) return 'another change is under way';
  const reason = objection(log.configuration, change);
  if (reason !== '' || change.kind !== 'promote') return reason;
  const match = leading.peers.get(change.id)?.match ?? 0;
  return log.last - match > settings.promotionLag ? 'the node is too far behind' : '';
}

/** The leader sends to all other members, and to nobody else. */
export function followConfiguration({ state }: Turn, leading: Leadership): void {
  const { configuration, last } = state.log;
  const { peers } = leading;
  if (peers.size === configuration.length - 1 && configuration.every(({ id }) => id === state.id || peers.has(id)))
    return;
  for (const id of peers.keys()) if (memberOf(configuration, id) === undefined) peers.delete(id);
  for (const { id } of configuration)
    if (id !== state.id && !peers.has(id)) peers.set(id, new Progress(id, Math.max(last, 1)));
}

/** A leader that the group has decided to do without ends its lead, once the others know. */
export function leaveWhenRemoved(turn: Turn, leading: Leadership): void {
  const { state } = turn;
  const { log, commit, id } = state;
  if (commit < log.configurationIndex || isVoter(log.configuration, id)) return;
  beginRound(turn, leading);
  becomeFollower(turn, state.term, NOBODY);
}

/** Somebody wants to be elected: where it has no place any more, it is told. */
export function tellRemoval(turn: Turn, { from }: VoteRequest): void {
  const { log, commit, id, term } = turn.state;
  const { configuration } = log.mark(commit);
  if (configuration.length === 0 || memberOf(configuration, from) !== undefined) return;
  turn.send({ type: 'removal', from: id, to: from, term, index: commit });
}

/**
 * Who tells it may be behind the entry by which we were added: then it knows nothing. To ask for no votes is always safe, and a
 * leader that sends us its log shows that we have a place after all.
 */
export function heardRemoval(turn: Turn, { index }: Removal): void {
  const { state } = turn;
  if (state.role === 'leader' || index < state.log.configurationIndex) return;
  state.removed = true;
  if (state.role !== 'follower') becomeFollower(turn, state.term, NOBODY);
}
