/** The commands of a server. Whoever needs to know which there are (the table, redis.conf's directives) reads this list. */
import { commands } from '../commands/index.ts';
import type { Command } from '../engine/command.ts';
import { replicationCommands } from '../replication/commands.ts';
import { scriptingCommands } from '../scripting/index.ts';

export const ALL_COMMANDS: readonly Command[] = [...commands, ...scriptingCommands, ...replicationCommands];
