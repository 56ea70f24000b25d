/**
 * Gates: the states in which a command is refused or held.
 *
 * A command carries the bits of the states that concern it; session and engine carry the bits of the states that they
 * are in. `command.gates & (session.denied | engine.denied)` is the one test on the hot path; only when it is not zero
 * does the dispatcher walk the gates, in Redis's order, to find which answers.
 */
import type { Command } from './command.ts';
import { flagBit } from './derive.ts';

/** Not authenticated. */
export const GATE_AUTH = 1 << 0;
/** Between MULTI and EXEC: refused there (no_multi), by Redis's flag. */
export const GATE_NO_MULTI = 1 << 1;
/** The user's rules must be asked (set while a user is not unrestricted). */
export const GATE_ACL = 1 << 2;
/** The cluster's slot map must be asked. */
export const GATE_CLUSTER = 1 << 3;
/** maxmemory is passed and can't be regained. */
export const GATE_OOM = 1 << 4;
/** The last save failed and stop-writes-on-bgsave-error is set, or the AOF can't be written. */
export const GATE_MISCONF = 1 << 5;
/** Too few good replicas. */
export const GATE_REPLICAS = 1 << 6;
/** A read-only replica. */
export const GATE_READONLY = 1 << 7;
/** A RESP2 subscriber. */
export const GATE_SUBSCRIBED = 1 << 8;
/** A replica with stale data that may not serve it. */
export const GATE_STALE = 1 << 9;
/** Data is being loaded. */
export const GATE_LOADING = 1 << 10;
/** A script runs past its time. */
export const GATE_BUSY = 1 << 11;
/** CLIENT PAUSE of writes. */
export const GATE_PAUSED_WRITE = 1 << 12;
/** CLIENT PAUSE of everything. */
export const GATE_PAUSED_ALL = 1 << 13;
/** Between MULTI and EXEC: queued. */
export const GATE_QUEUE = 1 << 14;
/** Somebody watches all commands (MONITOR). */
export const GATE_MONITORED = 1 << 15;
/** A loading replica that serves its old data meanwhile. */
export const GATE_ASYNC_LOADING = 1 << 16;
/** Somebody caches keys and is to be told of changes (CLIENT TRACKING); nothing is refused for it. */
export const GATE_TRACKED = 1 << 17;

const WRITE = flagBit('write');
const NO_AUTH = flagBit('no_auth');
const LOADING = flagBit('loading');
const STALE = flagBit('stale');
const DENY_OOM = flagBit('denyoom');
const MAY_REPLICATE = flagBit('may_replicate');
const NO_MULTI = flagBit('no_multi');
const ALLOW_BUSY = flagBit('allow_busy');
const NO_ASYNC_LOADING = flagBit('no_async_loading');
const SKIP_MONITOR = flagBit('skip_monitor');
const ADMIN = flagBit('admin');

const SUBSCRIBER_COMMANDS = new Set([
  'PING',
  'SUBSCRIBE',
  'SSUBSCRIBE',
  'SUNSUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
  'QUIT',
  'RESET',
]);
const NEVER_QUEUED = new Set(['EXEC', 'DISCARD', 'MULTI', 'WATCH', 'QUIT', 'RESET']);

/** The gates that EXEC passes for the sake of what it runs. */
export const GATES_OF_QUEUE =
  GATE_OOM |
  GATE_MISCONF |
  GATE_REPLICAS |
  GATE_READONLY |
  GATE_STALE |
  GATE_LOADING |
  GATE_ASYNC_LOADING |
  GATE_PAUSED_WRITE;

/** The gates that may concern a command which runs a script, as the script declares. */
export const GATES_OF_SCRIPTS =
  GATE_OOM | GATE_MISCONF | GATE_REPLICAS | GATE_READONLY | GATE_STALE | GATE_PAUSED_WRITE;

/** The gates that concern a command. */
export function gatesOf(command: Command, flags: number): number {
  let gates = GATE_ACL | GATE_CLUSTER | GATE_PAUSED_ALL | GATE_TRACKED;
  if (!(flags & NO_AUTH)) gates |= GATE_AUTH;
  if (flags & NO_MULTI) gates |= GATE_NO_MULTI;
  if (flags & DENY_OOM) gates |= GATE_OOM;
  if (flags & WRITE) gates |= GATE_MISCONF | GATE_REPLICAS | GATE_READONLY;
  if (command.name === 'PING') gates |= GATE_MISCONF;
  if (flags & (WRITE | MAY_REPLICATE)) gates |= GATE_PAUSED_WRITE;
  if (!SUBSCRIBER_COMMANDS.has(command.name)) gates |= GATE_SUBSCRIBED;
  if (!(flags & STALE)) gates |= GATE_STALE;
  if (!(flags & LOADING)) gates |= GATE_LOADING;
  if (flags & NO_ASYNC_LOADING) gates |= GATE_ASYNC_LOADING;
  if (!(flags & ALLOW_BUSY)) gates |= GATE_BUSY;
  if (!NEVER_QUEUED.has(command.name)) gates |= GATE_QUEUE;
  if (!(flags & (SKIP_MONITOR | ADMIN))) gates |= GATE_MONITORED;
  if (command.name === 'EXEC') gates |= GATES_OF_QUEUE;
  return gates;
}
