/** The commands about the server itself. */
import type { Command } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import { config } from './config.ts';
import { debug } from './debug.ts';
import { info } from './info.ts';
import { dbsize, flushall, flushdb, swapdb } from './keyspace.ts';
import { latency } from './latency.ts';
import { role, shutdown, time, wait } from './life.ts';
import { lolwut } from './lolwut.ts';
import { memory } from './memory.ts';
import { module } from './module.ts';
import { monitor, showToMonitors } from './monitor.ts';
import { slowlog, watchSlowCommands } from './slowlog.ts';

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
  role,
  shutdown,
  slowlog,
  swapdb,
  time,
  wait,
];

/** Hangs the slow log, the latency monitor and MONITOR into an engine; called once when a server is built. */
export function attachServerCommands(engine: Engine): void {
  watchSlowCommands(engine);
  showToMonitors(engine);
}
