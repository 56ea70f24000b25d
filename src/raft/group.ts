/**
 * Which commands of clients a member runs: all on data at the leader; at the others what READONLY allows, and what listens to
 * channels. Whatever else is asked there is sent to the leader, as a cluster with one shard would.
 */
import type { Slice } from '../base/slice.ts';
import { flagBit } from '../engine/derive.ts';
import { GATE_READONLY } from '../engine/gates.ts';
import type { GroupPort } from '../engine/group-port.ts';
import { CROSS_SLOT, NO_SLOT, routedKeys, slotOfKeys } from '../engine/keys.ts';
import { slotOfQueue } from '../engine/routing.ts';
import type { Session, Waiter } from '../engine/session.ts';
import type { Registered } from '../engine/table.ts';
import { slotOf } from '../keyspace/slot.ts';
import { parseAddress, portFor } from './address.ts';
import { memberOf } from './configuration.ts';
import type { Shell } from './shell.ts';

const WRITE = flagBit('write');
const READS = flagBit('readonly');
const PUBSUB = flagBit('pubsub');
const MAY_REPLICATE = flagBit('may_replicate');
const CHANGES = WRITE | MAY_REPLICATE;

const NO_GROUP = 'CLUSTERDOWN The server belongs to no group: RAFT INIT begins one, RAFT JOIN enters one';
const NO_LEADER = 'CLUSTERDOWN No leader';
const REMOVED = 'CLUSTERDOWN The server was removed from its group';

export class Group implements GroupPort {
  private readonly shell: Shell;

  constructor(shell: Shell) {
    this.shell = shell;
  }

  get serves(): boolean {
    return this.shell.serves;
  }

  redirection(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    flags: number,
  ): string | null {
    if (this.shell.serves) {
      session.gated.bound = true;
      return null;
    }
    const queue = registered.runsQueue ? session.transaction : null;
    if ((flags & PUBSUB) !== 0 && (flags & CHANGES) === 0) return null;
    if (this.mayRead(session) && isReading(flags, queue)) return null;
    let slot = queue === null ? slotOfKeys(registered, args, argc) : slotOfQueue(queue);
    if (slot === CROSS_SLOT) slot = queue === null ? slotOf(routedKeys(registered, args, argc)[0]) : NO_SLOT;
    return this.elsewhere(Math.max(slot, 0), session);
  }

  redirectionOfWaiter({ session, keys, registered }: Waiter): string | null {
    if (keys.length === 0 || this.shell.serves) return null;
    if (this.mayRead(session) && isReading(registered.flags, null)) return null;
    return this.elsewhere(slotOf(keys[0].name), session);
  }

  /** At a member that does not lead, what is committed may be read, stale as it may be. */
  private mayRead(session: Session): boolean {
    return session.readsReplica && this.shell.joined && this.shell.applier.settled;
  }

  /** The error that sends a client to the leader. */
  elsewhere(slot: number, session: Session): string {
    const { state, configuration } = this.shell;
    if (state === null || !this.shell.joined) return this.shell.isMember ? NO_LEADER : NO_GROUP;
    const address = parseAddress(memberOf(configuration, state.leader)?.address ?? '');
    if (address === undefined || state.leader === state.id) return this.shell.removed ? REMOVED : NO_LEADER;
    return `MOVED ${slot} ${address.host}:${portFor(address, session.port.secure)}`;
  }
}

function isReading(flags: number, queue: Session['transaction']): boolean {
  if (queue !== null)
    return (queue.gates & GATE_READONLY) === 0 && queue.queue.every(({ registered }) => reads(registered.flags));
  return reads(flags);
}

function reads(flags: number): boolean {
  return (flags & READS) !== 0 && (flags & CHANGES) === 0;
}
