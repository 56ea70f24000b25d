/** DUMP, RESTORE, SAVE and what belongs to them. */
import type { Command } from '../../engine/command.ts';
import { dump, restore, restoreAsking } from './dump.ts';
import { bgsave, lastsave, save } from './save.ts';

export const persistenceCommands: readonly Command[] = [bgsave, dump, lastsave, restore, restoreAsking, save];
