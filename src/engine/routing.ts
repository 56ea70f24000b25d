/**
 * Where in a cluster a command of a client's has to go: Redis's checks, in Redis's order.
 *
 *   no keys ──> here
 *   the first key's slot is nobody's ──> CLUSTERDOWN      keys of several slots ──> CROSSSLOT
 *   the cluster is down ──> CLUSTERDOWN, except for what may go on
 *   MIGRATE of an open slot ──> here
 *   our slot that goes away: all keys gone ──> ASK, some ──> TRYAGAIN
 *   a slot that comes to us, and ASKING ──> here, or TRYAGAIN where some of several keys are missing
 *   a READONLY client reads at a replica ──> here         another's slot ──> MOVED
 *
 * EXEC is judged by all that it runs. Of nearly every command `isOursAlone` is all that is asked, and nothing is allocated.
 */
import { type Slice, sameBytes } from '../base/slice.ts';
import type { Settings } from '../config/settings.ts';
import type { Database } from '../keyspace/database.ts';
import { slotOf } from '../keyspace/slot.ts';
import { NULL } from '../memory/address.ts';
import type { ClusterNode, ClusterPort } from './cluster-port.ts';
import { flagBit } from './derive.ts';
import { GATE_READONLY } from './gates.ts';
import { CROSS_SLOT, NO_SLOT, routedKeys, type SlotSource, slotOfKeys } from './keys.ts';
import type { Session, Waiter } from './session.ts';
import type { Registered } from './table.ts';
import type { Transaction } from './transaction.ts';

const WRITE = flagBit('write');
const READS = flagBit('readonly');
const PUBSUB = flagBit('pubsub');
const ASKING = flagBit('asking');

/** Why a command within another may not be run by this node. */
export type WithinRefusal = 'down-for-writes' | 'down' | 'elsewhere';

const DOWN = 'CLUSTERDOWN The cluster is down';
const DOWN_FOR_WRITES = 'CLUSTERDOWN The cluster is down and only accepts read commands';
const UNSERVED = 'CLUSTERDOWN Hash slot not served';
const CROSS = "CROSSSLOT Keys in request don't hash to the same slot";
const TRY_AGAIN = 'TRYAGAIN Multiple keys request during rehashing of slot';

/** Of the client whose command it is: what READONLY and ASKING have said. */
export interface Asker {
  readonly readsReplica: boolean;
  readonly asks: boolean;
}

/** A command as it came, or the queue that EXEC runs. */
interface Request {
  readonly registered: Registered;
  readonly args: readonly Slice[];
  readonly argc: number;
  /** The bits of its flags with these arguments. */
  readonly flags: number;
  readonly queue: Transaction | null;
}

/** Which of the keys of a command are here. */
interface Presence {
  readonly missing: boolean;
  readonly some: boolean;
  /** There are different ones. */
  readonly several: boolean;
}

export class Routing {
  private readonly port: ClusterPort;
  private readonly db: Database;
  private readonly settings: Readonly<Settings>;
  private readonly source: SlotSource;

  /** `db` holds the keys; `source` may know their slots. */
  constructor(port: ClusterPort, db: Database, settings: Readonly<Settings>, source: SlotSource) {
    this.port = port;
    this.db = db;
    this.settings = settings;
    this.source = source;
  }

  /** Whether nothing stands against a client's command, as of nearly all; of others `redirection` says why. */
  serves(session: Session, registered: Registered, args: readonly Slice[], argc: number): boolean {
    if (registered.runsQueue) return false;
    const slot = slotOfKeys(registered, args, argc, this.source);
    session.slot = slot;
    return this.isOursAlone(slot);
  }

  /**
   * Why a client's command is not run here: the error to reply; null where it is. The session remembers the slot. `flags`
   * are the bits of the command's flags with these arguments.
   */
  redirection(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    flags: number,
  ): string | null {
    const queue = registered.runsQueue ? session.transaction : null;
    const slot = queue === null ? slotOfKeys(registered, args, argc) : slotOfQueue(queue);
    session.slot = slot;
    if (this.isOursAlone(slot)) return null;
    return this.judge(slot, session, { registered, args, argc, flags, queue }, session.port.secure);
  }

  /** Why what a command of `session` runs within (a script, a module) may not be run here; null where it may. */
  refusalWithin(session: Session, registered: Registered, args: readonly Slice[], argc: number): WithinRefusal | null {
    const slot = slotOfKeys(registered, args, argc);
    if (this.isOursAlone(slot)) return null;
    const { flags } = registered;
    const error = this.judge(slot, session, { registered, args, argc, flags, queue: null }, false);
    if (error === null) return null;
    return error === DOWN_FOR_WRITES ? 'down-for-writes' : error === DOWN ? 'down' : 'elsewhere';
  }

  /** Whether a command of the running script of `session` has its keys in the slot of those before it; the first decides. */
  isOfSameSlot(session: Session, registered: Registered, args: readonly Slice[], argc: number): boolean {
    const slot = slotOfKeys(registered, args, argc);
    if (slot === NO_SLOT) return true;
    if (session.slot === NO_SLOT) session.slot = slot;
    return session.slot === slot;
  }

