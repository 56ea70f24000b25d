/** Subcommands of CLUSTER that show what is known: as text, or as nested replies. */
import type { Call } from '../../engine/call.ts';
import type { Command } from '../../engine/command.ts';
import { bytes } from '../../engine/grammar.ts';
import { clientPort, preferredHost } from '../endpoints.ts';
import { infoText } from '../info.ts';
import { formatNode } from '../nodes-file.ts';
import { describe } from '../rules/saved.ts';
import type { Shell } from '../shell.ts';
import { SLOTS } from '../slots.ts';
import type { ClusterState, Connection, Node } from '../state.ts';
import { ASKS, INQUIRES, speaksPlainly, subcommand, UNSTABLE } from './declare.ts';

const MYSELF_IS = "Tells this node's name.";

/** A node's line, with its line end. */
function line(c: Call, state: ClusterState, node: Node): string {
  return formatNode({ ...describe(state, node), port: clientPort(node, speaksPlainly(c)) });
}

/** How far a node's data go in their history. */
function offsetOf(c: Call, { state }: Shell, node: Node): number {
  return node === state.myself ? c.engine.replication.dataOffset : node.offset;
}

// SLOTS.

/** Replicas that have data, and are not down. */
function servingReplicas(c: Call, shell: Shell, node: Node): Node[] {
  return [...node.replicas].filter((replica) => !replica.hasFailed && offsetOf(c, shell, replica) !== 0);
}

function replySlots(c: Call, shell: Shell): void {
  const { owners } = shell.state;
  const runs: { readonly owner: Node; readonly start: number; readonly end: number }[] = [];
  for (let slot = 0; slot < SLOTS; ) {
    const owner = owners[slot];
    const start = slot;
    while (slot < SLOTS && owners[slot] === owner) slot++;
    if (owner !== null) runs.push({ owner, start, end: slot - 1 });
  }
  c.reply.array(runs.length);
  for (const { owner, start, end } of runs) {
    const replicas = servingReplicas(c, shell, owner);
    c.reply.array(3 + replicas.length);
    c.reply.int(start);
    c.reply.int(end);
    for (const node of [owner, ...replicas]) replySlotNode(c, node);
  }
}

/** Endpoint, port, ID, and what else is known of where it is. */
function replySlotNode(c: Call, node: Node): void {
  const { reply } = c;
  const { clusterPreferredEndpointType: type } = c.engine.server.settings;
  reply.array(4);
  if (type === 'unknown-endpoint') reply.null();
  else reply.bulkText(preferredHost(node, type));
  reply.int(clientPort(node, speaksPlainly(c)));
  reply.bulkText(node.id);
  const others: string[] = [];
  if (type !== 'ip') others.push('ip', node.ip);
  if (type !== 'hostname' && node.hostname !== '') others.push('hostname', node.hostname);
  reply.map(others.length / 2);
  for (const text of others) reply.bulkText(text);
}

// SHARDS.

function replyShards(c: Call, shell: Shell): void {
  const masters = [...shell.state.nodes.values()].filter((node) => node.isMaster);
  c.reply.array(masters.length);
  for (const master of masters) {
    const ranges = master.slots.ranges();
    c.reply.map(2);
    c.reply.bulkText('slots');
    c.reply.array(ranges.length * 2);
    for (const { start, end } of ranges) {
      c.reply.int(start);
      c.reply.int(end);
    }
    c.reply.bulkText('nodes');
    c.reply.array(1 + master.replicas.size);
    for (const node of [master, ...master.replicas]) replyFields(c, shardNode(c, shell, node));
  }
}

function shardNode(c: Call, shell: Shell, node: Node): (string | number)[] {
  const { tlsCluster, clusterPreferredEndpointType } = c.engine.server.settings;
  const offset = offsetOf(c, shell, node);
  const fields: (string | number)[] = ['id', node.id];
  const plainPort = tlsCluster ? node.plainPort : node.port;
  if (plainPort !== 0) fields.push('port', plainPort);
  if (tlsCluster && node.port !== 0) fields.push('tls-port', node.port);
  fields.push('ip', node.ip, 'endpoint', preferredHost(node, clusterPreferredEndpointType));
  if (node.hostname !== '') fields.push('hostname', node.hostname);
  fields.push('role', node.isReplica ? 'replica' : 'master', 'replication-offset', offset);
  fields.push('health', node.hasFailed ? 'fail' : node.isReplica && offset === 0 ? 'loading' : 'online');
  return fields;
}

