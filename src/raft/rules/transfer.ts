/**
 * How a leader hands over: it takes no more entries, brings the other's log up to its own, and tells it to be elected at
 * once. When that does not come about within an election timeout it goes on as before, but without a lease until its term
 * ends: the request may be on its way still, and whoever is asked because of it votes in spite of what it has heard.
 */
import { isVoter, NOBODY, type NodeId } from '../configuration.ts';
import type { TimeoutNow } from '../message.ts';
import type { Asker } from '../messages.ts';
import { configurationOf, type Leadership, mayBeElected } from '../state.ts';
import { stand } from './election.ts';
import type { Turn } from './turn.ts';

export function transfer(turn: Turn, asker: Asker, wanted: NodeId): void {
  const { state, leading, now, settings } = turn;
  if (leading === null || leading.transfer !== null) {
    turn.refuse(asker, leading === null ? 'not-leader' : 'transferring');
    return;
  }
  const to = wanted === NOBODY ? best(turn, leading) : wanted;
  if (to === state.id || !isVoter(configurationOf(state), to)) {
    turn.refuse(asker, to === state.id ? 'the node leads already' : 'the node is not a voter');
    return;
  }
  leading.transfer = { to, end: now + settings.electionTimeout, sent: false };
  turn.output({ kind: 'transferring', asker, to });
}

/** The voter that has most of the log; NOBODY where we are the only one. */
function best({ state }: Turn, leading: Leadership): NodeId {
  let [found, most] = [NOBODY, -1];
  for (const { id, match } of leading.peers.values())
    if (match > most && isVoter(configurationOf(state), id)) [found, most] = [id, match];
  return found;
}

export function goOnWithTransfer(turn: Turn, leading: Leadership): void {
  const { state, now } = turn;
  const { transfer: under } = leading;
  if (under === null) return;
  const peer = leading.peers.get(under.to);
  if (peer === undefined || now >= under.end) leading.transfer = null;
  else if (!under.sent && peer.match === state.log.last) {
    under.sent = true;
    leading.leases = false;
    turn.send({ type: 'timeout-now', from: state.id, to: under.to, term: state.term });
  }
}

/** The leader of our term wants us to take over. */
export function takeOver(turn: Turn, { from }: TimeoutNow): void {
  const { state } = turn;
  if (state.role !== 'leader' && state.leader === from && mayBeElected(state)) stand(turn, true);
}
