/** The commands on sets. */
import type { Command } from '../engine/command.ts';
import { COMBINE_COMMANDS } from './set/combine.ts';
import { MEMBER_COMMANDS } from './set/members.ts';
import { RANDOM_COMMANDS } from './set/random.ts';

export const setCommands: readonly Command[] = [...MEMBER_COMMANDS, ...RANDOM_COMMANDS, ...COMBINE_COMMANDS];
