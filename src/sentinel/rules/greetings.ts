/** Hellos: what we tell of ourselves, and what we learn of other sentinels, of epochs and of where a master is. */
import { isIP } from '../../base/network.ts';
import { sameAddress } from '../address.ts';
import { announced, currentAddress } from '../fields.ts';
import { formatHello, HELLO_CHANNEL, type Hello, parseHello } from '../hello.ts';
import { type Instance, type Master, masterOf, type Peer } from '../state.ts';
import { giveWay } from './failover.ts';
import { addressOf, means } from './hosts.ts';
import { disconnect, send } from './links.ts';
import { addPeer, findReplica, removePeer, switchAddress } from './masters.ts';
import { reconfigureClients } from './scripts.ts';
import type { Turn } from './turn.ts';
import { enterEpoch } from './votes.ts';

/** Tells an instance of us and of its master, once it is known under which address we are reached. */
export function greet(turn: Turn, instance: Instance): void {
  const { state } = turn;
  const master = masterOf(instance);
  const host = state.announceIp || (instance.link.cmd?.localIp ?? '');
  if (host === '') return;
  const place = currentAddress(master);
  const text = formatHello({
    host,
    port: state.announcePort || state.port,
    runid: state.myid,
    currentEpoch: state.currentEpoch,
    master: master.name,
    masterHost: announced(state, place),
    masterPort: place.port,
    configEpoch: master.configEpoch,
  });
  instance.lastPublished = turn.now;
  send(turn, instance, 'hello', ['PUBLISH', HELLO_CHANNEL, text]);
}

/** What another sentinel tells; what is no hello, is our own or of a master that we don't watch means nothing. */
export function heardHello(turn: Turn, text: string): void {
  const hello = parseHello(text);
  if (hello === undefined || hello.runid === turn.state.myid) return;
  const master = turn.state.masters.get(hello.master);
  if (master === undefined) return;
  const peer = acquaintance(turn, master, hello);
  enterEpoch(turn, master, hello.currentEpoch);
  if (peer === null) return;
  peer.lastHello = turn.now;
  const { configEpoch } = hello;
  const later = configEpoch > master.configEpoch || (configEpoch === master.configEpoch && hasMoved(turn, master));
  if (later || yields(turn, master, hello)) followConfiguration(turn, master, peer, hello);
}

/** The sentinel that speaks: known, known under another address, or new. Null where its host can't be resolved. */
function acquaintance(turn: Turn, master: Master, hello: Hello): Peer | null {
  const known = master.sentinels.get(hello.runid);
  if (known !== undefined && means(turn, known.address, hello.host, hello.port) !== false) return known;
  const address = addressOf(turn, hello.host, hello.port);
  if (address === null) return null;
  turn.persist();
  if (known !== undefined) {
    const { host, port, runid } = hello;
    turn.tell('notice', '+sentinel-address-switch', master, ` ip ${host} port ${port} for ${runid}`);
    moveEverywhere(turn, known, address);
    return known;
  }
  removeNamesake(turn, master, address);
  const peer = addPeer(turn, master, hello.runid, address);
  turn.tell('notice', '+sentinel', peer);
  return peer;
}

/** Among hosts with names a master that we know by its address only may be elsewhere without another configuration. */
function hasMoved({ state }: Turn, { address, downSince }: Master): boolean {
  return state.resolveHostnames && isIP(address.host) !== 0 && downSince !== 0;
}

/**
 * Two failovers on request ask nobody and may happen in one epoch, each with its own replica. Whoever hears of both
 * configurations takes that of the greater address, or there would be two masters until the next failover. Only a server
 * that we know is followed so: the same master at another address, as somebody else reaches it, is no other configuration.
 */
function yields(turn: Turn, master: Master, { masterHost, masterPort, configEpoch }: Hello): boolean {
  if (configEpoch === 0 || configEpoch !== master.configEpoch) return false;
  const ours = currentAddress(master);
  const theirs = findReplica(turn, master, masterHost, masterPort)?.address;
  if (theirs === undefined || theirs.ip === '' || ours.ip === '' || sameAddress(ours, theirs)) return false;
  return theirs.ip === ours.ip ? theirs.port > ours.port : theirs.ip > ours.ip;
}

/** A sentinel has another address, with all masters that it watches. */
function moveEverywhere(turn: Turn, peer: Peer, address: typeof peer.address): void {
  let others = 0;
  for (const master of turn.state.masters.values()) {
    const same = master.sentinels.get(peer.runid);
    if (same === undefined) continue;
    if (same !== peer) others++;
    same.address = address;
    disconnect(turn, same.link, 'cmd');
    same.link.lastReconnect = 0;
  }
  if (others > 0) turn.tell('notice', '+sentinel-address-update', peer, ` ${others} additional matching instances`);
}

/** Who was at the address of a new sentinel is there no more: it has lost its id, and has a new one. */
function removeNamesake(turn: Turn, master: Master, address: Peer['address']): void {
  const other = [...master.sentinels.values()].find((each) => sameAddress(each.address, address));
  if (other === undefined) return;
  turn.tell('notice', '+sentinel-invalid-addr', other);
  for (const each of turn.state.masters.values()) removePeer(turn, each, other.runid);
}

/**
 * Somebody knows a later configuration than ours. What counts as ours is the address that we tell of: that of the promoted
 * replica from reconf-slaves on. A failover of ours that began before that configuration is over, wherever it led.
 */
function followConfiguration(turn: Turn, master: Master, peer: Peer, hello: Hello): void {
  const { masterHost, masterPort, configEpoch } = hello;
  const before = currentAddress(master);
  const same = means(turn, before, masterHost, masterPort);
  // Once it is known what the name stands for, the next hello says it again.
  if (same === null) return;
  const told = same ? before : addressOf(turn, masterHost, masterPort);
  if (told === null) return;
  master.configEpoch = configEpoch;
  turn.persist();
  if (same) {
    giveWay(turn, master);
    return;
  }
  // A server that we know by its name stays known by it.
  const known = [master, ...master.replicas.values()].map(({ address }) => address);
  const address = known.find((each) => sameAddress(each, told)) ?? told;
  turn.tell('warning', '+config-update-from', peer);
  switchAddress(turn, master, before, address);
  reconfigureClients(turn, master, 'observer', before, address);
}
