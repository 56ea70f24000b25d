/**
 * CLUSTER at a member of a group, for clients of clusters: one shard of all slots, whose master is the leader. Without a
 * leader nobody serves them.
 */
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { bytes } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import { SLOTS, slotOf } from '../keyspace/slot.ts';
import { nameOf, portFor } from './address.ts';
import { type Membership, type MemberView, membersSeen } from './membership.ts';
import { membershipOf } from './owners.ts';

const ASKS: readonly CommandFlag[] = ['loading', 'stale'];
const LAST_SLOT = SLOTS - 1;

function seen(c: Call, membership: Membership): MemberView[] {
  const views = membersSeen(membership, c.engine.server.settings);
  return views.sort((a, b) => Number(b.leads) - Number(a.leads));
}

function replySlots(c: Call, membership: Membership): void {
  const members = seen(c, membership).filter(({ leads, alive }) => leads || alive);
  if (!members.some(({ leads }) => leads)) {
    c.reply.array(0);
    return;
  }
  c.reply.array(1);
  c.reply.array(2 + members.length);
  c.reply.int(0);
  c.reply.int(LAST_SLOT);
  for (const member of members) {
    c.reply.array(4);
    c.reply.bulkText(member.address.host);
    c.reply.int(portFor(member.address, c.session.port.secure));
    c.reply.bulkText(member.name);
    c.reply.map(0);
  }
}

function replyShards(c: Call, membership: Membership): void {
  const members = seen(c, membership);
  const { reply } = c;
  if (members.length === 0) {
    reply.array(0);
    return;
  }
  reply.array(1);
  reply.map(2);
  reply.bulkText('slots');
  const served = members[0].leads;
  reply.array(served ? 2 : 0);
  if (served) {
    reply.int(0);
    reply.int(LAST_SLOT);
  }
  reply.bulkText('nodes');
  reply.array(members.length);
  for (const { name, address, leads, alive, index } of members) {
    const fields: (string | number)[] = ['id', name];
    if (address.port !== 0) fields.push('port', address.port);
    if (address.tlsPort !== 0) fields.push('tls-port', address.tlsPort);
    fields.push('ip', address.host, 'endpoint', address.host, 'role', leads ? 'master' : 'replica');
    fields.push('replication-offset', index, 'health', alive ? 'online' : 'fail');
    reply.map(fields.length / 2);
    for (const field of fields) {
      if (typeof field === 'number') reply.int(field);
      else reply.bulkText(field);
    }
  }
}

function line(c: Call, membership: Membership, member: MemberView, master: string): string {
  const { shell, id } = membership;
  const { name, address, leads, alive } = member;
  const flags = [member.id === id ? 'myself' : '', leads ? 'master' : 'slave', alive ? '' : 'fail?'].filter(Boolean);
  const at = `${address.host}:${portFor(member.address, c.session.port.secure)}@${address.busPort}`;
  const words = [name, at, flags.join(','), leads ? '-' : master, 0, 0, shell.state?.term ?? 0];
  words.push(alive ? 'connected' : 'disconnected');
  if (leads) words.push(`0-${LAST_SLOT}`);
  return `${words.join(' ')}\n`;
}

function replyNodes(c: Call, membership: Membership): void {
  const members = seen(c, membership);
  const master = members.find(({ leads }) => leads)?.name ?? '-';
  c.reply.verbatim(members.map((member) => line(c, membership, member, master)).join(''));
}

function replyInfo(c: Call, membership: Membership): void {
  const members = seen(c, membership);
  const ok = members.some(({ leads }) => leads);
  const slots = ok ? SLOTS : 0;
  const term = membership.shell.state?.term ?? 0;
  const fields: (readonly [string, string | number])[] = [
    ['cluster_state', ok ? 'ok' : 'fail'],
    ['cluster_slots_assigned', slots],
    ['cluster_slots_ok', slots],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', 0],
    ['cluster_known_nodes', members.length],
    ['cluster_size', ok ? 1 : 0],
    ['cluster_current_epoch', term],
    ['cluster_my_epoch', term],
  ];
  c.reply.verbatim(fields.map(([name, value]) => `${name}:${value}\r\n`).join(''));
}

const HELP_LINES: readonly string[] = [
  'INFO',
  '    Return the state of the group, as that of a cluster.',
  'KEYSLOT <key>',
  '    Return the hash slot of <key>.',
  'MYID',
  '    Return the ID of this node.',
  'NODES',
  '    Return the members, a line each, as those of a cluster.',
  'SHARDS',
  '    Return the one shard that there is, with its nodes.',
  'SLOTS',
  '    Return the one range of slots that there is, with its nodes.',
];

function view(name: string, summary: string, run: (c: Call, membership: Membership) => void): Command {
  return command({
    ...{ name, summary, run: (c) => run(c, membershipOf(c.engine)) },
    group: 'cluster',
    since: '3.0.0',
    complexity: 'O(N) in members.',
    flags: ASKS,
  });
}

export const clusterInGroup: Command = command({
  name: 'CLUSTER',
  group: 'cluster',
  since: '3.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Commands about the cluster.',
  flags: [],
  subcommands: [
    view('SLOTS', 'Lists the ranges of slots and their nodes.', replySlots),
    view('SHARDS', 'Lists the shards.', replyShards),
    view('NODES', 'Lists the nodes.', replyNodes),
    view('INFO', "Tells the cluster's state.", replyInfo),
    view('MYID', "Tells this node's name.", (c, { id }) => c.reply.bulkText(nameOf(id))),
    command({
      name: 'KEYSLOT',
      group: 'cluster',
      since: '3.0.0',
      complexity: "O(N) in the key's length.",
      summary: 'Tells the slot of a key.',
      flags: ASKS,
      args: [bytes('key')],
      run: (c) => c.reply.int(slotOf(c.arg(2))),
    }),
    help('CLUSTER', HELP_LINES, { group: 'cluster', since: '5.0.0' }),
  ],
});
