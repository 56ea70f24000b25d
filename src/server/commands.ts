/** The commands of a server, and of a Sentinel. Whoever needs to know which there are (the table, redis.conf's directives) reads this list. */
import { assert } from '../base/assert.ts';
import { clusterCommands } from '../cluster/commands/index.ts';
import { commands } from '../commands/index.ts';
import { ALL_SECTIONS, type InfoSection, infoCommand } from '../commands/server/info.ts';
import { lines } from '../commands/server/info-lines.ts';
import type { Command } from '../engine/command.ts';
import { clusterInGroup } from '../raft/cluster-views.ts';
import { raftCommand, refuseInGroup, waitInGroup } from '../raft/commands.ts';
import { raftInfo } from '../raft/info.ts';
import { replicationInGroup, roleInGroup } from '../raft/standing.ts';
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

function sectionsInGroup(): InfoSection[] {
  const sections = ALL_SECTIONS.map((section): InfoSection => {
    const [name, title] = section;
    return name === 'replication' ? [name, title, (engine) => lines(replicationInGroup(engine))] : section;
  });
  sections.splice(-1, 0, ['raft', 'Raft', raftInfo]);
  return sections;
}

/** Commands that a member of a group has from its own rules. */
const INSTEAD: Readonly<Record<string, Command>> = {
  CLUSTER: clusterInGroup,
  INFO: infoCommand(sectionsInGroup()),
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
