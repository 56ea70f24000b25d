/**
 * How a member stands, in the words of replication, for clients that know nothing of groups: the leader that serves is a
 * master, and the others are its replicas. Whoever knows of no leader is a replica whose link is down.
 */
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import { type Address, portFor } from './address.ts';
import { type Membership, type MemberView, membersSeen } from './membership.ts';
import { membershipOf } from './owners.ts';

type Figures = Readonly<Record<string, string | number>>;

/** A leader that does not serve yet is nobody's master. */
function leaderOf(seen: readonly MemberView[], { id }: Membership): Address | null {
  const leader = seen.find((member) => member.leads && member.id !== id);
  return leader?.address ?? null;
}

/** ROLE: as a master with its replicas, or as a replica of the leader. */
export function roleInGroup(c: Call): void {
  const membership = membershipOf(c.engine);
  const { reply, session } = c;
  const { secure } = session.port;
  const seen = membersSeen(membership, c.engine.server.settings);
  const { applied } = membership.shell.applier;
  if (membership.shell.serves) {
    const others = seen.filter(({ id }) => id !== membership.id);
    reply.array(3);
    reply.bulkText('master');
    reply.int(applied);
    reply.array(others.length);
    for (const { address, index } of others) {
      reply.array(3);
      reply.bulkText(address.host);
      reply.bulkText(String(portFor(address, secure)));
      reply.bulkText(String(index));
    }
    return;
  }
  const leader = leaderOf(seen, membership);
  reply.array(5);
  reply.bulkText('slave');
  reply.bulkText(leader?.host ?? '');
  reply.int(leader === null ? 0 : portFor(leader, secure));
  reply.bulkText(leader === null ? 'connect' : 'connected');
  reply.int(applied);
}

/** INFO replication: those of a server that replicates nothing, but for what the group knows better. */
export function replicationInGroup(engine: Engine): Figures {
  const membership = membershipOf(engine);
  const seen = membersSeen(membership, engine.server.settings);
  const { serves, applier } = membership.shell;
  const known = { ...(serves ? masterFigures(seen, membership) : replicaFigures(seen, membership)) };
  // The first gives the order of the fields, the last their values.
  return { ...known, ...engine.replication.figures(), ...known, master_repl_offset: applier.applied };
}

function masterFigures(seen: readonly MemberView[], { id: own }: Membership): Figures {
  const others = seen.filter(({ id, alive }) => id !== own && alive);
  const lines: Record<string, string | number> = { role: 'master', connected_slaves: others.length };
  others.forEach(({ address, index }, i) => {
    lines[`slave${i}`] = `ip=${address.host},port=${portFor(address, false)},state=online,offset=${index},lag=0`;
  });
  return lines;
}

function replicaFigures(seen: readonly MemberView[], membership: Membership): Figures {
  const { shell } = membership;
  const leader = leaderOf(seen, membership);
  const silent = shell.state === null ? -1 : Math.floor((shell.now - shell.state.heard) / 1000);
  const lines: Record<string, string | number> = {
    role: 'slave',
    master_host: leader?.host ?? '',
    master_port: leader === null ? 0 : portFor(leader, false),
    master_link_status: leader === null ? 'down' : 'up',
    master_last_io_seconds_ago: leader === null ? -1 : silent,
    master_sync_in_progress: 0,
    slave_read_repl_offset: shell.applier.applied,
    slave_repl_offset: shell.applier.applied,
  };
  if (leader === null) lines['master_link_down_since_seconds'] = silent;
  return Object.assign(lines, { slave_priority: 100, slave_read_only: 1, replica_announced: 1, connected_slaves: 0 });
}
