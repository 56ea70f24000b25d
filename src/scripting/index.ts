/** The commands of scripts and functions, and what hangs them into a server. */
import type { Command } from '../engine/command.ts';
import { evalCommands } from './commands.ts';
import { functionCommands } from './functions.ts';

export { attachScripting } from './owners.ts';

export const scriptingCommands: readonly Command[] = [...evalCommands, ...functionCommands];
