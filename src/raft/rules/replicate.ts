/**
 * How the leader sends its log. Messages are bounded in bytes, and each follower in messages that are on their way; what is
 * lost shows with the next heartbeat, whose entry before it the follower does not have. Who needs what is compacted gets the
 * last snapshot.
 */
import { assert } from '../../base/assert.ts';
import { UNKNOWN } from '../log.ts';
import type { AppendReply } from '../message.ts';
import type { Progress } from '../progress.ts';
import type { Turn } from './turn.ts';

/** Sends what may be sent; `always` something. */
export function sendTo(turn: Turn, peer: Progress, always: boolean): void {
  const { log } = turn.state;
  let silent = true;
  if (peer.state === 'probe' && (always || !peer.paused)) silent = !sendNext(turn, peer);
  while (peer.state === 'replicate' && mayFollow(turn, peer)) silent = !sendNext(turn, peer);
  if (!silent || !always) return;
  // What was lost on the way would show with the entry before, but it is compacted.
  if (peer.state === 'replicate' && log.term(peer.next - 1) === UNKNOWN) sendSnapshot(turn, peer);
  heartbeat(turn, peer);
}

/** So many small messages are on their way at once; what comes meanwhile goes together. */
const FEW = 2;

/** Whether another message goes behind those that are on their way: a full one does. */
function mayFollow({ state: { log }, settings }: Turn, { next, inflight }: Progress): boolean {
  if (next > log.last || inflight.length >= settings.inflight) return false;
  return inflight.length < FEW || next < log.first || log.reaches(next, settings.batchBytes);
}

/** Entries from `next`, or the snapshot that stands for them. Whether it was a message with a round. */
function sendNext(turn: Turn, peer: Progress): boolean {
  const { state, settings } = turn;
  const { log } = state;
  const prevIndex = peer.next - 1;
  const prevTerm = log.term(prevIndex);
  if (prevTerm === UNKNOWN) {
    sendSnapshot(turn, peer);
    return false;
  }
  const entries = log.from(peer.next, log.last, settings.batchBytes);
  const { commit, leading, id: from, term } = state;
  const { round } = leading!;
  turn.send({ type: 'append', from, to: peer.id, term, prevIndex, prevTerm, commit, round, entries });
  peer.sent(prevIndex + entries.length);
  return true;
}

function sendSnapshot(turn: Turn, peer: Progress): void {
  const { snapshot, leading, log, id: from, term } = turn.state;
  assert(snapshot.index >= log.first - 1, 'a snapshot stands for what is compacted');
  peer.awaitSnapshot(snapshot.index);
  turn.send({ type: 'snapshot', from, to: peer.id, term, round: leading!.round, mark: snapshot });
}

/** No entries: after what was sent last or, where that is not known, at the beginning, which everybody has. */
function heartbeat(turn: Turn, peer: Progress): void {
  const { log, commit, leading, id: from, term } = turn.state;
  const known = peer.state === 'replicate' ? peer.next - 1 : 0;
  const termThere = log.term(known);
  const [prevIndex, prevTerm] = termThere === UNKNOWN ? [0, 0] : [known, termThere];
  const { round } = leading!;
  turn.send({ type: 'append', from, to: peer.id, term, prevIndex, prevTerm, commit, round, entries: [] });
}

export function heardReply(turn: Turn, reply: AppendReply): void {
  const { state } = turn;
  const peer = state.leading?.peers.get(reply.from);
  if (peer === undefined) return;
  const { log } = state;
  peer.round = Math.max(peer.round, reply.round);
  if (reply.ok) {
    assert(reply.match <= reply.held && reply.held <= log.last, 'nobody has more of our log than we');
    peer.advance(reply.match, reply.held);
    return;
  }
  const hint = reply.hintTerm === 0 ? reply.hintIndex : log.lastUpTo(reply.hintIndex, reply.hintTerm);
  peer.retreat(reply.rejected, hint);
}

export function snapshotEnded(turn: Turn, to: number, ok: boolean): void {
  const peer = turn.leading?.peers.get(to);
  if (peer?.state !== 'snapshot') return;
  const { snapshot } = peer;
  peer.probe();
  if (ok) peer.next = Math.max(peer.next, snapshot + 1);
}
