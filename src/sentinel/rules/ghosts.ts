/**
 * Replicas and sentinels that were not seen for `forget-after-milliseconds` are forgotten, so that those who are gone for
 * good are not asked for ever, nor counted in the majority.
 *
 * Sentinels are forgotten only by a majority that sees itself: the smaller part of a network that has come apart would else
 * come to take itself for the whole, and elect a leader of its own.
 */
import { majority } from '../fields.ts';
import { isDisconnected, type Master, type Peer } from '../state.ts';
import { removePeer, removeReplica } from './masters.ts';
import type { Turn } from './turn.ts';

export function forgetGhosts(turn: Turn, master: Master): void {
  const { forgetAfter } = master.settings;
  if (forgetAfter === 0 || turn.state.tilt || master.failover !== null || master.downSince !== 0) return;
  for (const replica of master.replicas.values()) {
    if (replica.downSince === 0 || turn.now - replica.downSince < forgetAfter) continue;
    turn.tell('notice', '-slave', replica);
    removeReplica(turn, replica);
    turn.persist();
  }
  const peers = [...master.sentinels.values()];
  const gone = peers.filter((peer) => isGone(turn, peer, forgetAfter));
  const present = 1 + peers.filter((peer) => peer.downSince === 0 && !isDisconnected(peer)).length;
  if (present < majority(master)) return;
  for (const peer of gone) {
    turn.tell('notice', '-sentinel', peer);
    removePeer(turn, master, peer.runid);
    turn.persist();
  }
}

function isGone(turn: Turn, peer: Peer, forgetAfter: number): boolean {
  const { now } = turn;
  return peer.downSince !== 0 && now - peer.downSince >= forgetAfter && now - peer.lastHello >= forgetAfter;
}
