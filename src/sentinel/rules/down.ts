/** When an instance is down: in our own view (subjectively), and in that of enough sentinels (objectively). */
import type { Reply } from '../../links/reply-reader.ts';
import { ReplyError } from '../../protocol/reply-error.ts';
import type { Instance, Master } from '../state.ts';
import { disconnect, send } from './links.ts';
import type { Turn } from './turn.ts';

/** Hellos that a pubsub connection may miss before it is made anew. */
const HELLOS_MISSED = 3;

/** What a reply to PING says of the instance: that it is available, or at least that the link lives. */
export function pingReply(turn: Turn, instance: Instance, reply: Reply): void {
  const text =
    reply instanceof ReplyError ? reply.message : Buffer.isBuffer(reply) ? reply.toString('latin1', 0, 32) : '';
  if (text === '') return;
  const { link } = instance;
  link.lastPong = turn.now;
  const pong = text.startsWith('PONG');
  if (pong || text.startsWith('LOADING') || text.startsWith('MASTERDOWN')) {
    link.lastAvailable = turn.now;
    link.pingSent = 0;
    if (pong && instance.role === 'master') instance.rebootSince = 0;
    return;
  }
  if (text.startsWith('BUSY') && instance.role !== 'sentinel' && instance.downSince !== 0 && !instance.scriptKillSent) {
    send(turn, instance, 'script-kill', ['SCRIPT', 'KILL']);
    instance.scriptKillSent = true;
  }
}

/** Gives up connections over which nothing comes, though they stand: a new one may get through. */
export function checkConnections(turn: Turn, instance: Instance, downAfter: number): void {
  const { now, state } = turn;
  const { link } = instance;
  const youngest = state.periods['min-link-reconnect-period'];
  if (
    link.cmd !== null &&
    now - link.cmd.since > youngest &&
    link.pingSent !== 0 &&
    now - link.pingSent > downAfter / 2 &&
    now - link.lastPong > downAfter / 2
  )
    disconnect(turn, link, 'cmd');
  if (
    link.pubsub !== null &&
    now - link.pubsub.since > youngest &&
    now - link.lastHeard > state.periods['publish-period'] * HELLOS_MISSED
  )
    disconnect(turn, link, 'pubsub');
}

export function checkSubjectivelyDown(turn: Turn, instance: Instance, downAfter: number): void {
  const down =
    silence(turn, instance) > downAfter || (instance.role === 'master' && isNoMaster(turn, instance, downAfter));
  if (down === (instance.downSince !== 0)) return;
  if (down) {
    instance.downSince = turn.now;
    instance.lastDown = turn.now;
    turn.tell('warning', '+sdown', instance);
  } else {
    instance.downSince = 0;
    if (instance.role !== 'sentinel') instance.scriptKillSent = false;
    turn.tell('warning', '-sdown', instance);
  }
}

/** For how long it has owed us a good reply. */
function silence(turn: Turn, { link }: Instance): number {
  if (link.pingSent !== 0) return turn.now - link.pingSent;
  return link.cmd === null ? turn.now - link.lastAvailable : 0;
}

/** A master that answers, and yet is none: it has said for long that it is a replica, or is long in restarting. */
function isNoMaster(turn: Turn, master: Master, downAfter: number): boolean {
  const { now, state } = turn;
  const { masterRebootDownAfter } = master.settings;
  if (master.roleReported === 'slave')
    if (now - master.roleReportedSince > downAfter + state.periods['info-period'] * 2) return true;
  return master.rebootSince !== 0 && now - master.rebootSince > masterRebootDownAfter;
}

export function checkObjectivelyDown(turn: Turn, master: Master): void {
  const { quorum } = master.settings;
  let agree = 0;
  if (master.downSince !== 0) {
    agree = 1;
    for (const peer of master.sentinels.values()) if (peer.saysDown) agree++;
  }
  const down = agree > 0 && agree >= quorum;
  if (down === (master.objectivelyDownSince !== 0)) return;
  master.objectivelyDownSince = down ? turn.now : 0;
  if (down) turn.tell('warning', '+odown', master, ` #quorum ${agree}/${quorum}`);
  else turn.tell('warning', '-odown', master);
}

/** Whether an instance is up, and has not gone down in the last `ms` milliseconds. */
export function wasUpFor(turn: Turn, instance: Instance, ms: number): boolean {
  return instance.downSince === 0 && (instance.lastDown === 0 || turn.now - instance.lastDown > ms);
}
