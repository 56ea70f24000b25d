/**
 * Gates: the states in which a command is refused, held or preceded by something.
 *
 * A command carries the bits of the states that concern it. A session carries those that it is in itself, the server
 * (`Gates`) those that concern everybody but the sessions of exempt roles (roles.ts):
 *
 *   command.gates & GATES_BEFORE & (session.gates | (server.bits & session.minds))
 *
 * is the one test on the hot path; only when it is not zero does the gatekeeper find, in Redis's order, which answers. A
 * bit that is set has its branch there: the gatekeeper asserts it.
 */
import { assert } from '../base/assert.ts';
import { Reasons } from '../base/reasons.ts';
import type { Declaration } from './declaration.ts';
import { flagBit } from './derive.ts';

/** Not authenticated. Of a session. */
export const GATE_AUTH = 1 << 0;
/** Between MULTI and EXEC: refused there (no_multi), by Redis's flag. Of a session. */
export const GATE_NO_MULTI = 1 << 1;
/** The user's rules must be asked (set while a user is not unrestricted). Of a session. */
export const GATE_ACL = 1 << 2;
/** The cluster's slot map must be asked. */
export const GATE_CLUSTER = 1 << 3;
/** Memory was short when it was last looked at; a command that this concerns looks again. */
export const GATE_OOM = 1 << 4;
/** The last save failed and stop-writes-on-bgsave-error is set, or the AOF can't be written. */
export const GATE_MISCONF = 1 << 5;
/** Too few good replicas. */
export const GATE_REPLICAS = 1 << 6;
/** A read-only replica. */
export const GATE_READONLY = 1 << 7;
/** A RESP2 subscriber. Of a session. */
export const GATE_SUBSCRIBED = 1 << 8;
/** A replica with stale data that may not serve it. */
export const GATE_STALE = 1 << 9;
/** Data is being loaded. */
export const GATE_LOADING = 1 << 10;
/** A script runs past its time. */
export const GATE_BUSY = 1 << 11;
/** Commands that may write are paused. */
export const GATE_PAUSED_WRITE = 1 << 12;
/** All commands are paused. */
export const GATE_PAUSED_ALL = 1 << 13;
/** Between MULTI and EXEC: queued. Of a session. */
export const GATE_QUEUE = 1 << 14;
/** Somebody watches all commands (MONITOR). Nothing is refused for it. */
export const GATE_MONITORED = 1 << 15;
/** A loading replica that serves its old data meanwhile. */
export const GATE_ASYNC_LOADING = 1 << 16;
/** Somebody caches keys and is to be told of changes (CLIENT TRACKING). Nothing is refused for it. */
export const GATE_TRACKED = 1 << 17;
/** More keys are remembered for those who cache them than tracking-table-max-keys: some are forgotten first. */
export const GATE_TRACKING_FULL = 1 << 18;
/** A replica of ours, which may not touch the keyspace. Of a session. */
export const GATE_KEYSPACE = 1 << 19;
/** ASKING has been said: it is for the next command only. Of a session. Nothing is refused for it. */
export const GATE_ASKING = 1 << 20;
/** A member of a group, which must be asked whether it leads. */
export const GATE_GROUP = 1 << 21;
/** Somebody has switched on a fault that a command may meet. */
export const GATE_FAULTS = 1 << 22;
/** Somebody has the commands recorded. Nothing is refused for it. */
export const GATE_RECORDED = 1 << 23;

/** Nothing is evicted in these states. */
export const GATES_AGAINST_EVICTION = GATE_LOADING | GATE_ASYNC_LOADING | GATE_BUSY | GATE_PAUSED_WRITE;
export const GATES_OF_SESSIONS =
  GATE_AUTH | GATE_NO_MULTI | GATE_ACL | GATE_SUBSCRIBED | GATE_QUEUE | GATE_KEYSPACE | GATE_ASKING;
