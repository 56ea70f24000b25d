/** DUMP, RESTORE, SAVE and what belongs to them. */
import type { Command } from '../../engine/command.ts';
import { dump, restore, restoreAsking } from './dump.ts';
import { migrate } from './migrate.ts';
import { bgrewriteaof } from './rewrite.ts';
import { bgsave, lastsave, save } from './save.ts';

export const persistenceCommands: readonly Command[] = [
  bgrewriteaof,
  bgsave,
  dump,
  lastsave,
  migrate,
  restore,
  restoreAsking,
  save,
];
