/** The commands on bitmaps: strings taken as bits. */
import type { Command } from '../../engine/command.ts';
import { BITFIELD_COMMANDS } from './bitfield.ts';
import { BITOP_COMMANDS } from './bitop.ts';
import { BITS_COMMANDS } from './bits.ts';

export const bitmapCommands: readonly Command[] = [...BITS_COMMANDS, ...BITOP_COMMANDS, ...BITFIELD_COMMANDS];
