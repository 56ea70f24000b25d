/**
 * How a leader is found.
 *
 *   follower ──(hears no leader)──> pre-candidate ──(most would vote for it)──> candidate, term + 1 ──(most votes)──> leader
 *                                                        TimeoutNow ──────────────^
 *
 * A pre-candidate has changed nothing: one that was cut off comes back without a term that would end the leader's.
 */
import { countVoters, isVoter, NOBODY } from '../configuration.ts';
import type { VoteReply } from '../message.ts';
import { configurationOf, mayBeElected } from '../state.ts';
import { becomeFollower, becomeLeader, delayElection, isBound } from './roles.ts';
import type { Turn } from './turn.ts';

/** Nothing was heard for too long. */
export function electionIsDue(turn: Turn): void {
  turn.state.leader = NOBODY;
  if (mayBeElected(turn.state)) askBefore(turn);
  else delayElection(turn);
}

/** Somebody wants us to lead. Who is alone asks nobody, and breaks no promise. */
export function campaign(turn: Turn): void {
  const { state } = turn;
  const configuration = configurationOf(state);
  const alone = countVoters(configuration) === 1 && isVoter(configuration, state.id);
  if (mayBeElected(state) && state.role === 'follower' && (alone || !isBound(turn))) electionIsDue(turn);
}

/**
 * Asks whether we would be elected, and again soon: it binds nobody, and who has heard the leader a heartbeat later than we
 * have hears us only a heartbeat later.
 */
function askBefore(turn: Turn): void {
  const { state, settings, world, now } = turn;
  state.role = 'pre-candidate';
  state.electionDue = now + settings.heartbeat * (1 + world.random.double01());
  ask(turn, true, false);
  count(turn);
}

/** Asks for votes in the next term. */
export function stand(turn: Turn, transfer: boolean): void {
  const { state } = turn;
  turn.commitTo(state.term + 1, state.id);
  state.role = 'candidate';
  state.stoodAt = turn.now;
  state.leader = NOBODY;
  state.matched = 0;
  delayElection(turn);
  ask(turn, false, transfer);
}

function ask(turn: Turn, pre: boolean, transfer: boolean): void {
  const { state } = turn;
  const { log, id, votes, term } = state;
  const [lastIndex, lastTerm] = [log.last, log.lastTerm];
  votes.clear();
  if (pre) votes.set(id, true);
  for (const member of configurationOf(state))
    if (member.kind === 'voter' && member.id !== id)
      turn.send({ type: 'vote', from: id, to: member.id, term, pre, transfer, lastIndex, lastTerm });
}

/** Our own vote counts once it is on the disk, as that of anybody else. */
export function countOwnVote(turn: Turn): void {
  const { state } = turn;
  if (state.role !== 'candidate' || !turn.stateIsDurable || state.votes.has(state.id)) return;
  state.votes.set(state.id, true);
  count(turn);
}

export function heardVote(turn: Turn, { from, pre, asked, granted }: VoteReply): void {
  const { state } = turn;
  const expected = pre ? 'pre-candidate' : 'candidate';
  if (state.role !== expected || asked !== state.term + (pre ? 1 : 0)) return;
  if (!state.votes.has(from)) state.votes.set(from, granted);
  count(turn);
  if (!pre && !granted && state.role === 'candidate') tryAgainSoon(turn);
}

/**
 * When others stand as well, nobody may get the votes of most. Those that are on their way still have as long again as this
 * refusal has taken; then one of the candidates asks anew, before the others do.
 */
function tryAgainSoon({ state, now, world }: Turn): void {
  const taken = now - state.stoodAt;
  state.electionDue = Math.min(state.electionDue, now + taken * (1 + 2 * world.random.double01()));
}

/** Only voters of our own configuration count. */
function count(turn: Turn): void {
  const { state } = turn;
  let [granted, refused] = [0, 0];
  const configuration = configurationOf(state);
  for (const { id, kind } of configuration) {
    if (kind !== 'voter') continue;
    if (state.votes.get(id) === true) granted++;
    if (state.votes.get(id) === false) refused++;
  }
  const most = (countVoters(configuration) >> 1) + 1;
  if (granted >= most) {
    if (state.role === 'pre-candidate') stand(turn, false);
    else becomeLeader(turn);
  } else if (refused >= most && state.role === 'pre-candidate') becomeFollower(turn, state.term, NOBODY);
}
