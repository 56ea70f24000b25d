/** The masters that are watched, with their replicas and sentinels: how they come, go, and change their address. */
import { assert } from '../../base/assert.ts';
import { isIP } from '../../base/network.ts';
import { type Address, sameAddress } from '../address.ts';
import type { Configuration, MasterConfiguration, MasterSettings } from '../configuration.ts';
import { announced } from '../fields.ts';
import { type Instance, Master, Peer, Replica } from '../state.ts';
import { addressOf, means } from './hosts.ts';
import { disconnect, forget, shareLink } from './links.ts';
import type { Turn } from './turn.ts';

export function addMaster(turn: Turn, name: string, address: Address, settings: MasterSettings): Master {
  assert(!turn.state.masters.has(name), 'a master is watched once');
  const master = new Master(name, address, settings, turn.now);
  master.link.users.add(master);
  turn.state.masters.set(name, master);
  return master;
}

/** The masters of the configuration that a restart found. */
export function restoreMasters(turn: Turn, configuration: Configuration): void {
  for (const saved of configuration.masters) restoreMaster(turn, saved);
}

function restoreMaster(turn: Turn, saved: MasterConfiguration): void {
  const settings = { ...saved.settings, renamedCommands: new Map(saved.settings.renamedCommands) };
  const address = addressOf(turn, saved.host, saved.port);
  assert(address !== null, 'the shell has checked the hosts of the configuration');
  const master = addMaster(turn, saved.name, address, settings);
  master.configEpoch = saved.configEpoch;
  master.leaderEpoch = saved.leaderEpoch;
  for (const { host, port } of saved.replicas) {
    const place = addressOf(turn, host, port);
    if (place !== null) addReplica(turn, master, place);
  }
  for (const { host, port, runid } of saved.sentinels) {
    const place = addressOf(turn, host, port);
    if (place !== null && runid !== turn.state.myid) addPeer(turn, master, runid, place);
  }
}

export function removeMaster(turn: Turn, master: Master): void {
  forgetAll(turn, master.replicas);
  forgetAll(turn, master.sentinels);
  forget(turn, master);
  turn.state.masters.delete(master.name);
}

/** A new replica; null where one is known at that address. */
export function addReplica(turn: Turn, master: Master, address: Address): Replica | null {
  for (const known of master.replicas.values()) if (sameAddress(known.address, address)) return null;
  const replica = new Replica(master, `${announced(turn.state, address)}:${address.port}`, address, turn.now);
  replica.link.users.add(replica);
  master.replicas.set(replicaKey(replica), replica);
  return replica;
}

export function removeReplica(turn: Turn, replica: Replica): void {
  assert(replica.master.failover?.promoted !== replica, 'the promoted replica is needed');
  assert(replica.master.replicas.delete(replicaKey(replica)), 'a replica belongs to its master');
  forget(turn, replica);
}

function replicaKey({ address }: Replica): string {
  return `${address.host}:${address.port}`;
}

export function addPeer(turn: Turn, master: Master, runid: string, address: Address): Peer {
  assert(!master.sentinels.has(runid), 'a sentinel is known once');
  const peer = new Peer(master, runid, address, turn.now);
  peer.link.users.add(peer);
  master.sentinels.set(runid, peer);
  shareLink(turn, peer);
  return peer;
}

/** Says whether there was one. */
export function removePeer(turn: Turn, master: Master, runid: string): boolean {
  const peer = master.sentinels.get(runid);
  if (peer === undefined) return false;
  master.sentinels.delete(runid);
  forget(turn, peer);
  return true;
}

function forgetAll(turn: Turn, instances: Map<string, Instance>): void {
  for (const instance of instances.values()) forget(turn, instance);
  instances.clear();
}

/**
 * Starts watching a master anew, as if nothing were known of it but its address, its settings and its epochs: our vote
 * included, which binds us for good. `keep` says whether the other sentinels are still known.
 */
export function resetMaster(turn: Turn, master: Master, keep: 'sentinels' | 'nothing'): void {
  const { link } = master;
  forgetAll(turn, master.replicas);
  if (keep === 'nothing') forgetAll(turn, master.sentinels);
  disconnect(turn, link, 'cmd');
  disconnect(turn, link, 'pubsub');
  link.pingSent = turn.now;
  link.lastPing = 0;
  link.lastAvailable = turn.now;
  link.lastPong = turn.now;
  master.downSince = 0;
  master.lastDown = 0;
  master.objectivelyDownSince = 0;
  master.rebootSince = 0;
  master.scriptKillSent = false;
  master.failover = null;
  master.failoverStart = 0;
  master.runid = '';
  master.info = null;
  master.infoTime = 0;
  master.roleReported = 'master';
  master.roleReportedSince = turn.now;
}

/**
 * The master is elsewhere now: whoever was there before, and all of its replicas, are replicas of the new one. `before` is
 * the address that clients were told up to now.
 */
export function switchAddress(turn: Turn, master: Master, before: Address, address: Address): void {
  const [from, to] = [announced(turn.state, before), announced(turn.state, address)];
  turn.event('warning', '+switch-master', master, `${master.name} ${from} ${before.port} ${to} ${address.port}`);
  const places = [...master.replicas.values()].map((replica) => replica.address);
  places.push(master.address);
  resetMaster(turn, master, 'sentinels');
  master.address = address;
  master.link.lastReconnect = 0;
  for (const place of places) {
    if (sameAddress(place, address)) continue;
    const replica = addReplica(turn, master, place);
    if (replica !== null) turn.tell('notice', '+slave', replica);
  }
  turn.persist();
  tellAtOnce(master);
}

/**
 * A server that is known by its address and by a name that has come to stand for that address is one, which stays known by
 * its name. Two names may stand for one address for a while, as servers exchange theirs: those are left alone.
 */
export function joinTwins(turn: Turn, host: string): void {
  for (const master of turn.state.masters.values())
    for (const named of [master, ...master.replicas.values()])
      if (named.address.host === host && !named.forgotten) joinTwin(turn, master, named);
}

function joinTwin(turn: Turn, master: Master, named: Master | Replica): void {
  const promoted = master.failover?.promoted;
  const isTwin = (other: Master | Replica): boolean =>
    other !== named &&
    other !== promoted &&
    isIP(other.address.host) !== 0 &&
    sameAddress(other.address, named.address);
  const twin = [master, ...master.replicas.values()].find(isTwin);
  if (twin === undefined || named === promoted) return;
  const gone = twin.role === 'slave' ? twin : named;
  if (gone.role !== 'slave') return;
  if (twin === master) master.address = named.address;
  turn.tell('notice', '-slave', gone);
  removeReplica(turn, gone);
  turn.persist();
}

/** Others are to hear of a new configuration soon. */
export function tellAtOnce(master: Master): void {
  const all: Instance[] = [master, ...master.replicas.values(), ...master.sentinels.values()];
  for (const instance of all) instance.lastPublished = 0;
}

/** A replica as somebody calls it: undefined where none is known by that. */
export function findReplica(turn: Turn, master: Master, host: string, port: number): Replica | undefined {
  const direct = master.replicas.get(`${host}:${port}`);
  if (direct !== undefined) return direct;
  for (const replica of master.replicas.values()) if (means(turn, replica.address, host, port) === true) return replica;
  return undefined;
}