  /** Where a client that waits for keys should turn to instead; null where it may go on. */
  redirectionOfWaiter({ session, registered, keys }: Waiter): string | null {
    const { map } = this.port;
    if (keys.length === 0) return null;
    if (!map.ok) return DOWN;
    const slot = slotOf(keys[0].name);
    const owner = map.owners[slot];
    if (owner === map.myself || map.importing.has(slot)) return null;
    if (owner === null) return UNSERVED;
    if (session.readsReplica && registered.has(READS) && map.myself.master === owner) return null;
    return this.moved(slot, owner, session.port.secure);
  }

  /** Nothing stands against a command of this slot, or of none. */
  private isOursAlone(slot: number): boolean {
    if (slot < 0) return slot === NO_SLOT;
    const { myself, ok, migrating, importing } = this.port.map;
    if (!ok || !myself.slots.has(slot)) return false;
    this.db.expectSlot(slot);
    return (migrating.size === 0 || !migrating.has(slot)) && (importing.size === 0 || !importing.has(slot));
  }

  private judge(slot: number, asker: Asker, request: Request, secure: boolean): string | null {
    const { map } = this.port;
    const { registered, flags, queue } = request;
    if (slot === CROSS_SLOT) return map.owners[firstSlot(request)] === null ? UNSERVED : CROSS;
    const owner = map.owners[slot];
    if (owner === null) return UNSERVED;
    const down = map.ok ? null : this.whileDown(request);
    if (down !== null) return down;
    const opened = this.ofOpenSlot(slot, owner, asker, request, secure);
    if (opened !== undefined) return opened;
    if (owner === map.myself) return null;
    const writes = (flags & WRITE) !== 0 || (queue !== null && (queue.gates & GATE_READONLY) !== 0);
    if ((asker.readsReplica || isOfShardChannels(registered)) && !writes && map.myself.master === owner) return null;
    return this.moved(slot, owner, secure);
  }

  private whileDown({ registered, flags }: Request): string | null {
    const { clusterAllowPubsubshardWhenDown, clusterAllowReadsWhenDown } = this.settings;
    if (isOfShardChannels(registered)) return clusterAllowPubsubshardWhenDown ? null : DOWN;
    if (!clusterAllowReadsWhenDown) return DOWN;
    return flags & WRITE ? DOWN_FOR_WRITES : null;
  }

  /** Of a command whose slot may be on its way; undefined where that decides nothing. */
  private ofOpenSlot(
    slot: number,
    owner: ClusterNode,
    asker: Asker,
    request: Request,
    secure: boolean,
  ): string | null | undefined {
    const { map } = this.port;
    const target = owner === map.myself ? map.migrating.get(slot) : undefined;
    const comes = target === undefined && map.importing.has(slot);
    if (target === undefined && !comes) return undefined;
    const { registered, flags } = request;
    if (registered.command.traits?.includes('moves_keys')) return null;
    const { missing, some, several } = this.presence(request);
    if (target !== undefined && missing) return some ? TRY_AGAIN : `ASK ${slot} ${this.port.endpoint(target, secure)}`;
    if (comes && (asker.asks || (flags & ASKING) !== 0)) return several && missing ? TRY_AGAIN : null;
    return undefined;
  }

  /** Channels of shards are where their slot is, until it is another's. */
  private presence(request: Request): Presence {
    const found = { missing: false, some: false, several: false };
    if (isOfShardChannels(request.registered)) return found;
    const { db } = this;
    const keys = keysOf(request);
    for (const key of keys) {
      if (!sameBytes(key, keys[0])) found.several = true;
      const e = db.peek(key, db.hash(key));
      if (e === NULL || db.isExpired(e)) found.missing = true;
      else found.some = true;
    }
    return found;
  }

  private moved(slot: number, owner: ClusterNode, secure: boolean): string {
    return `MOVED ${slot} ${this.port.endpoint(owner, secure)}`;
  }
}

/** SSUBSCRIBE, SUNSUBSCRIBE and SPUBLISH. */
function isOfShardChannels(registered: Registered): boolean {
  return registered.keyed && registered.has(PUBSUB);
}

/** Of what EXEC runs, as `slotOfKeys`. */
export function slotOfQueue({ queue }: Transaction): number {
  let slot = NO_SLOT;
  for (const { registered, args } of queue) {
    const next = slotOfKeys(registered, args, args.length);
    if (next === CROSS_SLOT || (next !== NO_SLOT && slot !== NO_SLOT && next !== slot)) return CROSS_SLOT;
    if (next !== NO_SLOT) slot = next;
  }
  return slot;
}

function keysOf({ registered, args, argc, queue }: Request): Slice[] {
  if (queue === null) return routedKeys(registered, args, argc);
  return queue.queue.flatMap((queued) => routedKeys(queued.registered, queued.args, queued.args.length));
}

/** The slot of the first of several keys. */
function firstSlot(request: Request): number {
  return slotOf(keysOf(request)[0]);
}
