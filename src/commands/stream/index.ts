/** Commands of streams. */
import type { Command } from '../../engine/command.ts';
import { xadd, xdel, xsetid, xtrim } from './add.ts';
import { xack, xgroup } from './group.ts';
import { xinfo } from './info.ts';
import { xautoclaim, xclaim, xpending } from './pending.ts';
import { xlen, xrange, xrevrange } from './range.ts';
import { xread, xreadgroup } from './read.ts';

export const streamCommands: readonly Command[] = [
  ...[xadd, xtrim, xdel, xsetid, xrange, xrevrange, xlen, xread, xreadgroup],
  ...[xgroup, xack, xpending, xclaim, xautoclaim, xinfo],
];
