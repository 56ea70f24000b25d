/**
 * CLUSTER on a server that is no member of a cluster, which is every one so far: each subcommand is known, with its
 * arity and flags, and answers that cluster support is disabled.
 */
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { type Argument, bytes, many, optional } from '../engine/grammar.ts';

function refuse(c: Call): void {
  c.reply.error('ERR This instance has cluster support disabled');
}

const ASKS: readonly CommandFlag[] = ['stale'];
const INQUIRES: readonly CommandFlag[] = ['admin', 'stale'];
const CHANGES: readonly CommandFlag[] = ['admin', 'stale', 'no_async_loading'];
const UNSTABLE = ['nondeterministic_output'];

type Row = readonly [
  name: string,
  since: string,
  arity: number,
  flags: readonly CommandFlag[],
  summary: string,
  tips?: readonly string[],
];

const ROWS: readonly Row[] = [
  ['ADDSLOTS', '3.0.0', -3, CHANGES, 'Assigns slots to this node.'],
  ['ADDSLOTSRANGE', '7.0.0', -4, CHANGES, 'Assigns ranges of slots to this node.'],
  ['BUMPEPOCH', '3.0.0', 2, CHANGES, 'Advances the epoch of the configuration.', UNSTABLE],
  ['COUNT-FAILURE-REPORTS', '3.0.0', 3, INQUIRES, 'Counts the reports that a node fails.', UNSTABLE],
  ['COUNTKEYSINSLOT', '3.0.0', 3, ASKS, 'Counts the keys of a slot.'],
  ['DELSLOTS', '3.0.0', -3, CHANGES, 'Takes slots from this node.'],
  ['DELSLOTSRANGE', '7.0.0', -4, CHANGES, 'Takes ranges of slots from this node.'],
  ['FAILOVER', '3.0.0', -2, CHANGES, 'Lets this replica take its master over.'],
  ['FLUSHSLOTS', '3.0.0', 2, CHANGES, 'Takes all slots from this node.'],
  ['FORGET', '3.0.0', 3, CHANGES, 'Removes a node.'],
  ['GETKEYSINSLOT', '3.0.0', 4, ASKS, 'Names keys of a slot.', UNSTABLE],
  ['HELP', '5.0.0', 2, ['loading', 'stale'], 'Lists the subcommands.'],
  ['INFO', '3.0.0', 2, ASKS, "Tells the cluster's state.", UNSTABLE],
  ['KEYSLOT', '3.0.0', 3, ASKS, 'Tells the slot of a key.'],
  ['LINKS', '7.0.0', 2, ASKS, 'Lists the links to other nodes.', UNSTABLE],
  ['MEET', '3.0.0', -4, CHANGES, 'Makes the acquaintance of a node.'],
  ['MYID', '3.0.0', 2, ASKS, "Tells this node's name."],
  ['NODES', '3.0.0', 2, ASKS, 'Lists the nodes.', UNSTABLE],
  ['REPLICAS', '5.0.0', 3, INQUIRES, 'Lists the replicas of a node.', UNSTABLE],
  ['REPLICATE', '3.0.0', 3, CHANGES, 'Makes this node a replica of another.'],
  ['RESET', '3.0.0', -2, ['admin', 'noscript', 'stale'], 'Makes this node a new one.'],
  ['SAVECONFIG', '3.0.0', 2, CHANGES, 'Saves what is known of the cluster.'],
  ['SET-CONFIG-EPOCH', '3.0.0', 3, CHANGES, "Sets a new node's epoch."],
  ['SETSLOT', '3.0.0', -4, CHANGES, 'Moves a slot between nodes.'],
  ['SHARDS', '7.0.0', 2, ASKS, 'Lists the shards.', UNSTABLE],
  ['SLAVES', '3.0.0', 3, INQUIRES, 'Lists the replicas of a node.', UNSTABLE],
  ['SLOTS', '3.0.0', 2, ASKS, 'Lists the ranges of slots and their nodes.', UNSTABLE],
];

const SUBCOMMANDS = ROWS.map(([name, since, arity, flags, summary, tips]) =>
  command({
    name,
    group: 'cluster',
    since,
    complexity: 'O(1)',
    summary,
    flags,
    tips,
    args: argumentsOf(arity),
    run: refuse,
  }),
);

/** Arguments beyond command and subcommand; a negative arity is the least number of words. */
function argumentsOf(arity: number): readonly Argument[] {
  const fixed = Math.abs(arity) - 2;
  if (arity > 0) return Array.from({ length: fixed }, () => bytes('arg'));
  if (fixed === 0) return [optional(many(bytes('arg')))];
  return [...Array.from({ length: fixed - 1 }, () => bytes('arg')), many(bytes('arg'))];
}

export const clusterCommands: readonly Command[] = [
  command({
    name: 'CLUSTER',
    group: 'cluster',
    since: '3.0.0',
    complexity: 'Depends on the subcommand.',
    summary: 'Commands about the cluster.',
    flags: [],
    subcommands: SUBCOMMANDS,
  }),
];