/** Names and values in turn, as a map. */
function replyFields(c: Call, fields: readonly (string | number)[]): void {
  c.reply.map(fields.length / 2);
  for (const field of fields) {
    if (typeof field === 'number') c.reply.int(field);
    else c.reply.bulkText(field);
  }
}

// LINKS.

function replyLinks(c: Call, { state, connections }: Shell): void {
  const found: Connection[] = [];
  for (const { link, inbound } of state.nodes.values())
    for (const connection of [link, inbound]) if (connection !== null) found.push(connection);
  c.reply.array(found.length);
  for (const connection of found) {
    const owed = connections.unsent(connection);
    replyFields(c, [
      ...['direction', connection.direction === 'in' ? 'from' : 'to', 'node', connection.node!.id],
      ...['create-time', connection.since, 'events', owed > 0 ? 'rw' : 'r'],
      ...['send-buffer-allocated', owed, 'send-buffer-used', owed],
    ]);
  }
}

function listing(name: 'REPLICAS' | 'SLAVES'): Command {
  const about =
    name === 'REPLICAS'
      ? { since: '5.0.0' }
      : { since: '3.0.0', deprecatedSince: '5.0.0', replacedBy: '`CLUSTER REPLICAS`', docFlags: ['deprecated'] };
  return subcommand(
    {
      name,
      ...about,
      complexity: 'O(N) in replicas.',
      summary: 'Lists the replicas of a node.',
      flags: INQUIRES,
      tips: UNSTABLE,
      args: [bytes('node-id')],
    },
    (c, { state }) => {
      const id = c.arg(2).shown();
      const node = state.nodes.get(id);
      if (node === undefined) return c.reply.error(`ERR Unknown node ${id}`);
      if (node.isReplica) return c.reply.error('ERR The specified node is not a master');
      c.reply.array(node.replicas.size);
      for (const replica of node.replicas) c.reply.bulkText(line(c, state, replica).slice(0, -1));
    },
  );
}

function view(about: Omit<Parameters<typeof subcommand>[0], 'flags' | 'tips'>, run: (c: Call, shell: Shell) => void) {
  return subcommand({ ...about, flags: ASKS, tips: UNSTABLE }, run);
}

export const views: readonly Command[] = [
  view(
    { name: 'INFO', since: '3.0.0', complexity: 'O(1)', summary: "Tells the cluster's state." },
    (c, { state, connections }) => c.reply.verbatim(infoText(state, connections.overflows)),
  ),
  view(
    { name: 'LINKS', since: '7.0.0', complexity: 'O(N) in nodes.', summary: 'Lists the links to other nodes.' },
    replyLinks,
  ),
  subcommand({ name: 'MYID', since: '3.0.0', complexity: 'O(1)', summary: MYSELF_IS, flags: ASKS }, (c, { state }) =>
    c.reply.bulkText(state.myself.id),
  ),
  view({ name: 'NODES', since: '3.0.0', complexity: 'O(N) in nodes.', summary: 'Lists the nodes.' }, (c, { state }) => {
    const lines = [...state.nodes.values()].map((node) => line(c, state, node));
    c.reply.verbatim(lines.join(''));
  }),
  listing('REPLICAS'),
  listing('SLAVES'),
  view({ name: 'SHARDS', since: '7.0.0', complexity: 'O(N) in nodes.', summary: 'Lists the shards.' }, replyShards),
  view(
    {
      name: 'SLOTS',
      since: '3.0.0',
      complexity: 'O(N) in nodes.',
      summary: 'Lists the ranges of slots and their nodes.',
      deprecatedSince: '7.0.0',
      replacedBy: '`CLUSTER SHARDS`',
      docFlags: ['deprecated'],
      history: [
        ['4.0.0', 'Shows IDs of nodes.'],
        ['7.0.0', 'Shows what else is known of where they are.'],
      ],
    },
    replySlots,
  ),
];
