/** Commands on keys of any type. */
import type { Command } from '../../engine/command.ts';
import { expireCommands, persist, timeCommands } from './expire.ts';
import { del, exists, keys, randomkey, touch, type, unlink } from './keys.ts';
import { object } from './object.ts';
import { copy, move, renameCommand, renamenx } from './place.ts';
import { scan } from './scan.ts';

export const genericCommands: readonly Command[] = [
  del,
  unlink,
  exists,
  touch,
  type,
  keys,
  scan,
  randomkey,
  renameCommand,
  renamenx,
  copy,
  move,
  ...expireCommands,
  ...timeCommands,
  persist,
  object,
];
