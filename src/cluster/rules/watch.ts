/** What the timer does: connections, PINGs, who does not answer, and the failovers that follow. */
import { FAIL, HANDSHAKE, MYSELF, NOADDR, NOFAILOVER, PFAIL } from '../flags.ts';
import type { Node } from '../state.ts';
import { removeNode } from './changes.ts';
import { goOn } from './election.ts';
import { condemn, suspect } from './failures.ts';
import { ping } from './heartbeats.ts';
import { lookUpLost } from './hosts.ts';
import { isOverdue } from './introductions.ts';
import { closeLink, connect } from './links.ts';
import { checkManual, checkManualTimeout } from './manual.ts';
import { adoptOrphan } from './orphans.ts';
import { leaveReplica } from './roles.ts';
import type { Turn } from './turn.ts';

/** Milliseconds between PINGs to nodes chosen at random: of so many, to that which was silent for longest. */
const RANDOM_PING_PERIOD = 1000;
const RANDOM_PING_CHOICE = 5;
/**
 * Milliseconds, but no more than a tenth of the silence that is borne: whoever is to be asked within that is asked along with
 * one that is now, so that we wake once for both. With more, many would be asked that gossip would soon have told of.
 */
const ASKED_ALONG = 100;

/** What the timer remembers from one time to the next. */
export interface Watch {
  lastRandomPing: number;
  announcedIp: string;
}

export function watch(turn: Turn, memory: Watch): void {
  const { state, now, settings } = turn;
  turn.retryPersist();
  tellOfMyself(turn, memory);
  for (const [id, until] of state.forgotten) if (until <= now) state.forgotten.delete(id);
  for (const node of [...state.nodes.values()]) {
    if (isOverdue(turn, node)) removeNode(turn, node);
    else connect(turn, node);
    if (!node.is(MYSELF | HANDSHAKE)) lookUpLost(turn, node);
  }
  const isTimeForAnyone = now - memory.lastRandomPing >= RANDOM_PING_PERIOD;
  if (isTimeForAnyone) {
    memory.lastRandomPing = now;
    pingAnyone(turn);
  }
  const watched = [...state.nodes.values()].filter((node) => !node.is(MYSELF | NOADDR | HANDSHAKE));
  const silence = settings.nodeTimeout / 2;
  const isAskedNow = isTimeForAnyone || watched.some((node) => isToBeAsked(turn, node, silence));
  const mostSilence = isAskedNow ? silence - Math.min(ASKED_ALONG, silence / 10) : silence;
  for (const node of watched) watchNode(turn, node, mostSilence);
  leaveReplica(turn);
  checkManualTimeout(turn);
  checkManual(turn);
  goOn(turn);
  adoptOrphan(turn);
  if (!state.ok) turn.stateIsStale = true;
}

/**
 * Until when the timer has nothing to do: at most for as long as between two PINGs at random, and no longer than any node may
 * be silent. Never while anything is under way.
 */
export function calmUntil({ state, settings, now, owesNothing }: Turn, { lastRandomPing }: Watch): number {
  const { manual, election, myself, forgotten } = state;
  if (!state.ok || manual.end !== 0 || !owesNothing || forgotten.size > 0) return now;
  if (myself.isReplica && election.reason !== 'none') return now;
  let until = lastRandomPing + RANDOM_PING_PERIOD;
  for (const node of state.nodes.values()) {
    if (node.is(MYSELF)) continue;
    if (node.is(HANDSHAKE | NOADDR | FAIL | PFAIL) || !node.link?.open) return now;
    // Before half a node timeout nothing follows from it that no PONG has come.
    const since = node.pingSent === 0 ? node.pongReceived : node.pingSent;
    until = Math.min(until, since + settings.nodeTimeout / 2);
  }
  return until;
}

/** What settings say of us, as the others hear it. An address that is no longer announced is found out anew. */
export function tellOfMyself(turn: Turn, memory: Watch): void {
  const { state, settings } = turn;
  const { myself } = state;
  const { ip, flags } = myself;
  const { port, plainPort, busPort, hostname, announceIp } = settings;
  const isSame = myself.port === port && myself.busPort === busPort && myself.hostname === hostname;
  myself.port = port;
  myself.plainPort = plainPort;
  myself.busPort = busPort;
  myself.hostname = hostname;
  if (announceIp !== '') myself.ip = announceIp;
  else if (memory.announcedIp !== '') myself.ip = '';
  memory.announcedIp = announceIp;
  myself.flags = (myself.flags & ~NOFAILOVER) | (settings.replicaNoFailover ? NOFAILOVER : 0);
  if (!isSame || myself.ip !== ip || myself.flags !== flags) turn.persist();
}

/** So that everybody is asked now and then, whoever has just told of him. */
function pingAnyone(turn: Turn): void {
  const { state, world } = turn;
  const nodes = [...state.nodes.values()];
  let silent: Node | null = null;
  for (let i = 0; i < RANDOM_PING_CHOICE; i++) {
    const node = nodes[world.random.below(nodes.length)];
    if (!node.link?.open || node.pingSent !== 0 || node.is(MYSELF | HANDSHAKE)) continue;
    if (silent === null || node.pongReceived < silent.pongReceived) silent = node;
  }
  if (silent !== null) ping(turn, silent);
}

function isToBeAsked({ now }: Turn, node: Node, silence: number): boolean {
  return node.link !== null && node.pingSent === 0 && now - node.pongReceived > silence;
}

/** `silence`: who has told nothing for longer, in ms, is asked. */
function watchNode(turn: Turn, node: Node, silence: number): void {
  const { now, settings, state } = turn;
  const timeout = settings.nodeTimeout;
  const heard = now - node.dataReceived;
  // A connection over which nothing comes, or which does not come about, may be dead while the node is not.
  if (node.link !== null && now - node.link.since > timeout) {
    const isSilent = node.pingSent !== 0 && now - node.pingSent > timeout / 2 && heard > timeout / 2;
    if (isSilent || !node.link.open) closeLink(turn, node);
  }
  if (isToBeAsked(turn, node, silence)) {
    ping(turn, node);
    return;
  }
  if (state.manual.end !== 0 && state.myself.isMaster && state.manual.replica === node && node.link !== null) {
    ping(turn, node);
    return;
  }
  if (node.pingSent === 0 || Math.min(now - node.pingSent, heard) <= timeout) return;
  suspect(turn, node);
  condemn(turn, node);
}
