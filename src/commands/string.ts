/** The commands on strings. */
import type { Command } from '../engine/command.ts';
import { CHANGE_COMMANDS } from './string/change.ts';
import { GET_COMMANDS } from './string/get.ts';
import { LCS_COMMANDS } from './string/lcs.ts';
import { SET_COMMANDS } from './string/set.ts';

export const stringCommands: readonly Command[] = [
  ...SET_COMMANDS,
  ...GET_COMMANDS,
  ...CHANGE_COMMANDS,
  ...LCS_COMMANDS,
];
