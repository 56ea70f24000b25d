/** What holds of the state between steps, as a check in full: CINNABAR_VERIFY=1, and the simulation at every tick. */
import { assert } from '../../base/assert.ts';
import { everyInstance, type Instance, type Link, type Master, type SentinelState } from '../state.ts';
import { MOST_RUNNING } from './scripts.ts';

/**
 * Looks at everything, and asserts:
 *
 *   1. an instance that is watched uses its link, and only such do; sentinels of one runid share theirs;
 *   2. a connection is its link's; without one nothing is awaited; only servers have one for pubsub;
 *   3. a vote and a failover are of an epoch that has begun;
 *   4. a promoted replica is one of the master's, and there is one from the selection on;
 *   5. replicas are led to a promoted one only once it is the master;
 *   6. no more scripts run than may.
 */
export function verifyState(state: SentinelState): void {
  const links = new Set<Link>();
  const watched = new Set<Instance>();
  const byRunid = new Map<string, Link>();
  for (const instance of everyInstance(state)) {
    const { link, role, runid, forgotten } = instance;
    watched.add(instance);
    links.add(link);
    assert(!forgotten && link.users.has(instance), 'who is watched uses its link');
    assert(role !== 'sentinel' || link.pubsub === null, 'sentinels have no pubsub connection');
    if (role !== 'sentinel') continue;
    assert(link === (byRunid.get(runid) ?? link), 'sentinels of one runid share their link');
    byRunid.set(runid, link);
  }
  for (const link of links) verifyLink(link, watched);
  for (const master of state.masters.values()) verifyMaster(state, master);
  assert(state.scripts.filter(({ running }) => running).length <= MOST_RUNNING, 'scripts run within their limit');
}

function verifyLink(link: Link, watched: ReadonlySet<Instance>): void {
  for (const user of link.users) assert(watched.has(user), 'only who is watched uses a link');
  for (const connection of [link.cmd, link.pubsub])
    assert(connection === null || connection.link === link, 'a connection belongs to its link');
  assert(link.cmd === null ? link.pending === 0 : link.pending >= 0, 'replies are awaited over a connection');
}

function verifyMaster(state: SentinelState, master: Master): void {
  const { failover, replicas, leaderEpoch } = master;
  assert(leaderEpoch <= state.currentEpoch, 'a vote is of an epoch that has begun');
  for (const [key, { address, reconfiguration }] of replicas) {
    assert(key === `${address.host}:${address.port}`, 'replicas are found by their hosts');
    const leads = failover?.state === 'reconf-slaves' || failover?.state === 'update-config';
    assert(leads || reconfiguration === 'none', 'replicas are led to a master only');
  }
  if (failover === null) return;
  assert(failover.epoch <= state.currentEpoch, 'a failover is of an epoch that has begun');
  const selected = failover.state !== 'wait-start' && failover.state !== 'select-slave';
  assert(selected === (failover.promoted !== null), 'there is a promoted replica from the selection on');
  assert(failover.promoted === null || [...replicas.values()].includes(failover.promoted), 'it is one of ours');
}
