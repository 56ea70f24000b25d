/**
 * A replica whose master is down asks the masters for their votes, in an epoch of its own, and is the master when most of
 * them have given it theirs.
 *
 *   master FAIL ──> delay ──> request, epoch + 1 ──> most votes in time ──> master, with that epoch
 *                     ^             └── not in time, and again as much ──┐
 *                     └──────────────────────────────────────────────────┘
 *
 * The delay is 500 ms, for FAIL to reach the masters, up to 500 more at random, and a second for each sibling that has read
 * more of the master's stream: the best one asks first.
 */
import { NOFAILOVER } from '../flags.ts';
import { type CannotFailover, majority, type Node } from '../state.ts';
import { announce } from './heartbeats.ts';
import { broadcast } from './links.ts';
import { isManual } from './manual.ts';
import { takeOver } from './roles.ts';
import type { Turn } from './turn.ts';

const FIXED_DELAY = 500;
const RANDOM_DELAY = 500;
const RANK_DELAY = 1000;
const LEAST_TIMEOUT = 2000;
/** Of the node timeout, until the votes must be there; and of that, until the next try. */
const TIMEOUT = 2;
const RETRY = 2;
/** Milliseconds between two lines of the log with the same reason, and after a master's failure before the first. */
const LOG_PERIOD = 10_000;
const LOG_DELAY = 5000;

const REASONS: Readonly<Record<Exclude<CannotFailover, 'none'>, string>> = {
  'data-age':
    'Disconnected from master for longer than allowed. ' +
    "Please check the 'cluster-replica-validity-factor' configuration option.",
  delay: 'Waiting the delay before I can start a new failover.',
  expired: 'Failover attempt expired.',
  votes: 'Waiting for votes, but majority still not reached.',
};

/** Goes on with an election, or begins one, where we are a replica that should. */
export function goOn(turn: Turn): void {
  const { state, now } = turn;
  const { myself, election } = state;
  const { master } = myself;
  if (!myself.isReplica || master === null || !mayTakeOver(turn, master)) {
    election.reason = 'none';
    return;
  }
  if (isTooOld(turn) && !isManual(state)) {
    explain(turn, master, 'data-age');
    return;
  }
  const timeout = Math.max(turn.settings.nodeTimeout * TIMEOUT, LEAST_TIMEOUT);
  const age = now - election.time;
  if (election.time === 0 || age > timeout * RETRY) schedule(turn);
  if (!election.asked && state.manual.end === 0) delayByRank(turn);
  if (now < election.time) explain(turn, master, 'delay');
  else if (election.time !== 0 && now - election.time > timeout) explain(turn, master, 'expired');
  else if (!election.asked) ask(turn);
  else if (election.voters.size < majority(state)) explain(turn, master, 'votes');
  else win(turn);
}

function mayTakeOver({ state, settings }: Turn, master: Node): boolean {
  const manual = isManual(state);
  if (master.slots.size === 0) return false;
  return manual || (master.hasFailed && !settings.replicaNoFailover);
}

/** Whether our data are from too long before the master failed. */
function isTooOld({ settings, world }: Turn): boolean {
  const { replicaValidityFactor, nodeTimeout, replPingPeriod } = settings;
  if (replicaValidityFactor === 0) return false;
  // For a node timeout it could not be known that the master is down.
  const age = world.engine.dataAge();
  return age > replPingPeriod + nodeTimeout * (replicaValidityFactor + 1);
}

function schedule(turn: Turn): void {
  const { state, now, world } = turn;
  const { election, manual } = state;
  election.asked = false;
  election.voters.clear();
  if (manual.end !== 0) {
    election.time = now;
    election.rank = 0;
  } else {
    election.rank = rank(turn);
    election.time = now + FIXED_DELAY + world.random.below(RANDOM_DELAY) + election.rank * RANK_DELAY;
  }
  const offset = world.engine.replicationOffset();
  const order = `rank #${election.rank}, offset ${offset}`;
  turn.log('warning', `Start of election delayed for ${election.time - now} milliseconds (${order}).`);
  // So that siblings know how far we have read.
  announce(turn, 'shard');
}

/** Siblings that have read more. */
function rank({ state, world }: Turn): number {
  const offset = world.engine.replicationOffset();
  let better = 0;
  for (const sibling of state.myself.shard.replicas)
    if (sibling !== state.myself && !sibling.is(NOFAILOVER) && sibling.offset > offset) better++;
  return better;
}

/** A sibling that turns out to have read more goes first. */
function delayByRank(turn: Turn): void {
  const { election } = turn.state;
  const now = rank(turn);
  if (now <= election.rank) return;
  const added = (now - election.rank) * RANK_DELAY;
  election.time += added;
  election.rank = now;
  turn.log('warning', `Replica rank updated to #${now}, added ${added} milliseconds of delay.`);
}

/** Our epoch is durable before the request leaves: nobody votes for us twice in it. */
function ask(turn: Turn): void {
  const { state } = turn;
  const { election } = state;
  state.currentEpoch++;
  turn.commit();
  election.epoch = state.currentEpoch;
  election.asked = true;
  turn.log('warning', `Starting a failover election for epoch ${state.currentEpoch}.`);
  broadcast(turn, { type: 'auth-req' }, { forceAck: state.manual.end !== 0 });
}

/** A master has voted for us, in the epoch of the request or in a later one that has come since. */
export function heardVote(turn: Turn, voter: Node, currentEpoch: number): void {
  const { election } = turn.state;
  if (!voter.isMaster || voter.slots.size === 0 || !election.asked || currentEpoch < election.epoch) return;
  election.voters.add(voter);
  turn.failoverIsDue = true;
}

function win(turn: Turn): void {
  const { myself, election } = turn.state;
  turn.log('warning', "Failover election won: I'm the new master.");
  if (myself.configEpoch < election.epoch) {
    myself.configEpoch = election.epoch;
    turn.log('warning', `configEpoch set to ${election.epoch} after successful failover`);
  }
  election.asked = false;
  takeOver(turn);
}

/** Tells the log why nothing happens: at once where the reason is new, and then not too often. */
function explain(turn: Turn, master: Node, reason: Exclude<CannotFailover, 'none'>): void {
  const { state, now, settings } = turn;
  const { election } = state;
  if (election.reason === reason && now - election.reasonTime < LOG_PERIOD) return;
  election.reason = reason;
  // What must pass anyway is no news.
  if (master.hasFailed && now - master.failTime < settings.nodeTimeout + LOG_DELAY) return;
  election.reasonTime = now;
  turn.log('warning', `Currently unable to failover: ${REASONS[reason]}`);
}
