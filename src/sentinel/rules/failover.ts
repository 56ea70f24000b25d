/**
 * The failover of a master.
 *
 *   +odown ──> wait-start ──> select-slave ──> send-slaveof-noone ──> wait-promotion ──> reconf-slaves ──> update-config
 *              until we are    the best one     until it is             until its INFO      until all others  the promoted one
 *              elected                          reachable               says master         follow it         is the master
 *
 * What does not come in time ends it: up to wait-promotion nothing has changed and it is aborted, from reconf-slaves on the
 * promoted replica is the master whatever becomes of the others.
 */
import { assert } from '../../base/assert.ts';
import { type Failover, type FailoverState, isDisconnected, type Master, type Replica } from '../state.ts';
import { isReachable } from './links.ts';
import { switchAddress, tellAtOnce } from './masters.ts';
import { reconfigureClients } from './scripts.ts';
import { selectReplica } from './selection.ts';
import { simulateFailure } from './simulated.ts';
import { follow, promote } from './slaveof.ts';
import type { Turn } from './turn.ts';
import { leaderOf, MOST_DESYNC } from './votes.ts';

/** In failover-timeouts: how long after the last try none is begun. */
const PAUSE = 2;

/** Begins a failover where the master is objectively down and no other was tried just before. Says whether it did. */
export function startIfNeeded(turn: Turn, master: Master): boolean {
  if (master.objectivelyDownSince === 0 || master.failover !== null) return false;
  const { failoverStart } = master;
  const pause = failoverStart + master.settings.failoverTimeout * PAUSE - turn.now;
  if (failoverStart !== 0 && pause > 0) {
    if (master.failoverDelayLogged !== failoverStart)
      turn.log(
        'warning',
        `Next failover delay: I will not start a failover before ${Math.ceil(pause)} milliseconds have passed`,
      );
    master.failoverDelayLogged = failoverStart;
    return false;
  }
  startFailover(turn, master, 'elected');
  return true;
}

/** Begins a failover in an epoch of its own, in which nobody has voted yet. */
export function startFailover(turn: Turn, master: Master, by: 'elected' | 'forced'): void {
  assert(master.failover === null, 'one failover at a time');
  const { state, now } = turn;
  state.currentEpoch++;
  const epoch = state.currentEpoch;
  const version = turn.persist();
  master.failover = { state: 'wait-start', since: now, epoch, version, forced: by === 'forced', promoted: null };
  master.failoverStart = now + turn.random.below(MOST_DESYNC);
  turn.event('warning', '+new-epoch', master, String(epoch));
  turn.tell('warning', '+try-failover', master);
}

/** Goes on with the failover that is under way, if there is one. */
export function goOn(turn: Turn, master: Master): void {
  const { failover } = master;
  if (failover === null) return;
  switch (failover.state) {
    case 'wait-start':
      waitStart(turn, master, failover);
      break;
    case 'select-slave':
      select(turn, master, failover);
      break;
    case 'send-slaveof-noone':
      sendSlaveofNoOne(turn, master, failover);
      break;
    case 'wait-promotion':
      if (isLate(turn, master, failover)) abort(turn, master, '-failover-abort-slave-timeout');
      break;
    case 'reconf-slaves':
      reconfigureReplicas(turn, master, failover);
      break;
    case 'update-config':
      break;
  }
}

function enter(turn: Turn, failover: Failover, state: FailoverState): void {
  failover.state = state;
  failover.since = turn.now;
}

/** Whether the failover has been in its state for longer than failover-timeout. */
function isLate(turn: Turn, master: Master, failover: Failover): boolean {
  return turn.now - failover.since > master.settings.failoverTimeout;
}

function abort(turn: Turn, master: Master, why: string): void {
  const { failover } = master;
  assert(failover !== null && failover.state !== 'reconf-slaves' && failover.state !== 'update-config', 'not too late');
  turn.tell('warning', why, master);
  master.failover = null;
}

/** A configuration has come that is later than a failover which has changed nothing yet: it must not replace it. */
export function giveWay(turn: Turn, master: Master): void {
  const { failover } = master;
  if (failover === null || failover.epoch > master.configEpoch) return;
  if (failover.state === 'reconf-slaves' || failover.state === 'update-config') return;
  abort(turn, master, '-failover-abort-superseded');
}

/** Waits for votes, and for the disk: who restarted into an epoch that he had led could promote another replica in it. */
function waitStart(turn: Turn, master: Master, failover: Failover): void {
  const { state, now } = turn;
  const elected = leaderOf(turn, master, failover.epoch) === state.myid || failover.forced;
  if (!elected || !turn.isDurable(failover.version)) {
    const patience = Math.min(state.periods['election-timeout'], master.settings.failoverTimeout);
    if (now - master.failoverStart > patience) abort(turn, master, '-failover-abort-not-elected');
    return;
  }
  turn.tell('warning', '+elected-leader', master);
  simulateFailure(turn, 'crash-after-election');
  enter(turn, failover, 'select-slave');
  turn.tell('warning', '+failover-state-select-slave', master);
}

