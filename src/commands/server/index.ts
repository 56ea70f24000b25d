/** The commands about the server itself. */
import type { Command } from '../../engine/command.ts';
import { config } from './config.ts';
import { debug } from './debug.ts';
import { info } from './info.ts';
import { dbsize, flushall, flushdb, swapdb } from './keyspace.ts';
import { latency } from './latency.ts';
import { shutdown, time } from './life.ts';
import { lolwut } from './lolwut.ts';
import { memory } from './memory.ts';
import { module } from './module.ts';
import { monitor } from './monitor.ts';
import { slowlog } from './slowlog.ts';

export const serverCommands: readonly Command[] = [
  config,
  dbsize,
  debug,
  flushall,
  flushdb,
  info,
  latency,
  lolwut,
  memory,
  module,
  monitor,
  shutdown,
  slowlog,
  swapdb,
  time,
];
