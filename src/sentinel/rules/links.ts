/** Connections to instances: when they are opened and given up, and what is sent over them. */
import { assert } from '../../base/assert.ts';
import type { Purpose } from '../messages.ts';
import { type Channel, Connection, type Instance, isDisconnected, type Link, masterOf, type Peer } from '../state.ts';
import type { Turn } from './turn.ts';

/** Replies that an instance may owe before nothing more is asked of it, for each user of its link. */
const MOST_PENDING = 100;

/** Opens the connections that are missing, at most once in a ping-period. Says whether one was to be opened. */
export function reconnect(turn: Turn, instance: Instance): boolean {
  const { link, address } = instance;
  if (!isDisconnected(instance) || address.port === 0) return false;
  if (link.lastReconnect !== 0 && turn.now - link.lastReconnect < turn.state.periods['ping-period']) return false;
  link.lastReconnect = turn.now;
  if (address.ip === '') return true;
  if (link.cmd === null) {
    link.cmd = connect(turn, instance, 'cmd');
    ping(turn, instance);
  }
  if (link.pubsub === null && instance.role !== 'sentinel') {
    link.pubsub = connect(turn, instance, 'pubsub');
    link.lastHeard = turn.now;
  }
  return true;
}

function connect(turn: Turn, instance: Instance, channel: Channel): Connection {
  const { state } = turn;
  const { settings } = masterOf(instance);
  const [user, password] =
    instance.role === 'sentinel' ? [state.sentinelUser, state.sentinelPass] : [settings.authUser, settings.authPass];
  const greeting = { myid: state.myid, user, password };
  const connection = new Connection(instance.link, channel, instance.address, greeting, turn.now);
  turn.output({ kind: 'connect', connection });
  return connection;
}

/** Gives a connection up, where there is one. */
export function disconnect(turn: Turn, link: Link, channel: Channel): void {
  const connection = link[channel];
  if (connection === null) return;
  drop(connection);
  turn.output({ kind: 'disconnect', connection });
}

/** A connection that has ended by itself. */
export function connectionLost(turn: Turn, connection: Connection, reason: string): void {
  const { link, channel } = connection;
  if (link[channel] !== connection) return;
  drop(connection);
  const [user] = link.users;
  turn.tell('debug', `-${channel}-link-reconnection`, user, ` #${reason}`);
}

function drop(connection: Connection): void {
  const { link, channel } = connection;
  link[channel] = null;
  if (channel === 'pubsub') return;
  link.pending = 0;
  for (const user of link.users) if (user.role !== 'sentinel') user.infoAsked = false;
}

/** Whether requests can be sent. */
export function isReachable(instance: Instance): boolean {
  const { link } = instance;
  return !isDisconnected(instance) && link.pending < MOST_PENDING * link.users.size;
}

/** Sends commands, each with its words; the last one's reply comes back. */
export function send(turn: Turn, instance: Instance, purpose: Purpose, ...commands: string[][]): void {
  const { link } = instance;
  assert(link.cmd !== null, 'requests go over a connection');
  link.pending += commands.length;
  const named = commands.map(([name, ...rest]) => [calledBy(instance, name), ...rest]);
  turn.output({ kind: 'send', connection: link.cmd, request: { purpose, commands: named, instance } });
}

/** How a server calls a command (rename-command); sentinels call them all by their names. */
function calledBy(instance: Instance, name: string): string {
  if (instance.role === 'sentinel') return name;
  return masterOf(instance).settings.renamedCommands.get(name.toLowerCase()) ?? name;
}

export function ping(turn: Turn, instance: Instance): void {
  const { link } = instance;
  send(turn, instance, 'ping', ['PING']);
  link.lastPing = turn.now;
  if (link.pingSent === 0) link.pingSent = turn.now;
}

/** The instance is watched no more. */
export function forget(turn: Turn, instance: Instance): void {
  const { link } = instance;
  instance.forgotten = true;
  assert(link.users.delete(instance), 'an instance uses its link');
  if (link.users.size > 0) return;
  disconnect(turn, link, 'cmd');
  disconnect(turn, link, 'pubsub');
}

/** Uses the link of the same sentinel with another master, where there is one. */
export function shareLink(turn: Turn, peer: Peer): void {
  for (const master of turn.state.masters.values()) {
    const same = master.sentinels.get(peer.runid);
    if (same === undefined || same === peer || same.link === peer.link) continue;
    assert(peer.link.cmd === null, 'a link that is given up was not used yet');
    peer.link = same.link;
    peer.link.users.add(peer);
    return;
  }
}