const GATES_OF_SERVER = ((GATE_RECORDED << 1) - 1) & ~GATES_OF_SESSIONS;
/** What is seen to when a command has run. */
export const GATES_AFTER = GATE_MONITORED | GATE_TRACKED | GATE_RECORDED;
/** What may keep a command from running. */
export const GATES_BEFORE = (GATES_OF_SESSIONS | GATES_OF_SERVER) & ~GATES_AFTER;

/** The states that concern every session: each holds for as long as there is a reason for it. */
export class Gates {
  /** The states of now. Whoever changes one goes through `set`. */
  bits = 0;
  private readonly reasons = new Map<number, Reasons>();

  /** Gives or takes away one reason (a word of the giver's own) for the state `bit`. */
  set(bit: number, reason: string, on: boolean): void {
    assert(
      (bit & GATES_OF_SERVER) === bit && (bit & (bit - 1)) === 0 && bit !== 0,
      'a state is one bit, of the server',
    );
    let reasons = this.reasons.get(bit);
    if (reasons === undefined) this.reasons.set(bit, (reasons = new Reasons()));
    this.bits = reasons.set(reason, on) ? this.bits | bit : this.bits & ~bit;
  }

  /** Whether the server is in any of these states. */
  any(bits: number): boolean {
    return (this.bits & bits) !== 0;
  }
}

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

const READONLY = flagBit('readonly');

/** The gates that EXEC passes for the sake of what it runs. */
export const GATES_OF_QUEUE =
  GATE_OOM |
  GATE_MISCONF |
  GATE_REPLICAS |
  GATE_READONLY |
  GATE_STALE |
  GATE_LOADING |
  GATE_ASYNC_LOADING |
  GATE_PAUSED_WRITE |
  GATE_CLUSTER |
  GATE_GROUP |
  GATE_KEYSPACE;

/** The gates that may concern a command which runs a script, as the script declares. */
export const GATES_OF_SCRIPTS =
  GATE_OOM | GATE_MISCONF | GATE_REPLICAS | GATE_READONLY | GATE_STALE | GATE_PAUSED_WRITE;

/** The gates that concern a command; `keyed` where keys may be among its arguments. */
export function gatesOf(command: Declaration, flags: number, keyed: boolean): number {
  const traits = command.traits ?? [];
  let gates =
    GATE_ACL | GATE_PAUSED_ALL | GATE_TRACKED | GATE_TRACKING_FULL | GATE_ASKING | GATE_FAULTS | GATE_RECORDED;
  if (keyed) gates |= GATE_CLUSTER;
  if (!(flags & NO_AUTH)) gates |= GATE_AUTH;
  if (flags & NO_MULTI) gates |= GATE_NO_MULTI;
  if (flags & DENY_OOM) gates |= GATE_OOM;
  if (flags & WRITE) gates |= GATE_MISCONF | GATE_REPLICAS | GATE_READONLY;
  if (traits.includes('tells_disk_errors')) gates |= GATE_MISCONF;
  if (flags & (WRITE | MAY_REPLICATE)) gates |= GATE_PAUSED_WRITE;
  if (flags & (WRITE | MAY_REPLICATE | READONLY)) gates |= GATE_KEYSPACE;
  if (keyed || flags & (WRITE | MAY_REPLICATE | READONLY)) gates |= GATE_GROUP;
  if (!traits.includes('for_subscribers')) gates |= GATE_SUBSCRIBED;
  if (!(flags & STALE)) gates |= GATE_STALE;
  if (!(flags & LOADING)) gates |= GATE_LOADING;
  if (flags & NO_ASYNC_LOADING) gates |= GATE_ASYNC_LOADING;
  if (!(flags & ALLOW_BUSY)) gates |= GATE_BUSY;
  // What ends a transaction is never short of memory; what else is not queued (MULTI, WATCH) passes this gate to say so.
  if (!traits.includes('ends_transaction')) gates |= GATE_QUEUE;
  if (!(flags & (SKIP_MONITOR | ADMIN))) gates |= GATE_MONITORED;
  if (traits.includes('runs_queue')) gates |= GATES_OF_QUEUE;
  return gates;
}
