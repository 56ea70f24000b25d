/**
 * A failover that an administrator asks a replica for, without loss:
 *
 *   replica                                    master
 *   CLUSTER FAILOVER ── MFSTART ─────────────> stops clients that write
 *   knows the last offset <── PING, paused ──  every 100 ms
 *   has read so far ── request for votes ────> (to all masters, which grant them though this one is up)
 *   becomes master ── PONG ──────────────────> becomes a replica of it
 *
 * It takes five seconds at most; clients wait up to twice as long, so that a master that hears of its end late lets none of
 * them write in between. FORCE begins at the last step but one, TAKEOVER at the last.
 */
import type { ClusterState, Node } from '../state.ts';
import type { Turn } from './turn.ts';

const TIMEOUT = 5000;
const PAUSE = TIMEOUT * 2;

/** Ends a manual failover, whatever has become of it. */
export function resetManual(turn: Turn): void {
  const { manual } = turn.state;
  if (manual.end !== 0 && manual.replica !== null) turn.output({ kind: 'unpause' });
  manual.end = 0;
  manual.replica = null;
  manual.masterOffset = -1;
  manual.canStart = false;
}

/** At the replica: it begins, and needs not wait for an election of before to be over. */
export function beginManual(turn: Turn): void {
  const { manual, election } = turn.state;
  resetManual(turn);
  manual.end = turn.now + TIMEOUT;
  election.time = 0;
  election.asked = false;
}

/** At the master: a replica asks for it. */
export function heardManualStart(turn: Turn, sender: Node): void {
  const { state, now } = turn;
  if (sender.master !== state.myself) return;
  resetManual(turn);
  state.manual.end = now + TIMEOUT;
  state.manual.replica = sender;
  turn.output({ kind: 'pause', until: now + PAUSE });
  turn.log('warning', `Manual failover requested by replica ${sender.id}.`);
}

/** At the replica: the master has stopped its clients at this offset. */
export function heardPaused(turn: Turn, sender: Node, offset: number): void {
  const { manual, myself } = turn.state;
  if (manual.end === 0 || myself.master !== sender || manual.masterOffset !== -1) return;
  manual.masterOffset = offset;
  turn.log('warning', `Received replication offset for paused master manual failover: ${offset}`);
  turn.failoverIsDue = true;
}

/** At the replica: whether it has read all that its master wrote. */
export function checkManual(turn: Turn): void {
  const { manual } = turn.state;
  if (manual.end === 0 || manual.canStart || manual.masterOffset === -1) return;
  const { engine } = turn.world;
  // A replica that has yet to synchronize may stand at the same offset of another history, such as 0 after both were restarted.
  if (!engine.isStreaming() || engine.replicationOffset() !== manual.masterOffset) return;
  manual.canStart = true;
  turn.log('warning', 'All master replication stream processed, manual failover can start.');
  turn.failoverIsDue = true;
}

export function checkManualTimeout(turn: Turn): void {
  const { manual } = turn.state;
  if (manual.end === 0 || turn.now <= manual.end) return;
  turn.log('warning', 'Manual failover timed out.');
  resetManual(turn);
}

/** Whether a replica may be elected though its master is up. */
export function isManual({ manual }: ClusterState): boolean {
  return manual.end !== 0 && manual.canStart;
}
