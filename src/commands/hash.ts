/** The commands on hashes. */
import type { Command } from '../engine/command.ts';
import { READ_COMMANDS } from './hash/read.ts';
import { WALK_COMMANDS } from './hash/walk.ts';
import { WRITE_COMMANDS } from './hash/write.ts';

export const hashCommands: readonly Command[] = [...WRITE_COMMANDS, ...READ_COMMANDS, ...WALK_COMMANDS];
