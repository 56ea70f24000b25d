/**
 * This server as a node of a cluster: where its clients' commands go (routing.ts), and what the cluster asks of the engine
 * by slot (SlotKeeper). Of a server by itself nothing here is ever asked.
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import type { Keyspaces } from '../keyspace/keyspaces.ts';
import { slotOf } from '../keyspace/slot.ts';
import type { Blocking } from './blocking.ts';
import type { ClusterPort, SlotKeeper } from './cluster-port.ts';
import { GATE_CLUSTER, GATE_GROUP, type Gates } from './gates.ts';
import type { GroupPort } from './group-port.ts';
import type { SlotSource } from './keys.ts';
import { type Propagation, TO_ALL } from './propagation.ts';
import type { PubSub } from './pubsub.ts';
import { Routing } from './routing.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

/** What is needed of the engine. */
export interface MembershipHost {
  readonly keyspaces: Keyspaces;
  readonly server: ServerPort;
  readonly gates: Gates;
  readonly pubsub: PubSub;
  readonly blocking: Blocking;
  readonly propagation: Propagation;
  readonly stats: { dirty: number };
  readonly lookAhead: SlotSource;
  /** The command that runs; null between commands. */
  readonly outermost: object | null;
  touched(db: Database, key: Slice, event: string): void;
  interruptWait(session: Session, failed: boolean): void;
}

export class Membership implements SlotKeeper {
  /** The cluster; null where the server is by itself. */
  port: ClusterPort | null = null;
  /** The group whose member the server is, of which only the leader serves; null where it is none's. */
  group: GroupPort | null = null;
  /** There if and only if `port` is. */
  routing: Routing | null = null;
  private readonly engine: MembershipHost;

  constructor(engine: MembershipHost) {
    this.engine = engine;
  }

  /** Once, when the server is put together. */
  join(port: ClusterPort): void {
    assert(this.port === null, 'a server is a node of one cluster');
    const { keyspaces, server, gates, lookAhead } = this.engine;
    this.port = port;
    this.routing = new Routing(port, keyspaces.databases[0], server.settings, lookAhead);
    gates.set(GATE_CLUSTER, 'cluster', true);
  }

  /** Once, when the server is put together. */
  follow(group: GroupPort): void {
    assert(this.port === null && this.group === null, 'a server is a member of one group, and then of no cluster');
    this.group = group;
    this.engine.gates.set(GATE_GROUP, 'group', true);
  }

  /** As Routing's, of a node of a cluster. */
  serves(session: Session, registered: Registered, args: readonly Slice[], argc: number): boolean {
    return this.routing?.serves(session, registered, args, argc) ?? false;
  }

  /** As Routing's, or the group's; null where the server is by itself. */
  redirection(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    flags: number,
  ): string | null {
    return (this.routing ?? this.group)?.redirection(session, registered, args, argc, flags) ?? null;
  }

  /** Whether this server is a node of a cluster. */
  get joined(): boolean {
    return this.port !== null;
  }

  get isEmpty(): boolean {
    return this.engine.keyspaces.databases[0].size === 0;
  }

  countKeys(slot: number): number {
    return this.engine.keyspaces.databases[0].countSlot(slot);
  }

  eachKey(slot: number, count: number, take: (key: Slice) => void): void {
    this.engine.keyspaces.databases[0].eachKeyOfSlot(slot, count, take);
  }

  dropKeys(slots: readonly number[]): number {
    const { engine } = this;
    const db = engine.keyspaces.databases[0];
    const word = engine.server.settings.lazyfreeLazyServerDel ? 'UNLINK' : 'DEL';
    let dropped = 0;
    for (const slot of slots) {
      dropped += db.clearSlot(slot, (key) => {
        engine.touched(db, key, 'del');
        if (engine.propagation.active) engine.propagation.effect(db.index, [word, key], TO_ALL);
      });
    }
    engine.stats.dirty += dropped;
    if (engine.outermost === null && engine.propagation.active) engine.propagation.flush(false);
    return dropped;
  }

  endSubscriptions(slots: readonly number[]): void {
    const lost = new Set(slots);
    const { pubsub } = this.engine;
    for (const channel of [...pubsub.shardChannels])
      if (lost.has(slotOf(channel.name))) pubsub.endShardChannel(channel);
  }

  redirectWaiters(): void {
    const { engine } = this;
    const routing = this.routing ?? this.group;
    if (routing === null || engine.blocking.idle) return;
    for (const waiter of engine.blocking.waiters()) {
      const elsewhere = routing.redirectionOfWaiter(waiter);
      if (elsewhere === null) continue;
      waiter.session.reply.error(elsewhere);
      engine.interruptWait(waiter.session, true);
    }
  }
}
