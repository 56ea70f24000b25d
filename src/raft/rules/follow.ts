/**
 * What a follower does with entries. It takes them where its log has the one before them, with the term that the leader has
 * there: then both logs are the same up to that, by induction. What differs after that is cut off; nothing that is committed
 * ever does. Without the one before, the leader is told where the logs may part.
 *
 * What is in the memory and what is on the disk are told apart: the leader is answered at once where it wants to know that
 * it is heard, and again when entries are on the disk; only those count.
 */
import type { NodeId } from '../configuration.ts';
import type { Entry } from '../entry.ts';
import { UNKNOWN } from '../log.ts';
import type { Append } from '../message.ts';
import { becomeFollower, delayElection } from './roles.ts';
import type { Turn } from './turn.ts';

/** Somebody leads in our term. */
export function hearLeader(turn: Turn, { from, round }: { readonly from: number; readonly round: number }): void {
  const { state } = turn;
  if (state.role !== 'follower' || state.leader !== from) becomeFollower(turn, state.term, from);
  state.heard = turn.now;
  state.removed = false;
  state.heardRound = Math.max(state.heardRound, round);
  delayElection(turn);
}

export function takeEntries(turn: Turn, message: Append): void {
  const { state } = turn;
  const { log } = state;
  const { prevIndex, prevTerm, entries, commit } = message;
  const last = prevIndex + entries.length;
  hearLeader(turn, message);
  // What is committed here is the leader's as well, though it may be compacted.
  const known = prevIndex <= state.commit || log.term(prevIndex) === prevTerm;
  if (!known) {
    reject(turn, message);
    return;
  }
  const news = add(turn, entries);
  state.matched = Math.max(state.matched, last, prevIndex <= state.commit ? state.commit : 0);
  state.commit = Math.max(state.commit, Math.min(commit, last));
  // Entries that are to be stored are told of when they are.
  if (!news || state.heardRound > state.toldRound) accept(turn);
}

/** Whether there are new ones among them. */
function add(turn: Turn, entries: readonly Entry[]): boolean {
  const { state } = turn;
  const { log } = state;
  let news = false;
  for (const entry of entries) {
    if (entry.index <= state.commit) continue;
    const term = log.term(entry.index);
    if (term === entry.term) continue;
    if (term !== UNKNOWN) turn.truncate(entry.index);
    turn.append(entry);
    news = true;
  }
  return news;
}

/** Tells the leader how much we have. */
export function accept(turn: Turn): void {
  const { state } = turn;
  const { matched: held, leader: to, heardRound: round } = state;
  const match = Math.min(held, state.log.durable);
  state.toldMatch = match;
  state.toldRound = round;
  reply(turn, to, round, true, match, held, 0, 0, 0);
}

/** More is on the disk: the leader is waiting for that. */
export function acceptStored(turn: Turn): void {
  const { state } = turn;
  if (state.role !== 'follower' || state.leader === 0) return;
  if (Math.min(state.matched, state.log.durable) > state.toldMatch) accept(turn);
}

function reject(turn: Turn, { from, prevIndex, prevTerm }: Append): void {
  const { state } = turn;
  const { log, heardRound: round } = state;
  // Entries of later terms than the leader's here are not its; those up to `commit` are.
  const hintIndex = Math.max(log.lastUpTo(prevIndex, prevTerm), state.commit);
  state.toldRound = round;
  reply(turn, from, round, false, 0, 0, prevIndex, hintIndex, Math.max(log.term(hintIndex), 0));
}

/** Somebody leads in an earlier term, and does not know it. */
export function tellTerm(turn: Turn, { from, prevIndex }: { readonly from: number; readonly prevIndex: number }): void {
  reply(turn, from, 0, false, 0, 0, prevIndex, 0, 0);
}

function reply(
  turn: Turn,
  to: NodeId,
  round: number,
  ok: boolean,
  match: number,
  held: number,
  rejected: number,
  hintIndex: number,
  hintTerm: number,
): void {
  const { id: from, term } = turn.state;
  turn.send({ type: 'append-reply', from, to, term, round, ok, match, held, rejected, hintIndex, hintTerm });
}
