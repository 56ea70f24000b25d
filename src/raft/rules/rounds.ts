/**
 * How a leader knows that it is the leader. It counts rounds: each message has the number of the last that was begun, and a
 * reply repeats it. A round that most voters have repeated is confirmed: when it was begun nobody else led in a later term.
 *
 *   - A read waits for a round that is begun after it (reads.ts).
 *   - A leader of whom no round of the last election timeout is confirmed steps down (check-quorum).
 *   - Whoever has repeated a round elects nobody for an election timeout (votes.ts). So for that long since the confirmed
 *     round was begun nobody else leads: the lease, shorter by what the clocks may differ: ours may be slow and theirs fast,
 *     timeout x (1 - drift) / (1 + drift). The clocks may not jump for more than that.
 */
import { NOBODY, reachedByMost } from '../configuration.ts';
import type { Leadership } from '../state.ts';
import { sendTo } from './replicate.ts';
import { becomeFollower } from './roles.ts';
import type { Turn } from './turn.ts';

/** Everybody is to tell us that they hear us. */
export function beginRound(turn: Turn, leading: Leadership): void {
  leading.round++;
  leading.begun.push(turn.now);
  leading.heartbeatDue = turn.now + turn.settings.heartbeat;
  for (const peer of leading.peers.values()) sendTo(turn, peer, true);
}

export function confirmRounds({ state }: Turn, leading: Leadership): void {
  const { round, confirmed, begun, peers } = leading;
  const heard = reachedByMost(state.log.configuration, (each) =>
    each === state.id ? round : (peers.get(each)?.round ?? 0),
  );
  if (heard <= confirmed) return;
  const done = heard - confirmed;
  leading.confirmedAt = begun[done - 1];
  leading.confirmed = heard;
  begun.splice(0, done);
}

/** Who votes alone is heard by most however late it is: a process that slept long need not stand again. */
export function checkQuorum(turn: Turn, leading: Leadership): void {
  const { id, log, term } = turn.state;
  if (turn.now < quorumIsDue(turn, leading)) return;
  if (reachedByMost(log.configuration, (each) => (each === id ? 1 : 0)) === 0) becomeFollower(turn, term, NOBODY);
}

export function quorumIsDue({ settings }: Turn, leading: Leadership): number {
  return leading.confirmedAt + settings.electionTimeout;
}

export function holdsLease({ settings, now }: Turn, leading: Leadership): boolean {
  const { electionTimeout, clockDrift, leases } = settings;
  if (!leases || !leading.leases || leading.confirmed === 0) return false;
  return now < leading.confirmedAt + (electionTimeout * (1 - clockDrift)) / (1 + clockDrift);
}
