/** INFO's section about the group. */
import type { Engine } from '../engine/engine.ts';
import { nameOf } from './address.ts';
import { membersSeen } from './membership.ts';
import { membershipOf } from './owners.ts';

export function raftInfo(engine: Engine): string {
  const membership = membershipOf(engine);
  const { shell, peers, id } = membership;
  const { state, applier } = shell;
  const seen = membersSeen(membership, engine.server.settings);
  const leader = seen.find(({ leads }) => leads);
  const last = state?.log.last ?? 0;
  const fields: (readonly [string, string | number])[] = [
    ['raft_id', id],
    ['raft_node_id', nameOf(id)],
    ['raft_role', state === null || !shell.joined ? 'none' : state.role],
    ['raft_serving', shell.serves ? 1 : 0],
    ['raft_removed', shell.removed ? 1 : 0],
    ['raft_term', state?.term ?? 0],
    ['raft_leader_id', leader?.id ?? 0],
    [
      'raft_leader',
      leader === undefined ? '' : `${leader.address.host}:${leader.address.port || leader.address.tlsPort}`,
    ],
    ['raft_commit_index', state?.commit ?? 0],
    ['raft_applied_index', applier.applied],
    ['raft_last_index', last],
    ['raft_durable_index', state?.log.durable ?? 0],
    ['raft_snapshot_index', state?.snapshot.index ?? 0],
    ['raft_log_entries', state === null ? 0 : last - state.log.first + 1],
    ['raft_log_bytes', state?.log.bytes ?? 0],
    ['raft_elections_won', shell.elections],
    ['raft_restores', shell.restores],
    ['raft_replies_waiting', shell.waiting],
    ['raft_links', peers.count],
    ['raft_link_bytes', peers.bytes],
    ['raft_members', seen.length],
  ];
  seen.forEach(({ id: member, address, leads, votes, alive, index }, i) => {
    const role = leads ? 'leader' : votes ? 'follower' : 'learner';
    const at = `host=${address.host},port=${address.port || address.tlsPort}`;
    fields.push([
      `raft_member${i}`,
      `id=${member},${at},role=${role},state=${alive ? 'connected' : 'silent'},index=${index},lag=${Math.max(0, last - index)}`,
    ]);
  });
  return fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
}
