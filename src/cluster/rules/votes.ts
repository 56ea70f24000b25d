/**
 * Masters with slots elect who takes over from one that is down. A vote binds: one an epoch, and one for the replicas of a
 * master within twice the node timeout, so that who was elected has the time to say so. It is durable before it leaves
 * (Turn.commit): who restarts votes for nobody else in the same epoch.
 */
import type { Header } from '../bus/packet.ts';
import { slotsIn } from '../slots.ts';
import type { Node } from '../state.ts';
import { sendTo } from './links.ts';
import type { Turn } from './turn.ts';

/** Node timeouts between two votes for replicas of one master. */
const VOTE_PAUSE = 2;

/** A replica asks for our vote. */
export function answerRequest(turn: Turn, candidate: Node, request: Header): void {
  const { state, now } = turn;
  const { myself } = state;
  if (!myself.isMaster || myself.slots.size === 0) return;
  const reason = objection(turn, candidate, request);
  if (reason !== '') {
    turn.log('warning', `Failover auth denied to ${candidate.id}: ${reason}`);
    return;
  }
  candidate.master!.votedTime = now;
  state.lastVoteEpoch = state.currentEpoch;
  turn.commit();
  sendTo(turn, candidate, { type: 'auth-ack' });
  turn.log('warning', `Failover auth granted to ${candidate.id} for epoch ${state.currentEpoch}`);
}

/** Why it gets no vote; '' where it does. */
function objection(turn: Turn, candidate: Node, request: Header): string {
  const { state, now, settings } = turn;
  const { master } = candidate;
  const { currentEpoch } = request;
  if (currentEpoch < state.currentEpoch) return `reqEpoch (${currentEpoch}) < curEpoch(${state.currentEpoch})`;
  if (state.lastVoteEpoch >= state.currentEpoch) return `already voted for epoch ${state.currentEpoch}`;
  if (candidate.isMaster) return 'it is a master node';
  if (master === null) return "I don't know its master";
  if (!master.hasFailed && !request.forceAck) return 'its master is up';
  const wait = settings.nodeTimeout * VOTE_PAUSE - (now - master.votedTime);
  if (master.votedTime !== 0 && wait > 0) return `can't vote about this master before ${wait} milliseconds`;
  for (const slot of slotsIn(request.slots)) {
    const owner = state.owners[slot];
    if (owner !== null && owner.configEpoch > request.configEpoch && !state.unclaimed.has(slot))
      return `slot ${slot} epoch (${owner.configEpoch}) > reqEpoch (${request.configEpoch})`;
  }
  return '';
}
