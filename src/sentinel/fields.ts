/** How commands show what the rules know: the fields of SENTINEL MASTER, REPLICAS and SENTINELS, in Redis's words and order. */
import type { Address } from './address.ts';
import {
  type Instance,
  isDisconnected,
  type Master,
  masterOf,
  type Peer,
  type Replica,
  type SentinelState,
} from './state.ts';

/** Names and values, one behind the other. */
export function instanceFields(state: SentinelState, instance: Instance, now: number): string[] {
  const { link, address } = instance;
  const master = masterOf(instance);
  const fields: (readonly [string, string | number])[] = [
    ['name', instance.name],
    ['ip', announced(state, address)],
    ['port', address.port],
    ['runid', instance.runid],
    ['flags', flags(instance)],
    ['link-pending-commands', link.pending],
    ['link-refcount', link.users.size],
  ];
  if (instance === master && master.failover !== null)
    fields.push(['failover-state', master.failover.state.replaceAll('-', '_')]);
  fields.push(['last-ping-sent', since(link.pingSent, now)]);
  fields.push(['last-ok-ping-reply', now - link.lastAvailable], ['last-ping-reply', now - link.lastPong]);
  if (instance.downSince !== 0) fields.push(['s-down-time', now - instance.downSince]);
  if (instance === master && master.objectivelyDownSince !== 0)
    fields.push(['o-down-time', now - master.objectivelyDownSince]);
  fields.push(['down-after-milliseconds', master.settings.downAfter]);
  if (instance.role === 'sentinel') fields.push(...peerFields(instance, now));
  else {
    fields.push(['info-refresh', since(instance.infoTime, now)], ['role-reported', instance.roleReported]);
    fields.push(['role-reported-time', now - instance.roleReportedSince]);
    fields.push(...(instance.role === 'master' ? masterFields(instance) : replicaFields(instance)));
  }
  return fields.flatMap(([name, value]) => [name, String(value)]);
}

function masterFields(master: Master): (readonly [string, string | number])[] {
  const { settings } = master;
  const fields: (readonly [string, string | number])[] = [
    ['config-epoch', master.configEpoch],
    ['num-slaves', master.replicas.size],
    ['num-other-sentinels', master.sentinels.size],
    ['quorum', settings.quorum],
    ['failover-timeout', settings.failoverTimeout],
    ['parallel-syncs', settings.parallelSyncs],
  ];
  if (settings.notificationScript !== '') fields.push(['notification-script', settings.notificationScript]);
  if (settings.clientReconfigScript !== '') fields.push(['client-reconfig-script', settings.clientReconfigScript]);
  return fields;
}

function replicaFields(replica: Replica): (readonly [string, string | number])[] {
  return [
    ['master-link-down-time', replica.masterLinkDownTime],
    ['master-link-status', replica.masterLinkUp ? 'ok' : 'err'],
    ['master-host', replica.masterHost === '' ? '?' : replica.masterHost],
    ['master-port', replica.masterPort],
    ['slave-priority', replica.priority],
    ['slave-repl-offset', replica.offset],
    ['replica-announced', replica.announced ? 1 : 0],
  ];
}

function peerFields(peer: Peer, now: number): (readonly [string, string | number])[] {
  return [
    ['last-hello-message', now - peer.lastHello],
    ['voted-leader', peer.leader === '' ? '?' : peer.leader],
    ['voted-leader-epoch', peer.leaderEpoch],
  ];
}

function flags(instance: Instance): string {
  const shown: (readonly [boolean, string])[] = [
    [instance.downSince !== 0, 's_down'],
    [instance.role === 'master' && instance.objectivelyDownSince !== 0, 'o_down'],
    [true, instance.role],
    [isDisconnected(instance), 'disconnected'],
    [instance.role === 'sentinel' && instance.saysDown, 'master_down'],
  ];
  if (instance.role === 'master') shown.push([instance.failover !== null, 'failover_in_progress']);
  if (instance.role === 'slave') {
    shown.push([instance.master.failover?.promoted === instance, 'promoted']);
    shown.push([instance.reconfiguration !== 'none', `reconf_${instance.reconfiguration}`]);
  }
  if (instance.role === 'master') shown.push([instance.failover?.forced === true, 'force_failover']);
  if (instance.role !== 'sentinel') shown.push([instance.scriptKillSent, 'script_kill_sent']);
  if (instance.role === 'master') shown.push([instance.rebootSince !== 0, 'master_reboot']);
  return shown.flatMap(([on, name]) => (on ? [name] : [])).join(',');
}

/** Where clients find the master: the promoted replica's place as soon as the others are told to follow it. */
export function currentAddress(master: Master): Address {
  const { failover } = master;
  const promoted =
    failover?.state === 'reconf-slaves' || failover?.state === 'update-config' ? failover.promoted : null;
  return promoted === null ? master.address : promoted.address;
}

/** A host as we show it: its IP address; its name with announce-hostnames, or where nothing else is known. */
export function announced(state: SentinelState, { host, ip }: Address): string {
  return state.announceHostnames || ip === '' ? host : ip;
}

/** What SENTINEL CKQUORUM answers: an error's text where the quorum or the majority can't be reached. */
export function quorumCheck(master: Master): { readonly reached: boolean; readonly text: string } {
  const usable = 1 + [...master.sentinels.values()].filter((peer) => peer.downSince === 0).length;
  const lacks: string[] = [];
  if (usable < master.settings.quorum)
    lacks.push('Not enough available Sentinels to reach the specified quorum for this master');
  if (usable < majority(master))
    lacks.push('Not enough available Sentinels to reach the majority and authorize a failover');
  if (lacks.length === 0)
    return { reached: true, text: `OK ${usable} usable Sentinels. Quorum and failover authorization can be reached` };
  return { reached: false, text: `NOQUORUM ${usable} usable Sentinels. ${lacks.join('. ')}` };
}

/** More than half of all sentinels of a master, ourselves included. */
export function majority(master: Master): number {
  return Math.floor((master.sentinels.size + 1) / 2) + 1;
}

function since(time: number, now: number): number {
  return time === 0 ? 0 : now - time;
}
