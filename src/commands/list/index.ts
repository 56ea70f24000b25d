/** All commands of lists. */
import type { Command } from '../../engine/command.ts';
import { moveCommands } from './move.ts';
import { pushCommands } from './push.ts';
import { readCommands } from './read.ts';
import { removeCommands } from './remove.ts';

export const listCommands: readonly Command[] = [...pushCommands, ...readCommands, ...removeCommands, ...moveCommands];
