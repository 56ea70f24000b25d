/**
 * Who is what. At most one leader a term: it has the votes of most, and each votes once a term. A later term makes everybody
 * a follower in it, and nobody ever returns to an earlier one.
 */
import { assert } from '../../base/assert.ts';
import { NOBODY, type NodeId } from '../configuration.ts';
import { noop } from '../entry.ts';
import type { Input } from '../messages.ts';
import { mayBeElected, type RaftState } from '../state.ts';
import type { Turn } from './turn.ts';

/**
 * Followers want to be elected within so many election timeouts of each other: far enough apart that the first is mostly
 * alone, near enough that a second try comes to its end within two timeouts.
 */
const SPREAD = 0.5;

export function delayElection(turn: Turn): void {
  const { settings, world, now, state } = turn;
  state.electionDue = now + settings.electionTimeout * (1 + SPREAD * world.random.double01());
}

/** There may be a leader whom we have promised, by having heard it, that we elect nobody else. */
export function isBound({ state, settings, now }: Turn): boolean {
  return state.role === 'leader' || now < state.heard + settings.electionTimeout;
}

/** All but what tells how far entries have come: unless it is of a later term, or a member may be on its way out. */
export function mayEndLead({ log, commit, term }: RaftState, input: Input): boolean {
  if (log.configurationIndex > commit) return true;
  if (input.kind === 'message') return input.message.type !== 'append-reply' || input.message.term > term;
  return input.kind !== 'stored';
}

export function becomeFollower(turn: Turn, term: number, leader: NodeId): void {
  const { state } = turn;
  assert(term >= state.term, 'terms never fall');
  if (term > state.term) turn.commitTo(term, NOBODY);
  const { leading } = state;
  state.role = 'follower';
  state.leader = leader;
  state.leading = null;
  state.matched = 0;
  state.heardRound = 0;
  state.toldMatch = 0;
  state.toldRound = 0;
  state.votes.clear();
  if (leading !== null) for (const { asker } of leading.reads) turn.refuse(asker, 'not-leader');
  delayElection(turn);
}

/** The votes of most are there. */
export function becomeLeader(turn: Turn): void {
  const { state, now } = turn;
  const { log, id, term } = state;
  assert(state.role === 'candidate' && mayBeElected(state), 'a candidate that may be elected leads');
  state.role = 'leader';
  state.leader = id;
  state.votes.clear();
  const first = log.last + 1;
  state.leading = {
    peers: new Map(),
    first,
    round: 0,
    confirmed: 0,
    confirmedAt: now,
    begun: [],
    heartbeatDue: now,
    leases: true,
    reads: [],
    transfer: null,
    uncommitted: 0,
  };
  turn.append(noop(first, term));
}
