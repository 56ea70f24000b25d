/** The commands of a server, and of a Sentinel. Whoever needs to know which there are (the table, redis.conf's directives) reads this list. */
import { assert } from '../base/assert.ts';
import { clusterCommands } from '../cluster/commands/index.ts';
import { commands } from '../commands/index.ts';
import { ALL_SECTIONS, infoCommand } from '../commands/server/info.ts';
import type { Command } from '../engine/command.ts';
import { clusterInGroup } from '../raft/cluster-views.ts';
import { raftCommand, refuseInGroup, roleInGroup, waitInGroup } from '../raft/commands.ts';
import { raftInfo } from '../raft/info.ts';
import { replicationCommands } from '../replication/commands.ts';
import { scriptingCommands } from '../scripting/index.ts';
import { publishHello, sentinel, sentinelInfo, sentinelRole } from '../sentinel/commands.ts';

export const ALL_COMMANDS: readonly Command[] = [
  ...commands,
  ...clusterCommands,
  ...scriptingCommands,
  ...replicationCommands,
];

/** What a Sentinel does as any server does. */
const SHARED = [
  'PING',
  'AUTH',
  'HELLO',
  'CLIENT',
  'ACL',
  'COMMAND',
  'SHUTDOWN',
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
];
const SECTIONS = ['server', 'clients', 'stats', 'cpu'];

function named(name: string): Command {
  const found = ALL_COMMANDS.find((each) => each.name === name);
  assert(found !== undefined, `${name} is a command`);
  return found;
}

export const SENTINEL_COMMANDS: readonly Command[] = [
  ...SHARED.map(named),
  infoCommand([...ALL_SECTIONS.filter(([name]) => SECTIONS.includes(name)), ['sentinel', 'Sentinel', sentinelInfo]]),
  { ...named('PUBLISH'), run: publishHello },
  { ...named('ROLE'), run: sentinelRole },
  sentinel,
];

/** Commands that a member of a group has from its own rules. */
const INSTEAD: Readonly<Record<string, Command>> = {
  CLUSTER: clusterInGroup,
  INFO: infoCommand([...ALL_SECTIONS.slice(0, -1), ['raft', 'Raft', raftInfo], ...ALL_SECTIONS.slice(-1)]),
  WAIT: { ...named('WAIT'), run: waitInGroup },
  ROLE: { ...named('ROLE'), run: roleInGroup },
  ...Object.fromEntries(
    ['REPLICAOF', 'SLAVEOF', 'SYNC', 'PSYNC', 'FAILOVER'].map((name) => [name, { ...named(name), run: refuseInGroup }]),
  ),
};

/** Those of a member of a group. */
export const GROUP_COMMANDS: readonly Command[] = [
  ...ALL_COMMANDS.map((each) => INSTEAD[each.name] ?? each),
  raftCommand,
];
