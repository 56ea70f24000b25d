/** What the timer does for each instance: connections, the periodic requests, and the checks that follow from them. */
import { type Instance, type Master, masterOf } from '../state.ts';
import { checkConnections, checkObjectivelyDown, checkSubjectivelyDown } from './down.ts';
import { goOn, startIfNeeded, updateConfig } from './failover.ts';
import { forgetGhosts } from './ghosts.ts';
import { greet } from './greetings.ts';
import { lookUpAgain } from './hosts.ts';
import { isReachable, ping, reconnect, send } from './links.ts';
import type { Turn } from './turn.ts';
import { askOthers } from './votes.ts';

/** Milliseconds between INFOs of replicas on which much depends just now. */
const URGENT_INFO_PERIOD = 1000;

export function watchMaster(turn: Turn, master: Master): void {
  watch(turn, master);
  if (!turn.state.tilt) {
    checkObjectivelyDown(turn, master);
    const started = startIfNeeded(turn, master);
    if (started) askOthers(turn, master, 'now');
    goOn(turn, master);
    askOthers(turn, master, 'in time');
  }
  for (const replica of master.replicas.values()) watch(turn, replica);
  for (const peer of master.sentinels.values()) watch(turn, peer);
  updateConfig(turn, master);
  forgetGhosts(turn, master);
}

function watch(turn: Turn, instance: Instance): void {
  const anew = reconnect(turn, instance);
  lookUpAgain(turn, instance, anew ? 0 : turn.state.periods['info-period']);
  askPeriodically(turn, instance);
  if (turn.state.tilt) return;
  const { downAfter } = masterOf(instance).settings;
  checkConnections(turn, instance, downAfter);
  checkSubjectivelyDown(turn, instance, downAfter);
}

function askPeriodically(turn: Turn, instance: Instance): void {
  if (!isReachable(instance)) return;
  const { now, state } = turn;
  const { link } = instance;
  if (instance.role !== 'sentinel')
    if (instance.infoTime === 0 || now - instance.infoTime > infoPeriod(turn, instance)) askInfo(turn, instance);
  const pingPeriod = Math.min(state.periods['ping-period'], masterOf(instance).settings.downAfter);
  if (now - link.lastPong > pingPeriod && now - link.lastPing > pingPeriod / 2) ping(turn, instance);
  if (instance.lastPublished === 0 || now - instance.lastPublished > state.periods['publish-period'])
    greet(turn, instance);
}

/** Asks a server for its INFO, unless its reply is still to come. The connection for commands is enough for that. */
export function askInfo(turn: Turn, instance: Instance): void {
  if (instance.role === 'sentinel' || instance.infoAsked || instance.link.cmd === null) return;
  instance.infoAsked = true;
  send(turn, instance, 'info', ['INFO']);
}

function infoPeriod(turn: Turn, instance: Instance): number {
  const period = turn.state.periods['info-period'];
  if (instance.role !== 'slave') return period;
  const { master } = instance;
  const urgent = master.objectivelyDownSince !== 0 || master.failover !== null || instance.masterLinkDownTime !== 0;
  return urgent ? Math.min(period, URGENT_INFO_PERIOD) : period;
}
