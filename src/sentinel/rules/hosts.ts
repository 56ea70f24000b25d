/**
 * Host names (resolve-hostnames). An instance that is known by its name is followed when the name comes to stand for
 * another address: names are looked up again when a connection is to be made, and now and then while one stands, since the
 * old address may have become somebody else's. Of several addresses of a name the one that is in use is kept.
 */
import { isIP } from '../../base/network.ts';
import { type Address, isCalled } from '../address.ts';
import { announced } from '../fields.ts';
import { everyInstance, type Host, type Instance, type SentinelState } from '../state.ts';
import { disconnect } from './links.ts';
import type { Turn } from './turn.ts';

/** Names that are kept at most: anybody who can publish a hello can tell of some. */
export const MOST_HOSTS = 10_000;

/** The address that `host` stands for, as far as it is known; null where it is a name and names are not resolved. */
export function addressOf(turn: Turn, host: string, port: number): Address | null {
  if (isIP(host) !== 0) return { host, ip: host, port };
  if (!turn.state.resolveHostnames || host === '') return null;
  const known = turn.state.hosts.get(host);
  if (known === undefined || known.ip === '' || isOld(turn, known)) lookUp(turn, host);
  return { host, ip: known?.ip ?? '', port };
}

/** A name by which nobody is known is looked up for no instance: what it stood for is not believed for ever. */
function isOld({ state, now }: Turn, { askedAt }: Host): boolean {
  return now - askedAt >= state.periods['info-period'];
}

/** Whether somebody who says `host` and `port` means `address`; null while it is not known what `host` stands for. */
export function means(turn: Turn, address: Address, host: string, port: number): boolean | null {
  if (isCalled(address, host, port)) return true;
  if (address.port !== port) return false;
  const other = addressOf(turn, host, port);
  if (other === null) return false;
  if (other.ip === '' || address.ip === '') return null;
  return other.ip === address.ip;
}

/** Asks what a name stands for now, unless that was asked just before, or others have told of too many names. */
export function lookUp(turn: Turn, host: string): void {
  const { hosts, periods } = turn.state;
  let known = hosts.get(host);
  if (known === undefined) {
    if (hosts.size >= MOST_HOSTS) forgetUnused(turn.state);
    if (hosts.size >= MOST_HOSTS) return;
    hosts.set(host, (known = { ip: '', asked: false, askedAt: 0 }));
  }
  if (known.asked || (known.askedAt !== 0 && turn.now - known.askedAt < periods['ping-period'])) return;
  known.asked = true;
  known.askedAt = turn.now;
  turn.output({ kind: 'resolve', host });
}

/** Drops the names by which nobody is known. */
function forgetUnused(state: SentinelState): void {
  const used = new Set([...everyInstance(state)].map(({ address }) => address.host));
  for (const [host, { asked }] of state.hosts) if (!asked && !used.has(host)) state.hosts.delete(host);
}

/** Looks the name of an instance up again, where it has one and `age` has passed since it was. */
export function lookUpAgain(turn: Turn, instance: Instance, age: number): void {
  const { host } = instance.address;
  if (!turn.state.resolveHostnames || isIP(host) !== 0) return;
  const known = turn.state.hosts.get(host);
  if (known === undefined || turn.now - known.askedAt >= age) lookUp(turn, host);
}

export function resolved(turn: Turn, host: string, ips: readonly string[]): void {
  const known = turn.state.hosts.get(host);
  if (known === undefined) return;
  known.asked = false;
  if (ips.length === 0 || ips.includes(known.ip)) return;
  known.ip = ips[0];
  for (const instance of everyInstance(turn.state)) if (instance.address.host === host) move(turn, instance, known.ip);
}

/** The instance is elsewhere now. Clients that follow a master by its address are told as of a failover. */
function move(turn: Turn, instance: Instance, ip: string): void {
  const before = instance.address;
  if (before.ip === ip) return;
  instance.address = { ...before, ip };
  disconnect(turn, instance.link, 'cmd');
  disconnect(turn, instance.link, 'pubsub');
  instance.link.lastReconnect = 0;
  if (instance.role === 'slave') instance.name = `${announced(turn.state, instance.address)}:${before.port}`;
  if (before.ip === '') return;
  turn.tell('notice', '+host-address-change', instance, ` from ${before.ip}`);
  if (instance.role !== 'master' || turn.state.announceHostnames) return;
  turn.event(
    'warning',
    '+switch-master',
    instance,
    `${instance.name} ${before.ip} ${before.port} ${ip} ${before.port}`,
  );
}
