/**
 * What sentinels ask of one another about a master: whether it is down, and for a vote.
 *
 * A vote binds: one an epoch for each master. It is durable before anybody hears of it, ourselves included: a Sentinel that
 * restarts may have forgotten whom it voted for, never that it did (leader-epoch of sentinel.conf).
 */
import { assert } from '../../base/assert.ts';
import type { Reply } from '../../links/reply-reader.ts';
import { isCalled } from '../address.ts';
import { announced, majority } from '../fields.ts';
import type { Asker } from '../messages.ts';
import { isDisconnected, type Master, type Peer } from '../state.ts';
import { send } from './links.ts';
import type { Turn } from './turn.ts';

/** Milliseconds over which sentinels spread the beginnings of their failovers, so that one is first. */
export const MOST_DESYNC = 1000;
/** Ask-periods after which what a sentinel has said is too old. */
const STALE_AFTER = 5;
const NO_VOTE = '*';
const MOST_RUNID = 64;

export interface Question {
  readonly host: string;
  readonly port: number;
  readonly epoch: number;
  readonly runid: string;
}

/** Asks the others about a master that is down in our view; for their votes as well while we want to fail it over. */
export function askOthers(turn: Turn, master: Master, when: 'now' | 'in time'): void {
  const { now, state } = turn;
  const period = state.periods['ask-period'];
  for (const peer of master.sentinels.values()) {
    if (now - peer.saidAt > period * STALE_AFTER) {
      peer.saysDown = false;
      peer.leader = '';
    }
    if (master.downSince === 0 || isDisconnected(peer)) continue;
    if (when === 'in time' && now - Math.max(peer.saidAt, peer.askedAt) < period) continue;
    peer.askedAt = now;
    const words = ['SENTINEL', 'is-master-down-by-addr', announced(state, master.address), String(master.address.port)];
    words.push(String(state.currentEpoch), master.failover === null ? NO_VOTE : state.myid);
    send(turn, peer, 'is-master-down-by-addr', words);
  }
}

/** What another sentinel has answered: [down, runid of its leader or *, that one's epoch]. */
export function heardVerdict(turn: Turn, peer: Peer, reply: Reply): void {
  if (!Array.isArray(reply) || reply.length !== 3) return;
  const [down, leader, epoch] = reply;
  if (typeof down !== 'number' || !Buffer.isBuffer(leader) || typeof epoch !== 'number') return;
  peer.saidAt = turn.now;
  peer.saysDown = down === 1;
  const runid = leader.toString('latin1', 0, MOST_RUNID);
  if (runid === NO_VOTE) return;
  if (peer.leaderEpoch !== epoch) turn.log('warning', `${peer.name} voted for ${runid} ${epoch}`);
  peer.leader = runid;
  peer.leaderEpoch = epoch;
}

/** Answers what another sentinel asks about a master. In TILT we know of nobody who is down. */
export function answerQuestion(turn: Turn, asker: Asker, question: Question): void {
  const { state } = turn;
  const master = [...state.masters.values()].find(({ address }) => isCalled(address, question.host, question.port));
  const down = master !== undefined && master.downSince !== 0 && !state.tilt;
  if (master === undefined || question.runid === NO_VOTE) {
    turn.answer(asker, { kind: 'vote', down, leader: NO_VOTE, epoch: 0 });
    return;
  }
  vote(turn, master, question.epoch, question.runid);
  const leader = master.leader === '' ? NO_VOTE : master.leader;
  turn.answer(asker, { kind: 'vote', down, leader, epoch: master.leaderEpoch }, master.voteVersion);
}

/** Votes for `runid` in `epoch`, unless a vote was given in that epoch or a later one. */
export function vote(turn: Turn, master: Master, epoch: number, runid: string): void {
  const { state } = turn;
  enterEpoch(turn, master, epoch);
  if (master.leaderEpoch >= epoch || state.currentEpoch > epoch) return;
  master.leader = runid;
  master.leaderEpoch = epoch;
  master.voteVersion = turn.persist();
  turn.event('warning', '+vote-for-leader', master, `${runid} ${epoch}`);
  // Whom we voted for gets the time to do it.
  if (runid !== state.myid) master.failoverStart = turn.now + turn.random.below(MOST_DESYNC);
}

/** Takes part in a later epoch than our own, of which somebody has told. */
export function enterEpoch(turn: Turn, master: Master, epoch: number): void {
  if (epoch <= turn.state.currentEpoch) return;
  turn.state.currentEpoch = epoch;
  turn.persist();
  turn.event('warning', '+new-epoch', master, String(epoch));
}

/**
 * Who leads the failover of `epoch`: whom a majority of all sentinels, and the quorum, have voted for; '' where nobody has
 * so many votes. We vote as well, if we have not: for whom most of the others did, or else for ourselves.
 */
export function leaderOf(turn: Turn, master: Master, epoch: number): string {
  const votes = new Map<string, number>();
  const count = (runid: string): void => void votes.set(runid, (votes.get(runid) ?? 0) + 1);
  for (const peer of master.sentinels.values())
    if (peer.leader !== '' && peer.leaderEpoch === epoch) count(peer.leader);
  vote(turn, master, epoch, mostVoted(votes) || turn.state.myid);
  if (master.leader !== '' && master.leaderEpoch === epoch && turn.isDurable(master.voteVersion)) count(master.leader);
  const winner = mostVoted(votes);
  if (winner === '') return '';
  const needed = Math.max(majority(master), master.settings.quorum);
  assert(votes.get(winner)! <= master.sentinels.size + 1, 'everybody votes once');
  return votes.get(winner)! >= needed ? winner : '';
}

function mostVoted(votes: ReadonlyMap<string, number>): string {
  let [winner, most] = ['', 0];
  for (const [runid, number] of votes) if (number > most) [winner, most] = [runid, number];
  return winner;
}
