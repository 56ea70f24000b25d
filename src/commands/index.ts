/** All commands of the server; a new file of commands is added here. */
import type { Command } from '../engine/command.ts';
import { aclCommands } from './acl/index.ts';
import { bitmapCommands } from './bitmap/index.ts';
import { commandCommands } from './command/index.ts';
import { connectionCommands } from './connection.ts';
import { genericCommands } from './generic/index.ts';
import { geoCommands } from './geo/index.ts';
import { hashCommands } from './hash.ts';
import { hyperloglogCommands } from './hyperloglog.ts';
import { listCommands } from './list/index.ts';
import { persistenceCommands } from './persistence/index.ts';
import { pubsubCommands } from './pubsub.ts';
import { redirectionCommands } from './redirection.ts';
import { serverCommands } from './server/index.ts';
import { setCommands } from './set.ts';
import { sortCommands } from './sort.ts';
import { streamCommands } from './stream/index.ts';
import { stringCommands } from './string.ts';
import { transactionCommands } from './transaction.ts';
import { zsetCommands } from './zset/index.ts';

export const commands: readonly Command[] = [
  ...stringCommands,
  ...listCommands,
  ...setCommands,
  ...hashCommands,
  ...zsetCommands,
  ...streamCommands,
  ...sortCommands,
  ...bitmapCommands,
  ...hyperloglogCommands,
  ...geoCommands,
  ...genericCommands,
  ...connectionCommands,
  ...aclCommands,
  ...serverCommands,
  ...persistenceCommands,
  ...commandCommands,
  ...redirectionCommands,
  ...transactionCommands,
  ...pubsubCommands,
];