function select(turn: Turn, master: Master, failover: Failover): void {
  const replica = selectReplica(turn, master);
  if (replica === null) {
    abort(turn, master, '-failover-abort-no-good-slave');
    return;
  }
  turn.tell('warning', '+selected-slave', replica);
  failover.promoted = replica;
  enter(turn, failover, 'send-slaveof-noone');
  turn.tell('notice', '+failover-state-send-slaveof-noone', replica);
}

function sendSlaveofNoOne(turn: Turn, master: Master, failover: Failover): void {
  const { promoted } = failover;
  assert(promoted !== null, 'a replica was selected');
  if (isDisconnected(promoted)) {
    if (isLate(turn, master, failover)) abort(turn, master, '-failover-abort-slave-timeout');
    return;
  }
  promote(turn, promoted);
  turn.tell('notice', '+failover-state-wait-promotion', promoted);
  enter(turn, failover, 'wait-promotion');
}

/** INFO of the selected replica says that it is a master: from here on there is no way back. */
export function promoted(turn: Turn, replica: Replica): void {
  const { master } = replica;
  const { failover } = master;
  assert(failover?.state === 'wait-promotion' && failover.promoted === replica, 'this promotion was waited for');
  assert(failover.epoch > master.configEpoch, 'a configuration is newer than the one before');
  master.configEpoch = failover.epoch;
  enter(turn, failover, 'reconf-slaves');
  turn.persist();
  turn.tell('warning', '+promoted-slave', replica);
  simulateFailure(turn, 'crash-after-promotion');
  turn.tell('warning', '+failover-state-reconf-slaves', master);
  reconfigureClients(turn, master, 'leader', master.address, replica.address);
  tellAtOnce(master);
}

/** Lets the other replicas follow the promoted one, parallel-syncs at a time. */
function reconfigureReplicas(turn: Turn, master: Master, failover: Failover): void {
  const { promoted } = failover;
  assert(promoted !== null, 'a replica was promoted');
  let underWay = 0;
  for (const replica of master.replicas.values()) {
    giveUpIfLate(turn, replica);
    if (replica.reconfiguration === 'sent' || replica.reconfiguration === 'inprog') underWay++;
  }
  for (const replica of master.replicas.values()) {
    if (underWay >= master.settings.parallelSyncs) break;
    if (replica === promoted || replica.reconfiguration !== 'none' || !isReachable(replica)) continue;
    if (!lead(turn, replica, promoted, '+slave-reconf-sent')) continue;
    underWay++;
  }
  endIfDone(turn, master, failover, promoted);
}

/** A replica that does not even begin to follow in time is left to +fix-slave-config. */
function giveUpIfLate(turn: Turn, replica: Replica): void {
  if (replica.reconfiguration !== 'sent') return;
  if (turn.now - replica.reconfigurationSent <= turn.state.periods['slave-reconf-timeout']) return;
  turn.tell('notice', '-slave-reconf-sent-timeout', replica);
  replica.reconfiguration = 'done';
}

/** False where it must not follow: there is nothing to wait for then. */
function lead(turn: Turn, replica: Replica, leader: Replica, event: string): boolean {
  if (!follow(turn, replica, leader)) {
    replica.reconfiguration = 'done';
    return false;
  }
  replica.reconfiguration = 'sent';
  replica.reconfigurationSent = turn.now;
  turn.tell('notice', event, replica);
  return true;
}

function endIfDone(turn: Turn, master: Master, failover: Failover, promoted: Replica): void {
  if (promoted.downSince !== 0) return;
  const late = isLate(turn, master, failover);
  const others = [...master.replicas.values()].filter((replica) => replica !== promoted);
  if (late) turn.tell('warning', '+failover-end-for-timeout', master);
  else if (others.some((replica) => replica.reconfiguration !== 'done' && replica.downSince === 0)) return;
  turn.tell('warning', '+failover-end', master);
  enter(turn, failover, 'update-config');
  if (!late) return;
  for (const replica of others)
    if (replica.reconfiguration === 'none' && isReachable(replica))
      lead(turn, replica, promoted, '+slave-reconf-sent-be');
}

/** The end: the promoted replica is the master. */
export function updateConfig(turn: Turn, master: Master): void {
  const { failover } = master;
  if (failover?.state !== 'update-config') return;
  assert(failover.promoted !== null, 'a replica was promoted');
  switchAddress(turn, master, master.address, failover.promoted.address);
}
